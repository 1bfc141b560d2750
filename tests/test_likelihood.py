"""The maths of chapter "likelihood": L, its logarithm and the cost against algebra and mpmath; the fit against scikit-learn."""

from math import exp, inf, log

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import cross_entropy, one_hot

from agreement import FLOATS, HARD_LOGITS, assert_close, distribution_rows, logit_rows
from crossentropy.datasets import load_wine
from crossentropy.likelihood import (
    SeparableDataWarning,
    SoftmaxRegression,
    cost,
    likelihood,
    log_likelihood,
    target_rows,
)
from crossentropy.softmax import log_softmax
from crossentropy.validation import INTEGER_DTYPES

FUNCTIONS = [likelihood, log_likelihood, cost]
DOUBLE = torch.float64


def double(rows):
    return torch.tensor(rows, dtype=DOUBLE)


def wine():
    data = load_wine()
    return data.x, data.y


def iris():
    data = load_iris()
    return torch.from_numpy(data.data), torch.from_numpy(data.target)


@pytest.mark.parametrize(
    ("logits", "target", "product"),
    [
        ([[0.0, log(3)]], [0], 1 / 4),
        ([[0.0, log(3)], [0.0, 0.0]], [1, 0], 3 / 8),
        ([[7.0], [-2.0]], [0, 0], 1),
        ([[0.0] * 5] * 3, [4, 0, 2], 1 / 125),
        ([[2.0, 0.5, 0.1]], [0], exp(2) / (exp(2) + exp(0.5) + exp(0.1))),
        ([[0.0, log(3)]], [[0.5, 0.5]], 3**0.5 / 4),
        ([[0.0, log(3), -inf]], [[0.5, 0.5, 0.0]], 3**0.5 / 4),
        ([[0.0, -inf], [0.0, 0.0]], [1, 0], 0),
        ([[0.0, -inf]], [[0.5, 0.5]], 0),
    ],
)
def test_product_sum_and_mean_agree_with_algebra(logits, target, product):
    z, y = double(logits), torch.tensor(target)
    total = log(product) if product else -inf
    assert_close(likelihood(z, y), product)
    assert_close(log_likelihood(z, y), total)
    assert_close(cost(z, y), -total / len(logits))


@pytest.mark.parametrize("logits", HARD_LOGITS)
def test_agrees_with_fifty_digits_at_every_class(logits):
    with mpmath.workdps(50):
        weights = [mpmath.exp(mpmath.mpf(z)) if z != -inf else mpmath.mpf(0) for z in logits]
        for c, weight in enumerate(weights):
            p = weight / mpmath.fsum(weights)
            z, y = double([logits, logits]), torch.tensor([c, c])
            exact = mpmath.log(p) if p else -mpmath.inf
            assert_close(likelihood(z, y), p**2)
            assert_close(log_likelihood(z, y), 2 * exact)
            assert_close(cost(z, y), -exact)


@pytest.mark.parametrize("as_rows", [False, True])
def test_keeps_the_digits_of_a_tiny_loss_that_torch_drops(as_rows):
    z, y = double([[40.0, 0.0]]), torch.tensor([0])
    with mpmath.workdps(50):
        exact = float(mpmath.log1p(mpmath.exp(-40)))
    assert cross_entropy(z, y) == 0, "torch has learnt to keep them: the chapter must be rewritten"
    assert cost(z, one_hot(y, 2) if as_rows else y).item() == pytest.approx(exact, rel=1e-12, abs=0)


@pytest.mark.parametrize(("dtype", "samples"), [(torch.float32, 46), (torch.float64, 324)])
def test_the_product_underflows_where_the_sum_does_not(dtype, samples):
    z, y = torch.zeros(samples, 10, dtype=dtype), torch.zeros(samples, dtype=torch.long)
    assert likelihood(z[1:], y[1:]) > 0
    assert likelihood(z, y) == 0
    assert log_likelihood(z, y).item() == pytest.approx(-samples * log(10), rel=1e-6)


@pytest.mark.parametrize(("dtype", "samples"), [(torch.float32, 120), (torch.float64, 1000)])
def test_the_product_is_multiplied_and_not_the_exponential_of_the_sum(dtype, samples):
    z, y = torch.zeros(samples, 2, dtype=dtype), torch.zeros(samples, dtype=torch.long)
    assert log_likelihood(z, y).exp() != 2.0**-samples
    assert likelihood(z, y) == 2.0**-samples


@given(logit_rows(bound=20.0), st.data())
def test_the_three_are_one_quantity(logits, data):
    y = data.draw(distribution_rows(logits.shape[1]))[:1].expand(len(logits), -1)
    total = log_likelihood(logits, y)
    assert total <= 0
    torch.testing.assert_close(likelihood(logits, y), total.exp(), rtol=1e-12, atol=0)
    torch.testing.assert_close(cost(logits, y), -total / len(logits), rtol=1e-14, atol=0)
    torch.testing.assert_close(cost(logits, y), cross_entropy(logits, y), rtol=1e-12, atol=1e-13)


@given(logit_rows(), st.integers(0, 5))
def test_indices_and_one_hot_rows_of_any_dtype_cost_the_same(logits, c):
    y = torch.full((len(logits),), c % logits.shape[1])
    expected = cost(logits, y)
    for dtype in INTEGER_DTYPES:
        assert cost(logits, y.to(dtype)) == expected
        assert cost(logits, one_hot(y, logits.shape[1]).to(dtype)) == expected
    for dtype in FLOATS:
        assert cost(logits, one_hot(y, logits.shape[1]).to(dtype)) == expected


def test_a_certain_label_costs_zero_and_not_minus_zero():
    assert not torch.signbit(cost(torch.zeros(2, 1), torch.tensor([0, 0])))


@pytest.mark.parametrize("as_rows", [False, True])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_masked_class_with_target_zero_counts_nothing(function, as_rows):
    masked = double([[1.0, -inf, 0.0], [0.5, -inf, 2.0]]).requires_grad_()
    y = torch.tensor([0, 2])
    kept = masked.detach()[:, [0, 2]].requires_grad_()
    out = function(masked, one_hot(y, 3).double() if as_rows else y)
    without = function(kept, y // 2)
    torch.testing.assert_close(out, without)
    (gradient,) = torch.autograd.grad(out, masked)
    (expected,) = torch.autograd.grad(without, kept)
    torch.testing.assert_close(gradient[:, [0, 2]], expected)
    assert (gradient[:, 1] == 0).all()


@pytest.mark.parametrize("target", [[1], [[0.5, 0.5, 0.0]]])
def test_a_positive_target_on_a_masked_class_costs_infinity_with_a_finite_gradient(target):
    z = double([[1.0, -inf, 0.0]]).requires_grad_()
    y = torch.tensor(target)
    loss = cost(z, y)
    assert loss == inf
    (gradient,) = torch.autograd.grad(loss, z)
    expected = log_softmax(z.detach()).exp() - target_rows(y, num_classes=3, dtype=DOUBLE)
    torch.testing.assert_close(gradient, expected, rtol=1e-7, atol=1e-7)
    assert likelihood(z, y) == 0


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients_are_right(function):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(3, 4, dtype=DOUBLE, generator=generator, requires_grad=True)
    y = torch.rand(3, 4, dtype=DOUBLE, generator=generator).softmax(-1).requires_grad_()
    y_zero = double([[0.0, 0.3, 0.7, 0.0]] * 3).requires_grad_()
    for soft in (y, y_zero):
        assert torch.autograd.gradcheck(lambda a, b: function(a, b, validate=False), (z, soft))
        assert torch.autograd.gradgradcheck(lambda a, b: function(a, b, validate=False), (z, soft))
    assert torch.autograd.gradcheck(lambda a: function(a, torch.tensor([0, 3, 3])), z)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_vmap_gives_one_result_a_batch(function):
    z = torch.randn(5, 3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    y = torch.arange(15).reshape(5, 3) % 4
    expected = torch.stack([function(a, b) for a, b in zip(z, y, strict=True)])
    for targets in (y, one_hot(y, 4)):
        torch.testing.assert_close(torch.vmap(lambda a, b: function(a, b, validate=False))(z, targets), expected)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_half_precision_is_rounded_once(function, dtype):
    z = torch.tensor([[2.0, 0.5, 0.1, -3.0], [1.0, 0.0, 3.0, 2.0]]).to(dtype)
    y = torch.tensor([0, 3])
    result = function(z, y)
    assert result.dtype == dtype
    assert result.shape == ()
    torch.testing.assert_close(result, function(z.double(), y).to(dtype), rtol=torch.finfo(dtype).eps, atol=0)


def test_a_long_half_precision_batch_does_not_overflow_the_mean():
    z, y = torch.tensor([[0.0, 7.5]], dtype=torch.float16).expand(20_000, 2), torch.zeros(20_000, dtype=torch.long)
    assert cost(z, y).item() == pytest.approx(7.5, abs=0.01)


TWO = torch.zeros(2, 3)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("logits", "target", "error", "message"),
    [
        ([[0.0]], torch.tensor([0]), TypeError, "logits must be a torch.Tensor, got list"),
        (TWO.long(), torch.tensor([0, 1]), TypeError, "logits must be float16, .* got torch.int64"),
        (torch.zeros(3), torch.tensor(0), ValueError, r"logits must have shape \(m, K\).*got \(3,\).*unsqueeze"),
        (torch.zeros(2, 3, 4), torch.tensor([0, 1]), ValueError, r"shape \(m, K\).*got \(2, 3, 4\)$"),
        (torch.zeros(0, 3), torch.zeros(0).long(), ValueError, r"logits must not be empty, got shape \(0, 3\)"),
        (torch.tensor([[0.0, inf]]), torch.tensor([0]), ValueError, r"logits\[0, 1\] is inf"),
        (torch.tensor([[0.0, 0.0], [-inf, -inf]]), torch.tensor([0, 0]), ValueError, "row 1 of logits is -inf"),
        (TWO, [0, 1], TypeError, "target must be a torch.Tensor, got list"),
        (TWO, torch.tensor([0.0, 1.0]), TypeError, "target must hold integer class indices, got torch.float32"),
        (TWO, torch.zeros(2, 3, dtype=torch.bool), TypeError, "one-hot rows or probabilities, got torch.bool"),
        (TWO, torch.tensor([0, 1, 2]), ValueError, r"target must have shape \(2,\).*got \(3,\)"),
        (TWO, torch.tensor([[0], [1]]), ValueError, r"target must have shape \(2,\).* or \(2, 3\).*got \(2, 1\)"),
        (TWO, torch.tensor([0, 3]), ValueError, r"target must be a class in \[0, 2\]; target\[1\] is 3"),
        (TWO, torch.tensor([-100, 0]), ValueError, r"target\[0\] is -100"),
        (TWO, torch.tensor([[1, 0, 0], [1, 1, 1]]), ValueError, "one-hot.*row 1 of target sums to 3"),
        (TWO, torch.tensor([[2, -1, 0], [1, 0, 0]]), ValueError, r"one-hot.*target\[0, 1\] is -1"),
        (TWO, torch.tensor([[1.0, 0, 0], [0.5, 0.1, 0]]), ValueError, "row 1 of target sums to 0.6"),
        (TWO, torch.tensor([[1.5, -0.5, 0], [1, 0, 0]]), ValueError, r"target\[0, 1\] is -0.5"),
    ],
)
def test_bad_input_is_named(function, logits, target, error, message):
    with pytest.raises(error, match=message):
        function(logits, target)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8])
def test_a_narrow_integer_dtype_reaches_its_classes_though_there_are_more(dtype):
    assert_close(cost(torch.zeros(1, 1000, dtype=DOUBLE), torch.tensor([100], dtype=dtype)), log(1000))


def test_wine_has_the_books_maximum():
    x, y = wine()
    model = SoftmaxRegression().fit(x, y)
    assert (model.converged_, model.separable_) == (True, False)
    assert model.cost_ == pytest.approx(0.19324, abs=5e-6)
    assert model.infimum_ == model.cost_ == pytest.approx(cost(model.logits(x), y).item(), rel=1e-12)
    assert (model.predict(x) == y).double().mean().item() == pytest.approx(165 / 178)
    assert 5.6 < model.weight_.abs().max() < 5.7
    assert_close(model.weight_.sum(-1), [0, 0])
    assert_close(model.bias_.sum(), 0)
    assert model.weight_.shape == (2, 3)


def test_the_gradient_vanishes_at_the_maximum():
    x, y = wine()
    model = SoftmaxRegression().fit(x, y)
    residual = model.predict_proba(x) - one_hot(y, 3)
    assert (x.T @ residual / len(x)).abs().max() < 1e-9
    assert (residual.sum(0) / len(x)).abs().max() < 1e-9


@pytest.mark.parametrize(("l2", "c"), [(0.0, np.inf), (0.05, 1 / (0.05 * 178))])
def test_agrees_with_scikit_learn(l2, c):
    x, y = wine()
    theirs = LogisticRegression(C=c, tol=1e-10, max_iter=10_000).fit(x.numpy(), y.numpy())
    ours = SoftmaxRegression(l2=l2).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(x).numpy(), theirs.predict_proba(x.numpy()), rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.weight_.numpy(), theirs.coef_.T - theirs.coef_.T.mean(1, keepdims=True), atol=1e-5)


def test_without_features_that_tell_the_fit_predicts_the_class_frequencies():
    y = torch.tensor([0, 0, 0, 1, 1, 2])
    model = SoftmaxRegression().fit(torch.full((6, 1), 0.1, dtype=DOUBLE), y)
    assert_close(model.predict_proba(torch.tensor([[0.1]], dtype=DOUBLE)), [1 / 2, 1 / 3, 1 / 6], 1e-9)
    assert_close(model.weight_, [0, 0, 0])
    assert model.cost_ == pytest.approx(log(2) / 2 + log(3) / 3 + log(6) / 6)


@settings(max_examples=20)
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_moving_and_scaling_a_feature_changes_no_probability(shift, scale):
    x, y = wine()
    expected = SoftmaxRegression().fit(x, y)
    moved = x * torch.tensor([scale, 1.0], dtype=DOUBLE) + torch.tensor([shift, 0.0], dtype=DOUBLE)
    model = SoftmaxRegression().fit(moved, y)
    # A large shift of a small feature drops digits of the data themselves.
    torch.testing.assert_close(
        model.predict_proba(moved), expected.predict_proba(x), rtol=0, atol=1e-8 + 1e-13 * abs(shift) / scale
    )


def test_a_feature_given_twice_shares_its_weight():
    x, y = wine()
    once, twice = SoftmaxRegression().fit(x, y), SoftmaxRegression().fit(x[:, [0, 1, 1]], y)
    torch.testing.assert_close(twice.weight_[1], once.weight_[1] / 2, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(twice.weight_[2], once.weight_[1] / 2, rtol=1e-6, atol=1e-6)


def test_iris_is_reported_and_its_weights_do_not_run_away():
    x, y = iris()
    with pytest.warns(SeparableDataWarning, match=r"no maximum.*infimum, 0.0396618 nats"):
        model = SoftmaxRegression().fit(x, y)
    assert (model.converged_, model.separable_) == (False, True)
    assert model.infimum_ < model.cost_ <= model.infimum_ + 0.01
    assert model.weight_.abs().max() < 10
    assert (model.predict(x) == y).double().mean() > 0.97


def test_the_infimum_of_iris_is_what_two_overlapping_classes_cost():
    x, y = iris()
    rest = y > 0
    two = SoftmaxRegression().fit(x[rest], y[rest] - 1)
    assert two.converged_
    with pytest.warns(SeparableDataWarning):
        three = SoftmaxRegression().fit(x, y)
    assert three.infimum_ == pytest.approx(two.cost_ * 100 / 150, rel=1e-9)


@pytest.mark.parametrize(
    ("x", "y", "infimum"),
    [
        ([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1], 0.0),  # completely
        ([-1.0, 0.0, 0.0, 1.0], [0, 0, 1, 1], log(2) / 2),  # but for a tie
        ([-1.0, 0.0, 0.0, 0.0, 1.0], [0, 0, 1, 1, 1], (3 * log(3) - 2 * log(2)) / 5),
        ([0.0, 1.0, 2.0], [0, 1, 2], 0.0),
        ([0.0, 1.0, 1.0, 2.0, 3.0, 2.5], [0, 0, 1, 1, 2, 2], log(2) / 3),  # one class after another
        ([0.0, 1.0], [1, 0], 0.0),  # fewer rows than parameters
    ],
)
def test_separable_data_are_reported_with_their_infimum(x, y, infimum):
    features, labels = double(x).unsqueeze(-1), torch.tensor(y)
    with pytest.warns(SeparableDataWarning, match="A penalty l2 > 0 makes a maximum exist"):
        model = SoftmaxRegression().fit(features, labels)
    assert model.separable_
    assert not model.converged_
    assert model.infimum_ == pytest.approx(infimum, abs=1e-12)
    assert infimum < model.cost_ <= infimum + 0.01 + 1e-12
    assert model.weight_.isfinite().all()


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([-1.0, 0.5, -0.5, 1.0], [0, 0, 1, 1]),
        ([0.0, 1.0, 0.0, 1.0], [0, 0, 1, 1]),
        ([0.0, 2.0, 1.0, 0.0, 2.0, 1.0], [0, 0, 1, 1, 2, 2]),
        ([-1.0, 1e-3, -1e-3, 1.0], [0, 0, 1, 1]),  # by a hair
    ],
)
def test_overlapping_data_have_a_maximum(x, y):
    model = SoftmaxRegression().fit(double(x).unsqueeze(-1), torch.tensor(y))
    assert (model.converged_, model.separable_) == (True, False)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_a_linear_rule_makes_data_separable_and_one_contrary_twin_a_row_makes_them_overlap(seed, classes):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(12 * classes, 2, dtype=DOUBLE, generator=generator)
    scores = x @ torch.randn(2, classes, dtype=DOUBLE, generator=generator)
    y = scores.argmax(-1)
    present, y = y.unique(return_inverse=True)
    if len(present) < 2:
        return
    with pytest.warns(SeparableDataWarning):
        assert SoftmaxRegression().fit(x, y).infimum_ == pytest.approx(0, abs=1e-12)
    twins = torch.cat([x] * len(present)), torch.cat([(y + k) % len(present) for k in range(len(present))])
    model = SoftmaxRegression().fit(*twins)
    assert not model.separable_
    assert model.cost_ == pytest.approx(log(len(present)), rel=1e-12)


def test_a_penalty_makes_a_maximum_exist_for_separable_data():
    x, y = iris()
    model = SoftmaxRegression(l2=0.01).fit(x, y)
    assert (model.converged_, model.separable_) == (True, True)
    residual = model.predict_proba(x) - one_hot(y, 3)
    torch.testing.assert_close(x.T @ residual / len(x), -0.01 * model.weight_, rtol=0, atol=1e-8)


def test_too_few_steps_are_reported():
    with pytest.warns(RuntimeWarning, match="no maximum found within max_iter = 2"):
        model = SoftmaxRegression(max_iter=2).fit(*wine())
    assert (model.converged_, model.n_iter_) == (False, 2)


@pytest.mark.parametrize("dtype", FLOATS)
def test_results_come_in_the_dtype_of_the_features(dtype):
    x, y = wine()
    model = SoftmaxRegression().fit(x.to(dtype), y.to(torch.uint8))
    assert model.weight_.dtype == model.bias_.dtype == DOUBLE
    assert model.predict_proba(x.to(dtype)).dtype == model.logits(x.to(dtype)).dtype == dtype
    assert model.predict(x.to(dtype)).dtype == torch.int64
    assert model.cost_ == pytest.approx(0.19324, abs=2e-3)


X, Y = torch.tensor([[0.0], [1.0], [0.5]]), torch.tensor([0, 1, 0])


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        ([[0.0]], Y, TypeError, "x must be a torch.Tensor, got list"),
        (X.long(), Y, TypeError, "x must be float16.*got torch.int64"),
        (X[:, 0], Y, ValueError, r"x must have shape \(m, features\).*got \(3,\)"),
        (X[:0], Y[:0], ValueError, r"x must not be empty, got shape \(0, 1\)"),
        (X[:, :0], Y, ValueError, r"x must not be empty, got shape \(3, 0\)"),
        (torch.tensor([[0.0], [torch.nan], [1.0]]), Y, ValueError, r"x must be finite; x\[1, 0\] is nan"),
        (torch.tensor([[0.0], [1.0], [-inf]]), Y, ValueError, r"x\[2, 0\] is -inf"),
        (X, Y.double(), TypeError, "y must hold integer class indices, got torch.float64"),
        (X, Y[:2], ValueError, r"y must have shape \(3,\).*got \(2,\)"),
        (X, Y - 1, ValueError, r"y must be a class .*y\[0\] is -1"),
        (X, Y * 2, ValueError, "y must use every class from 0 to 2; class 1 never occurs"),
        (X, Y + 1, ValueError, "class 0 never occurs"),
        (X, Y * 0, ValueError, "y must hold at least two classes"),
    ],
)
def test_bad_data_are_named(x, y, error, message):
    with pytest.raises(error, match=message):
        SoftmaxRegression().fit(x, y)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"l2": -1.0}, ValueError, "l2 must be non-negative and finite, got -1.0"),
        ({"l2": inf}, ValueError, "l2 .* got inf"),
        ({"l2": "1"}, TypeError, "l2 must be a number, got str"),
        ({"tolerance": 0.0}, ValueError, "tolerance must be positive and finite, got 0.0"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1, got 0"),
        ({"max_iter": 2.0}, TypeError, "max_iter must be an int, got float"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=message):
        SoftmaxRegression(**parameters)


def test_predicting_before_fitting_or_with_other_features_is_refused():
    with pytest.raises(RuntimeError, match="call fit first"):
        SoftmaxRegression().predict(X)
    model = SoftmaxRegression().fit(*wine())
    with pytest.raises(ValueError, match=r"x must have 2 features, as in fit, got shape \(3, 1\)"):
        model.predict_proba(X)
    with pytest.raises(ValueError, match=r"x\[0, 1\] is nan"):
        model.logits(torch.tensor([[0.0, torch.nan]]))
