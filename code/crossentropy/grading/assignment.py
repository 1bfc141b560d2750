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

from crossentropy.exercises import Call, Exercise, Outcome, Verdict
from crossentropy.exercises import names as exercise_names
from crossentropy.exercises.data import FOLDER, parse
from crossentropy.exercises.judging import PROBLEMS, PROPERTIES
from crossentropy.grading import notebook
from crossentropy.grading.rules import keys

# Without a seed of their own the samples are what they are called: anybody can draw their hidden inputs.
SAMPLE_SEED = "sample"
SEED_FILE = "seed"
EXERCISES = "exercises"


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

    def hold(self, exercise: Exercise) -> None:
        """Raise a ValueError if these marks contradict themselves or their exercise."""
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
    # The exercise's file, so that a worker on another machine needs none of the class.
    file: str

    @property
    def exercise(self) -> Exercise:
        return parse(self.marks.exercise, self.file)


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


def private(place: Path) -> dict[str, Path]:
    """The class's own exercises, by their names: ``exercises/*.toml`` in the folder of the assignments or beside it."""
    folders = [place / EXERCISES, place.parent / EXERCISES]
    # The book's own lie elsewhere: a folder of this name beside the samples is nobody's.
    found = next((sorted(path.glob("*.toml")) for path in folders if path.is_dir()), [])
    return {path.stem: path for path in found}


def _file(name: str, own: Mapping[str, Path]) -> str:
    """The file of an exercise, of the class or of the book.

    Raises:
        ValueError: if there is none of this name, or it cannot be read.
    """
    book = exercise_names()
    if name in own and name in book:
        raise ValueError(f"{own[name].name}: the book has an exercise of this name; choose another")
    if name not in own and name not in book:
        raise ValueError(f"name must be one of {', '.join([*book, *own])}; got {name!r}")
    path = own.get(name, FOLDER / f"{name}.toml")
    try:
        return path.read_text(encoding="utf8")
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error


def read(place: Path, name: str, *, seed: str | None = None) -> Assignment:
    """Read an assignment from its one source.

    Raises:
        ValueError: if the source is missing or a question in it is incomplete; names the cell.
    """
    path = source(place, name)
    record, rows = _rows(path)
    secret = seed_of(place, seed)
    own = private(place)
    setup: list[tuple[str, str]] = []
    questions: list[Question] = []
    open_cell: notebook.Cell | None = None
    for number, row in enumerate(rows):
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
            function, marks, file = _marks(cell.source, where, own)
            if marks.max != cell.nbgrader.get("points"):
                raise ValueError(
                    f"{where}: nbgrader's points are {cell.nbgrader.get('points')}, those of the check {marks.max}"
                )
            stub = notebook.without_solution(open_cell.source)
            questions.append(Question(open_cell.grade_id, function, marks, stub, open_cell.source, file))
            open_cell = None
        elif not questions and open_cell is None:
            setup.append((f"setup {len(setup) + 1}", cell.source))
    if open_cell is not None or not questions:
        raise ValueError(f"{path.name}: a solution cell without a test cell after it, or no question at all")
    if len({question.grade_id for question in questions}) != len(questions):
        raise ValueError(f"{path.name}: a grade_id stands twice")
    title = next((match[1] for row in rows if (match := re.match(r"# (.+)", notebook.text(row)))), name)
    # With another check, marks must be given anew.
    checks = [question.file for question in questions]
    digest = hashlib.sha256(json.dumps([record, secret, checks, _grader()], sort_keys=True).encode()).hexdigest()
    return Assignment(name, title, tuple(setup), tuple(questions), secret, digest)


def _rows(path: Path) -> tuple[Any, list[dict[str, Any]]]:
    """A source's record, and its cells, each with all that is asked of it below."""
    try:
        record = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} is no notebook that can be read: {error}") from error
    rows = record.get("cells") if isinstance(record, dict) else None
    if not isinstance(rows, list):
        raise ValueError(f"{path.name} is no notebook: it has no list of cells")
    for number, row in enumerate(rows):
        for key, kind in (("cell_type", str), ("source", str | list), ("metadata", dict)):
            if not isinstance(row, dict) or not isinstance(row.get(key), kind):
                raise ValueError(f"{path.name}, cell {number}: {key} is missing, or nothing that a notebook has there")
        if not isinstance(row["metadata"].get("nbgrader", {}), dict):
            raise ValueError(f"{path.name}, cell {number}: nbgrader's metadata must be a table")
    return record, rows


def _grader() -> str:
    """What the judge is made of; the reports do not count."""
    here = Path(__file__).parent
    files = [
        *(here / f"{name}.py" for name in ("zygote", "wire", "rules", "grade", "notebook", "assignment")),
        *sorted((here.parent / "exercises").glob("*.py")),
    ]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def _marks(text: str, where: str, own: Mapping[str, Path]) -> tuple[str, Marks, str]:
    """The call of ``mark`` in a test cell, read as data, with the function's name and the exercise's file."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ValueError(f"{where}: the test cell is no Python, {error.msg} in its line {error.lineno}") from error
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "mark"
    ]
    if len(calls) != 1 or len(calls[0].args) != 2 or not isinstance(calls[0].args[1], ast.Name):
        raise ValueError(f'{where}: a test cell needs one call of mark("exercise", function, points=...)')
    (call,) = calls
    try:
        name = ast.literal_eval(call.args[0])
        file = _file(name, own)
        given: dict[str, Any] = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        marks = marks_from(parse(name, file), **given)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error
    handed_out = notebook.without_hidden(text)
    if name in own and re.search(rf"\bcheck\(\s*[\"']{re.escape(name)}[\"']", handed_out):
        raise ValueError(
            f"{where}: students have no file of the class, so check knows no {name!r}; show them an example instead"
        )
    function = call.args[1]
    assert isinstance(function, ast.Name)
    return function.id, marks, file


def marks_from(
    exercise: Exercise,
    *,
    points: Mapping[str, int],
    partial: Mapping[str, int] | None = None,
    forbid: Sequence[str] = (),
    wrong: Sequence[tuple[str, int]] = (),
    seconds: float | None = None,
) -> Marks:
    """Marks from the arguments of ``mark``.

    Raises:
        ValueError: if they contradict themselves or the exercise.
    """
    keys(forbid)
    made = Marks(
        exercise.name,
        dict(points),
        dict(partial or {}),
        tuple(forbid),
        tuple((text, score) for text, score in wrong),
        seconds,
    )
    made.hold(exercise)
    return made
