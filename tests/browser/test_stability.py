"""What StabilityLab says of a broken number, and that no dot of its line hides another."""

import itertools

import pytest


@pytest.fixture
def lab(visitor, origins):
    def lab(logits, dtype):
        page = visitor.open(
            f"{origins['http']}/chapters/stability.html#stability.logits={logits}&stability.dtype={dtype}"
        )
        root = page.locator('[data-widget="stability"][data-ready="true"]')
        root.wait_for()
        return root

    return lab


@pytest.mark.parametrize(
    ("logits", "dtype", "sentence"),
    [
        ("2,0.5,0.1", "float16", "Nothing breaks: the naive loss is 0.316, the shifted one 0.317."),
        ("1000,0,0", "float32", "The naive loss is NaN, and its gradient has NaN in it."),
        ("0,200,0", "float32", "breaks at exp(z). The naive loss is ∞, and its gradient has NaN in it."),
        # A loss is right, and its gradient is lost.
        ("-17.2,-12,0", "float16", ", which is wrong"),
        ("-11.8,-12,-0.73", "float16", ", which is right, but its gradient has −∞ in it."),
        ("0.8,8.1,1.1", "float16", "the naive loss is 7.305, the shifted one 7.301. Yet the naive gradient is wrong"),
        ("-20,-20,-20", "float16", "The naive loss is NaN, and"),
    ],
)
def test_the_sentence_says_what_stands_in_the_tables(lab, logits, dtype, sentence):
    assert sentence in lab(logits, dtype).locator(".ce-summary").text_content()


@pytest.mark.parametrize("logits", ["2,0.5,0.1", "0,0,0,0,0,0,0,0,0,0", "20,-20,5,5.01"])
def test_no_dot_hides_another(lab, logits):
    root = lab(logits, "float32")
    boxes = [dot.bounding_box() for dot in root.locator(".ce-dot").all()]
    assert len(boxes) == 2 * (logits.count(",") + 1)
    for one, other in itertools.combinations(boxes, 2):
        apart = max(abs(one[axis] - other[axis]) for axis in ("x", "y"))
        assert apart >= 0.9 * one["width"]
