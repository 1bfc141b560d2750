"""The figures of the binary case: what they drew, and that they say it in words."""

from math import log

import pytest
import torch
import torch.nn.functional as F

from crossentropy.binary import sigmoid
from crossentropy.datasets import load_wine
from crossentropy.plots import binary as plots

WEIGHT, BIAS = torch.tensor([-4.0, -2.0], dtype=torch.float64), torch.tensor(1.5, dtype=torch.float64)


def two_growers():
    wine = load_wine()
    pair = wine.y < 2
    return wine.x[pair], wine.y[pair]


def a_boundary():
    return plots.boundary(*two_growers(), WEIGHT, BIAS, ("alcohol", "flavanoids"), ("grower 0", "grower 1"))


def test_sigmoid_curves_draw_the_sigmoid_and_the_sigmoid_of_twice_the_logit():
    (axes,) = plots.sigmoid_curves(1.5).axes
    curves = [line for line in axes.lines if line.get_label().startswith("softmax")]
    for scale, line in zip((1, 2), curves, strict=True):
        z, p = (torch.as_tensor(values) for values in line.get_data())
        torch.testing.assert_close(p, sigmoid(scale * z))
    marked = [line.get_data() for line in axes.lines if line.get_label() == "_at z"]
    assert [float(p[0]) for _, p in marked] == pytest.approx([1 / (1 + 2.718281828459045**-z) for z in (1.5, 3.0)])
    assert curves[0].get_linestyle() != curves[1].get_linestyle()


def test_sigmoid_curves_say_both_values():
    assert "gives 0.818 and" in plots.sigmoid_curves(1.5).alt
    assert "gives 0.953." in plots.sigmoid_curves(1.5).alt


def test_loss_curves_are_what_torch_computes():
    (axes,) = plots.loss_curves(0.7).axes
    for y, line in zip((1.0, 0.0, 0.7), axes.lines[:3], strict=True):
        z, loss = (torch.as_tensor(values) for values in line.get_data())
        expected = F.binary_cross_entropy_with_logits(z, torch.full_like(z, y), reduction="none")
        torch.testing.assert_close(loss, expected)
    assert len({line.get_linestyle() for line in axes.lines[:3]}) == 3


def test_the_soft_label_has_its_minimum_where_the_probability_is_the_label():
    (axes,) = plots.loss_curves(0.7).axes
    (minimum,) = [line for line in axes.lines if line.get_label() == "_minimum"]
    (z,), (loss,) = minimum.get_data()
    assert z == pytest.approx(log(0.7 / 0.3))
    assert loss == pytest.approx(-0.7 * log(0.7) - 0.3 * log(0.3))
    assert loss <= axes.lines[2].get_data()[1].min()


def test_every_bottle_of_the_two_growers_is_drawn():
    x, _ = two_growers()
    (axes,) = a_boundary().axes
    drawn = [tuple(point) for points in axes.collections for point in points.get_offsets().tolist()]
    assert sorted(drawn) == sorted(tuple(row) for row in x.tolist())


def test_the_lines_are_where_the_probability_is_what_they_say():
    (axes,) = a_boundary().axes
    for line in axes.lines:
        points = torch.stack([torch.as_tensor(values) for values in line.get_data()], dim=-1)
        p = sigmoid(points @ WEIGHT + BIAS)
        assert line.get_label() == f"p = {p[0]:.1f}"
        torch.testing.assert_close(p, torch.full_like(p, float(line.get_label()[4:])))
    assert [line.get_label() for line in axes.lines] == ["p = 0.1", "p = 0.5", "p = 0.9"]
    assert len({line.get_linestyle() for line in axes.lines}) == 3


def test_the_boundary_counts_the_bottles_on_the_wrong_side():
    x, y = two_growers()
    wrong = int(((x @ WEIGHT + BIAS > 0).long() != y).sum())
    assert f"0.9; {wrong} bottles lie on the wrong side" in a_boundary().alt


def test_clamp_curves_draw_the_truth_and_what_the_clamp_makes_of_it():
    left, right = plots.clamp_curves().axes
    (z, truth), (_, single), (_, double) = (line.get_data() for line in left.lines)
    assert truth == pytest.approx(F.softplus(torch.as_tensor(z).double()), rel=1e-6)
    assert (single[z >= 17] == 100).all()
    assert (double[z >= 37] == 100).all()
    assert double[z <= 30] == pytest.approx(truth[z <= 30], rel=1e-2)
    assert [line.get_data()[1][-1] for line in right.lines] == [1, 0, 0]
    assert len({line.get_linestyle() for line in left.lines}) == 3


def test_clamp_curves_say_where_the_loss_jumps():
    assert "jumps to 100 near z = 17 in float32 and near z = 37 in float64" in plots.clamp_curves().alt
