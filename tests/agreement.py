"""What the tests of every topic share: the tolerance of the book, hard inputs, and shared strategies."""

import mpmath
import torch
from hypothesis import strategies as st
from torch import Tensor

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]

# Ties, one class, far apart, near certainty, masked.
HARD_LOGITS = [
    [2.0, 0.5, 0.1],
    [3.0],
    [1.0, 1.0, 1.0],
    [1000.0, 0.0],
    [-1000.0, 1000.0],
    [1000.0, 999.0, 998.0],
    [-1000.0, -1000.5],
    [40.0, 0.0],
    [0.0, 1e-10],
    [1e5, -1e5, 0.0],
    [0.0, -float("inf"), -2.0],
]


def assert_close(actual: Tensor, exact: object, tolerance: float = 1e-12) -> None:
    """Error at most ``tolerance`` times max(1, |exact|), each entry; infinities must agree in sign."""
    wanted = exact if isinstance(exact, (list, tuple)) else [exact]
    got = actual.detach().flatten().tolist()
    assert len(got) == len(wanted), f"{len(got)} entries, expected {len(wanted)}"
    for i, (a, e) in enumerate(zip(got, wanted, strict=True)):
        exactly = mpmath.mpf(e)
        if mpmath.isinf(exactly):
            assert a == float(exactly), f"entry {i}: {a}, exact {exactly}"
        else:
            error = abs(mpmath.mpf(a) - exactly)
            assert error <= tolerance * max(1, abs(exactly)), (
                f"entry {i}: {a}, exact {exactly}, error {float(error):.3g}"
            )


@st.composite
def logit_rows(draw: st.DrawFn, bound: float = 1e3) -> Tensor:
    """float64 logits of shape (m, K), 1 <= m <= 4, 1 <= K <= 6, within ±bound."""
    rows, classes = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    entry = st.floats(-bound, bound)
    row = st.lists(entry, min_size=classes, max_size=classes)
    return torch.tensor(draw(st.lists(row, min_size=rows, max_size=rows)), dtype=torch.float64)


@st.composite
def distribution_rows(draw: st.DrawFn, classes: int | None = None) -> Tensor:
    """float64 distributions of shape (m, K), some entries exactly zero."""
    rows, width = draw(st.integers(1, 4)), classes or draw(st.integers(1, 6))
    weight = st.one_of(st.just(0.0), st.floats(1e-6, 1.0))
    row = st.lists(weight, min_size=width, max_size=width).filter(any)
    weights = torch.tensor(draw(st.lists(row, min_size=rows, max_size=rows)), dtype=torch.float64)
    return weights / weights.sum(-1, keepdim=True)
