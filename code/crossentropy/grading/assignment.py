"""An assignment, as the instructor's own copy has it: questions, points, checks. Nothing here comes from a submission."""

import ast
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossentropy.exercises import Call, Exercise, Outcome, Verdict, load
from crossentropy.exercises.judging import PROBLEMS, PROPERTIES
from crossentropy.grading import notebook
from crossentropy.grading.rules import keys

# Without a seed of their own the samples are what they are called: anybody can draw their hidden inputs.
SAMPLE_SEED = "sample"
SEED_FILE = "seed"


@dataclass(frozen=True)
class Marks:
    """A check as data: what ``mark`` in a test cell is called with, and all that the grader needs.

    ``points`` gives each property its points; the definition is the gate to all others. ``partial`` gives points to an answer
    that is wrong by a mistake with this code. ``forbid`` names what may not be used; ``wrong`` lists wrong solutions with their score.
    """

    exercise: str
    points: Mapping[str, int]
    partial: Mapping[str, int] = field(default_factory=dict)
    forbid: tuple[str, ...] = ()
    wrong: tuple[tuple[str, int], ...] = ()
    seconds: float | None = None

    def __post_init__(self) -> None:
        exercise = load(self.exercise)
        if "definition" not in self.points or set(self.points) - set(PROPERTIES):
            raise ValueError(
                f"points must name the definition and other properties of {', '.join(PROPERTIES)}; got {', '.join(self.points)}"
            )
        if unknown := set(self.partial) - set(exercise.misconceptions):
            raise ValueError(f"partial must name misconceptions of {self.exercise}; got {unknown.pop()!r}")
        if not all(type(value) is int and value >= 0 for value in [*self.points.values(), *self.partial.values()]):
            raise ValueError("points and partial must be whole numbers, not negative")

    @property
    def max(self) -> int:
        return sum(self.points.values())

    def score(self, calls: Sequence[Call], outcomes: Sequence[Outcome], verdict: Verdict) -> int:
        """Points for what came. Full marks need a verdict without a failure."""
        if verdict.passed:
            return self.max
        failed = {failure.property for failure in verdict.failures} - set(PROBLEMS)
        for call, outcome in zip(calls, outcomes, strict=True):
            if outcome.problem:
                failed.add("stable" if call.extreme else "definition")
        if "definition" in failed or not any(outcome.value is not None for outcome in outcomes):
            return max((self.partial.get(code, 0) for code in verdict.codes), default=0)
        earned = sum(points for name, points in self.points.items() if name not in failed)
        # What has no points of its own costs one all the same.
        return max(0, min(earned - (1 if failed - set(self.points) else 0), self.max - 1))


@dataclass(frozen=True)
class Question:
    """A solution cell and the marks that follow it."""

    grade_id: str
    function: str
    marks: Marks
    stub: str
    solution: str

    @property
    def exercise(self) -> Exercise:
        return load(self.marks.exercise)


@dataclass(frozen=True)
class Assignment:
    """The questions of one notebook in their order, and the cells that stand before them."""

    name: str
    title: str
    setup: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...]
    seed: str
    digest: str

    @property
    def max(self) -> int:
        return sum(question.marks.max for question in self.questions)

    def calls(self, question: Question) -> list[Call]:
        """The public inputs, then hidden ones that hang on the instructor's seed and on nothing that a student knows."""
        text = f"{self.seed}\0{self.name}\0{question.grade_id}"
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        return [*question.exercise.calls(), *question.exercise.calls(seed=number)]


def folder(given: str | os.PathLike[str] | None = None) -> Path:
    """Where the assignments are: ``given``, else ``assignments`` here, else the book's own samples.

    Raises:
        ValueError: if there are none.
    """
    places = (
        [Path(given), Path(given) / "assignments"]
        if given is not None
        else [Path("assignments"), Path(__file__).parents[3] / "assignments"]
    )
    for place in places:
        if any(place.glob("*/*.ipynb")):
            return place
    raise ValueError(f"assignments must be a folder with NAME/NAME.ipynb in it; none in {', '.join(map(str, places))}")


def names(place: Path) -> tuple[str, ...]:
    """The names of the assignments in a folder."""
    return tuple(sorted(path.parent.name for path in place.glob("*/*.ipynb") if path.stem == path.parent.name))


def source(place: Path, name: str) -> Path:
    """The source of one assignment.

    Raises:
        ValueError: if there is none of this name; lists those that there are.
    """
    if name not in names(place):
        raise ValueError(f"assignment must be one of {', '.join(names(place))}; got {name!r}")
    return place / name / f"{name}.ipynb"


def seed_of(place: Path, text: str | None = None) -> str:
    """The instructor's secret seed: the given text, else the file ``seed`` in the folder or beside it, else the samples' public one."""
    if text is not None:
        return text
    for path in (place / SEED_FILE, place.parent / SEED_FILE):
        if path.is_file():
            return path.read_text(encoding="utf8").strip()
    return SAMPLE_SEED


def read(place: Path, name: str, *, seed: str | None = None) -> Assignment:
    """Read an assignment from its one source.

    Raises:
        ValueError: if the source is missing or a question in it is incomplete; names the cell.
    """
    path = source(place, name)
    record = json.loads(path.read_text(encoding="utf8"))
    secret = seed_of(place, seed)
    setup: list[tuple[str, str]] = []
    questions: list[Question] = []
    open_cell: notebook.Cell | None = None
    for number, row in enumerate(record["cells"]):
        cell = notebook.Cell(row["cell_type"], notebook.text(row), row["metadata"].get("nbgrader", {}))
        where = f"{path.name}, cell {number}"
        if cell.kind != "code":
            continue
        if cell.solution:
            if open_cell is not None:
                raise ValueError(f"{where}: two solution cells without a test cell between them")
            open_cell = cell
        elif cell.grade:
            if open_cell is None or open_cell.grade_id is None:
                raise ValueError(f"{where}: a test cell without a solution cell before it")
            function, marks = _marks(cell.source, where)
            if marks.max != cell.nbgrader.get("points"):
                raise ValueError(
                    f"{where}: nbgrader's points are {cell.nbgrader.get('points')}, those of the check {marks.max}"
                )
            stub = notebook.without_solution(open_cell.source)
            questions.append(Question(open_cell.grade_id, function, marks, stub, open_cell.source))
            open_cell = None
        elif not questions and open_cell is None:
            setup.append((f"setup {len(setup) + 1}", cell.source))
    if open_cell is not None or not questions:
        raise ValueError(f"{path.name}: a solution cell without a test cell after it, or no question at all")
    if len({question.grade_id for question in questions}) != len(questions):
        raise ValueError(f"{path.name}: a grade_id stands twice")
    title = next((match[1] for row in record["cells"] if (match := re.match(r"# (.+)", notebook.text(row)))), name)
    digest = hashlib.sha256(
        json.dumps([record, secret, _exercises(questions), _grader()], sort_keys=True).encode()
    ).hexdigest()
    return Assignment(name, title, tuple(setup), tuple(questions), secret, digest)


def _exercises(questions: Sequence[Question]) -> list[str]:
    """The files of the exercises: with another check, marks must be given anew."""
    here = Path(__file__).parent.parent / "exercises"
    return [
        hashlib.sha256((here / f"{question.marks.exercise}.toml").read_bytes()).hexdigest() for question in questions
    ]


def _grader() -> str:
    """What the judge is made of; the reports do not count."""
    here = Path(__file__).parent
    files = [
        *(here / f"{name}.py" for name in ("zygote", "wire", "rules", "grade", "notebook", "assignment")),
        *sorted((here.parent / "exercises").glob("*.py")),
    ]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def _marks(text: str, where: str) -> tuple[str, Marks]:
    """The call of ``mark`` in a test cell, read as data."""
    calls = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "mark"
    ]
    if len(calls) != 1 or len(calls[0].args) != 2 or not isinstance(calls[0].args[1], ast.Name):
        raise ValueError(f'{where}: a test cell needs one call of mark("exercise", function, points=...)')
    (call,) = calls
    try:
        exercise = ast.literal_eval(call.args[0])
        given: dict[str, Any] = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        marks = marks_from(exercise, **given)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error
    function = call.args[1]
    assert isinstance(function, ast.Name)
    return function.id, marks


def marks_from(
    exercise: str,
    *,
    points: Mapping[str, int],
    partial: Mapping[str, int] | None = None,
    forbid: Sequence[str] = (),
    wrong: Sequence[tuple[str, int]] = (),
    seconds: float | None = None,
) -> Marks:
    """Marks from the arguments of ``mark``."""
    keys(forbid)
    return Marks(
        exercise,
        dict(points),
        dict(partial or {}),
        tuple(forbid),
        tuple((text, score) for text, score in wrong),
        seconds,
    )
