"""The figures of chapter "information": what they drew is what the functions of the topic say."""

import math
import re

import pytest
import torch

from crossentropy.information import cross_entropy, entropy, kl_divergence, surprise
from crossentropy.plots import information as plots
from crossentropy.softmax import softmax

Q = softmax(torch.tensor([2.0, 0.5, 0.1], dtype=torch.float64))
P = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.1, 0.1], [1 / 3, 1 / 3, 1 / 3]], dtype=torch.float64)
NAMES = ["sure", "smoothed", "uniform"]


def every_figure():
    curve = torch.tensor([1.609, 0.7, 0.39])
    return [
        plots.surprise_curve(Q),
        plots.floor_and_excess(P, Q, NAMES),
        plots.block_lengths(torch.tensor([1.27, 1.12]), 1.107),
        plots.loss_and_floor(curve, curve - 0.3, 0.389),
    ]


def test_the_surprise_curve_is_minus_the_logarithm_to_base_two():
    (axes,) = plots.surprise_curve(Q).axes
    x, y = axes.lines[0].get_data()
    assert list(y) == pytest.approx([-math.log2(v) for v in x])


def test_the_surprise_curve_marks_each_class():
    (axes,) = plots.surprise_curve(Q).axes
    marked = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines[1:]]
    assert [x for x, _ in marked] == pytest.approx(Q.tolist())
    assert [y for _, y in marked] == pytest.approx(surprise(Q, unit="bits").tolist())
    assert len({line.get_marker() for line in axes.lines[1:]}) == 3


def test_stacked_bars_are_entropy_and_then_divergence():
    (axes,) = plots.floor_and_excess(P, Q, NAMES).axes
    floor, excess = axes.patches[:3], axes.patches[3:]
    assert [bar.get_width() for bar in floor] == pytest.approx(entropy(P, unit="bits").tolist())
    assert [bar.get_x() for bar in excess] == pytest.approx(entropy(P, unit="bits").tolist())
    assert [bar.get_width() for bar in excess] == pytest.approx(kl_divergence(P, Q, unit="bits").tolist())
    ends = [bar.get_x() + bar.get_width() for bar in excess]
    assert ends == pytest.approx(cross_entropy(P, Q, unit="bits").tolist())
    assert {bar.get_hatch() for bar in floor} != {bar.get_hatch() for bar in excess}


def test_block_lengths_lie_between_the_floor_and_its_bound():
    lengths = torch.tensor([1.27, 1.12, 1.127])
    (axes,) = plots.block_lengths(lengths, 1.107).axes
    bound, drawn, floor = axes.lines
    assert list(drawn.get_ydata()) == pytest.approx(lengths.tolist())
    assert list(bound.get_ydata()) == pytest.approx([1.107 + 1, 1.107 + 1 / 2, 1.107 + 1 / 3])
    assert set(floor.get_ydata()) == {1.107}


def test_loss_curves_stand_above_their_floor():
    smoothed, one_hot = torch.tensor([1.609, 0.8, 0.4]), torch.tensor([1.609, 0.5, 0.1])
    (axes,) = plots.loss_and_floor(smoothed, one_hot, 0.39).axes
    assert list(axes.lines[0].get_ydata()) == pytest.approx(smoothed.tolist())
    assert list(axes.lines[1].get_ydata()) == pytest.approx(one_hot.tolist())
    assert set(axes.lines[2].get_ydata()) == {0.39}
    assert len({line.get_linestyle() for line in axes.lines}) == 3
    # What is shaded lies between the floor and the curve: the divergence.
    shaded = axes.collections[0].get_paths()[0].vertices
    assert shaded[:, 1].min() == pytest.approx(0.39)
    assert shaded[:, 1].max() == pytest.approx(1.609)


@pytest.mark.parametrize("figure", every_figure(), ids=lambda figure: figure.name)
def test_each_figure_says_in_words_what_it_shows_and_follows_the_theme(figure):
    shown = figure.to_html()
    assert len(figure.alt) > 80
    assert "currentColor" in shown
    assert not re.search(r"(?<!, )#[0-9a-f]{6}(?!\))", shown.replace("#ffffff", ""))


def test_alt_texts_give_the_numbers_drawn():
    first, second, third, fourth = (figure.alt for figure in every_figure())
    assert "class 0: 0.728, 0.46 bits" in first
    assert "sure: 0.00 + 0.46 = 0.46" in second
    assert "1.270, 1.120" in third
    assert "floor of 0.389" in fourth


def test_no_two_figures_of_the_chapter_share_a_name():
    assert len({figure.name for figure in every_figure()}) == 4
