"""The maths of chapter "softmax": against mpmath, torch and closed forms, and as properties."""

from math import exp, inf, log

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agreement import FLOATS, HARD_LOGITS, assert_close, logit_rows
from crossentropy.softmax import log_softmax, logsumexp, softmax

FUNCTIONS = [logsumexp, softmax, log_softmax]
DOUBLE = torch.float64


@pytest.mark.parametrize(
    ("logits", "expected"),
    [([0.0, 0.0], log(2)), ([5.0], 5.0), ([0.0, log(3)], log(4)), ([-inf, 2.0], 2.0), ([-inf, -inf], -inf)],
)
def test_logsumexp_agrees_with_algebra(logits, expected):
    assert_close(logsumexp(torch.tensor(logits, dtype=DOUBLE)), expected)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [([7.0], [1.0]), ([0.0, log(3)], [1 / 4, 3 / 4]), ([1.0] * 5, [1 / 5] * 5), ([-inf, 2.0], [0.0, 1.0])],
)
def test_softmax_agrees_with_algebra(logits, expected):
    assert_close(softmax(torch.tensor(logits, dtype=DOUBLE)), expected)


def test_the_running_example_gives_the_books_first_number():
    total = exp(2) + exp(0.5) + exp(0.1)
    assert_close(
        softmax(torch.tensor([2.0, 0.5, 0.1], dtype=DOUBLE)), [exp(2) / total, exp(0.5) / total, exp(0.1) / total]
    )


@pytest.mark.parametrize("logits", HARD_LOGITS)
def test_agrees_with_fifty_digits(logits):
    with mpmath.workdps(50):
        exact = [mpmath.exp(mpmath.mpf(z)) if z != -inf else mpmath.mpf(0) for z in logits]
        total = mpmath.fsum(exact)
        z = torch.tensor(logits, dtype=DOUBLE)
        assert_close(logsumexp(z), mpmath.log(total))
        assert_close(softmax(z), [e / total for e in exact])
        assert_close(log_softmax(z), [mpmath.log(e / total) if e else -mpmath.inf for e in exact])


def test_keeps_the_digits_that_torch_drops():
    z = torch.tensor([40.0, 0.0], dtype=DOUBLE)
    with mpmath.workdps(50):
        exact = float(mpmath.log1p(mpmath.exp(-40)))
    assert torch.log_softmax(z, 0)[0] == 0, "torch has learnt to keep them: the chapter must be rewritten"
    assert log_softmax(z)[0].item() == pytest.approx(-exact, rel=1e-12)
    assert logsumexp(z - 40).item() == pytest.approx(exact, rel=1e-12)


def test_the_gradient_keeps_them_too():
    z = torch.tensor([40.0, 0.0], dtype=DOUBLE, requires_grad=True)
    (gradient,) = torch.autograd.grad(log_softmax(z)[0], z)
    with mpmath.workdps(50):
        p1 = float(1 / (1 + mpmath.exp(40)))
    assert gradient.tolist() == pytest.approx([p1, -p1], rel=1e-12)


@given(logit_rows(), st.floats(-1e3, 1e3))
def test_shifting_logits_changes_nothing(logits, shift):
    # The shifted input is itself rounded: the slack is its spacing, not the function's error.
    spacing = 4e-16 * (1e3 + logits.abs().max().item())
    torch.testing.assert_close(softmax(logits + shift), softmax(logits), rtol=0, atol=4 * spacing)
    torch.testing.assert_close(logsumexp(logits + shift), logsumexp(logits) + shift, rtol=0, atol=4 * spacing)


@given(logit_rows())
def test_softmax_is_a_distribution(logits):
    p = softmax(logits)
    assert (p >= 0).all()
    torch.testing.assert_close(p.sum(-1), torch.ones_like(p[..., 0]), rtol=0, atol=1e-12)


def test_a_row_over_a_large_vocabulary_sums_to_one():
    logits = 5 * torch.randn(2, 50_000, generator=torch.Generator().manual_seed(0))
    for_entropy = softmax(logits)
    assert for_entropy.dtype == torch.float32
    assert (for_entropy.double().sum(-1) - 1).abs().max() < 1e-6
    # torch's own float32 rows are too far off for the book's tolerance, which is why ours are not torch's.
    assert (logits.softmax(-1).double().sum(-1) - 1).abs().max() > 1e-6


@given(logit_rows())
def test_log_softmax_is_idempotent(logits):
    once = log_softmax(logits)
    torch.testing.assert_close(log_softmax(once), once, rtol=1e-12, atol=1e-12)


@given(logit_rows())
def test_a_difference_of_logits_is_a_log_odds(logits):
    log_probs = log_softmax(logits)
    expected = logits[..., :1] - logits
    torch.testing.assert_close(log_probs[..., :1] - log_probs, expected, rtol=1e-12, atol=1e-12 * 1e3)


@pytest.mark.parametrize("function", [softmax, log_softmax])
@pytest.mark.parametrize("temperature", [0.1, 1, 3.5, torch.tensor(2.0)])
def test_temperature_divides_the_logits(function, temperature):
    z = torch.tensor([[2.0, 0.5, 0.1]], dtype=DOUBLE)
    torch.testing.assert_close(function(z, temperature=temperature), function(z / temperature))


def test_a_small_temperature_does_not_overflow():
    assert_close(softmax(torch.tensor([1e300, 0.0], dtype=DOUBLE), temperature=1e-10), [1.0, 0.0])
    assert_close(softmax(torch.tensor([6e4, 0.0], dtype=torch.float16), temperature=0.01).double(), [1.0, 0.0])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients_are_right(function):
    z = torch.randn(3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(function, z)
    assert torch.autograd.gradgradcheck(function, z)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_masked_class_gets_no_gradient_and_no_nan(function):
    z = torch.tensor([1.0, -inf, 0.0], dtype=DOUBLE, requires_grad=True)
    out = function(z)
    (gradient,) = torch.autograd.grad(out if out.ndim == 0 else out[0], z)
    assert gradient.isfinite().all()
    assert gradient[1] == 0


@pytest.mark.parametrize("function", FUNCTIONS)
def test_any_axis_and_any_batch(function):
    z = torch.randn(2, 3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    along_first = function(z.movedim(-1, 0), dim=0)
    expected = function(z)
    torch.testing.assert_close(along_first if function is logsumexp else along_first.movedim(0, -1), expected)
    torch.testing.assert_close(torch.vmap(lambda row: function(row, validate=False))(z), expected)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_half_precision_is_rounded_once(function, dtype):
    z = torch.tensor([[2.0, 0.5, 0.1, -3.0]]).to(dtype)
    result = function(z)
    assert result.dtype == dtype
    torch.testing.assert_close(result, function(z.double()).to(dtype), rtol=torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("logits", "error", "message"),
    [
        ([1.0, 2.0], TypeError, "logits must be a torch.Tensor, got list"),
        (torch.tensor([1, 2]), TypeError, r"logits must be float16, .* got torch.int64; convert it with .float\(\)"),
        (torch.tensor(1.0), ValueError, "logits must have at least one dimension"),
        (torch.zeros(0, 3), ValueError, r"logits must not be empty, got shape \(0, 3\)"),
        (torch.tensor([[0.0, 1.0], [0.0, torch.nan]]), ValueError, r"logits\[1, 1\] is nan"),
        (torch.tensor([0.0, inf]), ValueError, r"logits\[1\] is inf"),
    ],
)
def test_bad_logits_are_named(function, logits, error, message):
    with pytest.raises(error, match=message):
        function(logits)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_axis_that_is_not_there_is_named(function):
    with pytest.raises(ValueError, match=r"dim must lie in \[-1, 0\].*got 1"):
        function(torch.zeros(3), dim=1)


@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_a_row_without_a_class_is_refused(function):
    with pytest.raises(ValueError, match="row 1 of logits is -inf throughout"):
        function(torch.tensor([[0.0, 0.0], [-inf, -inf]]))


@pytest.mark.parametrize("function", [softmax, log_softmax])
@pytest.mark.parametrize(
    ("temperature", "error", "message"),
    [
        (0.0, ValueError, "temperature must be positive and finite, got 0.0"),
        (-1, ValueError, "got -1"),
        (inf, ValueError, "got inf"),
        (torch.ones(2), ValueError, "temperature must be one number"),
        ("1", TypeError, "temperature must be a number, got str"),
        (True, TypeError, "got bool"),
    ],
)
def test_a_bad_temperature_is_named(function, temperature, error, message):
    with pytest.raises(error, match=message):
        function(torch.zeros(3), temperature=temperature)
