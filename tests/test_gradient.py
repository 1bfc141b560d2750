"""The maths of chapter "gradient": against algebra, mpmath, autograd and central differences, and as properties."""

from math import exp, inf, log

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, one_hot

from agreement import FLOATS, HARD_LOGITS, assert_close, distribution_rows, logit_rows
from crossentropy.gradient import logit_gradient, logit_hessian, parameter_gradient, softmax_jacobian
from crossentropy.likelihood import cost
from crossentropy.softmax import softmax

DOUBLE = torch.float64
MATRICES = [softmax_jacobian, logit_hessian]


def double(rows):
    return torch.tensor(rows, dtype=DOUBLE)


@pytest.mark.parametrize(
    ("logits", "target", "expected"),
    [
        ([[0.0, log(3)]], [0], [-3 / 4, 3 / 4]),
        ([[0.0, log(3)]], [[0.5, 0.5]], [-1 / 4, 1 / 4]),
        ([[0.0, log(3)]], [[1 / 4, 3 / 4]], [0, 0]),
        ([[9.0]], [0], [0]),
        ([[0.0] * 4], [2], [1 / 4, 1 / 4, -3 / 4, 1 / 4]),
        ([[-inf, 1.0]], [1], [0, 0]),
        ([[-inf, 1.0]], [0], [-1, 1]),
        ([[-1000.0, 1000.0]], [0], [-1, 1]),
    ],
)
def test_logit_gradient_agrees_with_algebra(logits, target, expected):
    assert_close(logit_gradient(double(logits), torch.tensor(target)), expected)


def test_the_running_example_gives_the_books_first_number():
    e = [exp(2), exp(0.5), exp(0.1)]
    p = [value / sum(e) for value in e]
    gradient = logit_gradient(double([[2.0, 0.5, 0.1]]), torch.tensor([0]))
    assert_close(gradient, [p[0] - 1, p[1], p[2]])
    assert [round(g, 3) for g in gradient[0].tolist()] == [-0.272, 0.163, 0.109]


@pytest.mark.parametrize("logits", HARD_LOGITS)
def test_agrees_with_fifty_digits_at_every_class(logits):
    with mpmath.workdps(50):
        weights = [mpmath.exp(mpmath.mpf(z)) if z != -inf else mpmath.mpf(0) for z in logits]
        p = [w / mpmath.fsum(weights) for w in weights]
        for c in range(len(p)):
            gradient = logit_gradient(double([logits]), torch.tensor([c]))
            others = mpmath.fsum(q for k, q in enumerate(p) if k != c)
            exact = [-others if k == c else q for k, q in enumerate(p)]
            assert_close(gradient, exact)
            # Not only to 1e-12 of one: each entry to twelve of its own digits, as far as float64 reaches.
            for got, wanted in zip(gradient[0].tolist(), exact, strict=True):
                assert got == pytest.approx(float(wanted), rel=1e-12, abs=1e-307)


@pytest.mark.parametrize("target", [torch.tensor([0]), torch.tensor([[1, 0]]), torch.tensor([[1.0, 0.0]])])
def test_keeps_the_digits_that_subtracting_from_one_drops(target):
    z = double([[40.0, 0.0]])
    with mpmath.workdps(50):
        exact = float(1 / (1 + mpmath.exp(40)))
    naive = softmax(z) - double([[1.0, 0.0]])
    assert naive[0, 0] == 0
    gradient = logit_gradient(z, target)
    assert gradient[0, 0].item() == pytest.approx(-exact, rel=1e-12, abs=0)
    assert gradient[0, 1].item() == pytest.approx(exact, rel=1e-12, abs=0)


def test_a_soft_target_next_to_certainty_keeps_its_digits():
    z, y = double([[40.0, 0.0]]), double([[1.0, 1e-20]])
    with mpmath.workdps(50):
        exact = float(1 / (1 + mpmath.exp(40)) - mpmath.mpf(1e-20))
    assert (softmax(z) - y)[0, 0] == 0
    assert logit_gradient(z, y)[0].tolist() == pytest.approx([-exact, exact], rel=1e-12, abs=0)


@given(logit_rows(), st.data())
def test_is_p_minus_y_and_the_gradient_of_the_cost(logits, data):
    rows, classes = logits.shape
    y = data.draw(distribution_rows(classes))[:1].expand(rows, -1)
    gradient = logit_gradient(logits, y)
    torch.testing.assert_close(gradient, (softmax(logits) - y) / rows, rtol=0, atol=1e-14)
    leaf = logits.clone().requires_grad_()
    (expected,) = torch.autograd.grad(cost(leaf, y), leaf)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-12)
    (theirs,) = torch.autograd.grad(cross_entropy(leaf, y), leaf)
    torch.testing.assert_close(gradient, theirs, rtol=0, atol=1e-12)


@given(logit_rows(), st.integers(0, 5))
def test_each_row_adds_up_to_nothing_and_no_mistake_pushes_harder_than_one(logits, c):
    y = torch.full((len(logits),), c % logits.shape[1])
    gradient = logit_gradient(logits, y, reduction="sum")
    assert_close(gradient.sum(-1), [0] * len(logits), 1e-14)
    assert (gradient.abs() <= 1).all()
    torch.testing.assert_close(gradient, logit_gradient(logits, one_hot(y, logits.shape[1])) * len(logits))


def test_central_differences_agree():
    z = torch.randn(3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    y, h = torch.tensor([0, 3, 1]), 1e-5
    for place in range(z.numel()):
        step = torch.zeros_like(z)
        step.view(-1)[place] = h
        slope = (cost(z + step, y) - cost(z - step, y)) / (2 * h)
        assert logit_gradient(z, y).flatten()[place].item() == pytest.approx(slope.item(), abs=1e-9)


def test_rows_that_sum_to_one_only_up_to_rounding_give_the_gradient_of_that_cost():
    z, y = double([[2.0, 0.5, 0.1]]), torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.bfloat16)
    assert y.double().sum() != 1
    leaf = z.clone().requires_grad_()
    cost(leaf, y, validate=False).backward()
    torch.testing.assert_close(logit_gradient(z, y, validate=False), leaf.grad, rtol=0, atol=1e-15)


@pytest.mark.parametrize("target", [[1], [[0.5, 0.5, 0.0]]])
def test_the_gradient_is_finite_where_the_loss_is_not(target):
    z, y = double([[1.0, -inf, 0.0]]), torch.tensor(target)
    assert cost(z, y) == inf
    leaf = z.clone().requires_grad_()
    cost(leaf, y).backward()
    torch.testing.assert_close(logit_gradient(z, y), leaf.grad)


@pytest.mark.parametrize("features", [1, 3])
def test_parameter_gradient_is_what_autograd_finds(features):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5, features, dtype=DOUBLE, generator=generator)
    weight = torch.randn(features, 4, dtype=DOUBLE, generator=generator, requires_grad=True)
    bias = torch.randn(4, dtype=DOUBLE, generator=generator, requires_grad=True)
    y = torch.tensor([0, 3, 1, 1, 2])
    logits = x @ weight + bias
    expected = torch.autograd.grad(cost(logits, y), (weight, bias))
    for got, wanted in zip(parameter_gradient(x, logits, y), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-14)


def test_parameter_gradient_of_one_observation_is_algebra():
    d_weight, d_bias = parameter_gradient(double([[2.0, -1.0]]), double([[0.0, log(3)]]), torch.tensor([0]))
    assert_close(d_weight, [-3 / 2, 3 / 2, 3 / 4, -3 / 4])
    assert_close(d_bias, [-3 / 4, 3 / 4])


@pytest.mark.parametrize("function", MATRICES)
@pytest.mark.parametrize(
    ("probs", "expected"),
    [
        ([1.0], [0]),
        ([0.25, 0.75], [3 / 16, -3 / 16, -3 / 16, 3 / 16]),
        ([0.5, 0.5, 0.0], [1 / 4, -1 / 4, 0, -1 / 4, 1 / 4, 0, 0, 0, 0]),
    ],
)
def test_jacobian_agrees_with_algebra(function, probs, expected):
    assert_close(function(double(probs)), expected)


@pytest.mark.parametrize("function", MATRICES)
def test_jacobian_keeps_the_digits_of_a_near_certain_class(function):
    p = softmax(double([40.0, 0.0]))
    with mpmath.workdps(50):
        q = 1 / (1 + mpmath.exp(40))
        exact = float(q * (1 - q))
    assert p[0] * (1 - p[0]) == 0
    assert function(p).flatten().tolist() == pytest.approx([exact, -exact, -exact, exact], rel=1e-12, abs=0)


@given(logit_rows())
def test_jacobian_and_hessian_are_what_autograd_finds(logits):
    p = softmax(logits)
    for k, z in enumerate(logits):
        torch.testing.assert_close(
            softmax_jacobian(p)[k], torch.autograd.functional.jacobian(softmax, z), rtol=0, atol=1e-14
        )
    z, y = logits[:1], torch.zeros(1, dtype=torch.long)
    wanted = torch.autograd.functional.hessian(lambda a: cost(a, y), z)[0, :, 0]
    torch.testing.assert_close(logit_hessian(p)[0], wanted, rtol=0, atol=1e-12)


@given(distribution_rows(), st.lists(st.floats(-10, 10), min_size=6, max_size=6))
def test_the_hessian_is_a_variance_and_so_positive_semi_definite(probs, direction):
    hessian = logit_hessian(probs)
    v = double(direction)[: probs.shape[-1]]
    variance = (probs * (v - (probs @ v).unsqueeze(-1)).square()).sum(-1)
    torch.testing.assert_close(hessian @ v @ v, variance, rtol=0, atol=1e-12)
    assert (torch.linalg.eigvalsh(hessian) >= -1e-15).all()
    assert torch.equal(hessian, hessian.mT)
    torch.testing.assert_close(hessian.sum(-1), torch.zeros_like(probs), rtol=0, atol=1e-15)


def test_derivatives_of_the_derivatives_are_right():
    z = torch.randn(3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(2), requires_grad=True)
    y = torch.tensor([0, 1, 3])
    assert torch.autograd.gradcheck(lambda a: logit_gradient(a, y), z)
    assert torch.autograd.gradcheck(lambda a: softmax_jacobian(softmax(a), validate=False), z)
    x = torch.randn(3, 2, dtype=DOUBLE, generator=torch.Generator().manual_seed(3), requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: parameter_gradient(a, b, y), (x, z))


def test_any_batch_and_vmap():
    z = torch.randn(5, 3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(4))
    y = torch.arange(15).reshape(5, 3) % 4
    expected = torch.stack([logit_gradient(a, b) for a, b in zip(z, y, strict=True)])
    torch.testing.assert_close(torch.vmap(lambda a, b: logit_gradient(a, b, validate=False))(z, y), expected)
    p = softmax(z)
    assert softmax_jacobian(p).shape == (5, 3, 4, 4)
    torch.testing.assert_close(torch.vmap(lambda a: softmax_jacobian(a, validate=False))(p), softmax_jacobian(p))


@pytest.mark.parametrize("dtype", FLOATS)
def test_half_precision_is_rounded_once(dtype):
    z, y = torch.tensor([[2.0, 0.5, 0.1, -3.0], [1.0, 0.0, 3.0, 2.0]]).to(dtype), torch.tensor([0, 3])
    x = torch.tensor([[1.0, 2.0], [0.5, -1.0]]).to(dtype)
    p = torch.tensor([0.5, 0.25, 0.25]).to(dtype)
    results = [logit_gradient(z, y), *parameter_gradient(x, z, y), softmax_jacobian(p)]
    wide = [logit_gradient(z.double(), y), *parameter_gradient(x.double(), z.double(), y), softmax_jacobian(p.double())]
    for got, wanted in zip(results, wide, strict=True):
        assert got.dtype == dtype
        torch.testing.assert_close(got, wanted.to(dtype), rtol=2 * torch.finfo(dtype).eps, atol=1e-7)


TWO = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("logits", "target", "error", "message"),
    [
        (torch.zeros(3), torch.tensor(0), ValueError, r"logits must have shape \(m, K\).*got \(3,\)"),
        (torch.zeros(0, 3), torch.zeros(0).long(), ValueError, "logits must not be empty"),
        (torch.tensor([[0.0, torch.nan]]), torch.tensor([0]), ValueError, r"logits\[0, 1\] is nan"),
        (TWO, torch.tensor([0, 3]), ValueError, r"target must be a class in \[0, 2\]; target\[1\] is 3"),
        (TWO, torch.tensor([[0], [1]]), ValueError, r"got \(2, 1\)"),
        (TWO, torch.tensor([0.0, 1.0]), TypeError, "target must hold integer class indices"),
    ],
)
def test_bad_logits_and_targets_are_named(logits, target, error, message):
    with pytest.raises(error, match=message):
        logit_gradient(logits, target)
    with pytest.raises(error, match=message):
        parameter_gradient(torch.zeros(2, 2), logits, target)


def test_an_unknown_reduction_is_named():
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'sum', got 'none'"):
        logit_gradient(TWO, torch.tensor([0, 1]), reduction="none")


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(2), ValueError, r"x must have shape \(m, features\).*got \(2,\)"),
        (torch.zeros(3, 2), ValueError, r"x must have 2 rows.*got shape \(3, 2\)"),
        (torch.tensor([[0.0], [inf]]), ValueError, r"x must be finite; x\[1, 0\] is inf"),
        (torch.zeros(2, 2).long(), TypeError, "x must be float16.*got torch.int64"),
    ],
)
def test_bad_features_are_named(x, error, message):
    with pytest.raises(error, match=message):
        parameter_gradient(x, TWO, torch.tensor([0, 1]))


@pytest.mark.parametrize("function", MATRICES)
@pytest.mark.parametrize(
    ("probs", "error", "message"),
    [
        (torch.tensor([0.5, 0.6]), ValueError, "probs must be a distribution.*sums to 1.1"),
        (torch.tensor([1.5, -0.5]), ValueError, r"probs\[1\] is -0.5"),
        (torch.tensor([1, 0]), TypeError, "probs must be float16.*got torch.int64"),
        (torch.tensor(1.0), ValueError, "probs must have at least one dimension"),
    ],
)
def test_bad_probabilities_are_named(function, probs, error, message):
    with pytest.raises(error, match=message):
        function(probs)
