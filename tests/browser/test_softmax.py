"""What SoftmaxLab shows besides its numbers: marks, bars, the line of scores, and its sentence."""

from math import exp

import pytest
from lab_softmax import CASE
from labs import assert_right, marks, results, type_into

URL = "/chapters/softmax.html"


@pytest.fixture
def lab(visitor, origins):
    page = visitor.open(origins["http"] + URL)
    root = page.locator('[data-widget="softmax"][data-ready="true"]')
    root.wait_for()
    return root


def test_nothing_is_marked_at_the_start(lab):
    for quantity in results(lab):
        assert set(marks(lab, quantity)) == {""}
    assert lab.locator(".ce-summary").text_content() == "Class 0 is the most probable, with 0.728."


def test_a_shift_moves_the_normaliser_alone(lab):
    type_into(lab, "shift", "-3.7")
    assert marks(lab, "log-sum-exp") == ["▼"]
    for quantity in ("probability", "log-probability", "odds"):
        assert marks(lab, quantity) == ["="] * 3
    assert lab.locator(".ce-summary").text_content() == (
        "Class 0 is the most probable, with 0.728. Fell: log-sum-exp. Stayed: probability, log-probability, odds."
    )


def test_a_shift_of_a_thousand_is_a_shift(lab):
    # It costs the logits three digits; nobody is to read that as a movement.
    type_into(lab, "shift", "1000")
    assert marks(lab, "probability") == ["="] * 3


def test_one_logit_moves_its_own_odds_and_every_probability(lab):
    type_into(lab, "logit", "1.25", index=1)
    assert marks(lab, "probability") == ["▼", "▲", "▼"]
    assert marks(lab, "odds") == ["=", "▲", "="]


def test_the_logit_of_class_0_moves_all_other_odds(lab):
    type_into(lab, "logit", "3", index=0)
    assert marks(lab, "odds") == ["=", "▼", "▼"]


def test_a_new_class_takes_from_all_and_leaves_the_odds(lab):
    lab.locator('[name="add-class"]').click()
    assert marks(lab, "probability") == ["▼", "▼", "▼", ""]
    assert marks(lab, "odds") == ["=", "=", "=", ""]
    assert lab.locator('[name="logit"]').count() == 4


def test_marks_tell_of_the_whole_gesture(lab):
    slider = lab.locator('[name="shift-slider"]')
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    mouse, y = lab.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + 0.5 * box["width"], y)
    mouse.down()
    mouse.move(box["x"] + 0.9 * box["width"], y)
    # On the way back, and still above where the finger went down.
    mouse.move(box["x"] + 0.7 * box["width"], y)
    assert marks(lab, "log-sum-exp") == ["▲"]
    mouse.up()
    slider.press("ArrowLeft")
    assert marks(lab, "log-sum-exp") == ["▼"]


def test_there_are_two_to_ten_classes(lab):
    add, remove = lab.locator('[name="add-class"]'), lab.locator('[name="remove-class"]')
    add.focus()
    for _ in range(9):
        lab.page.keyboard.press("Enter")
    assert lab.locator('[name="logit"]').count() == 10
    assert add.get_attribute("aria-disabled") == "true"
    assert add.evaluate("button => button === document.activeElement")
    assert_right(CASE, lab)
    remove.focus()
    for _ in range(10):
        lab.page.keyboard.press("Space")
    assert lab.locator('[name="logit"]').count() == 2
    assert remove.get_attribute("aria-disabled") == "true"
    assert add.get_attribute("aria-disabled") == "false"
    assert_right(CASE, lab)


def test_bars_are_as_long_as_the_probabilities(lab):
    # The bar glides to its length.
    lab.page.emulate_media(reduced_motion="reduce")
    type_into(lab, "logit", "1.25", index=1)
    lengths = lab.evaluate(
        """root => [...root.querySelectorAll(".ce-bar")]
             .map((bar) => bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width)"""
    )
    assert lengths == pytest.approx(results(lab)["probability"], abs=0.005)


def test_scores_and_their_normaliser_stand_on_one_line(lab):
    type_into(lab, "temperature", "0.5")
    type_into(lab, "shift", "-1")
    places = lab.evaluate(
        """root => {
          const line = root.querySelector(".ce-line").getBoundingClientRect();
          const at = (e) => { const r = e.getBoundingClientRect(); return -10 + 20 * ((r.left + r.right) / 2 - line.left) / line.width; };
          return [...root.querySelectorAll(".ce-dot"), root.querySelector(".ce-normaliser")].map(at);
        }"""
    )
    assert places == pytest.approx([2.0, -1.0, -1.8, results(lab)["log-sum-exp"]], abs=0.05)


def test_the_line_reaches_as_far_as_the_scores(lab):
    type_into(lab, "logit", "400", index=1)
    ticks = [float(tick.replace("−", "-")) for tick in lab.locator(".ce-axis > span").all_text_contents()]
    assert ticks == [-500, -250, 0, 250, 500]
    lefts = lab.locator(".ce-dot, .ce-normaliser").evaluate_all(
        "all => all.map((e) => parseFloat(e.style.left) / 10 - 5)"
    )
    assert lefts == pytest.approx([0.02, 4, 0.001, 4], abs=1e-3)


def test_a_half_typed_number_is_left_alone(lab):
    box = lab.locator('[name="shift"]')
    box.fill("")
    box.press_sequentially("-0.50")
    assert box.input_value() == "-0.50"
    box.blur()
    assert box.input_value() == "-0.5"


def test_the_slider_goes_on_from_a_typed_number(lab):
    type_into(lab, "logit", "1.234567", index=1)
    slider = lab.locator('[name="logit-slider"][data-index="1"]')
    slider.press("ArrowRight")
    assert float(lab.locator('[name="logit"][data-index="1"]').input_value()) == pytest.approx(1.3)


def test_two_that_tie_share_the_lead(lab):
    type_into(lab, "logit", "2", index=1)
    assert (
        lab.locator(".ce-summary")
        .text_content()
        .startswith(f"Classes 0 and 1 share the lead, each with {1 / (2 + exp(-1.9)):.3f}.")
    )


def test_odds_read_either_way(lab):
    assert lab.locator('output[data-quantity="odds"]').all_text_contents() == ["1.000", "0.223", "0.150"]
    type_into(lab, "logit", "2.5", index=1)
    assert lab.locator('output[data-quantity="odds"]').nth(1).text_content() == "1.649"
