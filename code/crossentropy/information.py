"""What an outcome is worth in nats or bits: surprise, entropy, cross-entropy, KL divergence. Chapter "information".

Distributions are taken as they are stored. Their rows sum to one only up to rounding, so each function
names the sum that it computes; none returns less than zero, nor a negative zero.
"""

import heapq
import math

import torch
from torch import Tensor

from crossentropy.precision import widen
from crossentropy.validation import (
    Unit,
    require_choice,
    require_distribution,
    require_probabilities,
)

# |q - p| below this part of p counts as near; the series then ends below float64's rounding.
_NEAR = 0.25
_SERIES = [1 / (2 * n + 3) for n in range(10)]


def surprise(p: Tensor, *, unit: Unit = "nats", validate: bool = True) -> Tensor:
    """How unexpected an outcome of probability ``p`` is: -log p.

    Args:
        p: Probabilities, any shape, each in [0, 1].
        unit: "nats" (natural logarithm) or "bits" (base two).
        validate: False skips the checks on values, for ``vmap``.

    Returns:
        Shape of ``p``, in ``unit``; 0 where p = 1, infinite where p = 0.

    Raises:
        TypeError: if ``p`` is no floating-point tensor.
        ValueError: if ``p`` is empty or leaves [0, 1], or ``unit`` is unknown.

    See: Cover & Thomas (2006), section 2.1; chapter "information".
    """
    require_choice(unit, "unit", Unit)
    require_probabilities(p, "p", validate=validate)
    return (0.0 - _log(widen(p), unit)).to(p.dtype)


def entropy(p: Tensor, *, dim: int = -1, unit: Unit = "nats", validate: bool = True) -> Tensor:
    """Expected surprise of outcomes drawn from ``p``: what no code can save.

    H(p) = -sum_k p_k log p_k, with 0 log 0 = 0. Between 0 (one outcome is certain) and log K (uniform).
    The slope is infinite at p_k = 0; the gradient there is 0, so that a masked class learns nothing.

    Args:
        p: Distribution, shape (..., K); non-negative, sums to one along ``dim``.
        dim: The axis of the outcomes.
        unit: "nats" (natural logarithm) or "bits" (base two).
        validate: False skips the checks on values, for ``vmap`` and ``gradcheck``.

    Returns:
        Shape (...), in ``unit``.

    Raises:
        TypeError: if ``p`` is no floating-point tensor.
        ValueError: if ``p`` is no distribution along ``dim``, naming the first row at fault, or ``unit`` is unknown.

    See: Cover & Thomas (2006), section 2.1; chapter "information".
    """
    require_choice(unit, "unit", Unit)
    require_distribution(p, "p", dim=dim, validate=validate)
    return _cross_entropy(widen(p), widen(p), dim, unit).to(p.dtype)


def cross_entropy(p: Tensor, q: Tensor, *, dim: int = -1, unit: Unit = "nats", validate: bool = True) -> Tensor:
    """Expected code length of outcomes drawn from ``p`` under a code made for ``q``.

    H(p, q) = -sum_k p_k log q_k, with 0 log 0 = 0; infinite where q_k = 0 < p_k. Never below H(p).
    Where p_k = q_k = 0 the gradient is 0 in both: the true one in q, and in p a choice, for its slope is infinite.

    Args:
        p: True distribution, shape (..., K); non-negative, sums to one along ``dim``.
        q: Predicted distribution, broadcastable to ``p`` and with as many outcomes.
        dim: The axis of the outcomes; negative, where ``p`` and ``q`` differ in their number of axes.
        unit: "nats" (natural logarithm) or "bits" (base two).
        validate: False skips the checks on values, for ``vmap`` and ``gradcheck``.

    Returns:
        Shape (...), in ``unit``.

    Raises:
        TypeError: if ``p`` or ``q`` is no floating-point tensor.
        ValueError: if ``p`` or ``q`` is no distribution along ``dim``, naming the first row at fault,
            their shapes do not fit, or ``unit`` is unknown.

    See: Cover & Thomas (2006), section 2.3; chapter "information".
    """
    dtype = _require_pair(p, q, dim, unit, validate)
    return _cross_entropy(widen(p), widen(q), dim, unit).to(dtype)


def kl_divergence(p: Tensor, q: Tensor, *, dim: int = -1, unit: Unit = "nats", validate: bool = True) -> Tensor:
    """What a code made for ``q`` costs above the best one, when outcomes are drawn from ``p``.

    KL(p || q) = sum_k [p_k log(p_k / q_k) - p_k + q_k], with 0 log 0 = 0; infinite where q_k = 0 < p_k.
    The terms -p_k + q_k add up to nothing for distributions, yet make each term non-negative, so that nothing
    cancels: for p and q that differ by 1e-8 the usual sum p log(p / q) keeps hardly a digit, and may turn negative. A stored row
    that misses one by δ moves the result by about δ KL + δ²/2, where it would move the usual sum by δ itself.

    The gradient is 1 - p_k / q_k in q, log(p_k / q_k) in p: both vanish at p = q. They differ from
    those of the usual sum by a constant, which no step along the simplex (or through softmax) can see.
    At p_k = 0 the slope in p is infinite, and the gradient 0.

    Args, raises: as :func:`cross_entropy`.

    Returns:
        Shape (...), in ``unit``; 0 only if p = q (or so near that it underflows).

    See: Cover & Thomas (2006), section 2.3; Bregman (1967); chapter "information".
    """
    dtype = _require_pair(p, q, dim, unit, validate)
    total = _bregman_terms(widen(p), widen(q)).sum(dim)
    nats = _without_negative(total)
    return (nats / math.log(2) if unit == "bits" else nats).to(dtype)


def perplexity(p: Tensor, q: Tensor | None = None, *, dim: int = -1, validate: bool = True) -> Tensor:
    """Number of equally likely outcomes that would surprise as much: exp H(p, q), or exp H(p) without ``q``.

    Args:
        p: True distribution, shape (..., K).
        q: Predicted distribution, as in :func:`cross_entropy`.
        dim: The axis of the outcomes.
        validate: False skips the checks on values, for ``vmap`` and ``gradcheck``.

    Returns:
        Shape (...); at least 1, and K for a uniform ``p`` or ``q``. The same from nats and from bits.

    Raises:
        As :func:`cross_entropy`.

    See: Jelinek et al. (1977); chapter "information".
    """
    if q is None:
        require_distribution(p, "p", dim=dim, validate=validate)
        return _cross_entropy(widen(p), widen(p), dim, "nats").exp().to(p.dtype)
    dtype = _require_pair(p, q, dim, "nats", validate)
    return _cross_entropy(widen(p), widen(q), dim, "nats").exp().to(dtype)


def huffman_code(p: Tensor, *, validate: bool = True) -> list[str]:
    """The best way to ask for one outcome at a time in yes/no questions: a prefix-free code of least expected length.

    The length lies between H(p) and H(p) + 1 bits. Equal weights are merged in the order of their
    making, and words are given out in canonical order, by length and then by index: the same ``p`` gives the same code.
    Outcomes of probability zero get a word too. A sure outcome (K = 1) needs no question: its word is empty.

    Args:
        p: One distribution, shape (K,).
        validate: False skips the checks on values.

    Returns:
        K words of "0" and "1"; none begins another.

    Raises:
        TypeError: if ``p`` is no floating-point tensor.
        ValueError: if ``p`` has not exactly one axis or is no distribution.

    See: Huffman (1952); Cover & Thomas (2006), section 5.6; chapter "information".
    """
    require_distribution(p, "p", validate=validate)
    if p.ndim != 1:
        raise ValueError(f"p must be one distribution of shape (K,), got {tuple(p.shape)}")
    lengths = _huffman_lengths(p.tolist())
    words = [""] * len(lengths)
    value = previous = 0
    for length, index in sorted((length, index) for index, length in enumerate(lengths)):
        value <<= length - previous
        words[index] = f"{value:0{length}b}" if length else ""
        value, previous = value + 1, length
    return words


def _require_pair(p: Tensor, q: Tensor, dim: int, unit: Unit, validate: bool) -> torch.dtype:
    """Check two distributions over the same outcomes; the dtype of what is computed from both."""
    require_choice(unit, "unit", Unit)
    require_distribution(p, "p", dim=dim, validate=validate)
    require_distribution(q, "q", dim=dim, validate=validate)
    if dim >= 0 and p.ndim != q.ndim:
        raise ValueError(
            f"dim must be negative where p and q differ in their number of axes, got {dim} for "
            f"shapes {tuple(p.shape)} and {tuple(q.shape)}"
        )
    if p.shape[dim] != q.shape[dim]:
        raise ValueError(f"q must have the {p.shape[dim]} outcomes of p along dim {dim}, got {q.shape[dim]}")
    if any(a != b and 1 not in (a, b) for a, b in zip(reversed(p.shape), reversed(q.shape), strict=False)):
        raise ValueError(f"q must be broadcastable to p's shape {tuple(p.shape)}, got {tuple(q.shape)}")
    return torch.promote_types(p.dtype, q.dtype)


def _cross_entropy(p: Tensor, q: Tensor, dim: int, unit: Unit) -> Tensor:
    # torch.xlogy has the value but not the gradient, NaN at p = q = 0: there the logarithm must never see q.
    safe = torch.where((p == 0) & (q == 0), 1.0, q)
    return _without_negative(-(p * _log(safe, unit)).sum(dim))


def _log(value: Tensor, unit: Unit) -> Tensor:
    """log2 is exact for powers of two, where a quotient of natural logarithms need not be."""
    return value.log() if unit == "nats" else value.log2()


def _without_negative(total: Tensor) -> Tensor:
    """Lift what rounding left below zero, and -0.0, to 0.0; the gradient passes as if nothing had happened."""
    return total + (-total.detach()).clamp(min=0.0)


def _bregman_terms(p: Tensor, q: Tensor) -> Tensor:
    """p log(p / q) - p + q, each entry correct to its last digits, from p = q to p or q = 0."""
    near = (q - p).abs() < _NEAR * p
    far = ~near & (p > 0)
    # Each branch sees harmless numbers where another is taken: an infinity there would make the gradient NaN.
    ratio = torch.where(near, q - p, 0.0) / torch.where(near, p, 1.0)
    logs = torch.where(far, p, 1.0).log() - torch.where(far, q, 1.0).log()
    return torch.where(near, p * _excess(ratio), torch.where(far, p * logs - (p - q), q))


def _excess(r: Tensor) -> Tensor:
    """r - log(1 + r) for small r, where the difference itself would cancel.

    log(1 + r) = 2 artanh s with s = r / (2 + r), and r - 2 s = r s: what is left starts with r²/2.
    """
    s = r / (2 + r)
    square = s * s
    series = torch.zeros_like(s)
    for coefficient in reversed(_SERIES):
        series = series * square + coefficient
    return r * s - 2 * s * square * series


def _huffman_lengths(weights: list[float]) -> list[int]:
    """Depth of each leaf in Huffman's tree. Nodes are numbered as they are made, so a parent comes after its children."""
    heap = [(weight, node) for node, weight in enumerate(weights)]
    heapq.heapify(heap)
    parent: dict[int, int] = {}
    for node in range(len(weights), 2 * len(weights) - 1):
        (first, a), (second, b) = heapq.heappop(heap), heapq.heappop(heap)
        parent[a] = parent[b] = node
        heapq.heappush(heap, (first + second, node))
    depth = {2 * len(weights) - 2: 0}
    for node in range(2 * len(weights) - 3, -1, -1):
        depth[node] = depth[parent[node]] + 1
    return [depth[node] for node in range(len(weights))]
