"""PyTorch's many names for one loss: the routes that agree, and a linter for the calls that do not.

Chapter "interfaces". Paste ``for finding in diagnose(logits, target): print(finding)`` above the line that fails.
"""

import math
import tomllib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from operator import index
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossentropy.softmax import log_softmax
from crossentropy.validation import FLOAT_DTYPES, require_class_index, require_logits


class Route(NamedTuple):
    """One way to the loss: a row of the chapter's table."""

    interface: str
    input: str
    operation: str
    use_case: str
    loss: Tensor


def comparison_table(logits: Tensor, target: Tensor) -> list[Route]:
    """Every correct route to the mean cross-entropy, run on the same batch.

    Args:
        logits: Scores, shape (..., K); no NaN, no +inf.
        target: Class indices in [0, K), shape (...).

    Returns:
        One :class:`Route` an interface, its ``loss`` a scalar in nats, differentiable in ``logits``.

    Raises:
        TypeError: if ``logits`` is no floating-point tensor or ``target`` no integer tensor.
        ValueError: if ``target`` does not hold one class in [0, K) a row, or ``logits`` NaN or +inf.

    See: chapter "interfaces".
    """
    require_logits(logits)
    require_class_index(target, num_classes=logits.shape[-1], shape=tuple(logits.shape[:-1]))
    z, y = logits.reshape(-1, logits.shape[-1]), target.reshape(-1).long()
    log_probs = F.log_softmax(z, dim=-1)
    one_hot = F.one_hot(y, z.shape[-1]).to(z.dtype)
    raw, logs, fused = "raw logits", "log-probabilities", "log_softmax + NLL"
    return [
        Route("nn.CrossEntropyLoss", raw, fused, "standard classification", nn.CrossEntropyLoss()(z, y)),
        Route("F.cross_entropy", raw, fused, "functional style", F.cross_entropy(z, y)),
        Route("nn.NLLLoss", logs, "NLL only", "log-probabilities are needed elsewhere", nn.NLLLoss()(log_probs, y)),
        Route("F.nll_loss", logs, "NLL only", "the same, functional style", F.nll_loss(log_probs, y)),
        Route(
            "F.cross_entropy, one-hot",
            "raw logits, probability targets",
            "log_softmax + dot product",
            "soft labels, distillation",
            F.cross_entropy(z, one_hot),
        ),
        Route(
            "F.kl_div, one-hot",
            "log-probabilities, probability targets",
            "cross-entropy − entropy of the target",
            "matching a distribution",
            F.kl_div(log_probs, one_hot, reduction="batchmean"),
        ),
        Route(
            "by hand",
            raw,
            "pick one log-probability a row",
            "to see what happens",
            -log_softmax(z).gather(-1, y.unsqueeze(-1)).mean(),
        ),
    ]


def routes(logits: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The loss by each interface of :func:`comparison_table`, keyed by its name; arguments and errors as there."""
    return {route.interface: route.loss for route in comparison_table(logits, target)}


def trapped_range(num_classes: int) -> tuple[float, float]:
    """The least and the greatest loss that ``cross_entropy`` can return when it is fed probabilities.

    A second softmax sees scores in [0, 1] only: the loss of one sample lies in [log(1 + (K-1)/e), that + 1].

    Raises:
        ValueError: if ``num_classes`` is below one.

    See: chapter "interfaces".
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    least = math.log1p((num_classes - 1) / math.e)
    return least, least + 1


@dataclass(frozen=True)
class Finding:
    """One fault: a stable name for it, what was seen, and the line that mends it."""

    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}\n    {self.remedy}"


def diagnose(
    logits: object,
    target: object,
    *,
    weight: object = None,
    ignore_index: object = -100,
    reduction: object = "mean",
    label_smoothing: object = 0.0,
    loss: object = "cross_entropy",
) -> list[Finding]:
    """Look at the arguments of a PyTorch loss and name what is wrong with them; never raises.

    An empty list means that nothing was found. Feeding ``log_softmax`` to ``cross_entropy`` is reported as what it is,
    once too often and harmless: it is idempotent, so value and gradient are right. Tensors are neither changed nor moved; of a batch of more than
    ``READ_LIMIT`` entries only the leading samples are read.

    Args:
        logits: What is passed as ``input``: scores, (log-)probabilities, or whatever the failing line passes.
        target: What is passed as ``target``.
        weight, ignore_index, reduction, label_smoothing: As passed to the loss.
        loss: "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits" or "kl_div".

    Returns:
        Findings, the most fundamental first; one cause gives one finding. Their texts are in interfaces.toml.

    See: chapter "interfaces", and the threads that the test cases cite.
    """
    if not isinstance(loss, str) or loss not in _CHECKS:
        spelt = _brief(loss).lower().replace("_", "")
        near = next((name for nickname, name in _NICKNAMES.items() if nickname in spelt), "cross_entropy")
        return [_find("unknown-loss", value=_brief(loss), known=", ".join(_CHECKS), near=near)]
    call = _Call(logits, target, weight, ignore_index, reduction, label_smoothing, loss)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(_findings(call))
    except Exception as error:
        # The contract is never to raise: a tensor that cannot be read (fake, functorch, foreign) is named as such.
        return [_find("unreadable", error=_brief(error))]


READ_LIMIT = 2**24
# With so few classes an ignored one is hardly a vocabulary's padding token.
FEW_CLASSES = 5

_TEXTS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_INDEXED = ("cross_entropy", "nll_loss")
_NICKNAMES = {
    "bcewith": "binary_cross_entropy_with_logits",
    "withlogit": "binary_cross_entropy_with_logits",
    "bce": "binary_cross_entropy",
    "binary": "binary_cross_entropy",
    "kl": "kl_div",
    "nll": "nll_loss",
}


def _find(key: str, **facts: object) -> Finding:
    """The finding ``key`` ("code" or "code:variant"), its text filled in with ``facts``."""
    text = _TEXTS[key]
    return Finding(key.partition(":")[0], text["message"].format(**facts), text["remedy"].format(**facts))


def _findings(call: "_Call") -> Iterator[Finding]:
    """Each group gives its first finding; a fatal group, without which the others mean nothing, ends the search."""
    found = False
    for group in _CHECKS[call.loss]:
        finding = next(filter(None, (check(call) for check in group.checks)), None)
        if finding is not None:
            yield finding
            found = True
            if group.fatal:
                return
    if not found and (last := _outcome(call)) is not None:
        yield last


@dataclass(frozen=True)
class _Call:
    """The arguments as passed (with an underscore), and what the checks ask of them over and over."""

    logits_: object
    target_: object
    weight_: object
    ignore_index_: object
    reduction_: object
    label_smoothing_: object
    loss: str

    @cached_property
    def logits(self) -> Tensor:
        assert isinstance(self.logits_, Tensor)
        return self.logits_.detach()

    @cached_property
    def target(self) -> Tensor:
        assert isinstance(self.target_, Tensor)
        return self.target_.detach()

    @cached_property
    def weight(self) -> Tensor | None:
        return self.weight_.detach() if isinstance(self.weight_, Tensor) else None

    @property
    def tensors(self) -> dict[str, Tensor]:
        named = {"logits": self.logits, "target": self.target}
        return named if self.weight is None else {**named, "weight": self.weight}

    @cached_property
    def ignore_index(self) -> int:
        return index(self.ignore_index_)  # type: ignore[arg-type]

    @cached_property
    def smoothing(self) -> float | None:
        """Label smoothing; PyTorch takes scalars of NumPy and tensors of no dimension, too. None if it is no number."""
        value = self.label_smoothing_
        if hasattr(value, "item") and getattr(value, "ndim", None) == 0 and not getattr(value, "requires_grad", False):
            value = value.item()
        return float(value) if isinstance(value, (int, float)) else None

    @property
    def reduction(self) -> str:
        return self.reduction_ if isinstance(self.reduction_, str) else _brief(self.reduction_)

    @property
    def averaged(self) -> bool:
        return self.reduction in ("mean", "elementwise_mean")

    @property
    def axis(self) -> int:
        """PyTorch's class dimension: 1, or 0 for a single unbatched sample."""
        return min(1, self.logits.ndim - 1)

    @property
    def classes(self) -> int:
        return self.logits.shape[self.axis]

    @property
    def index_shape(self) -> tuple[int, ...]:
        """The shape that class indices must have."""
        shape = tuple(self.logits.shape)
        return shape[: self.axis] + shape[self.axis + 1 :]

    @property
    def soft(self) -> bool:
        """Whether PyTorch reads the target as probabilities."""
        return self.target.shape == self.logits.shape and self.target.is_floating_point()

    @property
    def readable(self) -> bool:
        return not any(tensor.is_meta for tensor in self.tensors.values())

    @property
    def seen(self) -> str:
        return f"logits have shape {_shape(self.logits)}, target {_shape(self.target)} ({self.target.dtype})"

    @cached_property
    def values(self) -> tuple[Tensor, Tensor]:
        """Logits and target on the CPU, at least float32, of a huge batch the leading samples; empty if unreadable."""
        z, t = self.logits, self.target
        if not self.readable:
            return torch.empty(0), torch.empty(0)
        if z.numel() > READ_LIMIT:
            keep = READ_LIMIT // max(1, z[0].numel())
            z, t = z[:keep], t[:keep] if t.ndim else t
        return _wide(z), _wide(t)

    @cached_property
    def labels(self) -> Tensor:
        """Class indices in one row, int64."""
        return self.values[1].reshape(-1).long()

    @cached_property
    def counted(self) -> Tensor:
        """Which of ``labels`` take part in the loss."""
        return self.labels != self.ignore_index

    def as_rows(self, value: Tensor) -> Tensor:
        """``value``, of the logits' shape, as (samples, classes)."""
        flat = value.movedim(self.axis, -1) if value.numel() else value
        return flat.reshape(-1 if value.numel() else 0, max(1, self.classes))

    @cached_property
    def all_rows(self) -> Tensor:
        return self.as_rows(self.values[0])

    @cached_property
    def rows(self) -> Tensor:
        """The rows of the logits that take part in the loss."""
        return self.all_rows if self.soft else self.all_rows[self.counted]

    @property
    def tolerance(self) -> float:
        """How far the sum of a softmax's row may be from 1; genuine scores get as near once in a thousand rows."""
        return {torch.float16: 1e-2, torch.bfloat16: 2e-2}.get(self.logits.dtype, 1e-3)


Check = Callable[[_Call], Finding | None]

# --- what was passed at all -------------------------------------------------------------------------------------


def _not_a_tensor(call: _Call) -> Finding | None:
    for name, value in (("logits", call.logits_), ("target", call.target_), ("weight", call.weight_)):
        if not isinstance(value, Tensor) and not (name == "weight" and value is None):
            return _find("not-a-tensor", name=name, value=_brief(value), mend=_tensor_from(name, value, call))
    return None


def _tensor_from(name: str, value: object, call: _Call) -> str:
    if name == "weight" and isinstance(value, str):
        return f"loss = F.{call.loss}(logits, target, reduction={value!r})  # by name: the third argument is weight"
    if name == "weight" and isinstance(value, int) and call.loss in _INDEXED:
        return f"loss = F.{call.loss}(logits, target, ignore_index={value})  # by name: the third argument is weight"
    if name == "weight":
        return "weight = torch.as_tensor(weight, dtype=logits.dtype, device=logits.device)"
    if value is None:
        return f"# {name} is None: does forward() end in a return, and does the loader give labels?"
    if callable(value):
        return f"{name} = model(x)  # the result, not the function or module itself"
    if isinstance(value, dict):
        return f'{name} = {name}["{next((k for k in (name, "logits", "out") if k in value), name)}"]'
    if hasattr(value, "logits"):
        return f"{name} = {name}.logits"
    if isinstance(value, tuple) and hasattr(value, "indices"):
        return "target = target.indices" if name == "target" else "logits = model(x)  # the scores, without max"
    if isinstance(value, tuple) and any(isinstance(v, Tensor) for v in value):
        return f"{name} = {name}[0]  # a tuple of several things"
    if isinstance(value, list) and value and all(isinstance(v, Tensor) for v in value):
        return f"{name} = torch.stack({name})"
    if isinstance(value, (list, tuple)) and any(isinstance(v, str) for v in value):
        return f"{name} = torch.tensor([class_names.index(name) for name in {name}])"
    if name == "logits":
        return "logits = torch.as_tensor(logits)"
    if isinstance(value, int):
        value, name = [value], "[target]"
    return f"target = torch.as_tensor({name}, dtype={_label_dtype(value, call)})"


def _label_dtype(value: object, call: _Call) -> str:
    """The dtype that labels out of a list or an array should get: fractions are probabilities."""
    try:
        labels = torch.as_tensor(value)
        whole = call.loss in _INDEXED and bool((labels == labels.round()).all())
    except Exception:
        whole = call.loss in _INDEXED
    return "torch.long" if whole else "torch.float32"


def _layout(call: _Call) -> Finding | None:
    for name, value in call.tensors.items():
        if value.is_quantized:
            return _find("unsupported-layout", name=name, layout=f"quantised ({value.dtype})", method="dequantize")
        if value.layout != torch.strided or value.is_nested:
            return _find("unsupported-layout", name=name, layout=value.layout, method="to_dense")
    return None


def _device(call: _Call) -> Finding | None:
    where = {name: value.device for name, value in call.tensors.items()}
    odd = next((name for name, device in where.items() if device != where["logits"]), None)
    seen = ", ".join(f"{name} on {device}" for name, device in where.items())
    return _find("device-mismatch", seen=seen, odd=odd) if odd else None


def _swapped(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    if z.is_floating_point() or not t.is_floating_point():
        return None
    # Of one shape, whole numbers against scores: one-hot or binary labels came first.
    some = _sample(t) if z.shape == t.shape and call.readable else torch.empty(0)
    scores = bool((some != some.round()).any()) and bool(((some < 0) | (some > 1)).any())
    if t.ndim != z.ndim + 1 and not t.requires_grad and not scores:
        return None
    return _find("logits-not-float:swapped", first=_tensor(z), second=_tensor(t), loss=call.loss)


def _input_dtype(call: _Call) -> Finding | None:
    z = call.logits
    if z.dtype in FLOAT_DTYPES:
        return None
    variant = ":complex" if z.is_complex() else ":narrow" if z.is_floating_point() else ""
    return _find("logits-not-float" + variant, seen=_tensor(z), loss=call.loss)


# --- options ----------------------------------------------------------------------------------------------------


def _reduction(call: _Call) -> Finding | None:
    allowed = ["mean", "sum", "none"] + ["batchmean"] * (call.loss == "kl_div")
    if call.reduction in (*allowed, "elementwise_mean"):
        return None
    near = get_close_matches(call.reduction.lower(), allowed, n=1) or [allowed[0]]
    return _find(
        "unknown-reduction",
        value=_brief(call.reduction_),
        loss=call.loss,
        allowed=", ".join(map(repr, allowed)),
        hint=" ('batchmean' belongs to kl_div alone)" if call.reduction == "batchmean" else "",
        near=near[0],
    )


def _ignore_index(call: _Call) -> Finding | None:
    try:
        # PyTorch takes whatever can index (a NumPy integer, a tensor of one), in 64 bits.
        fits = -(2**63) <= call.ignore_index < 2**63 and not isinstance(call.ignore_index_, bool)
    except Exception:
        fits = False
    if not fits:
        return _find("ignore-index-type", value=_brief(call.ignore_index_))
    if call.loss not in _INDEXED and call.ignore_index != -100:
        return _find("unsupported-option:ignore_index", value=call.ignore_index, loss=call.loss)
    return None


def _smoothing(call: _Call) -> Finding | None:
    value = call.smoothing
    if value is None:
        return _find("label-smoothing-type", value=_brief(call.label_smoothing_))
    if not 0 <= value < 1:
        why = "the target is uniform and the labels have no say" if value == 1 else "it must lie in [0, 1)"
        better = value / 100 if 1 < value <= 50 else 0.1
        return _find("label-smoothing-out-of-range", value=value, why=why, better=better)
    if value and call.loss != "cross_entropy":
        return _find("unsupported-option:label_smoothing", value=value, loss=call.loss)
    return None


# --- shapes and dtypes of class targets -------------------------------------------------------------------------


def _no_class_axis(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    if z.ndim == 0:
        return _find("target-shape:scalar")
    if z.ndim != 1 or t.shape != z.shape or len(z) == 1:
        return None
    labels = _wide(_sample(t)) if call.readable else torch.empty(0)
    if call.soft and (_distributed(labels, 2e-2) or not call.readable):
        return None
    binary = bool(((labels == 0) | (labels == 1)).all())
    if binary and labels.numel() > 2 and int(labels.sum()) == 1:
        return None  # One-hot: a single sample, for _same_shape to judge.
    kind = ":squeezed" if binary else ":quantity" if bool((labels != labels.round()).any()) else ":classes"
    return _find("single-column" + kind, shape=_shape(z), n=len(z), loss=call.loss)


def _empty(call: _Call) -> Finding | None:
    z = call.logits
    if call.loss in _INDEXED and z.ndim and call.classes == 0:
        return _find("no-classes", shape=_shape(z))
    if z.numel() or not ((call.averaged and not call.target.numel()) or call.reduction == "batchmean"):
        return None
    return _find("empty-batch", shape=_shape(z), loss=call.loss)


def _one_column(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    class_last = z.ndim > 2 and z.shape[-1] > 1 and t.shape in (z.shape[:-1], z.shape[:1])
    if call.classes != 1 or class_last:
        return None
    squeeze = f".squeeze({call.axis})" if t.ndim == z.ndim - 1 else ""
    labels = _wide(_sample(t)) if call.readable and not t.is_complex() else torch.empty(0)
    binary = f"loss = F.binary_cross_entropy_with_logits(logits{squeeze}, target.float())"
    mend = f"{binary}  # or two outputs: nn.Linear(features, 2)"
    if bool((labels > 1).any()) and bool(labels.isfinite().all()):
        mend = f"nn.Linear(features, {int(labels.max()) + 1})  # one output a class"
    if bool((labels != labels.round()).any()) and bool(((labels < 0) | (labels > 1)).any()):
        mend = f"loss = F.mse_loss(logits{squeeze}, target)  # the target is a quantity, not a class"
    return _find("single-column", shape=_shape(z), mend=mend)


def _same_shape(call: _Call) -> Finding | None:
    """A target of the logits' shape: probabilities for cross_entropy, if they are floating point."""
    t, axis = call.target, call.axis
    if t.shape != call.logits.shape or (call.soft and call.loss == "cross_entropy"):
        return None
    if call.loss == "nll_loss":
        return _find("target-shape:one-hot", seen=call.seen, want=call.index_shape, axis=axis)
    ones = _sample(t).long() if call.readable and not t.is_complex() else torch.zeros(t.ndim * (1,))
    if bool(((ones == 0) | (ones == 1)).all()) and bool((ones.sum(axis) > 1).any()):
        return _find("target-not-distribution:multi-hot", seen=call.seen)
    facts = {"seen": call.seen, "want": call.index_shape, "axis": axis, "loss": call.loss}
    if ones.numel() and bool((ones > 1).any()):
        if call.logits.ndim == 4:
            expected = f"with the classes in dim 1 the target must have shape {call.index_shape}"
            return _find("target-shape:channels", channels=t.shape[1], expected=expected, c=call.classes, **facts)
        return _find("target-shape:ids", shape=_shape(t), high=int(ones.max()), **facts)
    return _find("target-dtype:one-hot", **facts)


def _target_shape(call: _Call) -> Finding | None:
    """Compare the shape of class indices with what the logits ask for, and say which habit made it."""
    z, t, want, c = call.logits, call.target, call.index_shape, call.classes
    shape, got, n, m = tuple(z.shape), tuple(t.shape), len(z), t.numel()
    if got == want or call.soft or (z.ndim == 1 and got == (1,)):
        return None

    def say(key: str, **facts: object) -> Finding:
        expected = f"with the classes in dim {call.axis} the target must have shape {want}"
        long = "" if t.dtype == torch.int64 else ".long()"
        common = {"seen": call.seen, "expected": expected, "long": long, "want": want, "c": c, "last": shape[-1]}
        return _find(key, **{**common, "loss": call.loss, "n": n, "m": m, **facts})

    for axis, size in enumerate(got):
        if size == 1 and got[:axis] + got[axis + 1 :] == want:
            return say("target-shape:extra-axis", axis=axis)
    for axis, size in enumerate(shape):
        rest = shape[:axis] + shape[axis + 1 :]
        if size == 1 and len(rest) > 1 and rest[:1] + rest[2:] == got:
            return say("target-shape:extra-logits-axis", axis=axis)
    if z.ndim > 2 and got == shape[:-1]:
        return say("class-axis")
    if z.ndim > 2 and len(got) in (1, 2) and got[0] == m == math.prod(shape[:-1]):
        return say("target-shape:flat")
    if z.ndim == 2 and m == n > 1 and 1 not in got:
        return say("target-shape:not-flat")
    if z.ndim > 2 and got == (n, *shape[2:], c):
        return say("target-shape:one-hot-last")
    if z.ndim > 2 and t.ndim == z.ndim and got[0] == n and shape[2:] in (got[2:], got[1:-1]):
        return say("target-shape:channels", channels=got[1] if got[2:] == shape[2:] else got[-1])
    if z.ndim > 2 and got in ((n,), (n, 1)):
        pooled = "logits.flatten(1)" if math.prod(shape[2:]) == 1 else "logits.flatten(2).mean(-1)"
        return say("target-shape:unpooled", pooled=pooled)
    if z.ndim > 2 and got == shape[1:]:
        return say("target-shape:unbatched")
    if z.ndim == 2 and got == (c,) and n > 1:
        return say("class-axis:first")
    if z.ndim == 3 and got == (shape[1], n):
        return say("target-shape:time-first")
    if z.ndim == 3 and t.ndim == 2 and got[0] == n and abs(got[1] - shape[1]) == 1:
        cut, labels = ("logits[:, :-1]", "target") if shape[1] > got[1] else ("logits", "target[:, 1:]")
        return say("target-shape:shifted", cut=cut, labels=labels)
    if z.ndim > 2 and t.ndim == z.ndim - 1 and got[0] == n:
        return say("target-shape:size" if z.ndim == 4 else "target-shape")
    if z.ndim == t.ndim == 2 and got[0] == n:
        return say("target-shape:columns", columns=got[1])
    if z.ndim == 2 and m != n and m and m == max(got, default=0) and (n % m == 0 or m % n == 0):
        return say("target-shape:view")
    if not got and n == 1:
        return say("target-shape:single")
    if not got or got[0] != n:
        return say("target-shape:batch-size", m=got[0] if got else 0)
    return say("target-shape")


def _target_dtype(call: _Call) -> Finding | None:
    t, loss = call.target, call.loss
    # One label a sample may be uint8, one a pixel or token may not.
    if call.soft or t.dtype == torch.int64 or (t.dtype == torch.uint8 and call.logits.ndim < 3):
        return None
    if t.is_floating_point() and call.readable:
        some = _sample(t)
        fraction = some[some != some.round()]
        if fraction.numel():
            first, want = _first(fraction), _shape(call.logits)
            return _find("target-dtype:fraction", shape=_shape(t), dtype=t.dtype, first=first, want=want)
    byte = " (torch.uint8 works for logits of shape (N, C) alone)" if t.dtype == torch.uint8 else ""
    return _find("target-dtype", dtype=t.dtype, loss=loss, byte=byte)


def _swapped_soft(call: _Call) -> Finding | None:
    z, t = call.values
    if not call.soft or not z.numel() or not _distributed(call.all_rows, call.tolerance) or not bool((t < 0).any()):
        return None
    logs = _distributed(call.as_rows(t).exp(), 10 * call.tolerance)
    return None if logs else _find("target-not-distribution:swapped")


# --- values of class indices ------------------------------------------------------------------------------------


def _out_of_range(call: _Call) -> Finding | None:
    c, y = call.classes, call.labels
    bad = torch.empty(0) if call.soft else _unique(y[((y < 0) | (y >= c)) & call.counted])
    if not len(bad):
        return None
    kept = y[call.counted]
    low, high = int(kept.min()), int(kept.max())
    facts = {"odd": _list(bad), "c": c, "top": c - 1, "ignore": call.ignore_index, "loss": call.loss}
    if low == 1 and high == c:
        return _find("target-out-of-range:from-one", **facts)
    if c == 2 and _unique(kept).tolist() == [-1, 1]:
        return _find("target-out-of-range:plus-minus", raises="", divide="//", **facts)
    if c == 2 and set(_unique(kept).tolist()) == {0, 255}:
        return _find("target-out-of-range:bytes", **facts)
    if len(bad) == 1 and (bad[0] < 0 or bad[0] in (250, 255)) and bool((kept != bad[0]).any()):
        return _find("target-out-of-range:padding", **facts)
    mend = f"nn.Linear(features, {high + 1})  # one output a class; or map the labels to 0..{c - 1}"
    return _find(
        "target-out-of-range", **facts, mend=mend if low >= 0 else f"assert 0 <= target.min() and target.max() < {c}"
    )


def _all_ignored(call: _Call) -> Finding | None:
    n = len(call.labels)
    if call.soft or not n or bool(call.counted.any()) or not call.averaged:
        return None
    return _find("all-ignored", n=n, ignore=call.ignore_index, loss=call.loss)


def _ignored_class(call: _Call) -> Finding | None:
    ignore, c = call.ignore_index, call.classes
    if call.soft and ignore >= 0:
        return _find("ignore-index-with-probabilities", ignore=ignore, shape=_shape(call.target))
    if call.soft or not 0 <= ignore < c or c > FEW_CLASSES:
        return None
    if c == 2:
        return _find("ignore-index-hides-class:binary", ignore=ignore, other=1 - ignore, loss=call.loss)
    # Padding ends a row; a class lies anywhere.
    t = call.values[1]
    ignored = ((t if t.ndim else t.reshape(1)) == ignore).int()
    n = len(ignored)
    # Of a flattened batch of sequences the length is not known: any that fits, with two paddings in a row.
    fits = [ell for ell in range(3, n // 2 + 1) if n % ell == 0] if ignored.ndim == 1 and n <= 2**12 else []
    layouts = [ignored] + [ignored.view(-1, ell) for ell in fits if bool((ignored[1:] & ignored[:-1]).any())]
    padded = any(bool((layout == layout.cummax(-1).values).all()) for layout in layouts)
    return (
        None if padded else _find("ignore-index-hides-class", ignore=ignore, n=int(ignored.sum()), c=c, loss=call.loss)
    )


# --- values of probability targets ------------------------------------------------------------------------------


def _soft_target(call: _Call) -> Finding | None:
    whole_t, shape, axis = call.values[1], _shape(call.target), call.axis
    t = call.as_rows(whole_t) if call.soft else torch.empty(0)
    if not t.numel():
        return None
    if not bool(t.isfinite().all()):
        return _find("target-not-distribution:not-finite", first=_first(t[~t.isfinite()]))
    sums = t.sum(-1, dtype=torch.float64)
    off = (sums - 1).abs() > max(1.01e-2, call.tolerance)
    if not call.averaged:
        off &= sums != 0  # A row of zeros leaves its sample out.
    low, high = t.min().item(), t.max().item()
    if low >= 0 and not bool(off.any()):
        return None
    other = next((a for a in range(whole_t.ndim) if a != axis and _is_distribution(whole_t, a)), None)
    if other is not None and 1 < other == whole_t.ndim - 1:
        return _find("class-axis:soft", shape=shape)
    if other is not None:
        return _find("target-not-distribution:wrong-axis", axis=other, right=axis)
    if low < 0:
        logs = "-log" if _distributed(t.exp(), 1e-2) else ""
        return _find("target-not-distribution:negative" + logs, shape=shape, low=low, axis=axis, loss=call.loss)
    whole = bool((t == t.round()).all())
    if whole and high > 1:
        return _find("target-not-distribution:class-ids", shape=shape, high=high, want=call.index_shape, axis=axis)
    if whole and bool((sums > 1).any()):
        return _find("target-not-distribution:multi-hot", seen=call.seen)
    row = int(off.nonzero()[0])
    return _find("target-not-distribution", row=row, total=sums[row].item(), bad=int(off.sum()), n=len(off), axis=axis)


# --- values of scores -------------------------------------------------------------------------------------------


def _not_finite(call: _Call) -> Finding | None:
    z, dtype = call.values[0], call.logits.dtype
    half = f"; {dtype} overflows above {torch.finfo(dtype).max:.4g}" if dtype == torch.float16 else ""
    if bool(z.isnan().any()):
        return _find("non-finite-logits:nan", n=int(z.isnan().sum()), size=z.numel(), half=half)
    if bool(z.isposinf().any()) and call.loss != "binary_cross_entropy_with_logits":
        return _find("non-finite-logits", n=int(z.isposinf().sum()), half=half)
    return None


def _masked(call: _Call) -> Finding | None:
    """Masked logits: exact with a hard, allowed target, and inf, NaN or a huge loss otherwise."""
    rows = call.all_rows
    masked, finite = rows.isneginf(), ""
    n, whole = int(masked.sum()), masked.all(-1)
    if n and bool(whole.any()):
        return _find("non-finite-logits:masked-row", row=int(whole.nonzero()[0]))
    if not n and len(rows):
        # A finite stand-in such as -1e9, finfo.min or -10000, far below scores of an ordinary size.
        masked = (rows <= -9e3) & (rows.amax(-1, keepdim=True).abs() < 1e3)
        n, finite = int(masked.sum()), f"of the order of {-rows.min().item():.0e}"
    if not n:
        return None
    value = "-inf" if not finite else f"{rows.min().item():.4g}"
    if call.soft:
        clash = bool((masked & (call.as_rows(call.values[1]) > 0)).any())
        if finite and not clash:
            return None
        why = f"the target gives a masked class mass, so the loss is {finite or 'inf'}" if clash else _NAN_MASK
        mend = f"target.masked_fill(logits < -9e3, 0.0), dim={call.axis}, p=1"
        return _find("non-finite-logits:soft-target", n=n, value=value, why=why, axis=call.axis, mend=mend)
    if call.smoothing and bool(masked[call.counted].any()):
        return _find("non-finite-logits:smoothing", smoothing=call.smoothing, n=n, value=value, huge=finite or "inf")
    y = call.labels.clamp(0, call.classes - 1)
    hit = masked.gather(1, y.unsqueeze(1)).squeeze(1) & call.counted
    if not bool(hit.any()):
        return None
    row = int(hit.nonzero()[0])
    logs = "-log" if not finite and _distributed(rows.exp(), 10 * call.tolerance) else ""
    facts = {"axis": call.axis, "top": call.classes - 1, "ignore": call.ignore_index, "loss": call.loss}
    return _find(
        "non-finite-logits:masked-target" + logs,
        row=row,
        label=int(y[row]),
        n=int(hit.sum()),
        value=value,
        huge=finite or "inf",
        **facts,
    )


_NAN_MASK = "0 * -inf makes the loss NaN"


def _fed_probabilities(call: _Call) -> Finding | None:
    """cross_entropy that is given the output of softmax, log_softmax, sigmoid or ReLU."""
    z, c, axis, whole = call.rows, call.classes, call.axis, call.values[0]
    if c < 2 or not len(z) or not bool(z.isfinite().all()):
        return None
    if bool(z.max() <= 0) and _distributed(z.exp(), call.tolerance):
        return _find("log-softmax-before-loss", n=len(z), loss=call.loss)
    if bool(z.min() < 0):
        return None
    # Probabilities typed with two digits sum to 0.99 or 1.01.
    if _distributed(z, max(call.tolerance, 1.01e-2) if z.numel() > 2 else call.tolerance):
        least, most = trapped_range(c)
        return _find("softmax-before-loss", n=len(z), c=c, least=least, most=most)
    for other in range(whole.ndim):
        if other != axis and _is_distribution(whole, other):
            return _find("softmax-before-loss:wrong-axis", axis=other, right=axis)
    if _unit_interval(z, call.logits.dtype):
        low, high = z.min().item(), z.max().item()
        return _find("sigmoid-before-loss", size=z.numel(), low=low, high=high, c=c)
    zeros = (z == 0).double().mean().item()
    if z.numel() < 32 or zeros < 0.2 or bool((z == z.round()).all()):
        return None
    return _find("relu-before-cross-entropy", zeros=zeros)


def _class_axis_evidence(call: _Call) -> Finding | None:
    """(N, L, C) with L == C raises nothing; only the fit of the labels can tell."""
    z, y = call.values
    if call.soft or z.ndim != 3 or z.shape[1] != z.shape[2] or z.shape[1] < 2 or not bool(z.isfinite().all()):
        return None
    y = y.long()
    if bool(((y < 0) | (y >= call.classes))[y != call.ignore_index].any()):
        return None
    score = F.cross_entropy if call.loss == "cross_entropy" else F.nll_loss
    readings = (score(x, y, ignore_index=call.ignore_index, reduction="none") for x in (z, z.movedim(-1, 1)))
    here, there = (losses.reshape(-1)[call.counted] for losses in readings)
    gain = here - there
    if len(gain) < 4 or there.mean() > 0.5 * math.log(call.classes) or gain.mean() <= 4 * gain.std() / len(gain) ** 0.5:
        return None
    means = {"there": there.mean().item(), "here": here.mean().item()}
    return _find("class-axis:square", shape=_shape(call.logits), loss=call.loss, **means)


def _not_log_probabilities(call: _Call) -> Finding | None:
    """nll_loss takes no logarithm and no softmax: its input must be log-probabilities."""
    z, axis, whole, wide = call.rows, call.axis, call.values[0], 10 * call.tolerance
    if not len(z) or call.classes < 2 or _distributed(z.exp(), wide):
        return None
    low, high = z.min().item(), z.max().item()
    if _distributed(z, call.tolerance):
        return _find("probabilities-to-nll", low=low, high=high, axis=axis)
    if low >= 0 and high <= 1 and z.numel() >= 6:
        return _find("probabilities-to-nll:sigmoid", low=low, high=high)
    for other in range(whole.ndim):
        if other != axis and _is_distribution(whole.exp(), other):
            return _find("class-axis:log-softmax", axis=other, right=axis)
    for name, base in (("log2", 2.0), ("log10", 10.0)):
        if _distributed(base**z, wide):
            return _find("logits-to-nll:base", name=name, base=base, scale=1 / math.log(base))
    if _distributed((-z).exp(), wide):
        return _find("logits-to-nll:sign")
    worst = z.logsumexp(-1).abs().max().item()
    return _find("logits-to-nll", worst=worst, low=low, high=high, axis=axis)


# --- class weights ----------------------------------------------------------------------------------------------


def _class_weight(call: _Call) -> Finding | None:
    w, c, n = call.weight, call.classes, len(call.logits)
    if w is None:
        return None
    if tuple(w.shape) != (c,):
        each = w.ndim == 1 and len(w) == n and call.logits.ndim > 1
        why = ", as many entries as samples: weight is one number a class, not a sample" if each else ""
        per_sample = f'loss = (F.{call.loss}(logits, target, reduction="none") * weight).mean()'
        mend = (
            per_sample
            if each
            else "weight = weight.flatten()"
            if w.numel() == c
            else f"weight = torch.ones({c})  # one entry a class"
        )
        return _find("weight-shape", shape=_shape(w), why=why, c=c, mend=mend)
    if w.is_complex() or (w.dtype != call.logits.dtype and not call.soft):
        return _find("weight-dtype", dtype=w.dtype, want=call.logits.dtype)
    if not call.readable:
        return None
    w = w.cpu().double()
    bad = w[~w.isfinite() | (w < 0)]
    if len(bad):
        return _find("weight-value", first=_first(bad))
    even = bool((w == w[0]).all())
    if call.soft:
        t = call.as_rows(call.values[1])
        hard = len(t) and bool(((t == 0) | (t == 1)).all())
        if even or not hard or not call.averaged:
            return None
        return _find("weighted-one-hot-mean", n=len(t), total=float((t.double() @ w).sum()), axis=call.axis)
    present = call.labels[call.counted]
    if not len(present) or not call.averaged or bool(((present < 0) | (present >= c)).any()):
        return None
    if not bool(w[present].any()):
        return _find("zero-weight", present=_list(_unique(present)), loss=call.loss)
    if len(present) == 1 and not even and not call.smoothing:
        return _find("weight-cancels", w=w[present[0]].item(), loss=call.loss)
    return None


# --- binary -----------------------------------------------------------------------------------------------------


def _binary_shape(call: _Call) -> Finding | None:
    z, t, loss = call.logits, call.target, call.loss
    if z.shape == t.shape:
        return None
    facts = {"shape": _shape(z), "got": _shape(t), "loss": loss}
    one_label = z.ndim > 1 and z.shape[1] > 1 and (tuple(t.shape) == call.index_shape or tuple(t.shape) == (len(z), 1))
    if one_label:
        return _find("target-shape:binary-ids", **facts, c=z.shape[1], squeeze=".squeeze(1)" * (t.ndim == z.ndim))
    if z.ndim and t.ndim and len(z) != len(t) and z.numel() != t.numel():
        seen = f"the input has shape {_shape(z)}, the target {_shape(t)}"
        return _find("target-shape:batch-size", seen=seen, n=len(z), m=len(t), expected=f"{loss} needs one shape")
    axes = [a for a, size in enumerate(z.shape) if size == 1 and z.shape[:a] + z.shape[a + 1 :] == t.shape]
    number = "" if t.is_floating_point() else ".float()"
    mend = (
        f"loss = F.{loss}(logits, target.view_as(logits){number})"
        if z.numel() == t.numel()
        else "assert logits.shape == target.shape"
    )
    if axes:
        mend = f"loss = F.{loss}(logits.squeeze({axes[-1]}), target{number})"
    return _find("target-shape:binary", **facts, mend=mend)


def _binary_dtype(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    exact = call.loss == "binary_cross_entropy"
    if t.dtype == z.dtype or (t.dtype in FLOAT_DTYPES and not exact):
        return None
    return _find(
        "target-dtype:binary",
        dtype=t.dtype,
        want=z.dtype,
        same=", of the input's dtype" if exact else "",
        loss=call.loss,
    )


def _binary_target(call: _Call) -> Finding | None:
    t = call.values[1]
    if bool(((t >= 0) & (t <= 1)).all()):
        return None
    if bool(t.isnan().any()):
        return _find("bce-target-out-of-range:not-finite", first="nan")
    low, high = t.min().item(), t.max().item()
    whole = bool((t == t.round()).all())
    quiet = call.loss != "binary_cross_entropy"
    raises = "; nothing raises, and the loss can fall below zero without end" if quiet else ""
    facts = {"low": low, "high": high, "raises": raises, "loss": call.loss}
    if whole and low == -1 and not bool((t == 0).any()) and high == 1:
        return _find("bce-target-out-of-range:plus-minus", divide="/", **facts)
    if whole and low < 0 and high <= 1:
        return _find("bce-target-out-of-range:padding", odd=low, keep=">= 0", **facts)
    if _unique(t).tolist() == [0, 1, 255]:
        return _find("bce-target-out-of-range:padding", odd=255, keep="!= 255", **facts)
    variant = ":bytes" if high == 255 else ":ids" if whole and low >= 0 else ""
    return _find("bce-target-out-of-range" + variant, **facts)


def _swapped_binary(call: _Call) -> Finding | None:
    """Labels of 0 and 1 in the input's place, scores or probabilities in the target's."""
    z, t = call.values
    labels = z.numel() > 1 and bool(((z == 0) | (z == 1)).all()) and bool((z != z.flatten()[0]).any())
    scores = bool(((t != 0) & (t != 1)).all()) and bool((t != t.flatten()[:1]).any())
    # With logits soft labels are as likely as probabilities: only what is no label tells.
    scores = scores and (call.loss == "binary_cross_entropy" or bool(((t < 0) | (t > 1)).any()))
    return _find("arguments-swapped:binary", loss=call.loss) if labels and scores and call.readable else None


def _binary_probabilities(call: _Call) -> Finding | None:
    """binary_cross_entropy: its input must be probabilities, and not wrong with certainty."""
    p, t = call.values
    if not p.numel():
        return None
    low, high = p.min().item(), p.max().item()
    if low < -1e-4 or high > 1 + 1e-4:
        return _find(f"probabilities-out-of-range:{'log' if high <= 0 else 'logits'}", low=low, high=high)
    if low < 0 or high > 1:
        return _find("probabilities-out-of-range", low=low, high=high)
    wrong = int((((p == 0) & (t > 0)) | ((p == 1) & (t < 1))).sum())
    return _find("saturated-probability", n=wrong) if wrong else None


def _softmax_to_binary(call: _Call) -> Finding | None:
    p, t = call.values
    axis = next((a for a in range(p.ndim - 1, 0, -1) if len(p) > 1 and _is_distribution(p, a)), None)
    if axis is None:
        return None
    single = bool(((t.sum(axis) - 1).abs() < 1e-3).all())
    # Two columns of a softmax with one-hot targets give exactly the cross-entropy.
    if single and p.shape[axis] == 2:
        return None
    return _find(f"softmax-before-loss:binary-{'single' if single else 'several'}", c=p.shape[axis], axis=axis)


def _binary_logits(call: _Call) -> Finding | None:
    """binary_cross_entropy_with_logits that is given probabilities."""
    z, t = call.values
    if not z.numel() or not bool(((z >= 0) & (z <= 1)).all()):
        return None
    softmax = z.ndim > 1 and len(z) > 1 and _is_distribution(z, z.ndim - 1)
    hard = z.numel() > 3 and bool(((z == 0) | (z == 1)).all()) and bool((z != z.flatten()[0]).any())
    # As logits they all say "positive"; as probabilities they fit every label.
    fits = z.numel() > 2 and bool((t == 0).any()) and bool((t == 1).any()) and bool(((z > 0.5) == (t > 0.5)).all())
    fits = fits and bool((z > 0).all()) and not _placeholder(z, call.logits.dtype)
    if not (softmax or hard or fits or _unit_interval(z, call.logits.dtype)):
        return None
    kind = "softmax" if softmax else "threshold" if hard else "sigmoid"
    return _find("sigmoid-before-loss:binary", size=z.numel(), low=z.min().item(), high=z.max().item(), kind=kind)


def _binary_infinite(call: _Call) -> Finding | None:
    z = call.values[0]
    bad = z[z.isinf()]
    return _find("non-finite-logits:binary", n=len(bad), first=_first(bad)) if len(bad) else None


def _entry_weight(call: _Call) -> Finding | None:
    w = call.weight
    if w is None:
        return None
    if call.loss == "kl_div":
        return _find("unsupported-option:weight")
    if not _expands(w, call.target):
        return _find("weight-shape:binary", shape=_shape(w), want=_shape(call.target))
    if w.is_complex():
        return _find("weight-dtype", dtype=w.dtype, want=call.logits.dtype)
    bad = w[~w.isfinite() | (w < 0)] if call.readable else torch.empty(0)
    return _find("weight-value", first=_first(bad)) if len(bad) else None


# --- Kullback-Leibler -------------------------------------------------------------------------------------------


def _kl_shape(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    one_prior = z.ndim >= t.ndim > 0 and t.shape[-1] == z.shape[-1] and _expands(t, z)
    if max(z.shape, default=0) > 1 and (z.shape == t.shape or one_prior):
        return None
    ids = "-ids" if not t.is_floating_point() and t.ndim == z.ndim - 1 else ""
    return _find("target-shape:kl" + ids, shape=_shape(z), got=_shape(t), dtype=t.dtype)


def _kl_dtype(call: _Call) -> Finding | None:
    return None if call.target.dtype in FLOAT_DTYPES else _find("target-dtype:kl", dtype=call.target.dtype)


def _kl_arguments(call: _Call) -> Finding | None:
    """Input: log-probabilities; target: probabilities; both along one dimension."""
    z, t = call.values
    if z.numel() < 2:
        return None
    wide = 10 * call.tolerance
    z_log, t_log, t_prob = _axes(z.exp(), wide), _axes(t.exp(), wide), _axes(t, wide)
    low, high, least = z.min().item(), z.max().item(), t.min().item()
    if not z_log and _axes(z, call.tolerance):
        return _find("kl-not-log:swapped" if t_log and not t_prob else "kl-not-log", low=low, high=high)
    if not z_log:
        return _find("kl-not-log:logits", low=low, high=high)
    if t_prob:
        apart = t.shape == z.shape and not set(z_log) & set(t_prob)
        return _find("target-not-distribution:kl-axis", axis=z_log[0][0], other=t_prob[0][0]) if apart else None
    if t_log:
        return _find("target-not-distribution:kl-log")
    if not least >= 0:
        return _find("target-not-distribution:kl-negative", shape=_shape(t), low=least, axis=z_log[0][0])
    sums = t.sum(-1)
    if call.reduction in ("sum", "none") and _distributed(t[sums != 0], wide):
        return None  # Rows of zeros leave padding out.
    return _find("target-not-distribution:kl", total=sums.flatten()[(sums - 1).abs().argmax()].item())


def _kl_infinite(call: _Call) -> Finding | None:
    z, t = call.values
    masked = z.isneginf()
    if not bool(masked.any()):
        return None
    return _find(f"non-finite-logits:kl-{'inf' if bool((masked & (t > 0)).any()) else 'nan'}", n=int(masked.sum()))


def _kl_mean(call: _Call) -> Finding | None:
    n, size = len(call.logits), call.logits.numel()
    return _find("kl-reduction-mean", size=size, n=n, factor=size / n) if call.averaged and size else None


# --- the last resort: run it ------------------------------------------------------------------------------------


def _outcome(call: _Call) -> Finding | None:
    """What PyTorch itself says, for whatever the checks above did not foresee."""
    if max(call.logits.numel(), call.target.numel()) > READ_LIMIT or not call.readable:
        return None
    try:
        value = _run(call, call.logits.cpu()).double()
    except Exception as error:
        return _find("torch-raises", error=_brief(error), loss=call.loss)
    if bool(value.isnan().any()):
        return _find("nan-loss")
    if bool(value.isinf().any()):
        dtype = call.logits.dtype
        if dtype.itemsize > 2 or bool(_run(call, call.logits.cpu().double()).isinf().any()):
            return _find("infinite-loss")
        return _find("half-precision-overflow", dtype=dtype, largest=torch.finfo(dtype).max, loss=call.loss)
    # Single terms of a Kullback-Leibler divergence may be negative, its sum not.
    if bool((value < -1e-3).any()) and not (call.loss == "kl_div" and call.reduction == "none"):
        return _find("negative-loss", value=value.min().item())
    return None


def _run(call: _Call, logits: Tensor) -> Tensor:
    options: dict[str, object] = {"reduction": call.reduction}
    if call.weight is not None:
        options["weight"] = call.weight.cpu() if logits.dtype == call.logits.dtype else call.weight.cpu().double()
    if call.loss in _INDEXED:
        options["ignore_index"] = call.ignore_index_
    if call.loss == "cross_entropy":
        options["label_smoothing"] = call.label_smoothing_
    result: Tensor = getattr(F, call.loss)(logits, call.target.cpu(), **options)
    return result


# --- what the checks look for -----------------------------------------------------------------------------------


def _distributed(rows: Tensor, tolerance: float) -> bool:
    """Whether every row is a distribution over at least two classes."""
    if not rows.numel() or rows.shape[-1] < 2 or not bool((rows >= 0).all()):
        return False
    return bool(((rows.sum(-1, dtype=torch.float64) - 1).abs() <= tolerance).all())


def _is_distribution(value: Tensor, axis: int) -> bool:
    return _distributed(value.movedim(axis, -1), 1e-3)


def _axes(value: Tensor, tolerance: float) -> list[tuple[int, ...]]:
    """Along which dimensions ``value`` is a distribution: one, or all but the leading ones (a heat map)."""
    single = [(a,) for a in range(value.ndim) if _distributed(value.movedim(a, -1), tolerance)]
    joint = [tuple(range(a, value.ndim)) for a in range(value.ndim - 1) if _distributed(value.flatten(a), tolerance)]
    return single + joint


def _unit_interval(z: Tensor, dtype: torch.dtype) -> bool:
    """All of at least six entries in (0, 1], not all alike: what a sigmoid gives and scores hardly ever do."""
    inside = z.numel() >= 6 and bool(((z > 0) & (z <= 1)).all()) and bool(z.max() > 0.3)
    return inside and bool((z != z.flatten()[0]).any()) and not _placeholder(z, dtype)


def _placeholder(z: Tensor, dtype: torch.dtype) -> bool:
    """Made by torch.rand in place of a model: its numbers are multiples of 2^-24 (2^-53 in double), a sigmoid's not."""
    if dtype.itemsize < 4:
        return False
    scaled = z.double() * (2.0**53 if dtype == torch.float64 else 2.0**24)
    # A float in [2^-k-1, 2^-k) is such a multiple by chance once in 2^k: bits of coincidence, fewer if well spread.
    coincidence = (-z.double().log2()).floor().clamp(min=0).sum()
    needed = 4 if z.max() - z.min() > 0.6 else 8
    return bool(coincidence >= needed) and bool((scaled == scaled.round()).all())


def _expands(small: Tensor, large: Tensor) -> bool:
    """Whether ``small`` broadcasts to exactly the shape of ``large``."""
    try:
        return small.expand(large.shape) is not None
    except RuntimeError:
        return False


def _wide(value: Tensor) -> Tensor:
    """On the CPU, half precision as float32: not all comparisons and sums exist for it."""
    return value.cpu().float() if value.dtype in (torch.float16, torch.bfloat16) else value.cpu()


def _sample(value: Tensor) -> Tensor:
    """The leading part of a huge tensor, of the same number of dimensions."""
    for axis in range(value.ndim):
        if value.numel() > READ_LIMIT:
            value = value.narrow(axis, 0, max(1, READ_LIMIT * value.shape[axis] // value.numel()))
    return value


def _unique(values: Tensor) -> Tensor:
    return torch.unique(values)  # type: ignore[no-any-return]


# --- words ------------------------------------------------------------------------------------------------------


def _shape(value: Tensor) -> str:
    return str(tuple(value.shape))


def _tensor(value: Tensor) -> str:
    return f"{_shape(value)} {value.dtype}"


def _first(values: Tensor) -> str:
    return f"{values.flatten()[0].item():.4g}"


def _list(values: Tensor) -> str:
    shown = ", ".join(str(v) for v in values[:5].tolist())
    return shown + (f" and {len(values) - 5} more" if len(values) > 5 else "")


def _brief(value: object) -> str:
    """Type and a short repr, whatever the value does when asked for one."""
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = "..."
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:77] + '...'}"


# --- what is checked for which loss -----------------------------------------------------------------------------


class _Group(NamedTuple):
    fatal: bool
    checks: tuple[Check, ...]


def _fatal(*checks: Check) -> _Group:
    return _Group(True, checks)


def _also(*checks: Check) -> _Group:
    return _Group(False, checks)


_ARGUMENTS: list[_Group] = [
    _fatal(_not_a_tensor),
    _fatal(_layout),
    _fatal(_device),
    _also(_reduction),
    _fatal(_ignore_index),
    _also(_smoothing),
    _fatal(_swapped, _input_dtype),
]
_CLASSES = _fatal(_no_class_axis, _empty, _one_column, _same_shape, _target_shape, _target_dtype)
_PAIRS: list[_Group] = [
    _fatal(_empty, _binary_shape, _binary_dtype, _swapped_binary),
    _also(_binary_target),
    _also(_entry_weight),
]

# Groups of checks, the most fundamental first. A group gives its first finding; a fatal one ends the search.
_CHECKS: dict[str, list[_Group]] = {
    "cross_entropy": [
        *_ARGUMENTS,
        _CLASSES,
        _fatal(_swapped_soft),
        _also(_out_of_range, _all_ignored, _ignored_class, _soft_target),
        _also(_not_finite, _masked, _fed_probabilities, _class_axis_evidence),
        _also(_class_weight),
    ],
    "nll_loss": [
        *_ARGUMENTS,
        _CLASSES,
        _also(_out_of_range, _all_ignored, _ignored_class),
        _also(_not_finite, _masked, _class_axis_evidence, _not_log_probabilities),
        _also(_class_weight),
    ],
    "binary_cross_entropy": [*_ARGUMENTS, *_PAIRS, _also(_not_finite, _binary_probabilities, _softmax_to_binary)],
    "binary_cross_entropy_with_logits": [*_ARGUMENTS, *_PAIRS, _also(_not_finite, _binary_infinite, _binary_logits)],
    "kl_div": [
        *_ARGUMENTS,
        _fatal(_empty, _kl_shape, _kl_dtype),
        _also(_not_finite, _kl_arguments, _kl_infinite),
        _also(_kl_mean),
        _also(_entry_weight),
    ],
}
