"""What BinaryLab shows besides its numbers: points on their curves, the gap that is the gradient, and its sentence."""

from math import exp, log, log1p

import pytest
from lab_binary import CASE
from labs import marks, results, type_into

# The plots' own units, as binary.js sets them: logits from -6 to 6 over 300, 170 from the lowest value to the highest.
WIDTH, HEIGHT = 300, 170


@pytest.fixture
def lab(visitor, origins):
    page = visitor.open(origins["http"] + CASE.page)
    root = page.locator('[data-widget="binary"][data-ready="true"]')
    root.wait_for()
    return root


def point(root, kind, number=0):
    """(logit, share of the plot's height) of a point."""
    dot = root.locator(f".{kind}").nth(number)
    x, y = (float(dot.get_attribute(name)) for name in ("cx", "cy"))
    return 12 * x / WIDTH - 6, 1 - y / HEIGHT


def numbers(path):
    return [float(word) for word in path.translate(str.maketrans("MLHV", "    ")).split()]


def test_starts_with_the_books_lead(lab):
    assert lab.locator(".ce-summary").text_content() == (
        "The probability of yes is 0.818: the loss is 0.201 nats, and the logit is pushed up with a force of 0.182."
    )


def test_a_label_moves_no_probability(lab):
    type_into(lab, "label", "0.25")
    assert marks(lab, "loss") == ["▲"]
    assert marks(lab, "gradient") == ["▲"]
    for quantity in ("probability", "softmax-probability", "tempting-probability"):
        assert marks(lab, quantity) == ["="]


@pytest.mark.parametrize(("logit", "label"), [(1.5, 1.0), (-2.0, 0.8), (4.0, 0.0)])
def test_the_points_lie_on_their_curves(lab, logit, label):
    type_into(lab, "logit", str(logit))
    type_into(lab, "label", str(label))
    p = 1 / (1 + exp(-logit))
    assert point(lab, "ce-main-dot") == pytest.approx((logit, p), abs=0.01)
    assert point(lab, "ce-tempting-dot") == pytest.approx((logit, 1 / (1 + exp(-2 * logit))), abs=0.01)
    loss = label * log1p(exp(-logit)) + (1 - label) * log1p(exp(logit))
    assert point(lab, "ce-main-dot", 1) == pytest.approx((logit, loss / 6), abs=0.01)


def test_the_gap_is_as_long_as_the_gradient(lab):
    type_into(lab, "logit", "-2")
    type_into(lab, "label", "0.8")
    _, from_label, to_probability = numbers(lab.locator(".ce-push").first.get_attribute("d"))
    assert (from_label - to_probability) / HEIGHT == pytest.approx(results(lab)["gradient"], abs=1e-6)


def test_the_tangent_has_the_gradient_as_its_slope(lab):
    type_into(lab, "logit", "-2")
    type_into(lab, "label", "0.8")
    x0, y0, x1, y1 = numbers(lab.locator(".ce-push").nth(1).get_attribute("d"))
    slope = (6 * (y0 - y1) / HEIGHT) / (12 * (x1 - x0) / WIDTH)
    assert slope == pytest.approx(results(lab)["gradient"], abs=1e-6)


def test_a_soft_label_has_a_floor_and_nothing_pushes_there(lab):
    type_into(lab, "label", "0.8")
    type_into(lab, "logit", repr(log(4)))
    assert lab.locator(".ce-summary").text_content().startswith(
        "The probability of yes is 0.800: the loss is 0.500 nats, and nothing pushes the logit. No logit gets below 0.500."
    )  # fmt: skip


def test_what_lies_beyond_the_plot_is_pinned_to_its_end(lab):
    type_into(lab, "logit", "40")
    for kind in ("ce-main-dot", "ce-tempting-dot"):
        assert point(lab, kind)[0] == 6
        assert "ce-beyond" in lab.locator(f".{kind}").first.get_attribute("class")
    # A tangent beyond the plot would stand beside the curve.
    assert lab.locator(".ce-push").nth(1).get_attribute("d") == ""
    assert (
        lab.locator(".ce-summary")
        .text_content()
        .startswith("The probability of yes is more than 0.999: the loss is 4.25 × 10⁻¹⁸")
    )
