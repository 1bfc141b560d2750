"""What LikelihoodLab says where growers tie, of a single bottle, and of the best J for each number of samples."""

import pytest
from labs import type_into


@pytest.fixture
def lab(visitor, origins):
    def lab(state=""):
        page = visitor.open(f"{origins['http']}/chapters/likelihood.html#{state}")
        root = page.locator('[data-widget="likelihood"][data-ready="true"]')
        root.wait_for()
        return root

    return lab


def names(root):
    return root.locator(".ce-region-name:not([hidden])").all_text_contents()


def said(root):
    return root.locator(".ce-summary").text_content()


def test_a_region_of_two_growers_is_named_for_both(lab):
    root = lab("likelihood.weight=0,0,0,0,0,0&likelihood.bias=0,0,-5")
    assert names(root) == ["grower 0 or 1"]
    assert said(root).startswith("130 of 178 bottles lie in their grower's region.")


def test_where_all_tie_there_is_no_region(lab):
    root = lab("likelihood.weight=0,0,0,0,0,0&likelihood.bias=0,0,0")
    assert names(root) == []
    assert said(root).startswith("All growers are equally probable everywhere: no region is anybody's.")


def test_one_bottle_is_one(lab):
    text = said(lab("likelihood.samples=1"))
    assert "1 of 1 bottle lies in" in text
    assert "This one sample is separable" in text


def test_each_number_of_samples_keeps_its_own_best(lab):
    root = lab()
    best = root.locator(".ce-hint", has_text="the best J seen").text_content()
    type_into(root, "bias", "8", index=1)
    for samples in ("100", "178"):
        type_into(root, "samples", samples)
    assert root.locator(".ce-hint", has_text="the best J seen").text_content() == best
