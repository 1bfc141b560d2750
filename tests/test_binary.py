"""The maths of chapter "binary": against mpmath, torch and closed forms, and as properties."""

from math import inf, log, nan

import mpmath
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from agreement import FLOATS, assert_close
from crossentropy.binary import binary_cross_entropy, binary_cross_entropy_with_logits, sigmoid, two_class_logits
from crossentropy.information import cross_entropy
from crossentropy.softmax import log_softmax, softmax

DOUBLE = torch.float64
LOSSES = [binary_cross_entropy, binary_cross_entropy_with_logits]
HARD_LOGITS = [0.0, 1.5, -1.5, 1e-10, 17.0, 20.5, -36.0, 40.0, -40.0, 700.0, -745.0, 1000.0, -1000.0, 1e300]
TARGETS = [0.0, 1.0, 0.5, 0.3, 1e-10]


def double(values, **kwargs):
    return torch.tensor(values, dtype=DOUBLE, **kwargs)


def exact_loss(z, y):
    """To fifty digits, as y log(1 + e^-z) + (1 - y) log(1 + e^z) of the doubles as they are stored."""
    with mpmath.workdps(50):
        z, y = mpmath.mpf(z), mpmath.mpf(y)
        softplus = {sign: max(sign * z, 0) + mpmath.log1p(mpmath.exp(-abs(z))) for sign in (1, -1)}
        return y * softplus[-1] + (1 - y) * softplus[1]


@pytest.mark.parametrize(
    ("z", "expected"), [(0.0, 1 / 2), (log(3), 3 / 4), (-log(3), 1 / 4), (inf, 1.0), (-inf, 0.0), (1000.0, 1.0)]
)
def test_sigmoid_agrees_with_algebra(z, expected):
    assert_close(sigmoid(double(z)), expected)


@pytest.mark.parametrize("z", HARD_LOGITS)
def test_sigmoid_agrees_with_fifty_digits(z):
    with mpmath.workdps(50):
        exact = 1 / (1 + mpmath.exp(-mpmath.mpf(z)))
    assert_close(sigmoid(double(z)), exact)
    if z > -700:
        assert sigmoid(double(z)).item() == pytest.approx(float(exact), rel=1e-14)


@given(st.floats(-1e3, 1e3))
def test_sigmoid_is_the_softmax_of_zero_and_the_logit(z):
    z = double(z)
    torch.testing.assert_close(softmax(two_class_logits(z))[..., 1], sigmoid(z), rtol=0, atol=1e-12)
    torch.testing.assert_close(sigmoid(-z), 1 - sigmoid(z), rtol=0, atol=1e-12)


def test_the_symmetric_pair_is_the_sigmoid_of_twice_the_logit():
    z = double(1.5)
    symmetric = softmax(torch.stack([-z, z]))[1]
    torch.testing.assert_close(symmetric, sigmoid(2 * z), rtol=0, atol=1e-12)
    assert abs(symmetric - sigmoid(z)) > 0.1


def test_two_class_logits_stack_a_new_last_axis():
    assert two_class_logits(double(1.5)).tolist() == [0.0, 1.5]
    assert two_class_logits(double([[1.5, -inf]])).tolist() == [[[0.0, 1.5], [0.0, -inf]]]
    assert softmax(two_class_logits(double(-inf))).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("p", "y", "expected"),
    [
        (0.5, 1.0, log(2)),
        (0.5, 0.3, log(2)),
        (0.25, 1.0, log(4)),
        (0.25, 0.0, log(4 / 3)),
        (0.25, 0.5, (log(4) + log(4 / 3)) / 2),
        (1.0, 1.0, 0.0),
        (0.0, 0.0, 0.0),
        (1.0, 0.0, inf),
        (0.0, 1.0, inf),
        (0.0, 0.5, inf),
        (1e-300, 1.0, 300 * log(10)),
        (1e-300, 0.0, 1e-300),
    ],
)
def test_binary_cross_entropy_agrees_with_algebra(p, y, expected):
    assert_close(binary_cross_entropy(double(p), double(y)), expected)


@pytest.mark.parametrize(
    ("z", "y", "expected"),
    [
        (0.0, 1.0, log(2)),
        (log(3), 1.0, log(4 / 3)),
        (log(3), 0.0, log(4)),
        (inf, 1.0, 0.0),
        (-inf, 0.0, 0.0),
        (inf, 0.0, inf),
        (-inf, 1.0, inf),
        (inf, 0.5, inf),
        (1000.0, 0.0, 1000.0),
        (-1000.0, 1.0, 1000.0),
        (1000.0, 0.5, 500.0),
    ],
)
def test_binary_cross_entropy_with_logits_agrees_with_algebra(z, y, expected):
    assert_close(binary_cross_entropy_with_logits(double(z), double(y)), expected)


@pytest.mark.parametrize("z", HARD_LOGITS)
@pytest.mark.parametrize("y", TARGETS)
def test_hard_logits_agree_with_fifty_digits(z, y):
    loss = binary_cross_entropy_with_logits(double(z), double(y))
    exact = exact_loss(z, y)
    assert_close(loss, exact)
    if exact > 1e-300:
        assert abs(loss.item() / exact - 1) < 1e-14, "the terms are non-negative: nothing may cancel"


@given(st.floats(1e-300, 1 - 1e-15), st.floats(0, 1))
def test_probabilities_agree_with_fifty_digits(p, y):
    with mpmath.workdps(50):
        exact = -(y * mpmath.log(p) + (1 - mpmath.mpf(y)) * mpmath.log(1 - mpmath.mpf(p)))
    assert_close(binary_cross_entropy(double(p), double(y)), exact)


@given(st.floats(-30, 30), st.floats(0, 1))
def test_it_is_the_cross_entropy_of_two_classes(z, y):
    z, y = double(z), double(y)
    loss = binary_cross_entropy_with_logits(z, y)
    both = torch.stack([1 - y, y])
    torch.testing.assert_close(loss, -(both * log_softmax(two_class_logits(z))).sum(), rtol=1e-12, atol=1e-12)
    p = sigmoid(z)
    pair = torch.stack([1 - p, p])
    torch.testing.assert_close(
        binary_cross_entropy(p, y), cross_entropy(both, pair, validate=False), rtol=1e-12, atol=1e-12
    )
    assert loss >= 0


@given(st.floats(-1e3, 1e3), st.floats(0, 1))
def test_naming_the_classes_the_other_way_round_changes_nothing(z, y):
    z, y = double(z), double(y)
    torch.testing.assert_close(
        binary_cross_entropy_with_logits(-z, 1 - y), binary_cross_entropy_with_logits(z, y), rtol=1e-12, atol=1e-12
    )


@given(st.floats(-30, 30), st.sampled_from([0.0, 0.3, 1.0]))
def test_both_losses_agree_with_torch_in_float64_where_torch_is_right(z, y):
    z, y = double([z]), double([y])
    torch.testing.assert_close(
        binary_cross_entropy_with_logits(z, y), F.binary_cross_entropy_with_logits(z, y), rtol=1e-12, atol=1e-12
    )
    torch.testing.assert_close(
        binary_cross_entropy(sigmoid(z), y), F.binary_cross_entropy(sigmoid(z), y), rtol=1e-12, atol=1e-12
    )


def test_torch_clamps_at_a_hundred_where_ours_is_honest():
    certain = torch.tensor([1.0, 0.0], requires_grad=True)
    wrong = torch.tensor([0.0, 1.0])
    assert F.binary_cross_entropy(certain, wrong).item() == 100
    assert binary_cross_entropy(certain, wrong).item() == inf
    # In float32 a logit of 17 is already a probability of one: the true loss is 17.
    z, y = torch.tensor(17.0), torch.tensor(0.0)
    assert F.binary_cross_entropy(torch.sigmoid(z), y).item() == 100
    assert binary_cross_entropy(sigmoid(z), y).item() == inf
    assert_close(binary_cross_entropy_with_logits(z, y), 17, tolerance=1e-6)


def test_torch_loses_the_gradient_of_a_wrong_and_certain_probability():
    z = torch.tensor(-50.0, requires_grad=True)
    y = torch.tensor(1.0)
    (in_torch,) = torch.autograd.grad(F.binary_cross_entropy(torch.sigmoid(z), y), z)
    (ours,) = torch.autograd.grad(binary_cross_entropy(sigmoid(z), y), z)
    assert abs(in_torch) < 1e-9
    assert ours == -1


def test_keeps_the_digits_that_torch_drops_on_one_side():
    with mpmath.workdps(50):
        exact = float(mpmath.log1p(mpmath.exp(-40)))
    for z, y in ((40.0, 1.0), (-40.0, 0.0)):
        z = double(z, requires_grad=True)
        loss = binary_cross_entropy_with_logits(z, double(y))
        assert loss.item() == pytest.approx(exact, rel=1e-14)
        (gradient,) = torch.autograd.grad(loss, z)
        assert abs(gradient.item()) == pytest.approx(exact, rel=1e-14)
    torch_right, torch_left = (
        F.binary_cross_entropy_with_logits(double(z), double(y)).item() for z, y in ((40.0, 1.0), (-40.0, 0.0))
    )
    assert torch_right == pytest.approx(exact, rel=1e-14)
    assert torch_left == 0, "torch has learnt to keep them: the docstring must be rewritten"


def test_torchs_softplus_is_cut_off_where_ours_goes_on():
    z = double(20.5)
    assert F.softplus(z) == z
    assert binary_cross_entropy_with_logits(z, double(0.0)).item() - 20.5 == pytest.approx(1.25e-9, rel=1e-2)


def test_the_naive_form_fails_where_ours_does_not():
    for z, y in ((1000.0, 0.0), (-1000.0, 1.0)):
        p = 1 / (1 + torch.exp(-double(z)))
        naive = -(y * p.log() + (1 - y) * (1 - p).log())
        assert not naive.isfinite()
        assert_close(binary_cross_entropy_with_logits(double(z), double(y)), 1000)


@pytest.mark.parametrize("y", TARGETS)
def test_the_gradient_is_what_was_said_minus_what_was_so(y):
    z = double(HARD_LOGITS, requires_grad=True)
    target = torch.full_like(z, y)
    (gradient,) = torch.autograd.grad(binary_cross_entropy_with_logits(z, target, reduction="sum"), z)
    torch.testing.assert_close(gradient, sigmoid(z.detach()) - y, rtol=0, atol=1e-12)


def test_gradients_are_right():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(3, 4, dtype=DOUBLE, generator=generator, requires_grad=True)
    y = torch.rand(3, 4, dtype=DOUBLE, generator=generator, requires_grad=True)
    p = torch.rand(3, 4, dtype=DOUBLE, generator=generator, requires_grad=True)
    for reduction in ("mean", "sum"):
        for loss, scores in zip(LOSSES, (p, z), strict=True):

            def free(a, b, loss=loss, reduction=reduction):
                return loss(a, b, reduction=reduction, validate=False)

            assert torch.autograd.gradcheck(free, (scores, y))
            assert torch.autograd.gradgradcheck(free, (scores, y))
    assert torch.autograd.gradcheck(sigmoid, z)
    assert torch.autograd.gradcheck(two_class_logits, z)


def test_gradients_are_finite_wherever_the_loss_is():
    p, y = double([0.0, 1.0, 1e-320], requires_grad=True), double([0.0, 1.0, 0.0], requires_grad=True)
    in_p, in_y = torch.autograd.grad(binary_cross_entropy(p, y, reduction="sum"), (p, y))
    assert in_p.tolist() == [1, -1, 1]
    assert in_y[:2].tolist() == [0, 0]
    z, y = double([-inf, inf], requires_grad=True), double([0.0, 1.0], requires_grad=True)
    in_z, in_y = torch.autograd.grad(binary_cross_entropy_with_logits(z, y, reduction="sum"), (z, y))
    assert in_z.tolist() == [0, 0]
    assert in_y.isfinite().all()


def test_the_slope_in_the_target_is_the_log_odds():
    for y in (0.0, 0.5, 1.0):
        target = double(y, requires_grad=True)
        (slope,) = torch.autograd.grad(binary_cross_entropy_with_logits(double(1.5), target), target)
        assert_close(slope, -1.5)


def test_torch_has_no_value_for_a_right_and_certain_logit():
    assert F.binary_cross_entropy_with_logits(double(inf), double(1.0)).isnan()
    assert binary_cross_entropy_with_logits(double(inf), double(1.0)) == 0


def test_certain_and_right_is_a_positive_zero():
    for y in (0.0, 1.0):
        assert not binary_cross_entropy(double(y), double(y)).signbit()
        for z in (1000.0, inf):
            loss = binary_cross_entropy_with_logits(double(z if y else -z), double(y))
            assert loss == 0
            assert not loss.signbit()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_target_may_be_float_integer_or_bool(loss):
    scores = double([[0.2, 0.7], [0.9, 0.4]])
    expected = loss(scores, double([[0.0, 1.0], [1.0, 0.0]]))
    for dtype in (*FLOATS, torch.long, torch.uint8, torch.int32, torch.bool):
        assert loss(scores, torch.tensor([[0, 1], [1, 0]]).to(dtype)) == expected


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mean_is_the_sum_over_all_entries(loss):
    scores = double([[0.2, 0.7, 0.1], [0.9, 0.4, 0.5]])
    target = torch.tensor([[0, 1, 1], [1, 0, 0]])
    each = torch.vmap(lambda s, t: loss(s, t, validate=False))(scores.flatten(), target.flatten())
    assert loss(scores, target, reduction="sum").item() == pytest.approx(each.sum().item(), rel=1e-15)
    assert loss(scores, target).item() == pytest.approx(each.sum().item() / 6, rel=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_half_precision_is_rounded_once(loss, dtype):
    generator = torch.Generator().manual_seed(2)
    scores, target = (torch.rand(99, generator=generator).to(dtype) for _ in range(2))
    each = torch.vmap(lambda s, t: loss(s, t, validate=False))
    result = each(scores, target)
    assert result.dtype == dtype
    slack = 0 if dtype.itemsize < 4 else 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(result, each(scores.double(), target.double()).to(dtype), rtol=slack, atol=0)


@pytest.mark.parametrize("dtype", FLOATS)
def test_sigmoid_keeps_the_dtype(dtype):
    z = torch.linspace(-5, 5, 50).to(dtype)
    assert two_class_logits(z).dtype == dtype
    torch.testing.assert_close(sigmoid(z), sigmoid(z.double()).to(dtype), rtol=torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("function", [sigmoid, two_class_logits])
def test_any_batch(function):
    z = torch.randn(2, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(torch.vmap(lambda row: function(row, validate=False))(z), function(z))


@pytest.mark.parametrize(
    ("function", "name"), [(sigmoid, "logits"), (two_class_logits, "z"), (binary_cross_entropy_with_logits, "logits")]
)
def test_bad_logits_are_named(function, name):
    def call(z):
        if function is not binary_cross_entropy_with_logits:
            return function(z)
        return function(z, torch.zeros(z.shape) if isinstance(z, torch.Tensor) else torch.zeros(1))

    with pytest.raises(TypeError, match=f"{name} must be a torch.Tensor, got float"):
        call(1.0)
    with pytest.raises(TypeError, match=rf"{name} must be float16, .*got torch.int64; convert it with .float\(\)"):
        call(torch.tensor([1]))
    with pytest.raises(ValueError, match=rf"{name} must not be empty, got shape \(0,\)"):
        call(torch.zeros(0))
    with pytest.raises(ValueError, match=rf"{name}\[1\] is nan"):
        call(torch.tensor([0.0, nan]))


def test_two_class_logits_refuse_what_softmax_refuses():
    with pytest.raises(ValueError, match=r"z must be finite \(or -inf, which leaves class 0\); z\[0\] is inf"):
        two_class_logits(torch.tensor([inf]))


@pytest.mark.parametrize(
    ("probs", "message"),
    [
        (torch.tensor([0.5, 1.5]), r"probs must lie in \[0, 1\]; probs\[1\] is 1.5"),
        (torch.tensor([-0.5, 0.5]), r"probs\[0\] is -0.5"),
        (torch.tensor([0.5, nan]), r"probs\[1\] is nan"),
        (torch.zeros(0), "probs must not be empty"),
    ],
)
def test_bad_probabilities_are_named(probs, message):
    with pytest.raises(ValueError, match=message):
        binary_cross_entropy(probs, torch.zeros(probs.shape))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ([0, 1], TypeError, "target must be a torch.Tensor, got list"),
        (torch.zeros(2, dtype=torch.complex64), TypeError, "target must be floating point, integer or bool, got"),
        (torch.zeros(2, 1), ValueError, r"target must have shape \(2,\), one target an entry, got \(2, 1\)"),
        (torch.tensor([0.0, 1.1]), ValueError, r"target must lie in \[0, 1\]; target\[1\] is 1.1"),
        (torch.tensor([2, 0]), ValueError, r"target\[0\] is 2"),
        (torch.tensor([nan, 0.0]), ValueError, r"target\[0\] is nan"),
    ],
)
def test_a_bad_target_is_named(loss, target, error, message):
    with pytest.raises(error, match=message):
        loss(torch.tensor([0.5, 0.5]), target)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_reduction_that_is_not_known_is_named(loss):
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'sum', got 'average'"):
        loss(torch.tensor([0.5]), torch.tensor([1]), reduction="average")
