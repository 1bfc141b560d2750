"""StabilityLab's Python face, and its arithmetic of each dtype in JavaScript against torch."""

import math

import pytest
import torch

from crossentropy.stability import survey, trace
from crossentropy.widgets import StabilityLab
from javascript import assert_agree, call_maths

DOUBLE = torch.float64
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
HALF = ("float16", "bfloat16")
NAIVE = {
    "exponential": "exponential",
    "total": "total",
    "probability": "probability",
    "loss": "naive_loss",
    "gradient": "naive_gradient",
}
SHIFTED = {
    "shifted": "shifted_score",
    "exponential": "shifted_exponential",
    "total": "shifted_total",
    "loss": "stable_loss",
    "gradient": "stable_gradient",
}

every_dtype = pytest.mark.parametrize("name", DTYPES)


def hard_numbers(name, count=20_000):
    """Random numbers of every size that the dtype has, ties, both limits and what lies beyond them."""
    generator = torch.Generator().manual_seed(0)
    info, dtype = torch.finfo(DTYPES[name]), DTYPES[name]
    low, high = math.log2(info.smallest_normal) - 60, math.log2(info.max) + 2
    size = low + (high - low) * torch.rand(count, dtype=DOUBLE, generator=generator)
    x = torch.randn(count, dtype=DOUBLE, generator=generator) * 2 ** size.clamp(max=1022)
    held = x[: count // 4].to(dtype)
    # Halfway between neighbours, where the even one wins, and a hair beside it.
    following = torch.nextafter(held.float(), torch.tensor(math.inf)) if dtype.itemsize == 4 else held
    ties = held.double() / 2 + following.double() / 2
    if name in HALF:
        steps = (held.view(torch.int16) + 1).view(dtype).double()
        ties = held.double() / 2 + steps / 2
    smallest = info.smallest_normal * info.eps
    edges = [
        info.max,
        smallest,
        smallest / 2,
        1.5 * smallest,
        info.max * (1 + info.eps / 4),
        info.max * (1 + info.eps / 2),
    ]
    edges = torch.tensor([0.0, *edges, math.inf, math.nan], dtype=DOUBLE)
    return torch.cat([x, ties, ties * (1 + 2**-40), edges, -edges])


@every_dtype
def test_javascript_rounds_as_torch_does(name):
    x = hard_numbers(name)
    actual = torch.tensor(call_maths([["roundTo", value, name] for value in x.tolist()]), dtype=DOUBLE)
    exact = x.to(DTYPES[name]).double()
    assert torch.equal(actual.nan_to_num(7.5), exact.nan_to_num(7.5))
    assert torch.equal(actual.isnan(), exact.isnan())
    assert exact.isinf().any()
    subnormal = (exact != 0) & (exact.abs() < torch.finfo(DTYPES[name]).smallest_normal)
    assert subnormal.any()


def rows(name, count=1000):
    """Logits around the dtype's limits, on both sides of each, and the logits where something else breaks."""
    generator = torch.Generator().manual_seed(1)
    limit = math.log(torch.finfo(DTYPES[name]).max)
    given = [[2.0, 0.5, 0.1], [0.0, 200.0], [12.0, 0.0], [11.0, 11.0, 11.0], [-20.0, -20.0], [-30.0, 0.0], [-1.0, 11.0]]
    given += [[0.0, 60.0], [40.0, 0.0], [70000.0, 0.0], [0.0, 70000.0], [-1000.0, -1000.0], [1e6, -1e6, 0.0], [3.0]]
    while len(given) < count:
        size = int(torch.randint(1, 11, (), generator=generator))
        spread = limit * 10 ** (1.5 * torch.rand((), dtype=DOUBLE, generator=generator) - 1.2)
        given.append((spread * torch.randn(size, dtype=DOUBLE, generator=generator)).tolist())
    return [torch.tensor(row, dtype=DOUBLE).to(DTYPES[name]) for row in given]


@every_dtype
def test_javascript_goes_through_torchs_steps(name):
    """Bit for bit in half precision; elsewhere torch may round its exponential the other way, once in a hundred."""
    samples = rows(name)
    calls = [[f"{route}Route", z.double().tolist(), 0, name] for z in samples for route in ("naive", "shifted")]
    answers = call_maths(calls)
    eps, tiny = torch.finfo(DTYPES[name]).eps, torch.finfo(DTYPES[name]).smallest_normal
    lost, different = 0, 0
    for z, naive, shifted in zip(samples, answers[::2], answers[1::2], strict=True):
        steps = trace(z, 0, DTYPES[name], validate=False)
        for answer, names in ((naive, NAIVE), (shifted, SHIFTED)):
            for key, attribute in names.items():
                actual = torch.tensor(answer[key], dtype=DOUBLE)
                exact = getattr(steps, attribute).double()
                assert torch.equal(actual.isnan(), exact.isnan()), (z, attribute)
                assert torch.equal(actual.isposinf(), exact.isposinf()), (z, attribute)
                assert torch.equal(actual.isneginf(), exact.isneginf()), (z, attribute)
                finite = exact.isfinite()
                error = (actual - exact)[finite].abs()
                if name in HALF:
                    assert not error.any(), (z, attribute, actual, exact)
                    continue
                different += int((error > 0).any())
                # A subnormal number, and what comes of it, may differ by all the digits that it has.
                honest = steps.probability[0] > tiny and steps.total.isfinite() and steps.exponential[0] > tiny
                if attribute.startswith(("naive", "prob")) and not honest:
                    continue
                assert (error <= 16 * eps * exact[finite].abs().clamp(min=1)).all(), (z, attribute, actual, exact)
        lost += not steps.naive_loss.isfinite()
    assert 100 < lost < 900
    assert different < 0.2 * len(samples) * 10


@every_dtype
def test_javascript_breaks_where_the_survey_says(name):
    samples = rows(name, 300)
    answers = call_maths([["naiveRoute", z.double().tolist(), 0, name] for z in samples])
    for z, answer in zip(samples, answers, strict=True):
        (row,) = survey(z, 0, [DTYPES[name]], validate=False)
        assert_agree(answer["loss"], row.naive_loss, 1e-5)


def test_starts_at_the_books_logits():
    lab = StabilityLab()
    assert (lab.logits, lab.scale, lab.dtype) == ([2.0, 0.5, 0.1], 1.0, "float16")
    assert lab.naive_loss == pytest.approx(0.317, abs=1e-3)
    assert lab.stable_loss == pytest.approx(0.317, abs=1e-3)
    assert lab.breaks_at == "nowhere"


@pytest.mark.parametrize(
    ("dtype", "logits", "loss", "step"),
    [
        ("float16", [12.0, 0.0], math.nan, "exp(z)"),
        ("float16", [11.0, 11.0, 11.0], math.inf, "sum"),
        ("float16", [-20.0, -20.0], math.nan, "p"),
        ("float16", [-30.0, 0.0], math.inf, "log p"),
        ("float16", [-1.0, 11.0], 12.0, "gradient"),
        ("float32", [0.0, 60.0], 60.0, "nowhere"),
        ("float32", [0.0, 200.0], math.inf, "exp(z)"),
    ],
)
def test_each_step_can_be_the_first_to_break(dtype, logits, loss, step):
    lab = StabilityLab(logits=logits, dtype=dtype)
    assert lab.breaks_at == step
    assert_agree(lab.naive_loss, loss)
    assert math.isfinite(lab.stable_loss)
    assert all(map(math.isfinite, lab.stable_gradient))
    assert_agree(sum(lab.stable_gradient), 0.0)


def test_a_scaled_logit_may_be_too_large_to_be_held():
    lab = StabilityLab(logits=[1000.0, 0.0], scale=70.0)
    assert lab.breaks_at == "z"
    assert lab.score == [math.inf, 0.0]
    assert math.isnan(lab.stable_loss)
    lab.dtype = "bfloat16"
    assert lab.stable_loss == 0


def test_an_unknown_dtype_is_refused():
    with pytest.raises(ValueError, match=r"dtype must be .float16. or .*, got .float8."):
        StabilityLab(dtype="float8")
