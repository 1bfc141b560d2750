"""What a lab does by itself once a button has started it: it can be stopped, it ends, and readers who want no motion see the end."""

import lab_gradient
import lab_likelihood
import pytest
import torch
from labs import assert_right, controls, results

from crossentropy.datasets import load_wine
from crossentropy.likelihood import SoftmaxRegression
from javascript import assert_agree


@pytest.fixture
def open_lab(visitor, origins):
    def open_lab(case, **options):
        page = visitor.open(f"{origins['http']}{case.page}", light=True, **options)
        root = page.locator(f'[data-widget="{case.lab.topic}"][data-ready="true"]').first
        root.wait_for()
        return page, root

    return open_lab


def busy(root):
    return root.locator('[aria-busy="true"]').count() > 0


def until_still(root):
    root.locator('[aria-busy="true"]').wait_for(state="detached")


def test_a_run_can_be_paused_and_taken_up_again(open_lab):
    page, root = open_lab(lab_gradient.CASE)
    run = root.locator('[name="run"]')
    run.press("Enter")
    assert run.text_content() == "Pause"
    page.wait_for_timeout(200)
    run.press("Enter")
    assert not busy(root)
    assert run.text_content() == "Run 100 steps"
    steps = results(root)["steps"]
    assert 0 < steps < 100
    assert_right(lab_gradient.CASE, root)
    run.press("Enter")
    until_still(root)
    assert results(root)["steps"] == steps + 100


@pytest.mark.parametrize("stop", ["reset", "logit"])
def test_whatever_else_changes_the_state_stops_a_run(stop, open_lab):
    page, root = open_lab(lab_gradient.CASE)
    root.locator('[name="run"]').click()
    page.wait_for_timeout(100)
    if stop == "reset":
        root.locator('[name="reset"]').click()
    else:
        root.locator('[name="logit"]').first.fill("3")
    assert not busy(root)
    page.wait_for_timeout(200)
    assert results(root)["steps"] == 0
    assert controls(root)["logit"][0] == (2 if stop == "reset" else 3)


def test_a_walk_goes_on_from_where_a_logit_is_put(open_lab):
    _, root = open_lab(lab_gradient.CASE)
    for _ in range(3):
        root.locator('[name="step"]').click()
    walked = controls(root)["logit"]
    assert_agree(walked, lab_gradient.CASE.lab(steps=3).walked)
    root.locator('[name="target"]').select_option("2")
    assert controls(root)["logit"] == walked
    assert results(root)["steps"] == 0


def test_those_who_want_no_motion_see_the_end_at_once(visitor, open_lab):
    page, root = open_lab(lab_gradient.CASE)
    page.emulate_media(reduced_motion="reduce")
    root.locator('[name="run"]').click()
    assert not busy(root)
    assert results(root)["steps"] == 100


def test_the_fit_ends_at_the_packages_weights(open_lab):
    _, root = open_lab(lab_likelihood.CASE)
    root.locator('[name="fit"]').click()
    until_still(root)
    wine = load_wine()
    best = SoftmaxRegression().fit(wine.x, wine.y)
    assert_agree(results(root)["cost"], best.cost_)
    assert_agree(controls(root)["weight"], best.weight_.flatten().tolist(), 1e-6)
    assert f"seen with these samples: {best.cost_:.3f}" in root.inner_text()


def test_a_fit_of_separable_bottles_stops_and_says_so(open_lab):
    _, root = open_lab(lab_likelihood.CASE)
    samples, sentence = root.locator('[name="samples"]'), root.locator(".ce-summary")
    samples.fill("48")
    assert "separable" not in sentence.text_content()
    samples.fill("47")
    assert "separable" in sentence.text_content()
    root.locator('[name="fit"]').click()
    until_still(root)
    shown = controls(root)
    assert torch.tensor([*shown["weight"], *shown["bias"]]).abs().max() <= 12
    assert_right(lab_likelihood.CASE, root)


def test_an_underflow_is_put_into_words(open_lab):
    _, root = open_lab(lab_likelihood.CASE)
    samples, sentence = root.locator('[name="samples"]'), root.locator(".ce-summary")
    assert "says 0" not in sentence.text_content()
    samples.fill("400")
    assert "float32 says 0" in sentence.text_content()
    samples.fill("5000")
    assert "float32 and float64 say 0" in sentence.text_content()
