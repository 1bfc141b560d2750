"""Grade one submission: plain data in, a record in plain data out. The student's code runs in the sandbox only."""

import ast
import builtins
import copy
import hashlib
import symtable
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossentropy.exercises import Outcome, Problem
from crossentropy.exercises.judging import PROBLEMS
from crossentropy.grading import notebook, wire
from crossentropy.grading.assignment import Assignment, Question
from crossentropy.grading.rules import broken_rule, keys, renamed
from crossentropy.grading.sandbox import Limits, Lost, NoWalls, Run, Sandbox

STATUS = (
    "correct",
    "partial",
    "wrong",
    "unanswered",
    "missing",
    "forbidden",
    "error",
    "timeout",
    "crashed",
    "unreadable",
)
LONGEST_SOURCE = 100_000
# Bits.
LONGEST_DECIMAL = 4_000
TRIES = 2

Entry = dict[str, Any]
Record = dict[str, Any]


def record(
    student: str,
    assignment: Assignment,
    questions: Mapping[str, Entry],
    *,
    notes: Sequence[str] = (),
    answers: str = "",
) -> Record:
    """A student's record; the same for the same marks, whenever it is made."""
    return {
        "student": student,
        "assignment": assignment.name,
        "score": sum(entry["score"] for entry in questions.values()),
        "max": assignment.max,
        "questions": dict(questions),
        "notes": list(notes),
        "answers": answers,
    }


def without_answer(student: str, assignment: Assignment, status: str, message: str) -> Record:
    """A record for a submission that no question can be read from: no points, and the reason at every question."""
    return record(
        student,
        assignment,
        {question.grade_id: entry(question, 0, status, message) for question in assignment.questions},
        notes=[message],
    )


def entry(question: Question, score: int, status: str, message: str, **more: Any) -> Entry:
    assert status in STATUS
    return {
        "score": score,
        "max": question.marks.max,
        "status": status,
        "message": message,
        "misconceptions": [],
        "right": [],
        **more,
    }


def grade(
    student: str, data: bytes, assignment: Assignment, sandbox: Sandbox, *, limits: Limits | None = None
) -> Record:
    """The record of a submission whose notebook is ``data``. Whatever the bytes are, there is one."""
    try:
        found = notebook.cells(data)
    except notebook.Unreadable as error:
        return without_answer(student, assignment, "unreadable", str(error))
    notes: list[str] = []
    sources: dict[str, str | None] = {}
    for question in assignment.questions:
        sources[question.grade_id] = _source(question, found, notes)
    order = [cell.grade_id for cell in found if cell.grade_id in sources]
    if order != [name for name in sources if name in order] and len(set(order)) == len(order):
        notes.append("The cells stand in another order than in the assignment; they were graded in the assignment's.")
    parsed = {name: _parsed(source) for name, source in sources.items() if source is not None}
    entries = {
        question.grade_id: _kept(question, sources, parsed, assignment, sandbox, limits)
        for question in assignment.questions
    }
    stubs = {question.grade_id: question.stub for question in assignment.questions}
    answered = {
        name: notebook.normal(source)
        for name, source in sources.items()
        if source is not None and notebook.normal(source) != notebook.normal(stubs[name])
    }
    text = "\0".join(f"{name}\0{answered[name]}" for name in sorted(answered))
    answers = hashlib.sha256(text.encode("utf8", "surrogatepass")).hexdigest() if answered else ""
    return record(student, assignment, entries, notes=notes, answers=answers)


def _source(question: Question, found: Sequence[notebook.Cell], notes: list[str]) -> str | None:
    """The source of a question's cell: the last that holds an answer, where its id stands twice."""
    mine = [cell for cell in found if cell.grade_id == question.grade_id and cell.kind == "code"]
    if not mine:
        return None
    if len(mine) > 1:
        notes.append(
            f"The id {question.grade_id} stands at {len(mine)} cells; the last of them that holds an answer was graded."
        )
    return notebook.answer(mine, question.stub).source


@dataclass(frozen=True)
class _Parsed:
    """A cell that is Python: its text without IPython's own lines, its tree, the names it takes from outside."""

    text: str
    tree: ast.Module
    free: frozenset[str]


def _parsed(source: str) -> _Parsed | str:
    """A source's tree, or what is wrong with it."""
    if len(source) > LONGEST_SOURCE:
        return f"The cell is longer than {LONGEST_SOURCE} characters."
    problem = ""
    source = source.removeprefix("\ufeff")
    for text in (source, notebook.without_magics(source)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a student's invalid escape is not ours to warn of
                tree = ast.parse(text)
                return _Parsed(text, tree, _free(text, tree))
        except SyntaxError as error:
            problem = problem or f"The cell is no Python: {wire.clean(str(error.msg))}, line {error.lineno}."
        except Exception:  # a null byte, nesting beyond the parser's limits
            problem = problem or "The cell is no Python that can be read."
    return problem


def _kept(question: Question, *rest: Any) -> Entry:
    """An entry whatever happens: an error of ours costs this question, and neither the others nor the run."""
    try:
        return _entry(question, *rest)
    except NoWalls:
        raise
    except Exception as error:
        text = wire.clean(f"{type(error).__name__}: {error}")
        return entry(
            question, 0, "error", f"The grader itself failed on this answer ({text}). Please look at it by hand."
        )


def _entry(
    question: Question,
    sources: Mapping[str, str | None],
    parsed: Mapping[str, _Parsed | str],
    assignment: Assignment,
    sandbox: Sandbox,
    limits: Limits | None,
) -> Entry:
    source = sources[question.grade_id]
    if source is None:
        return entry(question, 0, "missing", f"The notebook has no code cell with the id {question.grade_id}.")
    if notebook.normal(source) == notebook.normal(question.stub):
        return entry(question, 0, "unanswered", "The cell is as it was handed out.")
    mine = parsed[question.grade_id]
    if isinstance(mine, str):
        return entry(question, 0, "error", mine)
    try:
        used = _used(question.grade_id, mine, parsed, assignment)
        both = ast.Module([*used.body, *mine.tree.body], [])
        mended = renamed(both, question.marks.forbid)
        setup = "\n".join(text for _, text in assignment.setup)
        if problem := broken_rule(mended, question.marks.forbid, setup):
            return entry(question, 0, "forbidden", f"The answer {wire.clean(problem)}.")
        first, text = _text(mended.body[: len(used.body)]), mine.text
        if mended is not both:
            text = _text(mended.body[len(used.body) :])
        cells = [*assignment.setup, ("used", first), (question.grade_id, text)]
    except RecursionError:
        return entry(question, 0, "error", "The cell is nested too deeply to be read.")
    limits = limits or Limits()
    if question.marks.seconds is not None:
        limits = Limits(question.marks.seconds, 4 * question.marks.seconds, limits.memory)
    calls = assignment.calls(question)
    for attempt in range(TRIES):
        try:
            run = sandbox.ask(cells, question.function, calls, forbidden=keys(question.marks.forbid), limits=limits)
            break
        except Lost as error:
            if attempt == TRIES - 1:
                return entry(
                    question, 0, "crashed", f"Not graded: {error}, {TRIES} times. The instructor can run this again."
                )
    return _judged(question, assignment, run, {name for name, _ in assignment.setup}, limits)


def _judged(question: Question, assignment: Assignment, run: Run, setup: set[str], limits: Limits) -> Entry:
    calls = assignment.calls(question)
    reply = run.reply
    trouble = [f"{problem}" for name, problem in reply.trouble if name not in setup]
    if reply.used:
        names = ", ".join(name.removeprefix("aten::") for name in reply.used)
        return entry(question, 0, "forbidden", f"The answer used {names}, which this question forbids.")
    if run.ending == "broken":
        return entry(question, 0, "error", f"The answer sent back something else than plain data: {run.reason}.")
    outcomes = list(reply.outcomes)
    ended = {
        "cpu": f"it used more than {limits.cpu:g} seconds of the processor",
        "time": f"it took longer than {limits.wall:g} seconds",
        "ended": "its process ended before it had answered",
        "failed": "its process ended before it had answered",
    }.get(run.ending, f"its process was ended by {run.ending}")
    late = run.ending in {"cpu", "time"}
    if question.marks.forbid and reply.loaded and reply.found and not reply.ended and not late:
        # Without its last word nobody knows whether the watch stood to the end. One that is late was stopped by us.
        return entry(question, 0, "crashed", f"There is no whole answer: {ended}.")
    if not outcomes:
        if reply.loaded and not reply.found:
            message = f"The cell defines no function {question.function}."
            return entry(question, 0, "error", " ".join([message, *(f"It raised {text}" for text in trouble[:1])]))
        return entry(question, 0, "timeout" if late else "crashed", f"There is no answer: {ended}.")
    missing = len(calls) - len(outcomes)
    outcomes += [Outcome(problem=Problem("timeout" if late else "raised", ended))] * missing
    blank = all(outcome.problem and outcome.problem.text.startswith("NotImplementedError") for outcome in outcomes)
    if blank:
        return entry(question, 0, "unanswered", "The function still raises NotImplementedError.")
    verdict = question.exercise.judge(calls, outcomes)
    score = question.marks.score(calls, outcomes, verdict)
    status = "correct" if verdict.passed else "partial" if score else "wrong"
    message = verdict.message
    if missing:
        message = f"{message} Not all inputs were answered: {ended}."
        status = status if score else "timeout" if late else "crashed"
    elif not verdict.passed and (
        raised := next(
            (outcome.problem for outcome in outcomes if outcome.problem and outcome.problem.kind == "raised"), None
        )
    ):
        message = f"{message} It said: {raised.text}"
        status = status if score or not all(outcome.problem for outcome in outcomes) else "error"
    failed = [failure.property for failure in verdict.failures]
    return entry(
        question, score, status, message, misconceptions=list(verdict.codes), right=list(verdict.right), failed=failed
    )


def _used(grade_id: str, mine: _Parsed, parsed: Mapping[str, _Parsed | str], assignment: Assignment) -> ast.Module:
    """What a question's cell stands on in the same student's other cells: only the statements that define what it uses, and what those use."""
    known = set(dir(builtins)) | _bound(mine.tree)
    for _, text in assignment.setup:
        known |= _bound(ast.parse(text))
    elsewhere: list[ast.stmt] = []
    future: list[ast.stmt] = []
    makers: dict[str, list[int]] = {}
    for name, other in parsed.items():
        if name == grade_id or isinstance(other, str):
            continue
        for statement in other.tree.body:
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                future.append(statement)
                continue
            for bound in _bound(ast.Module([statement], [])):
                makers.setdefault(bound, []).append(len(elsewhere))
            elsewhere.append(statement)
    taken: set[int] = set()
    waiting = set(mine.free) - known
    while waiting:
        known |= waiting
        found: set[str] = set()
        for index in {index for name in waiting for index in makers.get(name, [])} - taken:
            taken.add(index)
            part = ast.Module([elsewhere[index]], [])
            found |= _free(_text(part.body), part)
        waiting = found - known
    # What another cell takes from the future holds for its functions wherever they stand.
    return ast.Module([*(future if taken else []), *(elsewhere[index] for index in sorted(taken))], [])


class _InHex(ast.NodeTransformer):
    """Numbers so long that Python refuses to write them in decimals, in hexadecimals."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if type(node.value) is int and node.value.bit_length() > LONGEST_DECIMAL:
            return ast.Name(hex(node.value), ast.Load())
        return node


def _text(body: list[ast.stmt]) -> str:
    """Statements as a source."""
    return ast.unparse(_InHex().visit(copy.deepcopy(ast.Module(body, []))))


def _bound(tree: ast.Module) -> set[str]:
    """The names that a source binds at its top level."""
    made: set[str] = set()
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            made.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            made |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            made.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return made


def _free(text: str, tree: ast.Module) -> frozenset[str]:
    """The names that a source takes from outside, as Python's own compiler sees its scopes."""
    waiting = [symtable.symtable(text, "cell", "exec")]
    names: set[str] = set()
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        top = table.get_type() == "module"
        names |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (top or symbol.is_global())
        }
    return frozenset(names - _bound(tree))


assert set(PROBLEMS) >= {"raised", "timeout"}
