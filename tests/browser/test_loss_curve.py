"""The game of LossCurveLab: ten curves, ten answers, and no way to peek."""

import pytest
from lab_loss_curve import CASE
from labs import results
from playwright.sync_api import expect

from crossentropy.widgets.loss_curve import BUGS, NAMES, suspect


@pytest.fixture
def root(visitor, origins):
    page = visitor.open(f"{origins['http']}{CASE.page}")
    root = page.locator('[data-widget="loss-curve"][data-ready="true"]')
    root.wait_for()
    return root


def press(root, name):
    root.locator(f'[name="{name}"]').click()


def test_ten_right_answers_score_ten(root):
    press(root, "play")
    for number in range(1, 11):
        assert results(root)["answer"] == "hidden"
        root.locator('[name="bug"]').select_option(suspect(number))
        assert results(root)["score"] == number - 1
        press(root, "answer")
        assert results(root)["score"] == number
        assert results(root)["answer"] == suspect(number)
        expect(root.locator(".ce-summary")).to_contain_text("Right: ")
        assert root.locator('[name="bug"]').is_disabled()
        if number < 10:
            press(root, "next")
    expect(root.locator(".ce-summary")).to_contain_text("the last of 10 curves: you named 10.")
    expect(root.locator('[name="next"]')).to_have_text("Another ten")
    press(root, "next")
    assert results(root) | {"round": 11, "score": 0, "answer": "hidden"} == results(root)
    expect(root.locator('output[data-quantity="round"]')).to_have_text("1 of 10")


def test_the_bugs_have_one_name_in_both_places(root):
    assert root.locator('[name="bug"] option').all_text_contents() == [NAMES[bug] for bug in BUGS]


def test_a_wrong_answer_is_explained_and_scores_nothing(root):
    press(root, "play")
    wrong = next(bug for bug in BUGS if bug != suspect(1))
    root.locator('[name="bug"]').select_option(wrong)
    press(root, "answer")
    assert results(root)["score"] == 0
    expect(root.locator(".ce-summary")).to_contain_text(f"You said: {NAMES[wrong]}. It was: {NAMES[suspect(1)]}.")


def test_a_curve_is_answered_once_and_not_skipped(root):
    assert root.locator('[name="answer"]').get_attribute("aria-disabled") == "true"
    press(root, "play")
    assert root.locator('[name="next"]').get_attribute("aria-disabled") == "true"
    root.locator('[name="next"]').press("Enter")
    assert results(root)["round"] == 1
    root.locator('[name="bug"]').select_option(suspect(1))
    press(root, "answer")
    root.locator('[name="answer"]').press("Enter")
    assert results(root)["score"] == 1


def test_a_hidden_curve_is_named_nowhere(root):
    press(root, "play")
    press(root, "play")
    press(root, "play")
    root.locator('[name="bug"]').select_option("none" if suspect(1) != "none" else "sum")
    assert suspect(1) not in root.locator("pre code").text_content()
    assert suspect(1) not in root.page.url
    assert results(root)["answer"] == "hidden"
    press(root, "play")
    assert results(root)["round"] == 0
