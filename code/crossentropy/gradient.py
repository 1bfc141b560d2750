"""The derivatives of softmax and of the cost: p - y, and what follows from it. Chapter "gradient"."""

import torch
from torch import Tensor

from crossentropy.likelihood import target_rows
from crossentropy.precision import widen
from crossentropy.softmax import softmax
from crossentropy.validation import (
    Reduction,
    require_all,
    require_choice,
    require_distribution,
    require_matrix,
    require_target,
)


def logit_gradient(logits: Tensor, target: Tensor, *, reduction: Reduction = "mean", validate: bool = True) -> Tensor:
    """Derivative of the cost with respect to each logit: p - y, divided by m for the mean.

    Computed as p_k * (sum of the other y) - y_k * (sum of the other p), which equals p_k - y_k for a row y that sums
    to one, and never subtracts nearby numbers from one: for logits [40, 0] and class 0 the first entry is -4.248e-18,
    where p_0 - 1 is 0. With a soft target its rounding is at most some eps * (p_k + y_k - 2 p_k y_k), no more than
    that of p_k - y_k or of (1 - y_k) - (1 - p_k). Where a row sums to one only up to rounding it stays the exact
    derivative of :func:`crossentropy.likelihood.cost`.

    Args:
        logits: Scores, shape (m, K); -inf masks a class.
        target: Class indices (m,) of any integer dtype, or rows (m, K) that sum to one: probabilities, or one-hot.
        reduction: "mean" for the gradient of the cost J, "sum" for that of m J: then each row is one observation's own.
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        Shape (m, K), dtype of ``logits``; each row sums to zero. Finite also where the loss is infinite.

    Raises:
        TypeError, ValueError: as :func:`crossentropy.likelihood.cost`; ValueError for another ``reduction``.

    See: Bishop (2006), section 4.3.4; chapter "gradient".
    """
    return _wide_gradient(logits, target, reduction, validate).to(logits.dtype)


def parameter_gradient(x: Tensor, logits: Tensor, target: Tensor, *, validate: bool = True) -> tuple[Tensor, Tensor]:
    """Derivatives of the cost J with respect to W and b, where ``logits`` = ``x`` W + b.

    The chain rule: x^T (p - y) / m, and the column sums of (p - y) / m.

    Args:
        x: Features, shape (m, features), finite.
        logits, target: as :func:`logit_gradient`.
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        The gradients for W, shape (features, K), and for b, shape (K,), in the dtype of ``logits``.

    Raises:
        TypeError: if ``x`` is no floating-point tensor.
        ValueError: if ``x`` is not (m, features) with the rows of ``logits``, or not finite.
            Both also as :func:`logit_gradient`.

    See: Hastie, Tibshirani & Friedman (2009), section 4.4.1; chapter "gradient".
    """
    wide = _wide_gradient(logits, target, "mean", validate)
    require_matrix(x, "x", "features", rows=logits.shape[0])
    if validate:
        require_all(x.isfinite(), x, "x", "be finite")
    common = torch.promote_types(x.dtype, wide.dtype)
    return (x.to(common).T @ wide.to(common)).to(logits.dtype), wide.sum(0).to(logits.dtype)


def softmax_jacobian(probs: Tensor, *, validate: bool = True) -> Tensor:
    """Derivative of each probability with respect to each logit, diag(p) - p p^T.

    A diagonal entry p_k (1 - p_k) is computed as p_k * (sum of the other p), and so keeps its digits as p_k nears one.

    Args:
        probs: The output p of softmax, shape (..., K); non-negative, sums to one along the last axis.
        validate: False skips the checks on values, for ``vmap`` and ``gradcheck``.

    Returns:
        Shape (..., K, K); symmetric, positive semi-definite, and each row sums to zero.

    Raises:
        TypeError: if ``probs`` is no floating-point tensor.
        ValueError: if it is empty or no distribution along the last axis.

    See: Bishop (2006), equation 4.106; chapter "gradient".
    """
    require_distribution(probs, "probs", validate=validate)
    p = widen(probs)
    outer = p.unsqueeze(-1) * p.unsqueeze(-2)
    diagonal = torch.eye(p.shape[-1], dtype=torch.bool, device=p.device)
    return torch.where(diagonal, (p * _sum_of_others(p)).unsqueeze(-1), -outer).to(probs.dtype)


def logit_hessian(probs: Tensor, *, validate: bool = True) -> Tensor:
    """Second derivatives of one observation's loss with respect to its logits: the Jacobian of softmax again.

    The gradient is p - y and y is constant, so the Hessian is dp/dz = diag(p) - p p^T, whatever the target. v^T H v
    is the variance of v under p, hence H is positive semi-definite and the loss convex in the logits; v = (1, ..., 1)
    gives zero, for shifting all logits changes nothing.

    Args, returns, raises: as :func:`softmax_jacobian`.

    See: Boyd & Vandenberghe (2004), section 3.1.5; chapter "gradient".
    """
    return softmax_jacobian(probs, validate=validate)


def _wide_gradient(logits: Tensor, target: Tensor, reduction: Reduction, validate: bool) -> Tensor:
    """The gradient at least in float32, not yet rounded to the dtype of ``logits``."""
    require_choice(reduction, "reduction", Reduction)
    require_matrix(logits, "logits", "K")
    rows, num_classes = logits.shape
    require_target(target, shape=(rows, num_classes), validate=validate)
    wide = widen(logits)
    p = softmax(wide, validate=validate)
    y = target_rows(target, num_classes=num_classes, dtype=wide.dtype)
    gradient = p * _sum_of_others(y) - y * _sum_of_others(p)
    return gradient / rows if reduction == "mean" else gradient


def _sum_of_others(value: Tensor) -> Tensor:
    """For each k the sum over j != k along the last axis, by adding what stands before and after: nothing is subtracted."""
    nothing = torch.zeros_like(value[..., :1])
    before = torch.cat([nothing, value[..., :-1].cumsum(-1)], dim=-1)
    after = torch.cat([value[..., 1:].flip(-1).cumsum(-1).flip(-1), nothing], dim=-1)
    return before + after
