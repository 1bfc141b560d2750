"""What InformationLab shows besides its numbers: lengths that add up, the triangle, and what a gesture remembers."""

from math import log

import pytest
from lab_information import CASE
from labs import assert_right, controls, marks, results, type_into

SEED = [0.728491942317, 0.162548523756, 0.108959533927]
LENGTHS = """root => {
  const end = Number.parseFloat(root.querySelector(".ce-scale span:last-child").textContent);
  const width = (e) => end * e.getBoundingClientRect().width / e.parentElement.getBoundingClientRect().width;
  return Object.fromEntries(["floor", "excess", "part", "reverse"].map((kind) =>
    [kind, [...root.querySelectorAll(`.ce-stack > .ce-${kind}`)].map(width)]));
}"""


@pytest.fixture
def lab(visitor, origins):
    page = visitor.open(origins["http"] + CASE.page)
    # Lengths glide to where they belong.
    page.emulate_media(reduced_motion="reduce")
    root = page.locator('[data-widget="information"][data-ready="true"]')
    root.wait_for()
    return root


def choose(root, name, value):
    root.locator(f'[name="{name}"]').select_option(value)


def middle(root, kind):
    box = root.locator(f".ce-point-{kind}").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(root, kind, dx, dy):
    x, y = middle(root, kind)
    mouse = root.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + dx, y + dy, steps=5)
    mouse.up()


def test_starts_with_a_label_that_is_all_excess(lab):
    assert results(lab)["entropy"] == 0
    assert lab.locator(".ce-summary").text_content() == (
        "Of the 0.317 nats a label, nobody can save 0; a better Q would save 0.317."
    )


@pytest.mark.parametrize("preset", ["one-hot", "smoothed", "uniform", "same", "eight"])
@pytest.mark.parametrize("unit", ["nats", "bits"])
def test_the_two_parts_are_as_long_as_the_whole(lab, preset, unit):
    choose(lab, "unit", unit)
    choose(lab, "preset", preset)
    lengths, numbers = lab.evaluate(LENGTHS), results(lab)
    assert lengths["floor"] == pytest.approx([numbers["entropy"]], abs=0.02)
    assert lengths["excess"] == pytest.approx([numbers["kl-divergence"]], abs=0.02)
    assert sum(lengths["part"]) == pytest.approx(numbers["cross-entropy"], abs=0.02)
    assert sum(lengths["part"]) == pytest.approx(lengths["floor"][0] + lengths["excess"][0], abs=0.02)


def test_an_infinite_length_runs_to_the_end_and_fades(lab):
    choose(lab, "preset", "missed")
    assert results(lab)["kl-divergence"] == float("inf")
    assert lab.locator(".ce-excess.ce-endless").count() == 1
    lengths = lab.evaluate(LENGTHS)
    assert lengths["floor"][0] + lengths["excess"][0] == pytest.approx(sum(lengths["part"]), abs=0.02)
    assert lab.locator(".ce-summary").text_content().startswith("Q rules out outcome 2, which does happen")
    type_into(lab, "p", "0", index=2)
    assert results(lab)["kl-divergence"] < 1
    assert lab.locator(".ce-excess.ce-endless").count() == 0


def test_moving_one_probability_leaves_the_proportions_of_the_others(lab):
    type_into(lab, "q", "0.4", index=0)
    q = results(lab)["q"]
    assert q[0] == 0.4
    assert q[1] / q[2] == pytest.approx(SEED[1] / SEED[2])
    assert marks(lab, "q") == ["▼", "▲", "▲"]
    assert marks(lab, "p") == ["="] * 3
    assert marks(lab, "entropy") == ["="]


def test_a_slider_that_went_to_the_end_and_back_has_changed_nothing(lab):
    slider = lab.locator('[name="q-slider"][data-index="0"]')
    slider.scroll_into_view_if_needed()
    box, mouse = slider.bounding_box(), lab.page.mouse
    mouse.move(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + 1.2 * box["width"], box["y"] + box["height"] / 2, steps=5)
    assert results(lab)["q"] == [1, 0, 0]
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2, steps=5)
    mouse.up()
    q = results(lab)["q"]
    assert q[1] / q[2] == pytest.approx(SEED[1] / SEED[2])


def test_the_preset_says_whose_the_state_is(lab):
    assert controls(lab)["preset"] == "one-hot"
    type_into(lab, "p", "0.9", index=0)
    assert controls(lab)["preset"] == "own"
    lab.locator('[name="reset"]').click()
    assert controls(lab)["preset"] == "one-hot"


def test_q_equal_to_p_still_costs_the_entropy(lab):
    choose(lab, "preset", "same")
    assert (
        lab.locator(".ce-summary").text_content().startswith("Q = P: there is nothing to gain, and the loss is 0.291")
    )
    choose(lab, "preset", "one-hot")
    lab.locator('[name="swap"]').click()
    choose(lab, "preset", "eight")
    choose(lab, "unit", "bits")
    assert results(lab)["cross-entropy"] == 3


def test_the_points_can_be_dragged(lab):
    lab.locator(".ce-drawing").scroll_into_view_if_needed()
    before = results(lab)
    drag(lab, "q", 0, 40)
    after = results(lab)
    assert after["q"][0] < before["q"][0]
    assert after["kl-divergence"] > before["kl-divergence"]
    assert after["p"] == before["p"]
    drag(lab, "p", 0, 70)
    assert results(lab)["p"][0] < 0.7
    assert results(lab)["q"] == after["q"]
    assert_right(CASE, lab)


def test_a_point_cannot_leave_the_triangle(lab):
    lab.locator(".ce-drawing").scroll_into_view_if_needed()
    for dx, dy in ((-400, 0), (800, 0), (-300, 900), (0, -2000)):
        drag(lab, "q", dx, dy)
        q = results(lab)["q"]
        assert min(q) >= 0
        assert sum(q) == pytest.approx(1)
        assert_right(CASE, lab)
    assert q[0] == pytest.approx(1)


def test_the_contours_are_lines_of_equal_divergence(lab):
    def reached():
        """KL(P ‖ ·) in nats at the points of each contour, read off the drawing."""
        p = results(lab)["p"]
        height = 50 * 3**0.5
        found = []
        for d in lab.locator(".ce-map .ce-level").evaluate_all("paths => paths.map((p) => p.getAttribute('d'))"):
            points = [list(map(float, pair.split(","))) for pair in d.replace("M", " ").replace("L", " ").split()]
            kls = []
            for x, y in points:
                top = 1 - y / height
                right = x / 100 - top / 2
                q = [top, 1 - top - right, right]
                # Where an entry is nearly 0 the drawing's two decimals say too little.
                if min(q) > 0.01:
                    kls.append(sum(a * log(a / b) for a, b in zip(p, q, strict=True) if a))
            found.append(kls)
        return found

    choose(lab, "preset", "uniform")
    for level, kls in zip((0.1, 0.3, 1), reached(), strict=False):
        assert len(kls) > 20
        assert kls == pytest.approx([level] * len(kls), rel=0.02)
    choose(lab, "preset", "one-hot")
    for level, kls in zip((0.1, 0.3, 1, 3), reached(), strict=True):
        assert len(kls) > 5
        assert kls == pytest.approx([level] * len(kls), rel=0.02)
    choose(lab, "unit", "bits")
    for level, kls in zip((0.1, 0.3, 1, 3), reached(), strict=True):
        assert kls == pytest.approx([level * log(2)] * len(kls), rel=0.02)


def test_only_three_outcomes_have_a_triangle(lab):
    assert lab.locator(".ce-drawing").is_visible()
    choose(lab, "preset", "eight")
    assert not lab.locator(".ce-drawing").is_visible()
    assert lab.locator('[name="p"]').count() == lab.locator('[name="q"]').count() == 8
    lab.locator('[name="reset"]').click()
    assert lab.locator(".ce-drawing").is_visible()
    assert lab.locator('[name="p"]').count() == 3


def test_what_is_infinite_has_room_beside_what_is_not(lab):
    lab.page.evaluate("location.hash = 'information.p=0.5,0.5,0&information.q=0,0.5,0.5&information.unit=bits'")
    lab.page.wait_for_function("() => document.querySelector('.ce-lab .ce-stack .ce-endless')")
    lengths = (
        lab.locator(".ce-stack")
        .first.locator(".ce-bar")
        .evaluate_all(
            "bars => bars.map((bar) => bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width)"
        )
    )
    assert lengths == pytest.approx([0.5, 0.5], abs=0.02)


def test_nearly_nothing_and_nearly_all_are_not_called_so(lab):
    lab.page.evaluate("location.hash = 'information.q=0.9999999,0.00000005,0.00000005'")
    lab.page.wait_for_function(
        "() => document.querySelector('.ce-lab output[data-quantity=q]').textContent.includes('99.9')"
    )
    shown = lab.locator('output[data-quantity="q"]').all_text_contents()
    assert shown == ["> 99.9 %", "< 0.1 %", "< 0.1 %"]
