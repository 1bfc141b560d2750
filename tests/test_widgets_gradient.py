"""GradientLab's Python face, and the JavaScript maths of its topic against torch."""

import math

import pytest
import torch

from crossentropy.widgets import GradientLab
from javascript import assert_agree, call_maths, hard_vectors

DOUBLE = torch.float64


def torch_loss_and_gradient(vector, target):
    z = torch.tensor([vector], dtype=DOUBLE, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor([target]))
    return loss.item(), torch.autograd.grad(loss, z)[0][0].tolist()


def test_loss_and_gradient_agree_with_torch_for_every_target():
    vectors = hard_vectors()
    cases = [(v, target) for v in vectors for target in range(len(v))]
    found = call_maths([[name, *case] for case in cases for name in ("loss", "gradient")])
    for case, loss, gradient in zip(cases, found[::2], found[1::2], strict=True):
        exact_loss, exact_gradient = torch_loss_and_gradient(*case)
        assert_agree(loss, exact_loss)
        assert_agree(gradient, exact_gradient)


def test_javascript_keeps_the_digits_that_torch_drops():
    loss, gradient = call_maths([["loss", [40.0, 0.0], 0], ["gradient", [40.0, 0.0], 0]])
    assert loss == pytest.approx(math.exp(-40), rel=1e-12, abs=0)
    assert gradient == pytest.approx([-math.exp(-40), math.exp(-40)], rel=1e-12, abs=0)
    assert torch_loss_and_gradient([40.0, 0.0], 0)[0] == 0


@pytest.mark.parametrize("rate", [0.01, 1.0, 37.0])
def test_the_walk_agrees_with_autograd(rate):
    vectors = [v for v in hard_vectors(200, seed=2) if min(v) > -math.inf]
    walks = call_maths([["descend", v, len(v) - 1, rate, 20] for v in vectors])
    for vector, walk in zip(vectors, walks, strict=True):
        z = torch.tensor(vector, dtype=DOUBLE)
        assert len(walk) == 21
        for there in walk:
            assert_agree(there, z.tolist())
            z = z - rate * torch.tensor(torch_loss_and_gradient(z.tolist(), len(vector) - 1)[1], dtype=DOUBLE)


def test_starts_at_the_books_logits():
    lab = GradientLab()
    assert (lab.logits, lab.target, lab.learning_rate, lab.steps) == ([2.0, 0.5, 0.1], 0, 1.0, 0)
    total = math.exp(2) + math.exp(0.5) + math.exp(0.1)
    p = [math.exp(2) / total, math.exp(0.5) / total, math.exp(0.1) / total]
    assert_agree(lab.probability, p)
    assert_agree(lab.gradient, [p[0] - 1, p[1], p[2]])
    assert_agree(lab.loss, -math.log(p[0]))
    assert lab.walked == lab.logits


def test_a_step_goes_against_the_gradient():
    lab = GradientLab(logits=[0.0, 0.0], target=1, learning_rate=0.5)
    lab.steps = 1
    assert_agree(lab.walked, [-0.25, 0.25])
    assert_agree(lab.loss, math.log1p(math.exp(-0.5)))
    lab.steps = 0
    assert lab.walked == [0.0, 0.0]


def test_the_walk_is_the_same_whichever_way_it_was_reached():
    lab = GradientLab(steps=7)
    for state in ({"steps": 30}, {"learning_rate": 0.3}, {"target": 2}, {"steps": 4}, {"logits": [0.0, 1.0, 2.0, 3.0]}):
        lab.set_trait(*next(iter(state.items())))
        assert lab.compute() == GradientLab(**lab.state).compute()


def test_a_target_that_is_no_class_is_refused_at_once():
    lab = GradientLab()
    for target, highest in ((-1, 9), (10, 9), (3, 2)):
        with pytest.raises(ValueError, match=rf"target must lie in \[0, {highest}\].* got {target}"):
            lab.target = target
    with pytest.raises(TypeError, match="target must be an int, got float"):
        lab.target = 1.0
    with pytest.raises(ValueError, match=r"target must lie in \[0, 1\], one of 2 classes, got 2"):
        GradientLab(logits=[0.0, 1.0], target=2)
    lab.target = 2
    with pytest.raises(ValueError, match=r"target must lie in \[0, 1\], one of 2 classes, got 2"):
        lab.logits = [0.0, 1.0]
    assert (lab.logits, lab.target) == ([2.0, 0.5, 0.1], 2)


def test_logits_and_target_may_change_together():
    lab = GradientLab(target=2)
    with lab.hold_trait_notifications():
        lab.logits, lab.target = [0.0, 1.0], 1
    assert_agree(lab.gradient, [1 / (1 + math.e), -1 / (1 + math.e)])
    with pytest.raises(ValueError, match="target must lie in"), lab.hold_trait_notifications():
        lab.logits, lab.target = [0.0, 1.0, 2.0], 5
    assert (lab.logits, lab.target) == ([0.0, 1.0], 1)


def test_steps_are_whole_and_within_their_bounds():
    with pytest.raises(ValueError, match=r"steps must lie in \[0, 1000\], got 1001"):
        GradientLab(steps=1001)
    with pytest.raises(TypeError, match="steps must be an int, got float"):
        GradientLab(steps=1.5)


def test_text_shows_the_walk():
    assert GradientLab(steps=20)._repr_mimebundle_()[0]["text/plain"].splitlines() == [
        "GradientLab(logits=[2.0, 0.5, 0.1], target=0, learning_rate=1.0, steps=20)",
        "Class 0 is true; after 20 steps the loss is 0.031 nats",
        "         logit z  probability p  gradient p − y",
        "class 0    3.643          0.970          −0.030",
        "class 1   −0.436          0.016           0.016",
        "class 2   −0.608          0.014           0.014",
    ]
