"""From scores to probabilities: log-sum-exp, softmax and log-softmax. Chapter "softmax"."""

import math

import torch
from torch import Tensor

from crossentropy.precision import widen
from crossentropy.validation import require_float, require_logits, require_unmasked_row


def logsumexp(logits: Tensor, *, dim: int = -1, validate: bool = True) -> Tensor:
    """Logarithm of the sum of exponentials, the normaliser of softmax.

    Shifted by the maximum, and keeps the digits that ``torch.logsumexp`` drops: for [0, -40] it is
    4.248e-18, where torch returns 0. Adding a constant to the logits adds it to the result.

    Args:
        logits: Scores, shape (..., K) with the classes along ``dim``; -inf masks a class.
        dim: The axis of the classes.
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        Shape of ``logits`` without ``dim``; -inf where every class is masked.

    Raises:
        TypeError: if ``logits`` is no floating-point tensor.
        ValueError: if it is empty, has no axis ``dim``, or holds NaN or +inf.

    See: Blanchard, Higham & Higham (2021); chapter "stability".
    """
    require_logits(logits, dim=dim, validate=validate)
    top, _, rest = _split(widen(logits), dim)
    return (top + rest.log1p()).squeeze(dim).to(logits.dtype)


def softmax(logits: Tensor, *, dim: int = -1, temperature: float | Tensor = 1.0, validate: bool = True) -> Tensor:
    """Probabilities proportional to the exponentials of ``logits / temperature``.

    Args:
        logits: Scores, shape (..., K) with the classes along ``dim``; -inf masks a class.
        dim: The axis of the classes.
        temperature: Positive number (or tensor of one element): below one sharpens, above one flattens.
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        Shape of ``logits``; non-negative, sums to one along ``dim``.

    Raises:
        TypeError: if ``logits`` is no floating-point tensor, or ``temperature`` no number.
        ValueError: if ``logits`` is empty, has no axis ``dim``, holds NaN or +inf or masks a whole row,
            or ``temperature`` is not positive and finite.

    See: Bishop (2006), section 4.3.4; chapter "softmax".
    """
    # Not torch.softmax: over a vocabulary of 50,000 its float32 rows sum to 1 only within some 1e-5.
    _, gaps, rest = _split(_tempered(logits, dim, temperature, validate), dim)
    return (gaps.exp() / (1 + rest)).to(logits.dtype)


def log_softmax(logits: Tensor, *, dim: int = -1, temperature: float | Tensor = 1.0, validate: bool = True) -> Tensor:
    """Logarithm of :func:`softmax`, in nats, without ever forming the probabilities.

    The log-probability of a near-certain class keeps its digits: for [40, 0] the first is -4.248e-18,
    where ``torch.log_softmax`` returns 0. Applying it twice changes nothing (it is idempotent).

    Args, raises: as :func:`softmax`.

    Returns:
        Shape of ``logits``; at most zero, -inf for a masked class.

    See: Blanchard, Higham & Higham (2021); chapters "softmax" and "stability".
    """
    tempered = _tempered(logits, dim, temperature, validate)
    _, gaps, rest = _split(tempered, dim)
    return (gaps - rest.log1p()).to(logits.dtype)


def _tempered(logits: Tensor, dim: int, temperature: float | Tensor, validate: bool) -> Tensor:
    """Checked logits, shifted to a maximum of zero *before* the division: z / T alone may overflow."""
    require_logits(logits, dim=dim, validate=validate)
    _require_temperature(temperature, validate)
    if validate:
        require_unmasked_row(logits, dim=dim)
    wide = widen(logits)
    # The shift is a constant: it drops out of the result, so no gradient need pass through it.
    return (wide - wide.detach().amax(dim, keepdim=True)) / temperature


def _split(logits: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """The largest logit, each logit's gap to it, and the sum of exp(gap) over all *other* classes.

    No 1 + tiny is formed on the way up. None on the way down either: the largest logit's own gap is a constant
    zero, so its gradient is not 1 - 1 + tiny.
    """
    top, index = logits.max(dim, keepdim=True)
    # A row of -inf would shift by inf - inf.
    shift = torch.where(top.isneginf(), torch.zeros_like(top), top)
    gaps = (logits - shift).scatter(dim, index, 0.0)
    others = gaps.exp().scatter(dim, index, 0.0)
    return top, gaps, others.sum(dim, keepdim=True)


def _require_temperature(temperature: float | Tensor, validate: bool) -> None:
    if isinstance(temperature, Tensor):
        require_float(temperature, "temperature")
        if temperature.numel() != 1:
            raise ValueError(f"temperature must be one number, got a tensor of shape {tuple(temperature.shape)}")
        if not validate:
            return
        value = temperature.item()
    elif isinstance(temperature, (int, float)) and not isinstance(temperature, bool):
        value = float(temperature)
    else:
        raise TypeError(f"temperature must be a number, got {type(temperature).__name__}")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"temperature must be positive and finite, got {value}")
