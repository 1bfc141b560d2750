"""Judge what a function made of an exercise's calls, and recognise the misconceptions behind it. Pure: runs nothing of the learner's."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crossentropy.exercises.data import Call, Exercise, Misconception, Outcome, brief
from crossentropy.exercises.running import weights

Array = npt.NDArray[np.float64]
# A wrong solution is recognised where the answer lies this much nearer to it than to the right one.
NEARNESS = 0.01
# A number typed in by hand has few digits.
TYPED = 5e-3
COARSEST = torch.finfo(torch.float32).eps
# So many roundings of its own dtype an answer may be off: the worst honest one in single precision needs 12 (perplexity), all others 2.
ROUNDINGS = 16
# Rounding in double precision, whatever the call asks.
FINEST = 64 * 2.0**-52
# A probability is compared with its own size, down to this: less is lost in 1 + tanh, in single precision and far out.
SMALLEST = 1e-12
PROBABILITIES = {"sums-to-one", "between-zero-and-one"}
# These have no gradient by themselves: that it does not flow is no second mistake.
SLOPELESS = {"accuracy-for-loss", "argmax-for-softmax"}
PROPERTIES = {
    "definition": "agrees with the definition",
    "stable": "stays right for logits beyond ±300",
    "zeros": "counts an outcome of probability 0 as nothing",
    "infinite": "is infinite where it should be",
    "shape": "has the right shape",
    "non-negative": "is never negative",
    "non-positive": "is never positive",
    "sums-to-one": "sums to one along the last axis",
    "exponentials-sum-to-one": "has exponentials that sum to one",
    "rows-sum-to-zero": "has rows that sum to 0",
    "between-zero-and-one": "lies between 0 and 1",
    "at-least-one": "is at least 1",
    "gradient": "lets the gradient flow back",
    "arguments": "leaves its arguments as they were",
}
PROBLEMS = {
    "none": "returns nothing (None)",
    "raised": "raises an error",
    "type": "returns something that is no floating-point tensor",
    "timeout": "does not come to an end",
}


@dataclass(frozen=True)
class Failure:
    """A property that does not hold: where (the smallest call at fault), what came and what was expected."""

    property: str
    text: str
    call: Call
    got: str
    expected: str


@dataclass(frozen=True)
class Verdict:
    """What a function is worth: nothing failed, or what did; what was right; and the misconceptions recognised."""

    passed: bool
    failures: tuple[Failure, ...]
    right: tuple[str, ...]
    misconceptions: tuple[Misconception, ...]
    message: str

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(misconception.code for misconception in self.misconceptions)


def scale(call: Call) -> float:
    """The largest finite entry of the floating-point arguments: rounding errors grow with it."""
    floats = [value[value.isfinite()].abs() for value in call.arguments.values() if value.is_floating_point()]
    return max((float(value.max()) for value in floats if value.numel()), default=0.0)


def epsilon(value: Tensor) -> float:
    """The rounding that an answer's dtype excuses: no more than float32's, or half precision would excuse any number."""
    return min(torch.finfo(value.dtype).eps, COARSEST)


def close(
    got: Array, expected: Array, call: Call, size: float, eps: float = 2.0**-52, *, probabilities: bool = False
) -> bool:
    """Equal within what a dtype of this ``eps`` allows for inputs of this ``size``, and of the same shape."""
    if got.shape != expected.shape:
        return False
    finite = np.isfinite(expected)
    if not finite.all():
        if not np.array_equal(got[~finite], expected[~finite]):
            return False
        got, expected = got[finite], expected[finite]
    own = np.abs(expected)
    large = np.maximum(own, 1.0)
    if call.tolerance < 1e-12:
        # A call with such a tolerance of its own is about digits that rounding does not touch.
        allowed = max(call.tolerance, FINEST) * large + ROUNDINGS * eps * own
    else:
        share = max(call.tolerance, FINEST, ROUNDINGS * eps)
        allowed = (share + 4 * eps * size) * own + SMALLEST if probabilities else share * large + 4 * eps * size
    # A comparison with nan is false.
    return bool((np.abs(got - expected) <= allowed).all())


class _Case:
    """One call with its right answer and what came."""

    def __init__(self, exercise: Exercise, call: Call, outcome: Outcome) -> None:
        self.exercise, self.call, self.outcome = exercise, call, outcome
        expected = exercise.answer(call)
        assert expected is not None, f"{exercise.name}: the reference fails on {call.name}"
        self.expected = expected.detach()
        self.value = outcome.value
        self.size = scale(call)
        # Comparing is numpy's here: its small operations cost a tenth of torch's, and there are thousands.
        self.due = self.expected.double().numpy()
        self.came = None if self.value is None else self.value.double().numpy()
        self.right = self.value is not None and self.came is not None and self.fits(self.came, epsilon(self.value))
        self.shaped = self.value is not None and self.value.shape == self.expected.shape
        self.zeros = any(
            exercise.arguments[name] == "distribution" and bool((value == 0).any())
            for name, value in call.arguments.items()
        )
        unlimited = self.value is not None and not bool(self.value.isfinite().all())
        # Not finite where it could be: the exponentials overflowed, or 0 log 0 is nan.
        self.overflowed = unlimited and call.extreme and bool(self.expected.isfinite().all())
        self.undefined = self.zeros and self.value is not None and bool(self.value.isnan().any())
        self.bounded = (
            bool(self.expected.isinf().any()) and self.value is not None and bool(self.value.isfinite().all())
        )
        self.late = outcome.problem is not None and outcome.problem.kind == "timeout"

    def fits(self, value: Array, eps: float = 2.0**-52) -> bool:
        """Whether a value is the right answer, but for rounding."""
        probabilities = not PROBABILITIES.isdisjoint(self.exercise.properties)
        return close(value, self.due, self.call, self.size, eps, probabilities=probabilities)

    @property
    def got(self) -> str:
        if self.outcome.problem and (self.value is None or self.outcome.problem.kind != "type"):
            return self.outcome.problem.text or "None"
        assert self.value is not None
        text = brief(self.value)
        return text if self.shaped else f"{text}, of shape {tuple(self.value.shape)}"

    @property
    def wanted(self) -> str:
        text = brief(self.expected)
        return text if self.shaped or self.value is None else f"{text}, of shape {tuple(self.expected.shape)}"


def judge(exercise: Exercise, calls: Sequence[Call], outcomes: Sequence[Outcome]) -> Verdict:
    """The verdict on ``outcomes``, one a call, in the order of ``calls``.

    Raises:
        ValueError: if there are not as many outcomes as calls.
    """
    if len(calls) != len(outcomes):
        raise ValueError(f"outcomes must be one a call, {len(calls)}; got {len(outcomes)}")
    cases = [_Case(exercise, call, outcome) for call, outcome in zip(calls, outcomes, strict=True)]
    failures: list[Failure] = []
    right: list[str] = []
    for kind, text in PROBLEMS.items():
        at_fault = next((case for case in cases if case.outcome.problem and case.outcome.problem.kind == kind), None)
        if at_fault:
            failures.append(Failure(kind, text, at_fault.call, at_fault.got, at_fault.wanted))
    for name in dict.fromkeys([*exercise.properties, "definition", "shape", "arguments"]):
        held = [(case, _holds(name, case)) for case in cases]
        told = [(case, holds) for case, holds in held if holds is not None]
        wrong = next((case for case, holds in told if not holds), None)
        if wrong:
            failures.append(_failure(name, wrong))
        elif told and not any(case.outcome.problem for case in cases):
            right.append(PROPERTIES[name])
    if not failures and not all(case.right for case in cases):
        # Nothing named a property for it, and still it is wrong.
        failures.append(_failure("definition", next(case for case in cases if not case.right)))
    found = [] if not failures else _recognise(exercise, cases, {failure.property for failure in failures})
    misconceptions = tuple(exercise.misconceptions[code] for code in dict.fromkeys(found))
    return Verdict(not failures, tuple(failures), tuple(right), misconceptions, _message(failures, misconceptions))


def _message(failures: Sequence[Failure], misconceptions: Sequence[Misconception]) -> str:
    if not failures:
        return "Right, on every input that was tried."
    if misconceptions:
        return " ".join(f"{misconception.title}. {misconception.explanation}" for misconception in misconceptions)
    first = failures[0]
    return (
        f"Your function {PROBLEMS[first.property]}."
        if first.property in PROBLEMS
        else f"Not yet: it must hold that the answer {first.text}."
    )


def _failure(name: str, case: _Case) -> Failure:
    got, expected = case.got, case.wanted
    if name == "gradient":
        got, expected = "no gradient, or another one", "the gradient of the definition"
    elif name == "arguments":
        changed = next(
            key for key, value in case.call.arguments.items() if not _same(value, case.outcome.arguments_after[key])
        )
        got, expected = f"{changed}={brief(case.outcome.arguments_after[changed])} afterwards", str(case.call)
    return Failure(name, PROPERTIES[name], case.call, got, expected)


def _same(before: Tensor, after: Tensor) -> bool:
    return before.shape == after.shape and before.dtype == after.dtype and torch.equal(before, after)


def _holds(name: str, case: _Case) -> bool | None:
    """Whether a property holds of what came; None where the call says nothing about it."""
    call, value = case.call, case.value
    if name == "arguments":
        after = case.outcome.arguments_after
        return None if not after else all(_same(argument, after[key]) for key, argument in call.arguments.items())
    if value is None:
        return None
    if name == "shape":
        return case.shaped
    infinite = not bool(case.expected.isfinite().all())
    if name == "definition":
        return None if call.extreme or case.zeros else case.right
    if name == "stable":
        return case.right if call.extreme else None
    if name == "zeros":
        return case.right if case.zeros and not infinite else None
    if name == "infinite":
        return case.right if infinite else None
    if name == "gradient":
        return _flows(case) if call.wants_gradient and case.right else None
    if not case.shaped or bool(value.isnan().any()):
        return None
    tolerance = max(call.tolerance, FINEST, ROUNDINGS * epsilon(value)) * max(1.0, scale(call))
    bounds = {
        "non-negative": (0.0, math.inf),
        "non-positive": (-math.inf, 0.0),
        "between-zero-and-one": (0.0, 1.0),
        "at-least-one": (1.0, math.inf),
    }
    if name in bounds:
        low, high = bounds[name]
        return bool(((value >= low - tolerance) & (value <= high + tolerance)).all())
    if value.dim() == 0:
        return None
    total = (value.exp() if name == "exponentials-sum-to-one" else value).sum(dim=-1)
    return bool(((total - (0.0 if name == "rows-sum-to-zero" else 1.0)).abs() <= tolerance).all())


def _flows(case: _Case) -> bool:
    """Whether the gradients are those of the right answer."""
    return case.outcome.gradients != {} and all(
        gradient is not None
        and gradient.shape == expected.shape
        and bool(((gradient - expected).abs() <= 1e-4 * expected.abs().clamp(min=1.0)).all())
        for gradient, expected in (
            (case.outcome.gradients.get(name), value) for name, value in _expected_gradients(case).items()
        )
    )


def _expected_gradients(case: _Case) -> dict[str, Tensor]:
    leaves = {
        name: value.clone().requires_grad_(value.is_floating_point()) for name, value in case.call.arguments.items()
    }
    wanted = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
    result = case.exercise.answer(Call(case.call.name, leaves))
    assert result is not None
    gradients = torch.autograd.grad((result * weights(result)).sum(), list(wanted.values()))
    return dict(zip(wanted, gradients, strict=True))


# Recognising


def _recognise(exercise: Exercise, cases: Sequence[_Case], failed: set[str]) -> list[str]:
    """The codes of what is wrong, the most telling first."""
    tried = [
        case
        for case in cases
        if not case.late and (case.outcome.problem is None or case.outcome.problem.kind != "none")
    ]
    if not tried:
        return []
    found: list[str] = []
    if not all(case.right for case in tried):
        if _constant(tried):
            return ["hard-coded"]
        found += _explained(exercise, tried)
        unbounded = [case for case in tried if not case.bounded]
        if not found and "epsilon-in-log" in exercise.misconceptions and len(unbounded) < len(tried):
            # Two at once: where the answer should be infinite and is not, the logarithm is bounded; what else is wrong?
            others = _explained(exercise, unbounded)
            found += [*others, "epsilon-in-log"] if others else []
        shifted = [case for case in tried if not case.call.extreme and case.value is not None]
        if (
            "unshifted-exponential" in exercise.behaviours
            and any(case.overflowed for case in tried)
            and shifted
            and all(bool(case.value.isfinite().all()) for case in shifted if case.value is not None)
        ):
            found.append("unshifted-exponential")
        plain = [case for case in tried if not case.zeros and case.value is not None]
        if (
            "zero-log-zero" in exercise.behaviours
            and any(case.undefined for case in tried)
            and plain
            and not any(bool(case.value.isnan().any()) for case in plain if case.value is not None)
        ):
            found.append("zero-log-zero")
        if not found and "epsilon-in-log" in exercise.misconceptions and _capped(tried):
            found.append("epsilon-in-log")
        if not found and _right_on_the_example_only(tried):
            return ["hard-coded"]
    if "input-modified" in exercise.behaviours and "arguments" in failed:
        found.append("input-modified")
    elif "detached" in exercise.behaviours and not SLOPELESS & set(found) and _cut_off(tried):
        # In place, autograd fails as well: one cause, one name.
        found.append("detached")
    return found


def _cut_off(cases: Iterable[_Case]) -> bool:
    asked = [case for case in cases if case.call.wants_gradient and case.value is not None]
    if any(
        case.outcome.gradients == {} or any(gradient is None for gradient in case.outcome.gradients.values())
        for case in asked
    ):
        return True
    return any(case.right and not _flows(case) for case in asked)


def _constant(cases: Sequence[_Case]) -> bool:
    """Whether the same came back whatever went in, where different answers were due."""
    values = [case.value for case in cases if case.value is not None]
    if len(values) < 3 or len(values) < len(cases):
        return False
    first = values[0].double()
    alike = all(value.shape == first.shape and torch.equal(value.double(), first) for value in values)
    level = first.reshape(-1)[0] if first.numel() else None
    filled = level is not None and all(bool((value.double() == level).all()) for value in values)
    return alike or filled


def _right_on_the_example_only(cases: Sequence[_Case]) -> bool:
    first, *others = cases
    if first.value is None or not first.shaped or len(others) < 3:
        return False
    near = bool(((first.value.double() - first.expected).abs() <= TYPED).all())
    # An answer that is off a little everywhere was computed.
    return near and not any(_nearly_right(case) for case in others if not _alike(case.expected, first.expected))


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other)


def _capped(cases: Sequence[_Case]) -> bool:
    """Whether the answer is (nearly) right where probabilities are not small, and finite but too small in size where they are."""
    wrong = [case for case in cases if not _nearly_right(case)]
    if not wrong or len(cases) - len(wrong) < 3:
        return False
    for case in wrong:
        if case.came is None or not case.shaped or not np.isfinite(case.came).all():
            return False
        far = case.call.extreme or not np.isfinite(case.due).all() or bool((np.abs(case.due) > 15).any())
        # A bound of 0.1 within the logarithm is hardly anybody's: -log 0.1 = 2.3.
        if not far or not (np.abs(case.came) <= np.abs(case.due) + 1e-6).all() or np.abs(case.came).max() < 2:
            return False
    return True


def _nearly_right(case: _Case) -> bool:
    if case.came is None or not case.shaped:
        return False
    return bool(np.allclose(case.came, case.due, rtol=1e-3, atol=1e-3))


class _Answers:
    """What a wrong solution gives on each call, computed when it is asked for: most are ruled out by their first call."""

    def __init__(self, exercise: Exercise, cases: Sequence[_Case], source: str) -> None:
        self.exercise, self.cases, self.source = exercise, cases, source
        self.known: dict[int, Array | None] = {}

    def __getitem__(self, place: int) -> "Array | None":
        if place not in self.known:
            value = self.exercise.answer(self.cases[place].call, self.source)
            self.known[place] = None if value is None else value.detach().double().numpy()
        return self.known[place]


def _explained(exercise: Exercise, cases: Sequence[_Case]) -> list[str]:
    """The codes of the first wrong solution that gives what came: alone, scaled, or as far as it can be compared."""
    # Where the answer is wrong a wrong solution shows at once whether it is another one.
    cases = sorted(cases, key=lambda case: case.right)
    variants = [(mistake, _Answers(exercise, cases, mistake.wrong)) for mistake in exercise.mistakes]
    factors = {code: _Answers(exercise, cases, source) for code, source in exercise.factors.items()}
    right = _Answers(exercise, cases, exercise.reference)
    subsets = [subset for size in range(1, len(factors) + 1) for subset in combinations(factors, size)]

    def fits(values: _Answers, subset: Sequence[str] = (), *, loosely: bool = False) -> bool:
        return _agrees([values, *(factors[code] for code in subset)], cases, loosely=loosely)

    # First one thing that is wrong, then several.
    for code in factors:
        if fits(right, [code]):
            return [code]
    for mistake, values in variants:
        if fits(values):
            return list(mistake.codes)
    for subset in subsets:
        if len(subset) > 1 and fits(right, subset):
            return list(subset)
    for subset in subsets:
        for mistake, values in variants:
            most = 1 if mistake.family else 2
            if len(subset) <= most and not set(mistake.codes) & set(subset) and fits(values, subset):
                return [*mistake.codes, *subset]
    for mistake, values in variants:
        if not mistake.family and fits(values, loosely=True):
            return list(mistake.codes)
    return []


def _agrees(parts: Sequence[_Answers], cases: Sequence[_Case], *, loosely: bool = False) -> bool:
    """Whether a wrong solution, the product of ``parts``, gives what came, on calls that tell it from the right one.

    Left out are calls on which the learner's exponentials overflowed, or 0 log 0 was nan: those have a name of their own.
    Loosely, also calls on which either of the two raised.
    """
    told = 0
    for place, case in enumerate(cases):
        if case.overflowed or case.undefined:
            continue
        value = parts[0][place]
        for factor in parts[1:]:
            by = factor[place]
            with np.errstate(all="ignore"):
                value = None if value is None or by is None else np.asarray(value * by)
        if value is None or case.came is None:
            if (value is None) != (case.came is None) and not loosely:
                return False
            continue
        if value.shape != case.came.shape:
            return False
        with np.errstate(all="ignore"):
            if case.fits(value):
                if not case.right:
                    return False
                continue
            if case.right or not _near(case.came, value, case.due):
                return False
        told += 1
    return told >= (2 if loosely else 1)


def _near(got: Array, wrong: Array, right: Array) -> bool:
    """Whether what came is a wrong answer's: much nearer to it than that is to the right one."""
    finite = np.isfinite(wrong)
    if not np.array_equal(np.isfinite(got), finite):
        return False
    if not finite.all() and not np.array_equal(got[~finite], wrong[~finite], equal_nan=True):
        return False
    if not finite.any():
        return True
    size = max(1.0, float(np.abs(wrong[finite]).max()))
    apart = size
    if wrong.shape == right.shape and np.isfinite(right).all():
        apart = min(size, float(np.abs(wrong - right)[finite].max()))
    return float(np.abs(got - wrong)[finite].max()) <= max(NEARNESS * apart, 1e-14 * size)
