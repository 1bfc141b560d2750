"""Where the textbook formulas break, and where the shifted ones do not. Chapter "stability".

The naive functions compute in the input's own dtype, rounded after each operation (half precision too) and never shifted:
they are here to fail exactly as they fail in anybody's code. Nothing else in the package calls them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crossentropy.softmax import log_softmax, softmax
from crossentropy.validation import (
    FLOAT_DTYPES,
    require_class_index,
    require_dtype,
    require_logits,
    require_unmasked_row,
)

Step = Literal["z", "exp(z)", "sum", "p", "log p", "gradient"]


@dataclass(frozen=True)
class SurveyRow:
    """What both routes give for one sample in one dtype; plain numbers, as the dtype rounds them."""

    dtype: torch.dtype
    sample: int
    naive_loss: float
    stable_loss: float
    naive_gradient: tuple[float, ...]
    stable_gradient: tuple[float, ...]
    # The first step of the naive route that is not finite where it should be, or None.
    naive_breaks_at: Step | None


@dataclass(frozen=True)
class Trace:
    """Every step of one sample's loss, by the naive route and by the shifted one, in the arithmetic of one dtype.

    Vectors have shape (K,), the others none; all have the dtype, rounded after each operation.
    """

    # Both routes start here: the logits, as the dtype holds them.
    score: Tensor
    exponential: Tensor
    total: Tensor
    probability: Tensor
    naive_loss: Tensor
    naive_gradient: Tensor
    # The shifted route: z - max z, and what follows.
    shifted_score: Tensor
    shifted_exponential: Tensor
    shifted_total: Tensor
    stable_loss: Tensor
    stable_gradient: Tensor


def naive_softmax(logits: Tensor, *, dim: int = -1, validate: bool = True) -> Tensor:
    """exp(z) / sum exp(z), as written: NaN where an exponential overflows, or where all of them underflow.

    Args:
        logits: Scores, shape (..., K) with the classes along ``dim``; -inf masks a class.
        dim: The axis of the classes.
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        Shape and dtype of ``logits``, rounded after each operation.

    Raises:
        TypeError: if ``logits`` is no floating-point tensor.
        ValueError: if it is empty, has no axis ``dim``, or holds NaN or +inf.

    See: Blanchard, Higham & Higham (2021); chapter "stability".
    """
    require_logits(logits, dim=dim, validate=validate)
    exponentials = logits.exp()
    return exponentials / exponentials.sum(dim, keepdim=True)


def naive_logsumexp(logits: Tensor, *, dim: int = -1, validate: bool = True) -> Tensor:
    """log(sum exp(z)), as written: subtracting it from z forms no quotient, and overflows all the same.

    Args, raises: as :func:`naive_softmax`.

    Returns:
        Shape of ``logits`` without ``dim``.
    """
    require_logits(logits, dim=dim, validate=validate)
    return logits.exp().sum(dim).log()


def naive_log_softmax(logits: Tensor, *, dim: int = -1, validate: bool = True) -> Tensor:
    """log(softmax(z)), as written: also -inf where the probability underflows.

    Args, raises: as :func:`naive_softmax`.

    Returns:
        Shape and dtype of ``logits``, rounded after each operation.
    """
    return naive_softmax(logits, dim=dim, validate=validate).log()


def naive_cross_entropy(logits: Tensor, target: int | Tensor, *, validate: bool = True) -> Tensor:
    """-log(softmax(z)) of the true class, as written; one loss a sample, not reduced.

    Args:
        logits: Scores, shape (..., K).
        target: True classes, integers of shape (...); an int for logits of shape (K,).
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        Shape (...), dtype of ``logits``.

    Raises:
        TypeError: if ``logits`` is no floating-point tensor, or ``target`` holds no integers.
        ValueError: if ``logits`` is empty or holds NaN or +inf, or ``target`` has another shape or a class out of range.

    See: Blanchard, Higham & Higham (2021); chapter "stability".
    """
    index = _require_target(logits, target, validate)
    # Picked before the logarithm: another class that underflows does no harm, so only the formula's own faults show.
    return -_pick(naive_softmax(logits, validate=validate), index).log()


def capped_cross_entropy(logits: Tensor, target: int | Tensor, eps: float, *, validate: bool = True) -> Tensor:
    """-log(softmax(z) + eps) of the true class: never infinite, because it cannot exceed -log eps, whatever the truth.

    The softmax is the stable one; only the guard is at fault. At the cap the gradient vanishes, so the worst
    mistakes teach nothing; a right answer costs slightly less than nothing. Where the dtype rounds
    ``eps`` away (1e-8 in float16) there is no cap at all, but the infinity that it was to prevent.

    Args:
        logits, target: as in :func:`naive_cross_entropy`.
        eps: Positive number.
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        Shape (...), dtype of ``logits``; the sum and its logarithm are rounded to it.

    Raises:
        As :func:`naive_cross_entropy`; also if ``eps`` is no number, or not positive and finite, or a row is masked throughout.

    See: chapter "stability".
    """
    if isinstance(eps, bool) or not isinstance(eps, (int, float)):
        raise TypeError(f"eps must be a number, got {type(eps).__name__}")
    if not (math.isfinite(eps) and eps > 0):
        raise ValueError(f"eps must be positive and finite, got {eps}")
    index = _require_target(logits, target, validate)
    return -(_pick(softmax(logits, validate=validate), index) + eps).log()


def overflow_threshold(dtype: torch.dtype) -> float:
    """The logarithm of the largest finite number of ``dtype``: a larger logit has no finite exponential.

    11.09 for float16, 88.72 for bfloat16 and float32, 709.78 for float64.

    Raises:
        TypeError: if ``dtype`` is none of the four.

    See: Blanchard, Higham & Higham (2021); chapter "stability".
    """
    require_dtype(dtype)
    return math.log(torch.finfo(dtype).max)


def survey(
    logits: Tensor, target: int | Tensor, dtypes: Sequence[torch.dtype] = FLOAT_DTYPES, *, validate: bool = True
) -> list[SurveyRow]:
    """Loss and gradient by both routes, dtype by dtype: where the naive one breaks, and at which step.

    The naive route is :func:`naive_cross_entropy`; the stable one is minus ``crossentropy.softmax.log_softmax`` of the true
    class, which also computes half precision in float32. The logits are first rounded to each dtype: one that is too
    large to be held (70,000 in float16) is lost at step "z", and then no route has an answer.

    Args:
        logits: Scores, shape (K,) or (m, K), in any of the dtypes; -inf masks a class.
        target: The true class, or m of them.
        dtypes: The dtypes to try, in the order of the result.
        validate: False skips the checks on values.

    Returns:
        One row a dtype and sample, the samples of a dtype together.

    Raises:
        As :func:`naive_cross_entropy`; ValueError if ``logits`` has more than two axes, TypeError for an unknown dtype.

    See: Blanchard, Higham & Higham (2021); chapter "stability".
    """
    index = _require_target(logits, target, validate)
    if logits.ndim > 2:
        raise ValueError(f"logits must have shape (K,) or (m, K), got {tuple(logits.shape)}")
    if validate:
        require_unmasked_row(logits)
    for dtype in dtypes:
        require_dtype(dtype, "dtypes")
    samples = list(zip(logits.detach().reshape(-1, logits.shape[-1]), index.reshape(-1), strict=True))
    return [_survey_one(z, c, dtype, number) for dtype in dtypes for number, (z, c) in enumerate(samples)]


def trace(logits: Tensor, target: int, dtype: torch.dtype, *, validate: bool = True) -> Trace:
    """Both routes with every step kept: where an infinity is born, and that the shift alone prevents it.

    The naive route is :func:`naive_cross_entropy`, its gradient autograd's. The shifted one computes in ``dtype`` as well
    (``crossentropy.softmax`` would compute half precision in float32): with M the largest logit, the loss is M - z_c +
    log1p(sum of the other exponentials), and the gradient p - y, where p_c - 1 is minus the sum of the other probabilities.

    Args:
        logits: Scores, shape (K,), in any of the dtypes; they are rounded to ``dtype`` first. -inf masks a class.
        target: The true class.
        dtype: The dtype to compute in.
        validate: False skips the checks on values.

    Raises:
        As :func:`survey`; ValueError if ``logits`` has more than one axis.

    See: Blanchard, Higham & Higham (2021); chapter "stability".
    """
    index = _require_target(logits, target, validate)
    if logits.ndim != 1:
        raise ValueError(f"logits must have shape (K,), got {tuple(logits.shape)}")
    if validate:
        require_unmasked_row(logits)
    require_dtype(dtype)
    z = logits.detach().to(dtype)
    exponential = z.exp()
    total = exponential.sum()
    naive_loss, naive_gradient = _with_gradient(lambda t: naive_cross_entropy(t, index, validate=False), z)

    top, true = int(z.argmax()), int(index)
    classes = torch.arange(len(z), device=z.device)
    shifted = z - z[top]
    shifted_exponential = shifted.exp()
    others = shifted_exponential.masked_fill(classes == top, 0).sum()
    shifted_total = 1 + others
    p = shifted_exponential / shifted_total
    rest = shifted_exponential.masked_fill(classes == true, 0).sum() / shifted_total
    return Trace(
        score=z,
        exponential=exponential,
        total=total,
        probability=exponential / total,
        naive_loss=naive_loss,
        naive_gradient=naive_gradient,
        shifted_score=shifted,
        shifted_exponential=shifted_exponential,
        shifted_total=shifted_total,
        stable_loss=z[top] - z[true] + others.log1p(),
        stable_gradient=torch.where(classes == true, -rest, p),
    )


def _survey_one(given: Tensor, target: Tensor, dtype: torch.dtype, number: int) -> SurveyRow:
    # The checks saw what the caller gave; rounding it to the dtype may have made an infinity of it.
    logits = given.to(dtype)

    def stable(z: Tensor) -> Tensor:
        # Subtracted from zero, for a certain class costs 0 and not -0.
        return 0.0 - _pick(log_softmax(z, validate=False), target)

    def naive(z: Tensor) -> Tensor:
        return naive_cross_entropy(z, target, validate=False)

    naive_loss, naive_gradient = _with_gradient(naive, logits)
    stable_loss, stable_gradient = _with_gradient(stable, logits)
    broken = _first_break(given, logits, target, naive_gradient)
    return SurveyRow(
        dtype=dtype,
        sample=number,
        naive_loss=naive_loss.item(),
        stable_loss=stable_loss.item(),
        naive_gradient=tuple(naive_gradient.tolist()),
        stable_gradient=tuple(stable_gradient.tolist()),
        naive_breaks_at=broken,
    )


def _first_break(given: Tensor, logits: Tensor, target: Tensor, gradient: Tensor) -> Step | None:
    exponentials = logits.exp()
    total = exponentials.sum(-1)
    p = exponentials / total
    finite: dict[Step, Tensor] = {
        "z": logits.isfinite() | ~given.isfinite(),
        "exp(z)": exponentials.isfinite(),
        "sum": total.isfinite(),
        "p": p.isfinite(),
        # The loss of a masked class is infinite in truth.
        "log p": _pick(p.log().isfinite() | ~given.isfinite(), target),
        "gradient": gradient.isfinite(),
    }
    return next((step for step, good in finite.items() if not good.all()), None)


def _with_gradient(loss: Callable[[Tensor], Tensor], logits: Tensor) -> tuple[Tensor, Tensor]:
    z = logits.clone().requires_grad_()
    value = loss(z)
    (gradient,) = torch.autograd.grad(value, z)
    return value.detach(), gradient


def _require_target(logits: Tensor, target: int | Tensor, validate: bool) -> Tensor:
    """Check both; the target as a tensor of indices."""
    require_logits(logits, validate=validate)
    if isinstance(target, bool) or not isinstance(target, (int, Tensor)):
        raise TypeError(f"target must be an int or a torch.Tensor, got {type(target).__name__}")
    index = target if isinstance(target, Tensor) else torch.tensor(target, device=logits.device)
    require_class_index(index, num_classes=logits.shape[-1], shape=logits.shape[:-1], validate=validate)
    return index.long()


def _pick(values: Tensor, index: Tensor) -> Tensor:
    """The entry of the true class in each row."""
    return values.gather(-1, index.unsqueeze(-1)).squeeze(-1)
