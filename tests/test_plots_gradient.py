"""The figures of chapter "gradient": what they drew, against the formulas, and that they say it in words."""

import math

import pytest
import torch

from crossentropy.plots import gradient as plots
from crossentropy.plots.figure import INK
from crossentropy.softmax import softmax

LOGITS = torch.tensor([2.0, 0.5, 0.1], dtype=torch.float64)
TARGETS = torch.tensor([[0.0, 1.0, 0.0], [0.2, 0.6, 0.2]], dtype=torch.float64)


def test_push_bars_draw_the_probabilities_the_label_and_their_difference():
    figure = plots.push_bars(LOGITS, 0)
    said, wanted, push = ([bar.get_width() for bar in axes.patches] for axes in figure.axes)
    assert said == pytest.approx(softmax(LOGITS).tolist())
    assert wanted == [1, 0, 0]
    assert push == pytest.approx([p - y for p, y in zip(said, wanted, strict=True)])
    assert "class 0: 0.728 less 1 is -0.272" in figure.alt
    assert len({bar.get_hatch() for bar in figure.axes[2].patches}) == 3


def test_the_three_panels_of_the_bars_have_one_scale():
    figure = plots.push_bars(LOGITS, 0)
    figure.to_html()
    spans = [axes.get_xlim()[1] - axes.get_xlim()[0] for axes in figure.axes]
    widths = [axes.get_position().width for axes in figure.axes]
    per_inch = [span / width for span, width in zip(spans, widths, strict=True)]
    assert max(per_inch) / min(per_inch) < 1.15


def test_simplex_paths_begin_at_the_model_and_walk_to_the_target():
    figure = plots.simplex_paths(LOGITS, TARGETS)
    for axes, target in zip(figure.axes, TARGETS, strict=True):
        (path,) = (line for line in axes.lines if line.get_color() != INK)
        drawn = torch.tensor(path.get_xydata())
        assert len(drawn) == 129
        torch.testing.assert_close(drawn[0], softmax(LOGITS) @ plots.CORNERS)
        torch.testing.assert_close(drawn[-1], target @ plots.CORNERS, rtol=0, atol=0.01)
    assert "after 128 steps" in figure.alt


def test_the_first_step_of_a_path_follows_p_minus_y():
    figure = plots.simplex_paths(LOGITS, TARGETS, step=0.5, steps=1)
    for axes, target in zip(figure.axes, TARGETS, strict=True):
        (path,) = (line for line in axes.lines if line.get_color() != INK)
        after = softmax(LOGITS - 0.5 * (softmax(LOGITS) - target))
        torch.testing.assert_close(torch.tensor(path.get_xydata()[1]), after @ plots.CORNERS)


def test_contours_of_a_certain_label_lie_where_its_class_is_equally_probable():
    (axes, _) = plots.simplex_paths(LOGITS, TARGETS).axes
    contours = axes.collections[0]
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        corners = torch.linalg.inv(torch.cat([plots.CORNERS, torch.ones(3, 1)], 1).double())
        points = torch.cat([torch.tensor(path.vertices), torch.ones(len(path.vertices), 1)], 1) @ corners
        assert points[:, 1].tolist() == pytest.approx([math.exp(-level)] * len(points), abs=0.01)


def test_the_push_of_squared_error_is_its_autograd_and_dies_where_cross_entropys_is_one():
    (axes,) = plots.push_on_true_class(10.0).axes
    lead, cross = axes.lines[0].get_data()
    _, squared = axes.lines[1].get_data()
    for place in (0, 90, 100, 130, 200):
        z = torch.tensor([-lead[place] / 2, lead[place] / 2, 0.0], dtype=torch.float64, requires_grad=True)
        y = torch.tensor([1.0, 0.0, 0.0])
        (slope,) = torch.autograd.grad((softmax(z) - y).square().sum() / 2, z)
        assert squared[place] == pytest.approx(abs(slope[0].item()), abs=1e-12)
        assert cross[place] == pytest.approx(1 - softmax(z.detach())[0].item(), abs=1e-12)
    assert cross[-1] > 0.999
    assert squared[-1] < 1e-3
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()


def test_training_curves_draw_every_step_and_the_minimum():
    figure = plots.training_curves([1.1, 0.6, 0.4], [1.1, 0.2], 0.19)
    descent, newton, minimum = figure.axes[0].lines
    assert descent.get_xydata().tolist() == [[0, 1.1], [1, 0.6], [2, 0.4]]
    assert newton.get_xydata().tolist() == [[0, 1.1], [1, 0.2]]
    assert set(minimum.get_ydata()) == {0.19}
    assert "Gradient descent is at 0.4000 after 2 steps" in figure.alt


def test_the_figures_have_names_of_their_own_and_words():
    figures = [
        plots.push_bars(LOGITS, 0),
        plots.simplex_paths(LOGITS, TARGETS),
        plots.push_on_true_class(),
        plots.training_curves([1.0, 0.5], [1.0], 0.1),
    ]
    assert len({f.name for f in figures}) == 4
    assert all(f.name.startswith("gradient-") and f.alt for f in figures)
