"""InterfaceLab's Python face, and the JavaScript maths of its topic against torch."""

import math
from itertools import product
from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from crossentropy.interfaces import trapped_range
from crossentropy.widgets import InterfaceLab
from crossentropy.widgets.interfaces import InputKind, Interface
from javascript import assert_agree, call_maths, hard_vectors

MADE = {
    "logits": lambda z: z,
    "probabilities": lambda z: z.softmax(0),
    "log-probabilities": lambda z: z.log_softmax(0),
}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("kind", MADE)
def test_javascript_agrees_with_torch(kind, fused):
    # PyTorch's picture of a masked class is a -inf that its softmax keeps; the lab's logits are finite.
    vectors = [v for v in hard_vectors() if all(map(math.isfinite, v))]
    targets = [k % len(v) for k, v in enumerate(vectors)]
    answers = call_maths([["interfaceLoss", v, c, kind, fused] for v, c in zip(vectors, targets, strict=True)])
    for vector, c, answer in zip(vectors, targets, answers, strict=True):
        z = torch.tensor(vector, dtype=torch.float64, requires_grad=True)
        given = MADE[kind](z)
        loss = (F.cross_entropy if fused else F.nll_loss)(given, torch.tensor(c))
        assert_agree(answer["given"], given.tolist())
        assert_agree(answer["loss"], loss.item())
        assert_agree(answer["gradient"], torch.autograd.grad(loss, z)[0].tolist())
        assert answer["least"] - 1e-12 <= answer["loss"] <= answer["greatest"] + 1e-12


def test_starts_at_the_books_logits():
    lab = InterfaceLab()
    assert (lab.logits, lab.target) == ([2.0, 0.5, 0.1], 0)
    assert_agree(lab.loss, math.log(1 + math.exp(-1.5) + math.exp(-1.9)))
    assert lab.verdict == "right"


@pytest.mark.parametrize(("kind", "interface"), list(product(get_args(InputKind), get_args(Interface))))
def test_what_is_called_right_is_the_cross_entropy_and_nothing_else_is(kind, interface):
    lab = InterfaceLab(input_kind=kind, interface=interface)
    same = abs(lab.loss - lab.right_loss) < 1e-12
    assert same == lab.verdict.startswith("right")
    assert same == all(abs(g - r) < 1e-12 for g, r in zip(lab.gradient, lab.right_gradient, strict=True))


def test_two_softmaxes_are_trapped():
    lab = InterfaceLab(input_kind="probabilities")
    for logits, end in (([1000.0, 0.0, 0.0], 0), ([0.0, 1000.0, 0.0], 1)):
        lab.logits = logits
        assert_agree(lab.loss, trapped_range(3)[end])
        assert_agree([lab.least, lab.greatest][end], lab.loss)
    lab.logits = [-10.0, 10.0, 0.0]
    assert -1e-8 < lab.gradient[0] < 0
    assert_agree(lab.right_gradient[0], -1.0, 1e-6)


def test_a_target_that_is_no_class_is_refused():
    lab = InterfaceLab()
    with pytest.raises(ValueError, match=r"target must lie in \[0, 2\], one of 3 classes, got 3"):
        lab.target = 3
    with pytest.raises(ValueError, match=r"target must lie in \[0, 9\], got 10"):
        lab.target = 10
    with pytest.raises(TypeError, match="target must be an int, got float"):
        lab.target = 1.0
    with pytest.raises(TypeError, match="target must be an int, got bool"):
        InterfaceLab(target=True)
    lab.target = 2
    with pytest.raises(ValueError, match=r"target must lie in \[0, 1\], one of 2 classes, got 2"):
        lab.logits = [1.0, 2.0]
    assert (lab.logits, lab.target) == ([2.0, 0.5, 0.1], 2)
    assert InterfaceLab(logits=[0.0] * 10, target=9).target == 9
