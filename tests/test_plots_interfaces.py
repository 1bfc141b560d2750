"""The figures of chapter "interfaces": what they drew, and that they say it in words."""

import math

import pytest
import torch

from crossentropy.interfaces import trapped_range
from crossentropy.plots import interfaces as plots

CURVES = {
    "A": [1.1, 0.8, 0.6],
    "B": [0.0, 0.0, 0.0],
    "C": [-0.3, -5.0, -300.0],
    "D": [1.0, math.nan, math.nan],
    "E": [1.0, math.nan, 0.5],
}


def labelled(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_trapped_loss_draws_the_loss_of_logits_and_of_their_softmax(num_classes):
    left, right = plots.trapped_loss(num_classes).axes
    once, twice = (torch.as_tensor(line.get_ydata()) for line in left.lines)
    lead = torch.as_tensor(left.lines[0].get_xdata())
    k = num_classes - 1
    p = lead.exp() / (lead.exp() + k)
    torch.testing.assert_close(once, -p.log())
    torch.testing.assert_close(twice, (p.exp() + k * ((1 - p) / k).exp()).log() - p)
    least, most = trapped_range(num_classes)
    assert least < twice.min() < twice.max() < most
    push, weak = (torch.as_tensor(line.get_ydata()) for line in right.lines)
    torch.testing.assert_close(push, p - 1)
    for slope, loss in ((push, once), (weak, twice)):
        torch.testing.assert_close(
            slope[1:-1], torch.gradient(loss, spacing=float(lead[1] - lead[0]))[0][1:-1], atol=2e-3, rtol=0
        )


def test_trapped_loss_shades_the_trap_and_names_it():
    figure = plots.trapped_loss(3)
    (band,) = figure.axes[0].patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx(trapped_range(3))
    assert "from 0.551 to 1.551" in figure.alt
    once, twice = figure.axes[0].lines
    assert once.get_linestyle() != twice.get_linestyle()


def test_the_detective_draws_each_curve_and_its_start():
    figure = plots.detective(CURVES, 3)
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(CURVES)
    for axes, curve in zip(figure.axes, CURVES.values(), strict=True):
        assert axes.lines[0].get_ydata().tolist() == pytest.approx(curve, nan_ok=True)
        (start,) = labelled(axes, "_start")
        assert [float(y) for y in start.get_ydata()] == pytest.approx(curve[:1])


def test_the_detective_marks_each_nan_and_no_other_step():
    marked = [list(labelled(axes, "_nan")[0].get_xdata()) for axes in plots.detective(CURVES, 3).axes]
    assert marked == [[], [], [], [1, 2], [1]]


def test_the_detective_draws_the_uniform_guess_where_the_panel_reaches_it():
    for axes, name in zip(plots.detective(CURVES, 3).axes, CURVES, strict=True):
        lines = labelled(axes, "_uniform")
        assert len(lines) == (name != "C")
        for line in lines:
            assert line.get_ydata() == pytest.approx([math.log(3)] * 2)
            assert axes.get_ylim()[0] < math.log(3) < axes.get_ylim()[1]


def test_the_detective_tells_each_curve_in_words():
    alt = plots.detective(CURVES, 3).alt
    assert "A starts at 1.100 and ends at 0.600." in alt
    assert "B is 0.00 at every step." in alt
    assert "D starts at 1.000 and is NaN from then on." in alt
    assert "E starts at 1.000 and ends at 0.500, with NaN at 1 of 3 steps." in alt
