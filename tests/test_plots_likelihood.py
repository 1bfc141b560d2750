"""The figures of chapter "likelihood": what they drew, and that they say it in words."""

import html
import math
import re

import numpy as np
import pytest
import torch

from crossentropy.datasets import load_wine
from crossentropy.likelihood import cost, likelihood, log_likelihood
from crossentropy.plots import likelihood as plots

DOUBLE = torch.float64
WINE = load_wine()
MEANS = torch.stack([WINE.x[WINE.y == k].mean(0) for k in range(3)])
W, B = MEANS.T, -MEANS.square().sum(1) / 2
LOGITS = WINE.x @ W + B
PATHS = [
    ("one", torch.tensor([1.0, 2.0, 2.1]), torch.tensor([0.5, 1e-3, 1e-9])),
    ("two", torch.tensor([1.0, 4.0, 8.0]), torch.tensor([0.4, 0.2, 0.1])),
]
FIGURES = {
    "line": lambda: plots.likelihood_along_line(LOGITS, WINE.y),
    "products": lambda: plots.running_products((0.1, 0.7)),
    "boundaries": lambda: plots.boundaries(*WINE, [("means", W, B)]),
    "runaway": lambda: plots.runaway(PATHS),
}


def test_the_line_is_the_likelihood_its_logarithm_and_the_cost():
    linear, powers, logs, costs = plots.likelihood_along_line(LOGITS, WINE.y).axes
    t, drawn = linear.lines[0].get_data()
    assert (t[0], t[-1], len(t)) == (-3, 8, 221)
    for n in (0, 60, 115, 220):
        z = float(t[n]) * LOGITS
        assert drawn[n] == pytest.approx(likelihood(z, WINE.y).item(), rel=1e-9, abs=0)
        assert logs.lines[0].get_ydata()[n] == pytest.approx(log_likelihood(z, WINE.y).item())
        assert costs.lines[0].get_ydata()[n] == pytest.approx(cost(z, WINE.y).item())
    assert len({line.get_linestyle() for line in powers.lines[:3:2]}) == 2


def test_the_line_marks_one_best_point_in_each_panel():
    figure = plots.likelihood_along_line(LOGITS, WINE.y)
    for axes in figure.axes:
        (point,) = axes.lines[-1].get_xydata()
        assert point[0] == pytest.approx(2.75)
    assert "sharp peak at t = 2.75" in figure.alt


def test_the_line_ends_where_the_product_underflows():
    figure = plots.likelihood_along_line(LOGITS, WINE.y)
    t, double = figure.axes[1].lines[0].get_data()
    single = figure.axes[1].lines[2].get_ydata()
    assert np.isnan(single[t < 0.4]).all()
    assert not np.isnan(single[t > 0.5]).any()
    assert np.isnan(double[t < -1.5]).all()
    assert not np.isnan(double[t > -1.4]).any()
    assert "in float32 it is 0 for t below 0.45; in float64 it is 0 for t below -1.45" in figure.alt


def test_a_line_where_nothing_underflows_says_so():
    figure = plots.likelihood_along_line(LOGITS[:3], WINE.y[:3])
    assert figure.alt.endswith("So is L here.")


@pytest.mark.parametrize("default", [torch.float32, DOUBLE])
def test_the_running_products_are_float32_whatever_the_default(default):
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        figure = plots.running_products((0.1, 0.7))
    finally:
        torch.set_default_dtype(before)
    (axes,) = figure.axes
    exact, tenth, cross, _, sticky = axes.lines
    assert exact.get_ydata()[:3] == pytest.approx([-1, -2, -3])
    assert np.isnan(tenth.get_ydata()).tolist() == [n >= 46 for n in range(1, 401)]
    assert cross.get_xdata()[0] == 45
    assert sticky.get_ydata()[287:] == pytest.approx(math.log10(2.0**-149))
    assert "0 after 46 samples" in figure.alt
    assert "stays at 1.4e-45 from sample 288 on" in figure.alt


def test_the_boundaries_are_where_the_two_largest_logits_tie():
    (axes,) = plots.boundaries(*WINE, [("means", W, B), ("twice", 2 * W, B)]).axes
    assert len(axes.lines) == 6
    for line in axes.lines[:3]:
        top = (torch.from_numpy(line.get_xydata()) @ W + B).topk(2, dim=1).values
        torch.testing.assert_close(top[:, 0], top[:, 1], rtol=0, atol=1e-8)
    assert len({line.get_linestyle() for line in axes.lines}) == 2


def test_a_bottle_is_larger_the_more_surprising_it_is():
    figure = plots.boundaries(*WINE, [("means", W, B)])
    (axes,) = figure.axes
    for k, points in enumerate(axes.collections):
        rows = WINE.y == k
        assert points.get_offsets().tolist() == WINE.x[rows].tolist()
        surprise = [cost(z.unsqueeze(0), torch.tensor([k])).item() for z in LOGITS[rows]]
        assert points.get_sizes() == pytest.approx(12 + 60 * np.array(surprise))
    assert "13 bottles lie on the wrong side" in figure.alt


def test_the_paths_are_drawn_as_given():
    figure = plots.runaway(PATHS)
    (axes,) = figure.axes
    for line, (name, lengths, excess) in zip(axes.lines, PATHS, strict=True):
        assert line.get_label() == name
        assert line.get_xdata().tolist() == lengths.tolist()
        assert line.get_ydata().tolist() == excess.tolist()
    assert "one: at length 2.1 the cost is 1e-09 above; the last step moved the weights by 0.1." in figure.alt
    assert len({line.get_marker() for line in axes.lines}) == 2


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_shows_itself_with_words_and_without_formulae(name):
    figure = FIGURES[name]()
    shown = figure.to_html()
    assert html.escape(figure.alt) in shown
    assert "mathdefault" not in shown
    assert not re.search(r"(?<!, )#[0-9a-f]{6}(?!\))", shown.replace("#ffffff", ""))
    assert shown == FIGURES[name]().to_html()


def test_no_two_figures_share_a_name():
    assert len({FIGURES[name]().name for name in FIGURES}) == len(FIGURES)
