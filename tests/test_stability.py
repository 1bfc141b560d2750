"""The maths of chapter "stability": the naive forms must fail, ours must not, and never be worse."""

from math import copysign, inf, isfinite, isnan, log, nan

import mpmath
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from agreement import FLOATS, assert_close, logit_rows
from crossentropy.softmax import log_softmax, logsumexp, softmax
from crossentropy.stability import (
    capped_cross_entropy,
    naive_cross_entropy,
    naive_log_softmax,
    naive_logsumexp,
    naive_softmax,
    overflow_threshold,
    survey,
    trace,
)

DOUBLE = torch.float64
NAIVE = [naive_softmax, naive_logsumexp, naive_log_softmax]
PAIRS = list(zip(NAIVE, [softmax, logsumexp, log_softmax], strict=True))
RUNNING = torch.tensor([2.0, 0.5, 0.1], dtype=DOUBLE)

# Logits, the true class, and in how many of the four dtypes the naive value is lost (infinite or NaN).
SURVEYED = [
    ([2.0, 0.5, 0.1], 0, 0),
    ([0.0, 0.0, 0.0], 1, 0),
    ([3.0], 0, 0),
    ([-1.0, 11.0], 0, 0),
    ([11.0, 11.0, 11.0], 0, 1),
    ([40.0, 0.0], 0, 1),
    ([0.0, 17.5], 0, 1),
    ([-30.0, 0.0], 0, 1),
    ([0.0, 200.0], 0, 3),
    ([-800.0, -800.0], 0, 4),
    ([0.0, 1000.0], 0, 4),
    ([1000.0, 999.0, 998.0], 2, 4),
    ([1.0, -inf, 0.0], 2, 0),
]


def exact_loss(logits, target):
    """To fifty digits, of the numbers as the dtype holds them."""
    with mpmath.workdps(50):
        z = [mpmath.mpf(value) for value in logits.tolist()]
        return mpmath.log(mpmath.fsum(mpmath.exp(value - z[target]) for value in z))


def exact_gradient(logits, target):
    with mpmath.workdps(50):
        e = [mpmath.exp(mpmath.mpf(value) - max(logits.tolist())) for value in logits.tolist()]
        return [value / mpmath.fsum(e) - (k == target) for k, value in enumerate(e)]


def error(actual, exact):
    """Distance from the exact value; a NaN is as far off as can be."""
    return inf if isnan(actual) else float(abs(mpmath.mpf(actual) - exact))


@pytest.mark.parametrize(("naive", "stable"), PAIRS)
def test_naive_and_stable_are_the_same_mathematics(naive, stable):
    z = torch.randn(3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(0), requires_grad=True)
    torch.testing.assert_close(naive(z), stable(z), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(naive(z.movedim(-1, 0), dim=0), stable(z.movedim(-1, 0), dim=0), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.vmap(lambda row: naive(row, validate=False))(z), naive(z))
    assert torch.autograd.gradcheck(naive, z)


@pytest.mark.parametrize(("naive", "stable"), PAIRS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("logits", [[1000.0, 0.0], [-1000.0, -1001.0]])
def test_the_naive_form_fails_where_the_stable_one_does_not(naive, stable, dtype, logits):
    z = torch.tensor(logits, dtype=dtype)
    assert not naive(z).isfinite().all()
    assert stable(z).isfinite().all()


def test_taking_the_logarithm_apart_does_not_help_without_the_shift():
    z = torch.tensor([1000.0, 0.0], dtype=DOUBLE)
    assert (z - naive_logsumexp(z)).isneginf().all()
    assert log_softmax(z).tolist() == [0.0, -1000.0]


def test_each_operation_is_rounded_to_the_inputs_dtype():
    z = RUNNING.half()
    exponentials = torch.tensor([value.exp().half() for value in z.double()])
    total = exponentials.double().sum().half()
    assert naive_softmax(z).dtype == torch.float16
    assert naive_softmax(z).tolist() == [(e.double() / total.double()).half().item() for e in exponentials]
    # Each exponential fits, their sum does not: 3 e^11 = 179,622 > 65,504.
    assert naive_softmax(torch.full((3,), 11.0).half()).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("dtype", FLOATS)
def test_exponentials_overflow_just_above_the_threshold(dtype):
    threshold = overflow_threshold(dtype)
    eps = torch.finfo(dtype).eps
    below, above = (torch.tensor(threshold * (1 + step * eps), dtype=DOUBLE).to(dtype) for step in (-1, 2))
    assert below.item() < threshold < above.item()
    assert below.exp().isfinite()
    assert above.exp().isposinf()


def test_the_thresholds_are_those_of_the_chapter():
    # The largest numbers: (2 - 2^-10) 2^15, (2 - 2^-7) 2^127, (2 - 2^-23) 2^127, (2 - 2^-52) 2^1023.
    for dtype, fraction, power in zip(FLOATS, (10, 7, 23, 52), (15, 127, 127, 1023), strict=True):
        assert overflow_threshold(dtype) == pytest.approx(log(2 - 2**-fraction) + power * log(2), rel=1e-15)
    assert [round(overflow_threshold(dtype), 2) for dtype in FLOATS] == [11.09, 88.72, 88.72, 709.78]


@pytest.mark.parametrize(("logits", "target", "lost"), SURVEYED)
def test_ours_never_fails_and_is_never_worse(logits, target, lost):
    rows = survey(torch.tensor(logits, dtype=DOUBLE), target)
    assert [row.dtype for row in rows] == FLOATS
    assert sum(not isfinite(row.naive_loss) for row in rows) == lost
    for row in rows:
        z = torch.tensor(logits, dtype=row.dtype)
        eps = torch.finfo(row.dtype).eps
        loss, gradient = exact_loss(z, target), exact_gradient(z, target)
        assert error(row.stable_loss, loss) <= max(eps * loss, torch.finfo(row.dtype).smallest_normal * eps)
        # The last digit is luck: within half of it the naive route may come out nearer.
        assert error(row.stable_loss, loss) <= error(row.naive_loss, loss) + eps / 2 * loss
        for ours, theirs, exact in zip(row.stable_gradient, row.naive_gradient, gradient, strict=True):
            assert error(ours, exact) <= error(theirs, exact) + 2 * eps * min(1, abs(exact) + eps)
            assert error(ours, exact) <= 2 * eps


@pytest.mark.parametrize("dtype", FLOATS)
@given(logit_rows(bound=60), st.data())
def test_ours_is_never_worse_on_random_logits(dtype, logits, data):
    z = logits[0].to(dtype)
    target = data.draw(st.integers(0, len(z) - 1))
    (row,) = survey(z, target, [dtype])
    exact = exact_loss(z, target)
    eps = torch.finfo(dtype).eps
    assert isfinite(row.stable_loss)
    assert error(row.stable_loss, exact) <= error(row.naive_loss, exact) + 2 * eps * exact + 1e-7 * (dtype.itemsize < 4)


@pytest.mark.parametrize(
    ("logits", "target", "dtype", "step"),
    [
        ([2.0, 0.5, 0.1], 0, torch.float16, None),
        ([70000.0, 0.0], 1, torch.float16, "z"),
        ([70000.0, 0.0], 1, torch.bfloat16, "exp(z)"),
        ([12.0, 0.0], 0, torch.float16, "exp(z)"),
        ([11.0, 11.0, 11.0], 0, torch.float16, "sum"),
        ([-20.0, -20.0], 0, torch.float16, "p"),
        ([-20.0, -20.0], 0, torch.float32, None),
        ([-30.0, 0.0], 0, torch.float16, "log p"),
        ([-1.0, 11.0], 0, torch.float16, "gradient"),
        ([0.0, 200.0], 0, torch.float32, "exp(z)"),
        ([0.0, 200.0], 0, DOUBLE, None),
        ([1.0, -inf], 0, torch.float16, None),
    ],
)
def test_the_survey_names_the_step_that_breaks(logits, target, dtype, step):
    (row,) = survey(torch.tensor(logits, dtype=DOUBLE), target, [dtype])
    assert row.naive_breaks_at == step


def test_a_loss_may_look_right_while_its_gradient_is_lost():
    # p = 6.1e-6 is held by float16, 1 / p = 163,000 is not.
    (row,) = survey(torch.tensor([-1.0, 11.0]), 0, [torch.float16])
    assert row.naive_loss == row.stable_loss == 12
    assert all(map(isnan, row.naive_gradient))
    assert row.stable_gradient == (-1.0, 1.0)


def test_no_shift_can_save_a_logit_that_the_dtype_cannot_hold():
    (row,) = survey(torch.tensor([70000.0, 0.0]), 1, [torch.float16])
    assert isnan(row.stable_loss)


def test_digits_are_kept_that_torch_and_the_naive_form_drop():
    z = torch.tensor([40.0, 0.0], dtype=DOUBLE)
    (row,) = survey(z, 0, [DOUBLE])
    with mpmath.workdps(50):
        exact = float(mpmath.log1p(mpmath.exp(-40)))
    assert row.stable_loss == pytest.approx(exact, rel=1e-14)
    assert row.naive_loss == 0
    assert F.cross_entropy(z, torch.tensor(0)) == 0, "torch has learnt to keep them: the chapter must be rewritten"


def test_a_batch_is_surveyed_sample_by_sample():
    z = torch.tensor([[2.0, 0.5, 0.1], [0.0, 200.0, 0.0]], dtype=DOUBLE)
    rows = survey(z, torch.tensor([0, 2]), [torch.float32, DOUBLE])
    assert [(row.dtype, row.sample) for row in rows] == [
        (torch.float32, 0),
        (torch.float32, 1),
        (DOUBLE, 0),
        (DOUBLE, 1),
    ]
    assert rows[2] == survey(z[0], 0, [DOUBLE])[0]
    assert rows[1].naive_breaks_at == "exp(z)"
    assert rows[3].stable_loss == pytest.approx(200)


def test_the_survey_leaves_the_callers_tensor_alone():
    z = RUNNING.clone().requires_grad_()
    survey(z, 0)
    assert z.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_an_epsilon_caps_the_loss(dtype):
    for gap in (50.0, 200.0, 1000.0):
        z = torch.tensor([0.0, gap], dtype=dtype, requires_grad=True)
        loss = capped_cross_entropy(z, 0, 1e-8)
        assert loss.item() == pytest.approx(-log(1e-8), rel=1e-6)
        (gradient,) = torch.autograd.grad(loss, z)
        assert gradient.abs().max() < 1e-12, "at the cap nothing is left to learn from"
        assert -log_softmax(z)[0].item() == gap


@given(logit_rows(), st.data())
def test_no_capped_loss_exceeds_the_cap_or_the_truth(logits, data):
    target = torch.tensor([data.draw(st.integers(0, logits.shape[1] - 1)) for _ in logits])
    capped = capped_cross_entropy(logits, target, 1e-8)
    assert (capped <= -log(1e-8) + 1e-12).all()
    truth = -log_softmax(logits).gather(1, target[:, None]).squeeze(1)
    assert (capped <= truth + 1e-12).all()
    assert_close(capped, [-mpmath.log(mpmath.exp(-mpmath.mpf(loss)) + 1e-8) for loss in truth.tolist()])


def test_a_capped_loss_can_be_negative():
    assert capped_cross_entropy(torch.tensor([50.0, 0.0], dtype=DOUBLE), 0, 1e-8).item() == pytest.approx(
        -1e-8, rel=1e-6
    )


def test_half_precision_rounds_the_epsilon_away():
    z = torch.tensor([0.0, 200.0], dtype=torch.float16)
    assert capped_cross_entropy(z, 0, 1e-8) == inf
    assert capped_cross_entropy(z.bfloat16(), 0, 1e-8).item() == pytest.approx(18.42, abs=0.1)


def test_naive_cross_entropy_gives_one_loss_a_sample():
    z = torch.stack([RUNNING, RUNNING]).expand(4, 2, 3)
    target = torch.tensor([[0, 1]] * 4)
    losses = naive_cross_entropy(z, target)
    assert losses.shape == (4, 2)
    torch.testing.assert_close(losses[0], -log_softmax(RUNNING)[:2], rtol=1e-12, atol=0)
    assert naive_cross_entropy(RUNNING, 0) == losses[0, 0]
    torch.testing.assert_close(
        torch.vmap(lambda row, c: naive_cross_entropy(row, c, validate=False))(z[0], target[0]), losses[0]
    )
    assert torch.autograd.gradcheck(lambda rows: naive_cross_entropy(rows, target[0]), z[0].clone().requires_grad_())


def test_another_class_that_underflows_does_no_harm():
    z = torch.tensor([0.0, -200.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(naive_cross_entropy(z, 0), z)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("function", [*NAIVE, lambda z: naive_cross_entropy(z, 0), lambda z: survey(z, 0)])
@pytest.mark.parametrize(
    ("logits", "error", "message"),
    [
        ([1.0, 2.0], TypeError, "logits must be a torch.Tensor, got list"),
        (torch.tensor([1, 2]), TypeError, "logits must be float16, .* got torch.int64"),
        (torch.zeros(0), ValueError, "logits must not be empty"),
        (torch.tensor([0.0, nan]), ValueError, r"logits\[1\] is nan"),
        (torch.tensor([inf, 0.0]), ValueError, r"logits\[0\] is inf"),
    ],
)
def test_bad_logits_are_named(function, logits, error, message):
    with pytest.raises(error, match=message):
        function(logits)


@pytest.mark.parametrize(
    "function", [naive_cross_entropy, lambda z, c: capped_cross_entropy(z, c, 1e-8), lambda z, c: survey(z, c)]
)
@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (3, ValueError, r"target must be a class in \[0, 2\]; target is 3"),
        (-1, ValueError, "target is -1"),
        (True, TypeError, "target must be an int or a torch.Tensor, got bool"),
        ([0], TypeError, "target must be an int or a torch.Tensor, got list"),
        (torch.tensor(0.0), TypeError, "target must hold integer class indices, got torch.float32"),
        (torch.tensor([0]), ValueError, r"target must have shape \(\), .*got \(1,\)"),
    ],
)
def test_a_bad_target_is_named(function, target, error, message):
    with pytest.raises(error, match=message):
        function(RUNNING, target)


def test_what_else_a_survey_refuses():
    with pytest.raises(ValueError, match=r"logits must have shape \(K,\) or \(m, K\), got \(1, 1, 2\)"):
        survey(torch.zeros(1, 1, 2), torch.tensor([[0]]))
    with pytest.raises(ValueError, match="the only row of logits is -inf throughout"):
        survey(torch.tensor([-inf, -inf]), 0)
    with pytest.raises(TypeError, match=r"dtypes must be float16, .* got torch.int64"):
        survey(RUNNING, 0, [torch.int64])
    with pytest.raises(TypeError, match=r"dtype must be float16, .* got 'float32'"):
        overflow_threshold("float32")


@pytest.mark.parametrize(
    ("eps", "error", "message"),
    [
        (0, ValueError, "eps must be positive and finite, got 0"),
        (nan, ValueError, "got nan"),
        ("1e-8", TypeError, "eps must be a number, got str"),
        (True, TypeError, "eps must be a number, got bool"),
    ],
)
def test_a_bad_epsilon_is_named(eps, error, message):
    with pytest.raises(error, match=message):
        capped_cross_entropy(RUNNING, 0, eps)


@pytest.mark.parametrize(("logits", "target", "_lost"), SURVEYED)
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_trace_leads_where_the_survey_ends(logits, target, _lost, dtype):
    z = torch.tensor(logits, dtype=DOUBLE)
    (row,) = survey(z, target, [dtype])
    steps = trace(z, target, dtype)
    assert repr(steps.naive_loss.item()) == repr(row.naive_loss)
    assert repr(steps.naive_gradient.tolist()) == repr(list(row.naive_gradient))
    assert {value.dtype for value in vars(steps).values()} == {dtype}
    assert torch.equal(steps.probability.nan_to_num(7), naive_softmax(z.to(dtype)).nan_to_num(7))


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_shift_alone_saves_loss_and_gradient_in_any_arithmetic(dtype):
    # Half precision is rounded after each operation here, as the naive route is: only the shift differs.
    eps = torch.finfo(dtype).eps
    for logits, target, _ in SURVEYED:
        z = torch.tensor(logits, dtype=DOUBLE)
        steps = trace(z, target, dtype)
        held = z.to(dtype).double()
        exact = float(exact_loss(held, target))
        assert abs(steps.stable_loss.item() - exact) <= 3 * eps * max(1, exact)
        gradient = torch.tensor([float(g) for g in exact_gradient(held, target)], dtype=DOUBLE)
        assert (steps.stable_gradient.double() - gradient).abs().max() <= 3 * eps
        assert 1 <= steps.shifted_total <= len(logits)
        assert steps.shifted_exponential.max() == 1


def test_a_trace_keeps_the_small_loss_of_a_sure_answer():
    steps = trace(torch.tensor([40.0, 0.0]), 0, DOUBLE)
    assert_close(steps.stable_loss, float(mpmath.log1p(mpmath.exp(-40))))
    assert steps.naive_loss == 0


def test_a_trace_refuses_what_the_survey_refuses():
    with pytest.raises(ValueError, match=r"logits must have shape \(K,\), got \(1, 2\)"):
        trace(torch.zeros(1, 2), torch.tensor([0]), DOUBLE)
    with pytest.raises(TypeError, match="dtype must be"):
        trace(torch.zeros(2), 0, torch.int64)
    with pytest.raises(ValueError, match="logits"):
        trace(torch.full((2,), -inf), 0, DOUBLE)
    with pytest.raises(ValueError, match="target"):
        trace(torch.zeros(2), 2, DOUBLE)


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_certain_answer_costs_zero_and_not_minus_zero(dtype):
    (row,) = survey(torch.tensor([1000.0, 0.0], dtype=torch.float64), 0, [dtype])
    assert copysign(1, row.stable_loss) == 1
    assert row.stable_loss == 0
