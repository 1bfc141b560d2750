"""BinaryLab's Python face, and the JavaScript maths of its topic against torch."""

import math

import pytest
import torch
import torch.nn.functional as F

from crossentropy.widgets import BinaryLab
from javascript import assert_agree, call_maths

DOUBLE = torch.float64


def hard_pairs(count=1000):
    """Random logits at scales from 1e-8 to 1e3 with hard and soft labels; extremes among them."""
    generator = torch.Generator().manual_seed(0)
    draw = torch.rand(count, 3, generator=generator, dtype=DOUBLE)
    logits = (10 ** (11 * draw[:, 0] - 8)) * torch.where(draw[:, 1] < 0.5, -1.0, 1.0)
    labels = torch.where(draw[:, 2] < 0.3, 0.0, torch.where(draw[:, 2] > 0.7, 1.0, draw[:, 2]))
    extremes = [[z, y] for z in (0.0, 40.0, -40.0, 745.2, 1000.0, -1000.0) for y in (0.0, 1e-300, 0.5, 1.0)]
    return [*extremes, *torch.stack([logits, labels], -1).tolist()][:count]


def test_javascript_agrees_with_torch():
    pairs = hard_pairs()
    z, y = torch.tensor(pairs, dtype=DOUBLE).unbind(-1)
    z.requires_grad_()
    losses = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    (gradient,) = torch.autograd.grad(losses.sum(), z)
    assert_agree(call_maths([["binaryLoss", *pair] for pair in pairs]), losses.tolist())
    assert_agree(call_maths([["binaryGradient", *pair] for pair in pairs]), gradient.tolist())
    assert_agree(call_maths([["sigmoid", pair[0]] for pair in pairs]), torch.sigmoid(z).tolist())
    assert_agree(call_maths([["softplus", pair[0]] for pair in pairs]), torch.logaddexp(z, 0 * z).tolist())


def test_javascript_keeps_the_digits_that_a_difference_drops():
    loss, gradient = call_maths([["binaryLoss", 40.0, 1.0], ["binaryGradient", 40.0, 1.0]])
    assert loss == pytest.approx(math.exp(-40), rel=1e-12, abs=0)
    assert gradient == pytest.approx(-math.exp(-40), rel=1e-12, abs=0)


def test_javascript_knows_certainty():
    assert call_maths([["sigmoid", math.inf], ["sigmoid", -math.inf], ["softplus", -math.inf]]) == [1, 0, 0]


def test_starts_at_the_books_lead_and_a_yes():
    lab = BinaryLab()
    assert (lab.logit, lab.label) == (1.5, 1.0)
    assert_agree(lab.probability, math.exp(2) / (math.exp(2) + math.exp(0.5)))
    assert_agree(lab.loss, math.log1p(math.exp(-1.5)))
    assert_agree(lab.gradient, -1 / (1 + math.exp(1.5)))


def test_the_pair_with_a_zero_agrees_and_the_symmetric_one_does_not():
    lab = BinaryLab()
    for logit in (-1000.0, -2.0, 0.3, 7.0):
        lab.logit = logit
        assert_agree(lab.softmax_probability, lab.probability)
        assert_agree(lab.tempting_probability, BinaryLab(logit=max(-1000, 2 * logit)).probability)
    lab.logit = 0.3
    assert lab.tempting_probability > lab.probability + 0.05


def test_the_gradient_of_a_sure_answer_keeps_its_digits():
    assert BinaryLab(logit=40.0).gradient == pytest.approx(-math.exp(-40), rel=1e-12, abs=0)


def test_a_soft_label_has_a_floor_where_the_gradient_ends():
    lab = BinaryLab(logit=math.log(4), label=0.8)
    assert_agree(lab.gradient, 0.0)
    assert_agree(lab.loss, math.log(5) - 0.8 * math.log(4))


def test_text_shows_the_table():
    assert BinaryLab()._repr_mimebundle_()[0]["text/plain"].splitlines() == [
        "BinaryLab(logit=1.5, label=1.0)",
        "Logit 1.5, label 1: loss 0.201 nats, gradient −0.182",
        "                    probability of class 1",
        "      sigmoid of z                   0.818",
        " softmax of [0, z]                   0.818",
        "softmax of [−z, z]                   0.953",
    ]
