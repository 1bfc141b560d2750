"""What every topic refuses at its public door, and in which words.

A wrong type is a TypeError, a wrong shape or value a ValueError; each message names the argument, what
was expected and what came. ``validate=False`` skips the checks that look at values (they cannot run
under ``vmap``, and ``gradcheck`` steps off the simplex on purpose); types and shapes are always checked.
"""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

Unit = Literal["nats", "bits"]
Reduction = Literal["mean", "sum"]

FLOAT_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGER_DTYPES = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)

# Rounding moves a row's sum by about K times the dtype's epsilon; beyond this it is no distribution.
SUM_TOLERANCE = {torch.float16: 1e-3, torch.bfloat16: 1e-3, torch.float32: 1e-5, torch.float64: 1e-9}


def require_tensor(value: object, name: str) -> None:
    """Raise TypeError unless ``value`` is a torch tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")


def require_float(value: Tensor, name: str) -> None:
    """Raise TypeError unless ``value`` is a tensor of a floating-point dtype that the book covers."""
    require_tensor(value, name)
    if value.dtype not in FLOAT_DTYPES:
        hint = "; convert it with .float()" if value.dtype in (*INTEGER_DTYPES, torch.bool) else ""
        raise TypeError(f"{name} must be float16, bfloat16, float32 or float64, got {value.dtype}{hint}")


def require_count(value: object, name: str) -> None:
    """Raise unless ``value`` is an int of at least one."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")


def require_dtype(value: object, name: str = "dtype") -> None:
    """Raise TypeError unless ``value`` is a floating-point dtype that the book covers."""
    if value not in FLOAT_DTYPES:
        raise TypeError(f"{name} must be float16, bfloat16, float32 or float64, got {value!r}")


def require_finite_number(value: object, name: str) -> None:
    """Raise unless ``value`` is an int or a float that is neither NaN nor infinite."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")


def require_choice(value: object, name: str, choices: object) -> None:
    """Raise ValueError unless ``value`` is one of the strings of the Literal type ``choices``."""
    allowed = get_args(choices)
    if value not in allowed:
        raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}, got {value!r}")


def require_dim(value: Tensor, name: str, dim: int) -> None:
    """Raise unless ``dim`` is an axis of ``value`` that holds at least one entry, and ``value`` is not empty."""
    if not isinstance(dim, int) or isinstance(dim, bool):
        raise TypeError(f"dim must be an int, got {type(dim).__name__}")
    if value.ndim == 0:
        raise ValueError(f"{name} must have at least one dimension, the classes; got a scalar")
    if not -value.ndim <= dim < value.ndim:
        raise ValueError(
            f"dim must lie in [{-value.ndim}, {value.ndim - 1}] for {name} of shape {tuple(value.shape)}, got {dim}"
        )
    require_entries(value, name)


def require_entries(value: Tensor, name: str) -> None:
    """Raise ValueError if ``value`` holds no entry at all."""
    if value.numel() == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(value.shape)}")


def require_logits(logits: Tensor, name: str = "logits", *, dim: int = -1, validate: bool = True) -> None:
    """Raise unless ``logits`` are floating-point scores along ``dim`` without NaN or +inf.

    -inf is allowed: it masks a class. A row that masks every class is the caller's to judge.
    """
    require_float(logits, name)
    require_dim(logits, name, dim)
    if validate:
        require_all(~(logits.isnan() | logits.isposinf()), logits, name, "be finite (or -inf, a masked class)")


def require_unmasked_row(logits: Tensor, name: str = "logits", *, dim: int = -1) -> None:
    """Raise ValueError if a row along ``dim`` is -inf throughout: no class is left to choose from."""
    masked = logits.isneginf().all(dim=dim)
    if masked.any():
        raise ValueError(
            f"{name} must leave at least one class unmasked in each row; {_at(masked, name, 'row')} is -inf throughout"
        )


def require_distribution(p: Tensor, name: str, *, dim: int = -1, validate: bool = True) -> None:
    """Raise unless ``p`` is floating point, non-negative and sums to one along ``dim`` (tolerance by dtype)."""
    require_float(p, name)
    require_dim(p, name, dim)
    if not validate:
        return
    require_all(p.isfinite() & (p >= 0), p, name, "be a distribution, finite and non-negative")
    total = p.double().sum(dim=dim)
    bad = (total - 1).abs() > SUM_TOLERANCE[p.dtype]
    if p.dtype == torch.bfloat16 and bad.any():
        bad &= (total - 1).abs() > _rounding(p, dim, up=total > 1)
    if bad.any():
        raise ValueError(
            f"{name} must be a distribution, summing to one along dim {dim}; {_at(bad, name, 'row')} sums to {total[bad][0].item():.9g}"
        )


def require_probabilities(probs: Tensor, name: str = "probs", *, validate: bool = True) -> None:
    """Raise unless each entry of ``probs``, whatever their shape, is a floating-point number in [0, 1]."""
    require_float(probs, name)
    require_entries(probs, name)
    if validate:
        require_all((probs >= 0) & (probs <= 1), probs, name, "lie in [0, 1]")


def require_all(good: Tensor, value: Tensor, name: str, expectation: str) -> None:
    """Raise ValueError naming the first entry of ``value`` where ``good`` is False."""
    if not good.all():
        raise ValueError(f"{name} must {expectation}; {_at(~good, name)} is {value[~good][0].item()}")


def require_class_index(
    target: Tensor, name: str = "target", *, num_classes: int, shape: tuple[int, ...], validate: bool = True
) -> None:
    """Raise unless ``target`` holds integers in [0, num_classes) and has exactly ``shape``."""
    require_tensor(target, name)
    if target.dtype not in INTEGER_DTYPES:
        raise TypeError(f"{name} must hold integer class indices, got {target.dtype}")
    if tuple(target.shape) != tuple(shape):
        raise ValueError(f"{name} must have shape {tuple(shape)}, one class a row, got {tuple(target.shape)}")
    if validate:
        # Widened first: torch would narrow the bound to int8 and wrap it round.
        wide = target.long()
        require_all((wide >= 0) & (wide < num_classes), target, name, f"be a class in [0, {num_classes - 1}]")


def require_matrix(value: Tensor, name: str, columns: str, *, rows: int | None = None) -> None:
    """Raise unless ``value`` is a floating-point matrix (m, ``columns``), with m equal to ``rows`` where that is given."""
    require_float(value, name)
    if value.ndim != 2:
        hint = f"; one observation is {name}.unsqueeze(0)" if value.ndim == 1 else ""
        raise ValueError(
            f"{name} must have shape (m, {columns}), one row an observation, got {tuple(value.shape)}{hint}"
        )
    require_dim(value, name, -1)
    if rows is not None and value.shape[0] != rows:
        raise ValueError(f"{name} must have {rows} rows, one an observation, got shape {tuple(value.shape)}")


def require_target(target: Tensor, name: str = "target", *, shape: tuple[int, int], validate: bool = True) -> None:
    """Raise unless ``target`` fits logits of ``shape`` (m, K).

    It may hold class indices (m,), of any integer dtype, or rows (m, K) that sum to one: probabilities, or one-hot
    in a float or an integer dtype.
    """
    require_tensor(target, name)
    rows, num_classes = shape
    if target.ndim != 2:
        require_class_index(target, name, num_classes=num_classes, shape=(rows,), validate=validate)
        return
    if target.dtype not in (*FLOAT_DTYPES, *INTEGER_DTYPES):
        raise TypeError(f"{name} must hold class indices, one-hot rows or probabilities, got {target.dtype}")
    if tuple(target.shape) != tuple(shape):
        raise ValueError(
            f"{name} must have shape {(rows,)} (class indices) or {tuple(shape)} (rows), got {tuple(target.shape)}"
        )
    if target.dtype in FLOAT_DTYPES:
        require_distribution(target, name, validate=validate)
    elif validate:
        require_all(target >= 0, target, name, "be one-hot, zeros and a single one a row")
        total = target.sum(dim=-1)
        if (total != 1).any():
            raise ValueError(
                f"{name} must be one-hot, summing to one along dim -1; {_at(total != 1, name, 'row')} sums to {total[total != 1][0].item()}"
            )


def require_binary_target(
    target: Tensor, name: str = "target", *, shape: tuple[int, ...], validate: bool = True
) -> None:
    """Raise unless ``target`` has ``shape`` and holds probabilities in [0, 1], or integers or booleans 0 and 1."""
    require_tensor(target, name)
    if target.dtype not in (*FLOAT_DTYPES, *INTEGER_DTYPES, torch.bool):
        raise TypeError(f"{name} must be floating point, integer or bool, got {target.dtype}")
    if tuple(target.shape) != tuple(shape):
        raise ValueError(f"{name} must have shape {tuple(shape)}, one target an entry, got {tuple(target.shape)}")
    if validate:
        require_all((target >= 0) & (target <= 1), target, name, "lie in [0, 1]")


def _rounding(p: Tensor, dim: int, *, up: Tensor) -> Tensor:
    """By how much a row's sum may have moved, ``up`` or down, when its entries were rounded to bfloat16.

    With eight bits an honest softmax is up to 0.004 off. Each entry moved by at most half the spacing on its side:
    the spacing above a number in [2^e-1, 2^e) is 2^e-8, below a power of two it is half of that.
    """
    mantissa, exponent = p.float().frexp()
    # An exact zero was zero before.
    half_spacing = torch.ldexp((mantissa != 0).float(), exponent - 9)
    below = torch.where(mantissa == 0.5, half_spacing / 2, half_spacing)
    half_spacing = torch.where(up.unsqueeze(dim), below, half_spacing)
    # A softmax in float32 is itself off by some 1e-7 an entry that counts.
    return half_spacing.sum(dim=dim, dtype=torch.float64) + 1e-6


def _at(bad: Tensor, name: str, what: str = "") -> str:
    """Where the first True of ``bad`` is, in words: ``row 2 of logits`` or ``logits[2, 0]``."""
    index = bad.nonzero()[0].tolist()
    place = ", ".join(map(str, index))
    if what:
        return f"{what} {place} of {name}" if place else f"the only {what} of {name}"
    return f"{name}[{place}]" if place else name
