"""PyTorch's many names for one loss: the routes that agree, and a linter for the calls that do not.

Chapter "interfaces". Paste ``for finding in diagnose(logits, target): print(finding)`` above the line that fails.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from operator import index
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


Check = Callable[["_Call"], Finding | None]
_Groups = list[tuple[tuple[Check, ...], bool]]

# Beyond this many entries only the leading samples are read, so that the linter costs less than the loss.
READ_LIMIT = 2**24
# A row of a softmax sums to one within this; genuine scores do so by chance once in a thousand rows.
ROW_SUM = {torch.float16: 1e-2, torch.bfloat16: 2e-2}
REDUCTIONS = ("mean", "sum", "none")


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

    An empty list means that nothing was found. Feeding ``log_softmax`` to ``cross_entropy`` is not reported: it
    is idempotent, so value and gradient are right. Tensors are neither changed nor moved.

    Args:
        logits: What is passed as ``input``: scores, (log-)probabilities, or whatever the failing line passes.
        target: What is passed as ``target``.
        weight, ignore_index, reduction, label_smoothing: As passed to the loss.
        loss: "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits" or "kl_div".

    Returns:
        Findings, the most fundamental first; one cause gives one finding.

    See: chapter "interfaces", and the threads cited in its test cases.
    """
    if not isinstance(loss, str) or loss not in _CHECKS:
        near = get_close_matches(str(loss), _CHECKS, n=1, cutoff=0.3) or ["cross_entropy"]
        known = ", ".join(_CHECKS)
        return [Finding("unknown-loss", f"loss is {_brief(loss)}; known are {known}", f'loss="{near[0]}"')]
    call = _Call(logits, target, weight, ignore_index, reduction, label_smoothing, loss)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(_findings(call))
    except Exception as error:
        # The contract is never to raise: a tensor that cannot be read (fake, functorch, foreign) says so.
        return [
            Finding(
                "unreadable", f"the arguments cannot be examined: {_brief(error)}", "logits = logits.detach().cpu()"
            )
        ]


def _findings(call: "_Call") -> Iterator[Finding]:
    """Each group gives its first finding; a group that makes the others meaningless ends the search."""
    found = False
    for group, fatal in _CHECKS[call.loss]:
        for check in group:
            finding = check(call)
            if finding is not None:
                yield finding
                found = True
                if fatal:
                    return
                break
    if not found and (last := _outcome(call)) is not None:
        yield last


@dataclass(frozen=True)
class _Call:
    """The arguments as passed, and what the checks ask of them over and over."""

    logits_: object
    target_: object
    weight_: object
    ignore_index_: object
    reduction: object
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

    @cached_property
    def ignore_index(self) -> int:
        return index(self.ignore_index_)  # type: ignore[arg-type]

    @cached_property
    def smoothing(self) -> float:
        return float(self.label_smoothing_)  # type: ignore[arg-type]

    @property
    def axis(self) -> int:
        """PyTorch's class axis: 1, or 0 for a single unbatched sample."""
        return min(1, self.logits.ndim - 1)

    @property
    def classes(self) -> int:
        return self.logits.shape[self.axis]

    @property
    def index_shape(self) -> tuple[int, ...]:
        """The shape that class indices must have."""
        shape = tuple(self.logits.shape)
        return shape[: self.axis] + shape[self.axis + 1 :]

    @cached_property
    def soft(self) -> bool:
        """Whether PyTorch reads the target as probabilities."""
        return self.target.shape == self.logits.shape and self.target.is_floating_point()

    @property
    def readable(self) -> bool:
        return not (self.logits.is_meta or self.target.is_meta)

    @cached_property
    def values(self) -> tuple[Tensor, Tensor]:
        """Logits and target on the CPU, at least float32, only the leading samples of a huge batch."""
        logits, target = self.logits, self.target
        if not self.readable:
            return logits.new_empty(0, device="cpu"), target.new_empty(0, device="cpu")
        if logits.numel() > READ_LIMIT:
            keep = READ_LIMIT // max(1, logits[0].numel())
            logits, target = logits[:keep], target[:keep] if target.ndim else target
        wide = [v.cpu().float() if v.dtype in (torch.float16, torch.bfloat16) else v.cpu() for v in (logits, target)]
        return wide[0], wide[1]

    @cached_property
    def labels(self) -> Tensor:
        """Class indices in one row, int64."""
        return self.values[1].reshape(-1).long()

    @cached_property
    def counted(self) -> Tensor:
        """Which of ``labels`` take part in the loss."""
        return self.labels != self.ignore_index

    @cached_property
    def all_rows(self) -> Tensor:
        """Logits as (samples, classes)."""
        z = self.values[0]
        return z.movedim(self.axis, -1).reshape(-1, self.classes) if z.numel() else z.reshape(0, max(1, self.classes))

    @cached_property
    def rows(self) -> Tensor:
        """The rows of ``all_rows`` that take part in the loss."""
        return self.all_rows if self.soft else self.all_rows[self.counted]

    @cached_property
    def target_rows(self) -> Tensor:
        """Probability targets as (samples, classes)."""
        t = self.values[1]
        return t.movedim(self.axis, -1).reshape(-1, self.classes) if t.numel() else t.reshape(0, max(1, self.classes))

    @cached_property
    def tolerance(self) -> float:
        return ROW_SUM.get(self.logits.dtype, 1e-3)


# --- what was passed at all -------------------------------------------------------------------------------------


def _not_a_tensor(call: _Call) -> Finding | None:
    for name, value in (("logits", call.logits_), ("target", call.target_)):
        if not isinstance(value, Tensor):
            return Finding(
                "not-a-tensor", f"{name} is {_brief(value)}, not a torch.Tensor", _tensor_remedy(name, value)
            )
    if call.weight_ is not None and not isinstance(call.weight_, Tensor):
        return Finding(
            "not-a-tensor",
            f"weight is {_brief(call.weight_)}, not a torch.Tensor",
            "weight = torch.tensor(weight, dtype=logits.dtype, device=logits.device)",
        )
    return None


def _tensor_remedy(name: str, value: object) -> str:
    if callable(value):
        return f"{name} = model(x)  # a result, not the function or module itself"
    if isinstance(value, dict) or hasattr(value, "logits"):
        key = next((k for k in ("logits", "out") if isinstance(value, dict) and k in value), None)
        return f'{name} = outputs["{key}"]' if key else f"{name} = outputs.logits"
    if isinstance(value, (tuple, list)) and any(isinstance(v, Tensor) for v in value):
        alike = isinstance(value, list) and len({tuple(v.shape) for v in value if isinstance(v, Tensor)}) == 1
        return f"{name} = torch.stack({name})" if alike else f"{name} = outputs[0]  # the model returns several things"
    if value is None:
        return f"# {name} is None: does forward() end in `return {name}`, and does the loader give labels?"
    return f"{name} = torch.as_tensor({name}{', dtype=torch.long' if name == 'target' else ''})"


def _layout(call: _Call) -> Finding | None:
    for name, value in (("logits", call.logits), ("target", call.target), ("weight", call.weight)):
        if value is None:
            continue
        if value.is_quantized:
            return Finding(
                "unsupported-layout", f"{name} is quantised ({value.dtype})", f"{name} = {name}.dequantize()"
            )
        if value.layout != torch.strided or value.is_nested:
            return Finding(
                "unsupported-layout",
                f"{name} has layout {value.layout}, the loss needs a dense tensor",
                f"{name} = {name}.to_dense()",
            )
    return None


def _device(call: _Call) -> Finding | None:
    devices = {
        n: v.device
        for n, v in (("logits", call.logits), ("target", call.target), ("weight", call.weight))
        if v is not None
    }
    # A target of 0 dimensions is no exception: the losses want one device throughout.
    if len(set(devices.values())) > 1:
        seen = ", ".join(f"{name} on {device}" for name, device in devices.items())
        odd = next(name for name, device in devices.items() if device != devices["logits"])
        return Finding(
            "device-mismatch", f"the tensors are on different devices: {seen}", f"{odd} = {odd}.to(logits.device)"
        )
    return None


def _swapped(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    looks_swapped = not z.is_floating_point() and t.is_floating_point() and t.ndim == z.ndim + 1
    if looks_swapped or (not z.is_floating_point() and t.requires_grad):
        return Finding(
            "arguments-swapped",
            f"the first argument is {_tensor(z)}, the second {_tensor(t)}: the scores look to be second",
            f"loss = F.{call.loss}(logits, target)  # scores first, labels second",
        )
    return None


def _input_dtype(call: _Call) -> Finding | None:
    z = call.logits
    if z.dtype in FLOAT_DTYPES:
        return None
    if z.is_complex():
        return Finding(
            "input-dtype", f"logits are complex ({z.dtype}); a loss ranks real scores", "logits = logits.real"
        )
    if z.is_floating_point():
        return Finding(
            "input-dtype", f"logits are {z.dtype}, for which the loss is not implemented", "logits = logits.float()"
        )
    return Finding(
        "input-dtype",
        f"logits are {_tensor(z)}: whole numbers, such as argmax or round give, carry no gradient and no scores; the loss needs the model's floating-point output",
        f"loss = F.{call.loss}(model(x), target)  # no argmax, no .long() on the output",
    )


# --- options ----------------------------------------------------------------------------------------------------


def _reduction(call: _Call) -> Finding | None:
    allowed = (*REDUCTIONS, "batchmean") if call.loss == "kl_div" else REDUCTIONS
    if isinstance(call.reduction, str) and call.reduction in (*allowed, "elementwise_mean"):
        return None
    hint = " ('batchmean' belongs to kl_div alone)" if call.reduction == "batchmean" else ""
    near = get_close_matches(str(call.reduction), allowed, n=1) or [allowed[0]]
    return Finding(
        "unknown-reduction",
        f"reduction is {_brief(call.reduction)}; {call.loss} knows {', '.join(map(repr, allowed))}{hint}",
        f'reduction="{near[0]}"',
    )


def _ignore_index(call: _Call) -> Finding | None:
    try:
        # PyTorch takes whatever can index (a NumPy integer, a tensor of one), in 64 bits.
        fits = -(2**63) <= index(call.ignore_index_) < 2**63  # type: ignore[arg-type]
    except Exception:
        fits = False
    if not fits:
        seen = _brief(call.ignore_index_)
        return Finding("ignore-index-type", f"ignore_index is {seen}, not a 64-bit int", "ignore_index=-100")
    if call.loss not in _INDEXED and call.ignore_index != -100:
        return Finding(
            "unsupported-option",
            f"ignore_index={call.ignore_index} is no argument of {call.loss}: nothing is ignored",
            f'loss = (F.{call.loss}(logits, target, reduction="none") * keep).sum() / keep.sum()  # keep: 1 where it counts',
        )
    return None


def _smoothing(call: _Call) -> Finding | None:
    value = call.label_smoothing_
    if not isinstance(value, (int, float)):
        return Finding(
            "label-smoothing-type", f"label_smoothing is {_brief(value)}, not a float", "label_smoothing=0.1"
        )
    if not 0 <= value < 1:
        why = "the target is uniform and the label has no say" if value == 1 else "it must lie in [0, 1)"
        percent = (
            f"label_smoothing={value / 100:g}  # a fraction, not per cent" if 1 < value <= 50 else "label_smoothing=0.1"
        )
        return Finding("label-smoothing-out-of-range", f"label_smoothing is {value}: {why}", percent)
    if value and call.loss != "cross_entropy":
        return Finding(
            "unsupported-option",
            f"label_smoothing={value} is no argument of {call.loss}, only of cross_entropy",
            f"loss = F.cross_entropy(logits, target, label_smoothing={value})",
        )
    return None


# --- shapes and dtypes of class targets -------------------------------------------------------------------------


def _no_class_axis(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    if z.ndim == 0:
        return Finding(
            "missing-class-axis",
            "logits are a single number (0 dimensions): there is no class axis",
            "loss = F.binary_cross_entropy_with_logits(logits, target.float())  # one score, two classes",
        )
    if z.ndim == 1 and t.shape == z.shape and len(z) > 1 and not (call.soft and _is_distribution(t, 0)):
        binary = call.readable and bool(((t == 0) | (t == 1)).all())
        mend = (
            "F.binary_cross_entropy_with_logits(logits, target.float())"
            if binary
            else "F.cross_entropy(logits.view(len(target), -1), target.long())"
        )
        return Finding(
            "missing-class-axis",
            f"logits and target both have shape {_shape(z)}: PyTorch reads this as one sample with {len(z)} classes, not {len(z)} samples; the class axis has been squeezed away or never was",
            f"loss = {mend}",
        )
    return None


def _empty(call: _Call) -> Finding | None:
    z = call.logits
    if call.loss in _INDEXED and z.ndim and call.classes == 0:
        return Finding(
            "no-classes",
            f"logits have shape {_shape(z)}: no class to choose from",
            "nn.Linear(features, num_classes)  # num_classes >= 1",
        )
    if (z.numel() == 0 and call.target.numel() == 0 and call.reduction == "mean") or (
        z.numel() == 0 and call.reduction == "batchmean"
    ):
        return Finding(
            "empty-batch",
            f"the batch is empty (logits of shape {_shape(z)}): the mean of nothing is NaN",
            "loss = logits.sum() * 0.0 if target.numel() == 0 else loss",
        )
    return None


def _one_column(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    class_last = z.ndim > 2 and z.shape[-1] > 1 and t.shape in (z.shape[:-1], z.shape[:1])
    if call.classes != 1 or class_last:
        return None
    squeezed = ".squeeze(1)" if t.ndim == z.ndim - 1 and z.ndim > 1 else ""
    return Finding(
        "one-output-column",
        f"logits have shape {_shape(z)}: one output column is one class, the softmax of which is always 1, so the loss is 0 whatever the model says (and class 1 is out of range)",
        f"loss = F.binary_cross_entropy_with_logits(logits{squeezed}, target.float())  # or two outputs: nn.Linear(features, 2)",
    )


def _target_shape(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    want, got, n, c = call.index_shape, tuple(t.shape), z.shape[0], call.classes
    if got == want or call.soft or (z.ndim == 1 and got == (1,)):
        return None
    fn, long = f"F.{call.loss}", "" if t.dtype in (torch.int64, torch.uint8) else ".long()"
    seen = f"logits have shape {_shape(z)}, target {_shape(t)} ({t.dtype})"
    expected = f"with the classes on axis {call.axis} the target must be {want}"

    def finding(code: str, why: str, remedy: str) -> Finding:
        return Finding(code, f"{seen}: {why}; {expected}", remedy)

    if got == tuple(z.shape):
        return _one_hot_integers(call, seen)
    if z.ndim > 2 and got == tuple(z.shape[:-1]):
        return finding(
            "class-axis-last",
            f"the classes look to be on the last axis ({z.shape[-1]} of them), but PyTorch takes axis 1 ({c}) for them",
            f"loss = {fn}(logits.movedim(-1, 1), target{long})  # or logits.flatten(0, -2), target.flatten()",
        )
    if z.ndim > 2 and math.prod(z.shape[:-1]) == t.numel() and (len(got) == 1 or got[0] == math.prod(z.shape[:-1])):
        return finding(
            "not-flattened",
            "the target is flattened, the logits are not",
            f"loss = {fn}(logits.reshape(-1, {z.shape[-1]}), target.reshape(-1){long})",
        )
    if z.ndim == 2 and t.numel() == n and n > 1 and 1 not in got:
        return finding(
            "not-flattened",
            "the logits are flattened, the target is not",
            f"loss = {fn}(logits, target.reshape(-1){long})",
        )
    for axis, size in enumerate(got):
        if size == 1 and got[:axis] + got[axis + 1 :] == want:
            return finding(
                "extra-target-axis",
                f"axis {axis} of the target has size 1 and should not be there",
                f"loss = {fn}(logits, target.squeeze({axis}){long})",
            )
    for axis, size in enumerate(z.shape):
        rest = tuple(z.shape[:axis] + z.shape[axis + 1 :])
        if size == 1 and len(rest) > 1 and rest[:1] + rest[2:] == got:
            return finding(
                "extra-logits-axis",
                f"axis {axis} of the logits has size 1 and should not be there",
                f"loss = {fn}(logits.squeeze({axis}), target{long})",
            )
    if len(got) == z.ndim and len(got) > 2 and got == (n, *z.shape[2:], c):
        return finding(
            "one-hot-target", "the target looks one-hot along its last axis", f"loss = {fn}(logits, target.argmax(-1))"
        )
    if len(got) == z.ndim and z.ndim > 2 and got[0] == n and got[2:] == tuple(z.shape[2:]):
        why = f"its axis 1 has {got[1]} channels, not one class a pixel"
        return finding(
            "target-channels", why, f"loss = {fn}(logits, class_of_colour(target))  # shape {want}, ids in [0, {c})"
        )
    if z.ndim == 3 and got == (z.shape[1], z.shape[0]):
        return finding(
            "batch-axes-swapped",
            "logits look to be (time, batch, classes), the target (batch, time)",
            f"loss = {fn}(logits.flatten(0, 1), target.T.reshape(-1){long})",
        )
    if z.ndim == 3 and len(got) == 2 and got[0] == n and abs(got[1] - z.shape[1]) == 1 and z.shape[2] > 2:
        longer = "logits[:, :-1]" if z.shape[1] > got[1] else "logits"
        labels = "target" if z.shape[1] > got[1] else "target[:, 1:]"
        return finding(
            "sequence-length-mismatch",
            f"the sequences differ by one position ({z.shape[1]} and {got[1]}), as when next tokens are not shifted",
            f"loss = {fn}({longer}.flatten(0, 1), {labels}.flatten())",
        )
    if len(got) == len(want) > 1 and got[0] == n:
        return finding(
            "size-mismatch",
            f"the batch agrees ({n}), the other axes do not",
            f"loss = {fn}(F.interpolate(logits, size=target.shape[1:]), target{long})"
            if z.ndim == 4
            else f"assert target.shape == {want}",
        )
    if z.ndim == 2 and len(got) == 2 and got[0] == n and t.numel() > n:
        return finding(
            "target-shape",
            f"the target has {got[1]} columns a sample, which is neither one class index nor one entry for each of the {c} classes",
            f"loss = {fn}(logits, target[:, 0]{long})  # or one output column a class: nn.Linear(features, {got[1]})",
        )
    if z.ndim == 2 and t.numel() and (n % t.numel() == 0 or t.numel() % n == 0) and t.numel() != n:
        return finding(
            "batch-size-mismatch",
            f"{n} rows of logits for {t.numel()} labels: a view(-1, ...) or flatten has moved entries between the batch and the features",
            f"logits = logits.view({t.numel()}, -1)  # keep the batch first: x.flatten(1) before the last layer",
        )
    if not got or got[0] != n:
        size = got[0] if got else 0
        return finding(
            "batch-size-mismatch", f"the batch sizes are {n} and {size}", "assert len(logits) == len(target)"
        )
    return finding("target-shape", "the shapes do not fit", f"assert target.shape == {want}")


def _one_hot_integers(call: _Call, seen: str) -> Finding:
    """A target of the logits' shape that is no floating-point tensor."""
    t, axis = call.target, call.axis
    several = call.readable and bool((t.long().sum(axis) > 1).any()) and bool(((t == 0) | (t == 1)).all())
    if several:
        return Finding(
            "multi-hot-target",
            f"{seen}: several ones a row are labels that hold together; cross_entropy takes one class a row",
            "loss = F.binary_cross_entropy_with_logits(logits, target.float())",
        )
    return Finding(
        "one-hot-target",
        f"{seen}: one-hot targets must be floating point (probabilities), or class indices of shape {call.index_shape}",
        f"loss = F.{call.loss}(logits, target.argmax(dim={axis}))",
    )


def _soft_nll(call: _Call) -> Finding | None:
    if call.loss != "nll_loss" or not call.soft:
        return None
    return Finding(
        "one-hot-target",
        f"target has the input's shape {_shape(call.target)} ({call.target.dtype}): nll_loss takes class indices of shape {call.index_shape}, no one-hot rows or probabilities",
        f"loss = F.nll_loss(log_probs, target.argmax(dim={call.axis}))  # soft targets: -(target * log_probs).sum({call.axis}).mean()",
    )


def _target_dtype(call: _Call) -> Finding | None:
    t = call.target
    if call.soft or t.dtype in (torch.int64, torch.uint8):
        return None
    whole = not t.is_floating_point() or not call.readable or bool((t == t.round()).all())
    if not whole:
        return Finding(
            "target-dtype",
            f"target has shape {_shape(t)} and holds {t.dtype} values that are no whole numbers (such as {_first(t[t != t.round()])}): class indices are needed, or probabilities of shape {_shape(call.logits)}; for a regression use another loss",
            "loss = F.mse_loss(prediction, target)  # if the target is a quantity, not a class",
        )
    return Finding(
        "target-dtype",
        f"target holds {t.dtype}; class indices must be torch.int64 (long) or torch.uint8 (byte)",
        f"loss = F.{call.loss}(logits, target.long())",
    )


# --- values of class targets ------------------------------------------------------------------------------------


def _out_of_range(call: _Call) -> Finding | None:
    if call.soft:
        return None
    c, y = call.classes, call.labels
    bad = y[((y < 0) | (y >= c)) & call.counted]
    if not len(bad):
        return None
    kept, odd = y[call.counted], _unique(bad)
    seen = f"target holds {_list(odd)}, but with {c} classes an index lies in [0, {c - 1}]"
    low, high = int(kept.min()), int(kept.max())
    fn = f"F.{call.loss}"
    if low == 1 and high == c:
        return Finding(
            "labels-start-at-one",
            f"{seen}: the labels run from 1 to {c}, they must start at 0",
            f"loss = {fn}(logits, target - 1)",
        )
    inside = len(bad) < len(kept)
    if len(odd) == 1 and (odd[0] < 0 or odd[0] in (255, 250)) and (inside or odd[0] != -1):
        value = int(odd[0])
        plus_minus = c == 2 and value == -1 and set(_unique(kept).tolist()) <= {-1, 1}
        if plus_minus:
            return Finding(
                "plus-minus-labels",
                f"{seen}: labels -1 and +1 must be 0 and 1",
                f"loss = {fn}(logits, (target + 1) // 2)",
            )
        return Finding(
            "padding-not-ignored",
            f"{seen}: {value} looks to be padding or 'no label', which ignore_index={call.ignore_index} does not name",
            f"loss = {fn}(logits, target, ignore_index={value})",
        )
    mend = (
        f"nn.Linear(features, {high + 1})  # one output a class, or labels mapped to 0..{c - 1}"
        if low >= 0
        else f"assert 0 <= target.min() and target.max() < {c}"
    )
    gpu = "; on a GPU this is an asynchronous 'device-side assert triggered'"
    return Finding("target-out-of-range", seen + gpu, mend)


def _all_ignored(call: _Call) -> Finding | None:
    if (
        call.soft
        or not len(call.labels)
        or bool(call.counted.any())
        or call.reduction not in ("mean", "elementwise_mean")
    ):
        return None
    return Finding(
        "all-targets-ignored",
        f"all {len(call.labels)} targets equal ignore_index={call.ignore_index}: the mean over nothing is 0/0, NaN",
        f'loss = F.{call.loss}(logits, target, ignore_index={call.ignore_index}, reduction="sum") / (target != {call.ignore_index}).sum().clamp(min=1)',
    )


def _ignored_class(call: _Call) -> Finding | None:
    i, c = call.ignore_index, call.classes
    if call.soft:
        if i < 0:
            return None
        return Finding(
            "ignore-index-with-probabilities",
            f"ignore_index={i} works on class indices only; the target is a matrix of probabilities {_shape(call.target)}",
            "loss = (F.cross_entropy(logits, target, reduction='none') * keep).sum() / keep.sum()",
        )
    if c == 2 and i in (0, 1):
        return Finding(
            "ignore-index-hides-class",
            f"ignore_index={i} is one of the two classes: only class {1 - i} is ever learnt, so always answering {1 - i} is perfect",
            f"loss = F.{call.loss}(logits, target)  # ignore_index is a value of the target to skip, outside the classes",
        )
    return None


# --- values of probability targets ------------------------------------------------------------------------------


def _soft_target(call: _Call) -> Finding | None:
    if not call.soft or not len(call.target_rows):
        return None
    t, z = call.target_rows, call.all_rows
    if not bool(t.isfinite().all()):
        return Finding(
            "target-not-finite", f"target holds {_first(t[~t.isfinite()])}", "assert target.isfinite().all()"
        )
    sums = t.sum(-1, dtype=torch.float64)
    off = (sums - 1).abs() > max(1e-2, call.tolerance)
    low, high = t.min().item(), t.max().item()
    if low >= 0 and not bool(off.any()):
        return None
    axis = next((a for a in range(call.target.ndim) if a != call.axis and _is_distribution(call.values[1], a)), None)
    if axis is not None:
        if axis == call.target.ndim - 1 and call.target.ndim > 2:
            return Finding(
                "class-axis-last",
                f"logits and target have shape {_shape(call.target)} and the target sums to one along its last axis, but PyTorch takes axis 1 for the classes; nothing raises",
                "loss = F.cross_entropy(logits.movedim(-1, 1), target.movedim(-1, 1))",
            )
        return Finding(
            "softmax-over-wrong-axis",
            f"target sums to one along axis {axis}, not along the class axis {call.axis}",
            f"target = F.softmax(teacher_logits, dim={call.axis})",
        )
    if _distributed(z, call.tolerance) and low < 0:
        return Finding(
            "arguments-swapped",
            "the first argument holds distributions, the second raw scores (negative entries): PyTorch takes the scores first",
            "loss = F.cross_entropy(logits, target)  # scores first, labels second",
        )
    whole = bool((t == t.round()).all())
    if low < 0:
        log = bool((t <= 0).all()) and bool((t.exp().sum(-1) - 1).abs().max() < 1e-2)
        return Finding(
            "negative-target-probability",
            f"target of shape {_shape(call.target)} is read as probabilities, but its least entry is {low:.4g}"
            + (": they are log-probabilities" if log else ", so the loss may be negative"),
            "loss = F.cross_entropy(logits, target.exp())"
            if log
            else f"loss = F.cross_entropy(logits, target.softmax(dim={call.axis}))  # if they are a teacher's logits",
        )
    if whole and high > 1:
        return Finding(
            "class-ids-as-probabilities",
            f"target is a float tensor of shape {_shape(call.target)}, that of the logits, so PyTorch reads it as probabilities; its entries are whole numbers up to {high:g}, such as class ids or counts",
            "loss = F.cross_entropy(logits, target.long())  # with target of shape "
            + str(call.index_shape)
            + "; counts: target / target.sum(1, keepdim=True)",
        )
    if whole and bool((sums > 1).any()):
        return Finding(
            "multi-hot-target",
            f"rows of the target hold up to {sums.max().item():g} ones: several labels at once, which cross_entropy takes for probabilities that sum to {sums.max().item():g}",
            "loss = F.binary_cross_entropy_with_logits(logits, target)",
        )
    row = int(off.nonzero()[0])
    return Finding(
        "target-not-normalised",
        f"target is read as probabilities, but row {row} sums to {sums[row].item():.4g} ({int(off.sum())} of {len(off)} rows do not sum to 1), and the loss is scaled with it",
        f"target = target / target.sum(dim={call.axis}, keepdim=True)",
    )


# --- values of scores -------------------------------------------------------------------------------------------


def _not_finite(call: _Call) -> Finding | None:
    z = call.values[0]
    half = (
        f"; {call.logits.dtype} overflows at {torch.finfo(call.logits.dtype).max:.4g}"
        if call.logits.dtype == torch.float16
        else ""
    )
    if bool(z.isnan().any()):
        n = int(z.isnan().sum())
        return Finding(
            "nan-input",
            f"the input holds {n} NaN (of {z.numel()}): the fault lies before the loss (learning rate, 0/0, log of a negative number, NaN in the data); it spoils the gradient even where the target is ignored{half}",
            "torch.autograd.set_detect_anomaly(True); assert x.isfinite().all() and logits.isfinite().all()",
        )
    if bool(z.isposinf().any()):
        return Finding(
            "infinite-input",
            f"the input holds {int(z.isposinf().sum())} times +inf: inf - inf makes the loss NaN{half}",
            "logits = logits.float().clamp(max=1e4)  # and find where they explode",
        )
    return None


def _masked(call: _Call) -> Finding | None:
    """-inf logits: where a mask is exact, and where it makes inf or NaN."""
    z = call.all_rows
    masked = z.isneginf()
    if not len(z) or not bool(masked.any()):
        return None
    whole = masked.all(-1)
    if bool(whole.any()):
        return Finding(
            "masked-row",
            f"row {int(whole.nonzero()[0])} of the input is -inf throughout: no class is left, softmax is 0/0, and the gradient NaN even where the target is ignored",
            "logits = logits.masked_fill(mask.all(-1, keepdim=True), 0.0)  # and ignore the target there",
        )
    if call.soft:
        clash = bool((masked & (call.target_rows > 0)).any())
        value = (
            "the target gives a masked class mass: the loss is inf"
            if clash
            else "0 * -inf makes the loss NaN (the gradient is right)"
        )
        return Finding(
            "masked-with-soft-target",
            f"{int(masked.sum())} masked (-inf) logits meet probability targets: {value}",
            f"loss = F.cross_entropy(logits, target.argmax({call.axis}))  # or logits.clamp(min=torch.finfo(logits.dtype).min / 2)",
        )
    if call.smoothing > 0 and bool(masked[call.counted].any()):
        return Finding(
            "masked-with-smoothing",
            f"label_smoothing={call.smoothing} gives every class some mass, also the {int(masked.sum())} masked (-inf) ones: the loss is inf",
            "loss = F.cross_entropy(logits, target)  # no smoothing over masked classes",
        )
    y = call.labels.clamp(0, call.classes - 1)
    hit = masked.gather(1, y.unsqueeze(1)).squeeze(1) & call.counted
    if bool(hit.any()):
        at = int(hit.nonzero()[0])
        return Finding(
            "masked-target",
            f"the input is -inf at the very class that the target names (row {at}, class {int(y[at])}; {int(hit.sum())} rows): the loss is inf",
            "assert logits.gather(1, target.unsqueeze(1)).isfinite().all()  # the mask hides the right answer (or log(0) was taken)",
        )
    return None


def _fed_probabilities(call: _Call) -> Finding | None:
    """cross_entropy that is given the output of softmax, sigmoid or ReLU."""
    z, c = call.rows, call.classes
    if c < 2 or not len(z) or not bool(z.isfinite().all()) or bool(z.min() < 0):
        return None
    least, most = trapped_range(c)
    if _distributed(z, call.tolerance):
        return Finding(
            "softmax-before-cross-entropy",
            f"the input is already a softmax: {len(z)} rows of probabilities, non-negative and summing to 1; cross_entropy applies log_softmax itself, and a double softmax traps the loss of {c} classes in [{least:.3f}, {most:.3f}] and weakens its gradient",
            "loss = F.cross_entropy(logits, target)  # raw logits: drop the softmax",
        )
    values = call.values[0]
    for axis in range(values.ndim):
        if axis != call.axis and values.shape[axis] > 1 and _is_distribution(values, axis):
            return Finding(
                "softmax-over-wrong-axis",
                f"the input sums to 1 along axis {axis} (the classes are on axis {call.axis}): a softmax over the wrong axis, and one too many; cross_entropy wants raw logits",
                "loss = F.cross_entropy(logits, target)  # raw logits: drop the softmax",
            )
    if _unit_interval(z):
        return Finding(
            "sigmoid-before-cross-entropy",
            f"all {z.numel()} entries of the input lie in (0, 1] ({z.min().item():.3g} to {z.max().item():.3g}), as a sigmoid gives: cross_entropy wants raw logits, and from such scores the loss of {c} classes cannot leave [{least:.3f}, {most:.3f}]",
            "loss = F.cross_entropy(logits, target)  # raw logits: drop the sigmoid; several labels a sample: F.binary_cross_entropy_with_logits",
        )
    zeros = (z == 0).double().mean().item()
    if z.numel() >= 32 and zeros >= 0.2 and bool((z != z.round()).any()):
        return Finding(
            "relu-before-cross-entropy",
            f"no entry of the input is negative and {zeros:.0%} are exactly 0, as a ReLU after the last layer leaves them: such logits lose their gradient",
            "loss = F.cross_entropy(logits, target)  # end in nn.Linear, without the activation",
        )
    return None


def _class_axis_evidence(call: _Call) -> Finding | None:
    """(N, L, C) with L == C raises nothing; only the values can tell."""
    z, y = call.values
    if call.soft or z.ndim != 3 or z.shape[1] != z.shape[2] or z.shape[1] < 2 or not bool(z.isfinite().all()):
        return None
    keep = call.counted
    here = F.cross_entropy(z, y.long(), ignore_index=call.ignore_index, reduction="none").reshape(-1)[keep]
    there = F.cross_entropy(z.movedim(-1, 1), y.long(), ignore_index=call.ignore_index, reduction="none").reshape(-1)[
        keep
    ]
    gain = here - there
    if len(gain) < 4 or there.mean() > 0.5 * math.log(call.classes) or gain.mean() <= 4 * gain.std() / len(gain) ** 0.5:
        return None
    return Finding(
        "class-axis-last",
        f"logits have shape {_shape(call.logits)}, where axis 1 and the last axis are of one size, so nothing raises; the labels fit far better with the classes last (loss {there.mean().item():.3f} against {here.mean().item():.3f})",
        f"loss = F.{call.loss}(logits.movedim(-1, 1), target)",
    )


def _not_log_probabilities(call: _Call) -> Finding | None:
    """nll_loss takes no logarithm and no softmax: its input must be log-probabilities."""
    z = call.rows
    if not len(z) or call.classes < 2 or not bool((z < math.inf).all()):
        return None
    if _distributed(z.exp(), call.tolerance * 10):
        return None
    right = f"log_softmax(logits, dim={call.axis})"
    if _distributed(z, call.tolerance):
        return Finding(
            "probabilities-to-nll-loss",
            f"the input holds probabilities ({z.min().item():.3g} to {z.max().item():.3g}, rows sum to 1): nll_loss takes no logarithm, so the loss is the negative mean probability, below zero",
            f"loss = F.nll_loss(F.{right}, target)  # or F.cross_entropy(logits, target)",
        )
    values = call.values[0]
    for axis in range(values.ndim):
        if axis != call.axis and values.shape[axis] > 1 and _is_distribution(values.exp(), axis):
            return Finding(
                "softmax-over-wrong-axis",
                f"the input's exponentials sum to 1 along axis {axis}, the classes are on axis {call.axis}: log_softmax over the wrong axis",
                f"loss = F.nll_loss(F.{right}, target)",
            )
    for name, base in (("log2", 2.0), ("log10", 10.0)):
        if _distributed(base**z, call.tolerance * 10):
            return Finding(
                "log-of-another-base",
                f"the input looks to be {name} of probabilities: nll_loss wants natural logarithms (the loss is scaled by {1 / math.log(base):.4f})",
                f"loss = F.nll_loss(log_probs * math.log({base:g}), target)",
            )
    if _distributed((-z).exp(), call.tolerance * 10):
        return Finding(
            "sign-flipped",
            "the input looks to be -log of probabilities: nll_loss brings the minus itself, so the loss is negative",
            "loss = F.nll_loss(-input, target)",
        )
    worst = z.logsumexp(-1).abs().max().item()
    return Finding(
        "logits-to-nll-loss",
        f"the input is no log-probabilities: its exponentials do not sum to 1 (log of the sum up to {worst:.4g} away from 0, entries {z.min().item():.3g} to {z.max().item():.3g}); nll_loss neither normalises nor takes a logarithm, so the loss has no lower bound",
        "loss = F.cross_entropy(logits, target)  # or F.nll_loss(F." + right + ", target)",
    )


# --- class weights ----------------------------------------------------------------------------------------------


def _class_weight(call: _Call) -> Finding | None:
    w, c = call.weight, call.classes
    if w is None:
        return None
    if tuple(w.shape) != (c,):
        per_sample = w.ndim == 1 and len(w) == call.logits.shape[0] and call.logits.ndim > 1
        why = ", as many as samples: weight is one number a class, not a sample" if per_sample else ""
        mend = (
            f'loss = (F.{call.loss}(logits, target, reduction="none") * weight).mean()'
            if per_sample
            else f"weight = torch.ones({c})  # one entry a class"
        )
        return Finding(
            "weight-shape",
            f"weight has shape {_shape(w)}{why}; it must have one entry for each of the {c} classes",
            mend,
        )
    if w.is_complex() or (w.dtype != call.logits.dtype and not call.soft):
        return Finding(
            "weight-dtype",
            f"weight is {w.dtype}, the logits are {call.logits.dtype}: they must agree (NumPy and scikit-learn give float64)",
            "weight = weight.to(logits.dtype)",
        )
    if w.is_meta or not call.readable:
        return None
    w = w.cpu().double()
    if not bool(w.isfinite().all()) or bool((w < 0).any()):
        bad = w[~w.isfinite() | (w < 0)]
        why = (
            "1 / count of a class that never occurs is inf"
            if bool(w.isinf().any())
            else "a weight must be non-negative and finite"
        )
        return Finding(
            "weight-value",
            f"weight holds {_first(bad)}: {why}",
            "weight = counts.sum() / (len(counts) * counts.clamp(min=1))",
        )
    if call.soft:
        return _weighted_soft(call, w)
    present = call.labels[call.counted]
    if not len(present) or call.reduction not in ("mean", "elementwise_mean"):
        return None
    if not bool(w[present].any()):
        return Finding(
            "weight-all-zero",
            f"every class in the target ({_list(_unique(present))}) has weight 0: the weighted mean is 0/0, NaN",
            f'loss = F.{call.loss}(logits, target, weight=weight, reduction="sum") / weight[target].sum().clamp(min=1e-8)',
        )
    if len(present) == 1 and bool((w != w[0]).any()) and call.smoothing == 0:
        return Finding(
            "weight-cancels",
            f"the batch has one sample, and the weighted mean divides by its weight ({w[present[0]].item():.4g}), so the weight cancels and does nothing",
            f'loss = F.{call.loss}(logits, target, weight=weight, reduction="sum")  # divide by a count of your own',
        )
    return None


def _weighted_soft(call: _Call, w: Tensor) -> Finding | None:
    t = call.target_rows
    hard = len(t) and bool(((t == 0) | (t == 1)).all())
    if not hard or not bool((w != w[0]).any()) or call.reduction not in ("mean", "elementwise_mean"):
        return None
    total = float((t.double() @ w).sum())
    return Finding(
        "weighted-one-hot-mean",
        f"with one-hot probabilities the weighted mean divides by the {len(t)} samples; with class indices it divides by the sum of their weights, {total:.4g}: the same labels give another loss",
        f"loss = F.cross_entropy(logits, target.argmax({call.axis}), weight=weight)",
    )


# --- binary -----------------------------------------------------------------------------------------------------


def _binary_shape(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    if z.shape == t.shape:
        return None
    fn = f"F.{call.loss}"
    seen = f"input has shape {_shape(z)}, target {_shape(t)}: {call.loss} pairs them entry by entry and needs one shape"
    number = "" if t.is_floating_point() else ".float()"
    if z.numel() == t.numel():
        squeeze = [a for a, size in enumerate(z.shape) if size == 1 and z.shape[:a] + z.shape[a + 1 :] == t.shape]
        if squeeze:
            return Finding(
                "binary-shape",
                f"{seen} (broadcasting would pair everything with everything)",
                f"loss = {fn}(logits.squeeze({squeeze[-1]}), target{number})",
            )
        return Finding("binary-shape", seen, f"loss = {fn}(logits, target.view_as(logits){number})")
    if (z.ndim >= 2 and call.index_shape == tuple(t.shape)) or (z.ndim == 2 and tuple(t.shape) == (z.shape[0], 1)):
        two = f"; or column 1 alone: {fn}(logits[:, 1], ...)" if z.shape[1] == 2 else ""
        return Finding(
            "class-ids-to-binary-loss",
            f"{seen}; {z.shape[1]} columns of output and one label a sample is a choice between {z.shape[1]} classes",
            f"loss = F.cross_entropy(logits, target{'.squeeze(1)' if t.ndim == z.ndim else ''}.long())  # raw logits{two}",
        )
    if z.ndim and t.ndim and z.shape[0] != t.shape[0]:
        return Finding(
            "batch-size-mismatch",
            f"{seen}; the batch sizes are {z.shape[0]} and {t.shape[0]}",
            "assert logits.shape == target.shape",
        )
    return Finding("binary-shape", seen, "assert logits.shape == target.shape")


def _binary_dtype(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    exact = call.loss == "binary_cross_entropy"
    if t.dtype == z.dtype or (t.dtype in FLOAT_DTYPES and not exact):
        return None
    return Finding(
        "target-dtype",
        f"target is {t.dtype}, the input {z.dtype}: a binary target is a probability and must be floating point"
        + (", of the input's dtype" if exact else ""),
        f"loss = F.{call.loss}(input, target.to(input.dtype))",
    )


def _binary_target(call: _Call) -> Finding | None:
    t = call.values[1]
    if not t.numel() or bool(((t >= 0) & (t <= 1)).all()):
        return None
    low, high = t.min().item(), t.max().item()
    whole = bool((t == t.round()).all())
    seen = f"target runs from {low:.4g} to {high:.4g}, but must lie in [0, 1]"
    raises = (
        "" if call.loss == "binary_cross_entropy" else "; nothing raises, and the loss can go below zero without end"
    )
    values = set(_unique(t).tolist()) if whole and t.numel() < 2**20 else set()
    if bool(t.isnan().any()):
        return Finding(
            "target-not-finite", "target holds NaN", "keep = target.isfinite()  # then logits[keep], target[keep]"
        )
    if values == {-1.0, 1.0}:
        return Finding(
            "plus-minus-labels",
            f"{seen}: labels -1 and +1 must be 0 and 1{raises}",
            f"loss = F.{call.loss}(logits, (target + 1) / 2)",
        )
    if values and low < 0 and high <= 1:
        return Finding(
            "padding-not-ignored",
            f"{seen}: {low:g} looks to mean 'no label', and a binary loss has no ignore_index{raises}",
            f"keep = target >= 0; loss = F.{call.loss}(logits[keep], target[keep])",
        )
    if high == 255:
        return Finding("binary-target-out-of-range", f"{seen}: an 8-bit mask or image{raises}", "target = target / 255")
    if values and high > 1 and low >= 0:
        return Finding(
            "binary-target-out-of-range",
            f"{seen}; whole numbers above 1 look like class ids{raises}",
            "loss = F.cross_entropy(logits, target.long())  # one output column a class; or F.one_hot(target) for a binary loss",
        )
    return Finding(
        "binary-target-out-of-range",
        f"{seen}{raises}",
        "target = target.clamp(0, 1)  # or target.sigmoid(), if it holds scores",
    )


def _binary_probabilities(call: _Call) -> Finding | None:
    """binary_cross_entropy: its input must be probabilities, and not certain ones."""
    p, t = call.values
    if not p.numel():
        return None
    low, high = p.min().item(), p.max().item()
    if low < 0 or high > 1:
        kind = "log-probabilities" if high <= 0 else "raw logits"
        mend = (
            "F.binary_cross_entropy(log_probs.exp(), target)"
            if high <= 0
            else "F.binary_cross_entropy_with_logits(logits, target)"
        )
        return Finding(
            "logits-to-binary-cross-entropy",
            f"the input runs from {low:.4g} to {high:.4g}: {kind}, where binary_cross_entropy needs probabilities in [0, 1] (it applies no sigmoid)",
            f"loss = {mend}",
        )
    wrong = ((p == 0) & (t > 0)) | ((p == 1) & (t < 1))
    if bool(wrong.any()):
        return Finding(
            "saturated-probability",
            f"{int(wrong.sum())} probabilities are exactly 0 or 1 and wrong: the true loss is infinite (or was rounded away by the sigmoid), the log is clamped at -100, so each costs 100 and its gradient is lost",
            "loss = F.binary_cross_entropy_with_logits(logits, target)  # logits, before the sigmoid",
        )
    return _softmax_to_binary(call)


def _softmax_to_binary(call: _Call) -> Finding | None:
    p, t = call.values
    if p.ndim < 2 or p.shape[1] < 2 or len(p) < 2:
        return None
    axis = next((a for a in (1, p.ndim - 1) if p.shape[a] > 1 and _is_distribution(p, a)), None)
    if axis is None or (p.shape[axis] == 2 and bool(((t.sum(axis) - 1).abs() < 1e-3).all())):
        # Two columns of a softmax with one-hot targets give exactly cross-entropy.
        return None
    single = bool(((t.sum(axis) - 1).abs() < 1e-3).all())
    return Finding(
        "softmax-to-binary-cross-entropy",
        f"the input is a softmax over {p.shape[axis]} classes (rows sum to 1)"
        + (
            ": one class a sample, for which a binary loss of every column is not the cross-entropy"
            if single
            else ", yet the target's rows do not: independent labels need a sigmoid each"
        ),
        f"loss = F.cross_entropy(logits, target.argmax({axis}))"
        if single
        else "loss = F.binary_cross_entropy_with_logits(logits, target)",
    )


def _binary_logits(call: _Call) -> Finding | None:
    """binary_cross_entropy_with_logits that is given probabilities."""
    z, t = call.values
    if not z.numel() or not bool(z.isfinite().all()) or bool(z.min() < 0) or bool(z.max() > 1):
        return None
    separates = (
        z.numel() >= 4 and bool((t == 0).any()) and bool((t == 1).any()) and bool(((z > 0.5) == (t > 0.5)).all())
    )
    softmax = z.ndim > 1 and z.shape[-1] > 1 and len(z) > 1 and _is_distribution(z, z.ndim - 1)
    if not (softmax or _unit_interval(z) or (separates and bool((z > 0).all()) and not _placeholder(z))):
        return None
    kind = "softmax" if softmax else "sigmoid"
    return Finding(
        "sigmoid-before-bce-with-logits",
        f"all {z.numel()} entries of the input are probabilities in [0, 1] ({z.min().item():.3g} to {z.max().item():.3g}), as a {kind} gives; the loss applies a sigmoid itself, so nothing below 0.5 can be said: a negative costs at least log 2 = 0.693, a positive at least 0.313",
        f"loss = F.binary_cross_entropy_with_logits(logits, target)  # drop the {kind}, or use F.binary_cross_entropy",
    )


def _binary_infinite(call: _Call) -> Finding | None:
    z = call.values[0]
    if not bool(z.isinf().any()):
        return None
    return Finding(
        "infinite-input",
        f"the input holds {int(z.isinf().sum())} infinite logits (such as {_first(z[z.isinf()])}): 0 * inf makes the loss NaN",
        "logits = logits.clamp(-1e4, 1e4)  # or leave masked entries out",
    )


def _element_weight(call: _Call) -> Finding | None:
    w = call.weight
    if w is None:
        return None
    fits = _broadcasts(w, call.target)
    if call.loss == "kl_div":
        return Finding(
            "unsupported-option",
            "kl_div takes no weight",
            'loss = (F.kl_div(log_probs, target, reduction="none") * weight).sum() / len(target)',
        )
    if not fits:
        per_class = ", one a class?" if w.ndim == 1 and len(w) == 2 else ""
        return Finding(
            "weight-shape",
            f"weight has shape {_shape(w)}{per_class}; in a binary loss it rescales each entry and must broadcast to the target's {_shape(call.target)}",
            "loss = F.binary_cross_entropy_with_logits(logits, target, pos_weight=negatives / positives)",
        )
    if not w.is_meta and bool((~w.isfinite() | (w < 0)).any()):
        return Finding(
            "weight-value",
            f"weight holds {_first(w[~w.isfinite() | (w < 0)])}; it must be non-negative and finite",
            "weight = weight.clamp(min=0)",
        )
    return None


# --- Kullback-Leibler -------------------------------------------------------------------------------------------


def _kl_shape(call: _Call) -> Finding | None:
    z, t = call.logits, call.target
    if z.shape == t.shape or (
        t.ndim and z.ndim and t.shape[-1] == z.shape[-1] and _broadcasts(t, z) and z.ndim >= t.ndim
    ):
        return None
    ids = not t.is_floating_point() and t.ndim == z.ndim - 1
    return Finding(
        "kl-shape",
        f"input has shape {_shape(z)}, target {_shape(t)} ({t.dtype})"
        + (
            ": class ids are no distribution"
            if ids
            else "; kl_div compares distributions entry by entry"
            + (", and broadcasting pairs each with each" if _broadcasts(t, z) else "")
        ),
        "loss = F.cross_entropy(logits, target)  # class ids" if ids else "assert input.shape == target.shape",
    )


def _kl_dtype(call: _Call) -> Finding | None:
    t = call.target
    if t.dtype in FLOAT_DTYPES:
        return None
    return Finding(
        "target-dtype",
        f"target is {t.dtype}: kl_div compares distributions, which are floating point",
        f'loss = F.kl_div(log_probs, {"target.float()" if not t.is_complex() else "target.real"}, reduction="batchmean")',
    )


def _kl_arguments(call: _Call) -> Finding | None:
    """Input: log-probabilities; target: probabilities; both along one axis."""
    z, t = call.values
    if z.numel() < 2 or t.numel() < 2 or bool(z.isposinf().any()):
        return None
    wide = call.tolerance * 10
    z_log, z_prob = _axes(z.exp(), wide), _axes(z, call.tolerance)
    t_log, t_prob = _axes(t.exp(), wide), _axes(t, wide)
    good = 'F.kl_div(F.log_softmax(logits, dim=-1), target, reduction="batchmean")'
    if not z_log and z_prob:
        if t_log and not t_prob:
            return Finding(
                "arguments-swapped",
                "the first argument holds probabilities, the second log-probabilities: kl_div(input, target) takes log q first, then p, and gives KL(p || q)",
                'loss = F.kl_div(log_q, p, reduction="batchmean")',
            )
        return Finding(
            "probabilities-to-kl-div",
            f"the input holds probabilities ({z.min().item():.3g} to {z.max().item():.3g}, summing to 1): kl_div wants their logarithm, and without it the value is no divergence and mostly negative",
            'loss = F.kl_div(input.log(), target, reduction="batchmean")  # or log_softmax of the logits',
        )
    if not z_log:
        return Finding(
            "logits-to-kl-div",
            f"the input is no log-probabilities: its exponentials sum to 1 along no axis (entries {z.min().item():.3g} to {z.max().item():.3g})",
            f"loss = {good}",
        )
    if t_prob:
        if set(z_log) & set(t_prob) or t.shape != z.shape:
            return None
        return Finding(
            "softmax-over-wrong-axis",
            f"the input is normalised along axis {z_log[0][0]}, the target along axis {t_prob[0][0]}",
            f"target = F.softmax(teacher_logits, dim={z_log[0][0]})",
        )
    if t_log:
        return Finding(
            "log-target",
            "the target holds log-probabilities, and kl_div reads it as probabilities unless told",
            'loss = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)',
        )
    low = t.min().item()
    if not low >= 0:
        return Finding(
            "negative-target-probability",
            f"the target's least entry is {low:.4g}: kl_div wants probabilities, not scores",
            'loss = F.kl_div(log_q, target.softmax(dim=-1), reduction="batchmean")',
        )
    total = t.sum(-1).flatten()[0].item()
    return Finding(
        "target-not-normalised",
        f"the target is no distribution: it sums to 1 along no axis (its first row to {total:.4g}), so the value is no divergence and may be negative",
        "target = target / target.sum(dim=-1, keepdim=True)",
    )


def _kl_infinite(call: _Call) -> Finding | None:
    z, t = call.values
    masked = z.isneginf()
    if not bool(masked.any()):
        return None
    hit = bool((masked & (t > 0)).any())
    return Finding(
        "masked-input",
        f"the input holds {int(masked.sum())} times -inf (log of 0): "
        + ("the target has mass there, so KL is infinite" if hit else "0 * -inf makes kl_div NaN"),
        "log_q = F.log_softmax(logits, dim=-1)  # never q.log() of an exact 0; leave masked entries out of the sum",
    )


def _kl_mean(call: _Call) -> Finding | None:
    if call.reduction not in ("mean", "elementwise_mean") or call.logits.numel() < 2:
        return None
    n, size = (call.logits.shape[0], call.logits.numel())
    return Finding(
        "kl-mean",
        f"reduction='mean' divides by all {size} entries, not by the {n} samples: the value is {size / n:g} times too small for a KL divergence",
        'loss = F.kl_div(log_q, p, reduction="batchmean")',
    )


# --- the last resort: run it ------------------------------------------------------------------------------------


def _outcome(call: _Call) -> Finding | None:
    """What PyTorch itself says, for whatever the checks above did not foresee."""
    if call.logits.numel() > READ_LIMIT or call.target.numel() > READ_LIMIT or not call.readable:
        return None
    tensors = [v.cpu() for v in (call.logits, call.target)]
    try:
        value = _run(call, *tensors)
    except Exception as error:
        return Finding(
            "torch-raises",
            f"PyTorch refuses these arguments: {_brief(error)}",
            f"help(torch.nn.functional.{call.loss})",
        )
    value = value.double()
    if bool(value.isnan().any()):
        return Finding("nan-loss", "the loss is NaN", "assert logits.isfinite().all() and target.isfinite().all()")
    if bool(value.isinf().any()):
        if call.logits.dtype.itemsize < 4 and bool(_run(call, tensors[0].double(), tensors[1]).isfinite().all()):
            return Finding(
                "half-precision-overflow",
                f"the loss overflows in {call.logits.dtype} (largest number {torch.finfo(call.logits.dtype).max:.4g}), and is finite in float32",
                f"loss = F.{call.loss}(logits.float(), target)",
            )
        return Finding(
            "infinite-loss", "the loss is infinite: something impossible happened", "assert logits.isfinite().all()"
        )
    if bool((value < -1e-3).any()) and not (call.loss == "kl_div" and call.reduction == "none"):
        return Finding(
            "negative-loss",
            f"the loss is {value.min().item():.4g}; a cross-entropy of distributions is never negative",
            "assert (target >= 0).all()",
        )
    return None


def _run(call: _Call, logits: Tensor, target: Tensor) -> Tensor:
    function = getattr(F, call.loss)
    options: dict[str, object] = {"reduction": call.reduction}
    if call.weight is not None:
        options["weight"] = (
            call.weight.cpu().to(logits.dtype) if logits.dtype != call.logits.dtype else call.weight.cpu()
        )
    if call.loss in _INDEXED:
        options["ignore_index"] = call.ignore_index
    if call.loss == "cross_entropy":
        options["label_smoothing"] = call.smoothing
    result: Tensor = function(logits, target, **options)
    return result


# --- small words ------------------------------------------------------------------------------------------------


def _distributed(rows: Tensor, tolerance: float) -> bool:
    """Whether every row is a distribution over at least two classes."""
    if not rows.numel() or rows.shape[-1] < 2 or not bool((rows >= 0).all()):
        return False
    return bool(((rows.sum(-1, dtype=torch.float64) - 1).abs() <= tolerance).all())


def _is_distribution(value: Tensor, axis: int) -> bool:
    return not value.is_meta and _distributed(value.movedim(axis, -1), 1e-2 if value.dtype.itemsize < 4 else 1e-3)


def _axes(value: Tensor, tolerance: float) -> list[tuple[int, ...]]:
    """Along which axes ``value`` is a distribution: one axis, or all but the leading ones (a heat map)."""
    single = [(a,) for a in range(value.ndim) if _distributed(value.movedim(a, -1), tolerance)]
    joint = [tuple(range(a, value.ndim)) for a in range(value.ndim - 1) if _distributed(value.flatten(a), tolerance)]
    return single + joint


def _unit_interval(z: Tensor) -> bool:
    """All of at least six entries in (0, 1], not all alike: what a sigmoid gives and scores hardly ever do."""
    inside = z.numel() >= 6 and bool(((z > 0) & (z <= 1)).all())
    return inside and bool((z != z.flatten()[0]).any()) and not _placeholder(z)


def _placeholder(z: Tensor) -> bool:
    """Made by torch.rand, not by a model: its numbers are multiples of 2^-24 (2^-53 in double)."""
    scaled = z.double() * (2.0**53 if z.dtype == torch.float64 else 2.0**24)
    return bool((scaled == scaled.round()).all())


def _broadcasts(small: Tensor, large: Tensor) -> bool:
    """Whether ``small`` can be expanded to the shape of ``large``."""
    try:
        return small.expand(large.shape) is not None
    except RuntimeError:
        return False


def _unique(values: Tensor) -> Tensor:
    return torch.unique(values)  # type: ignore[no-any-return]


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


_INDEXED = ("cross_entropy", "nll_loss")

_ARGUMENTS: _Groups = [((_not_a_tensor,), True), ((_layout,), True), ((_device,), True)]
_OPTIONS: _Groups = [((_reduction,), False), ((_ignore_index,), True), ((_smoothing,), False)]
_CLASS_TARGET: _Groups = [
    ((_swapped, _input_dtype), True),
    ((_no_class_axis, _empty, _one_column, _soft_nll, _target_shape, _target_dtype), True),
]

# For each loss: groups of checks. A group speaks once; where it is fatal, nothing after it would make sense.
_CHECKS: dict[str, _Groups] = {
    "cross_entropy": [
        *_ARGUMENTS,
        *_OPTIONS,
        *_CLASS_TARGET,
        ((_out_of_range, _all_ignored, _ignored_class, _soft_target), False),
        ((_not_finite, _masked, _fed_probabilities, _class_axis_evidence), False),
        ((_class_weight,), False),
    ],
    "nll_loss": [
        *_ARGUMENTS,
        *_OPTIONS,
        *_CLASS_TARGET,
        ((_out_of_range, _all_ignored, _ignored_class), False),
        ((_not_finite, _masked, _not_log_probabilities), False),
        ((_class_weight,), False),
    ],
    "binary_cross_entropy": [
        *_ARGUMENTS,
        *_OPTIONS,
        ((_swapped, _input_dtype, _empty, _binary_shape, _binary_dtype), True),
        ((_not_finite, _binary_probabilities), False),
        ((_binary_target,), False),
        ((_element_weight,), False),
    ],
    "binary_cross_entropy_with_logits": [
        *_ARGUMENTS,
        *_OPTIONS,
        ((_swapped, _input_dtype, _empty, _binary_shape, _binary_dtype), True),
        ((_not_finite, _binary_infinite, _binary_logits), False),
        ((_binary_target,), False),
        ((_element_weight,), False),
    ],
    "kl_div": [
        *_ARGUMENTS,
        *_OPTIONS,
        ((_swapped, _input_dtype, _empty, _kl_shape, _kl_dtype), True),
        ((_not_finite, _kl_arguments, _kl_infinite), False),
        ((_kl_mean,), False),
        ((_element_weight,), False),
    ],
}
