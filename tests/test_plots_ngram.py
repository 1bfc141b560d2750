"""The figures of chapter "ngram": what they drew, and that they say it in words."""

import math

import pytest
import torch

from crossentropy.plots import ngram as plots

SLOW, QUICK, FLOOR = [4.6, 2.0, 0.5, 0.05], [4.5, 0.03], 0.0245
SEEN, HELD_OUT = [4.6, 1.0, 0.02], [4.7, 9.0, 29.5]
DOUBLE = torch.float64
# Rows 0 and 1 point the same way in the first model and in opposite ways in the second; row 2 is at right angles.
MODELS = [
    torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]], dtype=DOUBLE),
    torch.tensor([[1.0, 0.0], [-2.0, 0.0], [0.0, 5.0]], dtype=DOUBLE),
]
FIGURES = {
    "losses": lambda: plots.losses_above_floor(SLOW, QUICK, FLOOR),
    "held-out": lambda: plots.seen_and_held_out(SEEN, HELD_OUT, 0.017, math.log(97)),
    "vectors": lambda: plots.pair_similarities(
        [("in", MODELS), ("out", MODELS[:1])], [("a-b", (0, 1)), ("a-c", (0, 2))]
    ),
}


def test_both_losses_and_their_floor_are_drawn_from_the_first_pass_on():
    (axes,) = FIGURES["losses"]().axes
    slow, quick, floor = axes.lines
    assert slow.get_xydata().tolist() == [[n + 1, loss] for n, loss in enumerate(SLOW)]
    assert quick.get_xydata().tolist() == [[n + 1, loss] for n, loss in enumerate(QUICK)]
    assert set(floor.get_ydata()) == {FLOOR}
    assert axes.get_yscale() == axes.get_xscale() == "log"


def test_the_divergence_is_the_area_between_the_slow_curve_and_the_floor():
    (axes,) = FIGURES["losses"]().axes
    (area,) = axes.collections
    heights = area.get_paths()[0].vertices[:, 1]
    assert heights.min() == FLOOR
    assert heights.max() == SLOW[0]
    assert axes.get_legend_handles_labels()[1][2] == "divergence"


def test_the_held_out_curve_stands_beside_the_training_curve_and_both_levels():
    (axes,) = FIGURES["held-out"]().axes
    held_out, seen, uniform, floor = axes.lines
    assert held_out.get_xydata().tolist() == [[n, loss] for n, loss in enumerate(HELD_OUT)]
    assert seen.get_xydata().tolist() == [[n, loss] for n, loss in enumerate(SEEN)]
    assert (uniform.get_ydata()[0], floor.get_ydata()[0]) == (math.log(97), 0.017)
    assert len({line.get_linestyle() for line in axes.lines}) == 4


def test_marked_pairs_have_the_cosine_of_their_vectors():
    left, right = FIGURES["vectors"]().axes
    same, square = (marks.get_offsets()[:, 1] for marks in left.collections[-2:])
    assert same.tolist() == pytest.approx([1, -1])
    assert square.tolist() == pytest.approx([0, 0], abs=1e-15)
    assert right.collections[-2].get_offsets()[:, 1].tolist() == pytest.approx([1])


def test_a_line_spans_the_cosines_of_all_pairs():
    left, _ = FIGURES["vectors"]().axes
    spans = [line.get_segments()[0][:, 1].tolist() for line in left.collections[:4:2]]
    assert spans == [pytest.approx([0, 1], abs=1e-15), pytest.approx([-1, 0], abs=1e-15)]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_says_what_it_drew(name):
    alt = FIGURES[name]().alt
    said = {
        "losses": ("floor of 0.0245", "4.60 to 0.050 in 4 passes", "4.50 to 0.030 in 2"),
        "held-out": ("4.60 to 0.020", "4.70 to 29.5", "stays at 4.57"),
        "vectors": ("in, a-b: 1.00, -1.00", "in, a-c: 0.00, 0.00", "out, a-b: 1.00"),
    }
    for words in said[name]:
        assert words in alt


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_one_image_with_a_name_of_its_own(name):
    figure = FIGURES[name]()
    assert figure.name.startswith("ngram-")
    assert figure.to_html().count("<svg") == 1
