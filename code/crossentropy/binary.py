"""Two classes with one score: sigmoid and the binary cross-entropy. Chapter "binary"."""

import torch
import torch.nn.functional as F
from torch import Tensor

from crossentropy.precision import widen
from crossentropy.validation import (
    Reduction,
    require_all,
    require_binary_target,
    require_choice,
    require_entries,
    require_float,
    require_probabilities,
)


def sigmoid(logits: Tensor, *, validate: bool = True) -> Tensor:
    """Probability of class 1 when class 0 has the score zero: 1 / (1 + exp(-z)).

    It is the second entry of softmax([0, z]), not of softmax([-z, z]): that is sigmoid(2 z).

    Args:
        logits: Log-odds of class 1, any shape; ±inf is certainty.
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        Shape of ``logits``, in [0, 1].

    Raises:
        TypeError: if ``logits`` is no floating-point tensor.
        ValueError: if ``logits`` is empty or holds NaN.

    See: Bishop (2006), section 4.2; chapter "binary".
    """
    _require_log_odds(logits, validate)
    return torch.sigmoid(widen(logits)).to(logits.dtype)


def two_class_logits(z: Tensor, *, validate: bool = True) -> Tensor:
    """The two scores whose softmax says what :func:`sigmoid` says of one: [0, z].

    Args:
        z: Log-odds of class 1, any shape, also of a single number.
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        Shape (..., 2): a new last axis for the classes 0 and 1.

    Raises:
        TypeError: if ``z`` is no floating-point tensor.
        ValueError: if ``z`` is empty or holds NaN or +inf, which softmax refuses.

    See: chapter "binary".
    """
    require_float(z, "z")
    require_entries(z, "z")
    if validate:
        require_all(~(z.isnan() | z.isposinf()), z, "z", "be finite (or -inf, which leaves class 0)")
    return torch.stack([torch.zeros_like(z), z], dim=-1)


def binary_cross_entropy(
    probs: Tensor, target: Tensor, *, reduction: Reduction = "mean", validate: bool = True
) -> Tensor:
    """Cross-entropy of a target and the probability of class 1: -[y log p + (1 - y) log(1 - p)], 0 log 0 = 0.

    Infinite when it is certain and wrong, where ``torch.nn.BCELoss`` says 100; 0 when it is certain and right. A
    probability cannot keep its distance from one: from p = sigmoid(37) on float64 rounds it to 1. Where there are
    logits, use :func:`binary_cross_entropy_with_logits`.

    The gradient in ``probs`` is finite wherever the loss is: -1 for p = y = 1 and 1 for p = y = 0 (torch gives 0).
    In ``target`` it is infinite there, and given as 0.

    Args:
        probs: Probability of class 1, any shape, each in [0, 1].
        target: Shape of ``probs``; 0 or 1 in any integer dtype or bool, or floating point in [0, 1] (a soft target).
        reduction: "mean" or "sum" over all entries, taken before half precision is rounded.
        validate: False skips the checks on values, for ``vmap`` and ``gradcheck``.

    Returns:
        A scalar of ``probs``' dtype, in nats.

    Raises:
        TypeError: if ``probs`` is no floating-point tensor, or ``target`` no real one.
        ValueError: if ``probs`` is empty, ``probs`` or ``target`` leaves [0, 1], their shapes differ, or
            ``reduction`` is unknown.

    See: Bishop (2006), section 4.3.2; chapter "binary".
    """
    require_choice(reduction, "reduction", Reduction)
    require_probabilities(probs, validate=validate)
    require_binary_target(target, shape=probs.shape, validate=validate)
    p = widen(probs)
    y = target.to(p.dtype)
    # Where the weight and the number are both zero, the logarithm must see neither: 0 * inf would be NaN.
    log_p = torch.where((y == 0) & (p == 0), 1.0, p).log()
    log_rest = torch.where((y == 1) & (p == 1), 0.0, -p).log1p()
    return _reduce(0.0 - y * log_p - (1 - y) * log_rest, reduction).to(probs.dtype)


def binary_cross_entropy_with_logits(
    logits: Tensor, target: Tensor, *, reduction: Reduction = "mean", validate: bool = True
) -> Tensor:
    """Cross-entropy of a target and sigmoid(z), never forming the probability: y log(1 + e^-z) + (1 - y) log(1 + e^z).

    Both terms are non-negative, so nothing cancels. For z = -40 and y = 0 it is 4.248e-18, where
    ``torch.nn.functional.binary_cross_entropy_with_logits`` returns 0 (for z = 40 and y = 1 both keep it).
    The gradient in ``logits`` is sigmoid(z) - y.

    Args:
        logits: Log-odds of class 1, any shape. ±inf is certainty: the loss is 0 if right, infinite if wrong.
        target: Shape of ``logits``; 0 or 1 in any integer dtype or bool, or floating point in [0, 1] (a soft target).
        reduction: "mean" or "sum" over all entries, taken before half precision is rounded.
        validate: False skips the checks on values, for ``vmap`` and ``gradcheck``.

    Returns:
        A scalar of ``logits``' dtype, in nats.

    Raises:
        TypeError: if ``logits`` is no floating-point tensor, or ``target`` no real one.
        ValueError: if ``logits`` is empty or holds NaN, ``target`` leaves [0, 1], their shapes differ, or
            ``reduction`` is unknown.

    See: Bishop (2006), section 4.3.2; chapters "binary" and "stability".
    """
    require_choice(reduction, "reduction", Reduction)
    _require_log_odds(logits, validate)
    require_binary_target(target, shape=logits.shape, validate=validate)
    z = widen(logits)
    y = target.to(z.dtype)
    # softplus would do, but torch's replaces log(1 + e^z) by z from 20 on: 2e-9 off.
    if_one, if_zero = -F.logsigmoid(z), -F.logsigmoid(-z)
    # A certain and right answer costs nothing: 0 * inf would be NaN.
    if_one = torch.where((y == 0) & if_one.isinf(), 0.0, if_one)
    if_zero = torch.where((y == 1) & if_zero.isinf(), 0.0, if_zero)
    return _reduce(y * if_one + (1 - y) * if_zero, reduction).to(logits.dtype)


def _require_log_odds(logits: Tensor, validate: bool) -> None:
    require_float(logits, "logits")
    require_entries(logits, "logits")
    if validate:
        require_all(~logits.isnan(), logits, "logits", "be numbers (±inf is certainty)")


def _reduce(losses: Tensor, reduction: Reduction) -> Tensor:
    return losses.mean() if reduction == "mean" else losses.sum()
