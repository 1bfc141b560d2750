"""An exercise as data: what is asked, on which inputs it is tried, and which mistakes are known. One TOML file each."""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from crossentropy.exercises.judging import Verdict

FOLDER = Path(__file__).parent
# The catalogue of misconceptions lies beside the exercises and is none.
CATALOGUE = "misconceptions"
# Kinds of arguments: what they may hold, and so how one like them is drawn.
KINDS = {"logits", "distribution", "log-probs", "labels", "index"}
# Beyond this a double's exponential is near its end; gradients are asked for below it only.
EXTREME = 300.0


@dataclass(frozen=True)
class Call:
    """One input on which a function is tried: plain tensors by the names of the arguments."""

    name: str
    arguments: Mapping[str, Tensor]
    wants_gradient: bool = False
    tolerance: float = 1e-8
    drawn: bool = False

    @property
    def extreme(self) -> bool:
        """Whether an entry is so large that its exponential leaves the range of doubles."""
        floats = [value for value in self.arguments.values() if value.is_floating_point()]
        return any(bool((value.abs() >= EXTREME).any()) for value in floats if value.numel())

    def __str__(self) -> str:
        return ", ".join(f"{name}={brief(value)}" for name, value in self.arguments.items())


@dataclass(frozen=True)
class Problem:
    """Why a call gave no tensor: ``kind`` is "raised", "none", "type" or "timeout"; ``text`` says more."""

    kind: str
    text: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a function made of one call.

    ``gradients`` holds one tensor for each floating-point argument of a call that wants them (None where nothing
    flowed back), ``arguments_after`` the arguments as the function left them.
    """

    value: Tensor | None = None
    problem: Problem | None = None
    gradients: Mapping[str, Tensor | None] = field(default_factory=dict)
    arguments_after: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Misconception:
    """A mistake with a name: ``explanation`` says what happens and how to mend it, ``read`` where the book takes it up."""

    code: str
    title: str
    explanation: str
    read: str


@dataclass(frozen=True)
class Mistake:
    """A wrong solution, by the codes of what is wrong with it; an expression or the body of a function.

    ``family`` says that it is one of many which differ in a number only.
    """

    codes: tuple[str, ...]
    wrong: str
    family: bool = False


@dataclass(frozen=True)
class Exercise:
    """One exercise, as its file has it.

    ``arguments`` gives the kind of each argument, ``reference`` the right answer as a Python expression of them.
    ``factors`` are mistakes that only scale the answer, by their code: they are also recognised on top of another one.
    """

    name: str
    title: str
    chapter: str
    signature: str
    statement: str
    arguments: Mapping[str, str]
    reference: str
    gradient: bool
    tolerance: float
    properties: tuple[str, ...]
    public: tuple[Call, ...]
    mistakes: tuple[Mistake, ...]
    factors: Mapping[str, str]
    behaviours: tuple[str, ...]
    misconceptions: Mapping[str, Misconception]

    @property
    def example(self) -> Call:
        """The first call, which the learner sees."""
        return self.public[0]

    def calls(self, seed: int | None = None) -> list[Call]:
        """The public calls, from the smallest to the most extreme; with a seed, hidden ones of the same kinds."""
        if seed is None:
            return list(self.public)
        generator = torch.Generator().manual_seed(seed)
        return [self._draw(call, generator) for call in self.public]

    def answer(self, call: Call, expression: str | None = None) -> Tensor | None:
        """What the reference, or another expression of the file, gives; None where it raises."""
        return evaluate(expression or self.reference, call.arguments)

    def judge(self, calls: Sequence[Call], outcomes: Sequence[Outcome]) -> "Verdict":
        """Judge what a function made of ``calls``, one outcome a call; runs nothing of the learner's."""
        # Judging needs this module; here it is needed at last.
        from crossentropy.exercises.judging import judge

        return judge(self, calls, outcomes)

    def _draw(self, call: Call, generator: torch.Generator) -> Call:
        """A call like this one: its classes in another order, its numbers moved a little."""
        wide = max((value for name, value in call.arguments.items() if self.arguments[name] != "index"), key=Tensor.dim)
        size = wide.shape[-1]
        order = torch.randperm(size, generator=generator)
        arguments = {}
        for name, value in call.arguments.items():
            kind = self.arguments[name]
            if kind == "index":
                # A negative index is none, but a mark: it stays.
                arguments[name] = torch.where(value < 0, value, order.argsort()[value.clamp(min=0)])
                continue
            if value.dim() and value.shape[-1] == size:
                value = value[..., order]
            noise = torch.rand(value.shape, generator=generator, dtype=torch.float64) * 0.6 - 0.3
            if kind == "logits":
                value = value + noise
            elif kind == "distribution":
                value = value * noise.exp()
                value = value / value.sum(dim=-1, keepdim=True)
            elif kind == "log-probs":
                value = value * noise.exp()
            arguments[name] = value
        return Call(f"{call.name}, drawn", arguments, call.wants_gradient, call.tolerance, drawn=True)


def evaluate(source: str, arguments: Mapping[str, Tensor]) -> Tensor | None:
    """The value of an expression, or of a function's body, of the given arguments; None where it raises.

    Only the book's own files come here, and a class's: they are trusted as its code is.
    """
    try:
        with torch.enable_grad():
            value = _compiled(source, tuple(arguments))(**arguments)
    except (RuntimeError, ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError):
        return None
    return value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.float64)


@cache
def _compiled(source: str, names: tuple[str, ...]) -> Any:
    body = source.strip()
    if "return " not in body:
        body = f"return ({body})"
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    space: dict[str, Any] = {"torch": torch, "F": F, "math": math}
    exec(f"def f({', '.join(names)}):\n{lines}", space)
    return space["f"]


def brief(value: Tensor) -> str:
    """A tensor as a learner would type it, to four digits; the middle of a long one left out."""

    def spell(entry: Any) -> str:
        if isinstance(entry, list):
            shown = [spell(item) for item in (entry if len(entry) <= 6 else [*entry[:3], ..., *entry[-2:]])]
            return f"[{', '.join(shown)}]"
        if entry is ...:
            return "..."
        return f"{entry:.4g}" if isinstance(entry, float) else str(entry)

    # An empty tensor may have an axis of any length: nobody wants that many brackets.
    return spell(value.detach().tolist()) if value.numel() else "[]"


def names() -> tuple[str, ...]:
    """The names of all exercises."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml") if path.stem != CATALOGUE))


def load(name: str) -> Exercise:
    """The exercise of this name.

    Raises:
        ValueError: if there is none; the message lists those that there are.
    """
    if name not in names():
        raise ValueError(f"name must be one of {', '.join(names())}; got {name!r}")
    return _read(FOLDER / f"{name}.toml")


@cache
def _read(path: Path) -> Exercise:
    return read(path)


@cache
def catalogue() -> dict[str, Misconception]:
    """Every misconception that more than one exercise may name, by its code."""
    path = FOLDER / f"{CATALOGUE}.toml"
    return _misconceptions(path, tomllib.loads(path.read_text(encoding="utf8")))


def read(path: Path) -> Exercise:
    """Read an exercise's file.

    Raises:
        ValueError: if something in it is missing, unknown or contradicts itself; names the file and the key.
    """
    try:
        text = path.read_text(encoding="utf8")
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    return parse(path.stem, text)


# What stands under a key, where it is no text.
TYPES = {"arguments": dict, "gradient": bool, "tolerance": float, "calls": list, "mistakes": list, "factors": dict, "misconceptions": dict, "properties": list}  # fmt: skip


@cache
def parse(name: str, text: str) -> Exercise:
    """The exercise of this name that a file's text describes.

    Raises:
        ValueError: as ``read``.
    """
    # Judging needs this module; here it is needed at last.
    from crossentropy.exercises.judging import PROPERTIES

    path = Path(f"{name}.toml")
    try:
        record = tomllib.loads(text)
    except ValueError as error:
        raise ValueError(f"{path.name} is no TOML: {error}") from error

    def take(key: str, default: Any = None) -> Any:
        value = record.pop(key, default)
        if value is None:
            raise ValueError(f"{path.name} lacks {key}")
        if not isinstance(value, kind := TYPES.get(key, str)):
            raise ValueError(f"{path.name}: {key} must be of the type {kind.__name__}; got {value!r}")
        return value

    arguments = take("arguments")
    if unknown := [kind for kind in arguments.values() if not isinstance(kind, str) or kind not in KINDS]:
        raise ValueError(f"{path.name}: arguments must be of the kinds {', '.join(sorted(KINDS))}; got {unknown[0]!r}")
    properties = take("properties", [])
    if strange := [entry for entry in properties if entry not in list(PROPERTIES)]:
        raise ValueError(f"{path.name}: properties must be of {', '.join(PROPERTIES)}; got {strange[0]!r}")
    gradient, tolerance = take("gradient", False), take("tolerance", 1e-8)
    calls = tuple(_call(path, row, arguments, gradient, tolerance) for row in take("calls"))
    mistakes = tuple(mistake for row in take("mistakes", []) for mistake in _mistakes(path, row))
    factors = take("factors", {})
    kinds = set(arguments.values())
    behaviours = ["hard-coded", "input-modified"]
    behaviours += ["detached"] * gradient + ["unshifted-exponential"] * ("logits" in kinds)
    behaviours += ["zero-log-zero"] * ("distribution" in kinds)
    known = {**catalogue(), **_misconceptions(path, take("misconceptions", {}))}
    codes = [*behaviours, *factors, *(code for mistake in mistakes for code in mistake.codes)]
    if missing := [code for code in codes if code not in known]:
        raise ValueError(
            f"{path.name}: the misconception {missing[0]!r} is explained neither here nor in {CATALOGUE}.toml"
        )
    exercise = Exercise(
        name=name,
        title=take("title"),
        chapter=take("chapter"),
        signature=take("signature"),
        statement=take("statement"),
        arguments=arguments,
        reference=take("reference"),
        gradient=gradient,
        tolerance=tolerance,
        properties=tuple(properties),
        public=calls,
        mistakes=mistakes,
        factors=factors,
        behaviours=tuple(behaviours),
        misconceptions={code: known[code] for code in dict.fromkeys(codes)},
    )
    if record:
        raise ValueError(f"{path.name}: unknown key {next(iter(record))!r}")
    for call in calls:
        try:
            answer = exercise.answer(call)
        except Exception as error:
            raise ValueError(f"{path.name}: the reference fails on the call {call.name!r}: {error}") from error
        if answer is None:
            raise ValueError(f"{path.name}: the reference fails on the call {call.name!r}")
    return exercise


def _call(path: Path, row: dict[str, Any], kinds: Mapping[str, str], gradient: bool, tolerance: float) -> Call:
    if not isinstance(row, dict):
        raise ValueError(f"{path.name}: calls must be tables; got {row!r}")
    values = {key: row[key] for key in kinds if key in row}
    if set(kinds) != set(values) or set(row) - set(kinds) - {"name", "tolerance"} or "name" not in row:
        raise ValueError(f"{path.name}: each call needs name, {', '.join(kinds)}; got {', '.join(row)}")
    tensors = {}
    for key, value in values.items():
        try:
            tensors[key] = torch.tensor(value, dtype=torch.int64 if kinds[key] == "index" else torch.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"{path.name}: {key} of the call {row['name']!r} is no table of numbers, {error}"
            ) from error
    call = Call(row["name"], tensors, gradient, row.get("tolerance", tolerance))
    return Call(call.name, tensors, gradient and not call.extreme, call.tolerance)


def _mistakes(path: Path, row: dict[str, Any]) -> Iterable[Mistake]:
    if not isinstance(row, dict) or set(row) - {"epsilons"} != {"codes", "wrong"} or not isinstance(row["codes"], list):
        raise ValueError(f"{path.name}: mistakes need codes, a list, and wrong; got {', '.join(row)}")
    for wrong in [row["wrong"]] if isinstance(row["wrong"], str) else row["wrong"]:
        for epsilon in row.get("epsilons", [None]):
            filled = wrong if epsilon is None else wrong.replace("EPSILON", repr(epsilon))
            yield Mistake(tuple(row["codes"]), filled, epsilon is not None)


def _misconceptions(path: Path, record: Mapping[str, Any]) -> dict[str, Misconception]:
    for code, texts in record.items():
        if not isinstance(texts, dict) or set(texts) != {"title", "explanation", "read"}:
            raise ValueError(
                f"{path.name}: misconceptions need title, explanation and read; {code!r} does not have them"
            )
    return {code: Misconception(code, **texts) for code, texts in record.items()}
