"""Notebooks as bytes that may be anything: read their cells, or say in one line what is wrong. Nothing of them is run."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION.*?^[ \t]*### END SOLUTION[^\n]*\n?", re.DOTALL | re.MULTILINE)
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?^[ \t]*### END HIDDEN TESTS[^\n]*\n?", re.DOTALL | re.MULTILINE)
# What a line's place depends on.
MARKS = re.compile(r"\"\"\"|'''|[\"'#()\[\]{}]")
# nbgrader's own stub.
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
MOST_CELLS = 5_000


class Unreadable(ValueError):
    """These bytes are no notebook; the message says why, for the student."""


@dataclass(frozen=True)
class Cell:
    """A cell: "code" or another kind, its source, and what nbgrader's metadata says of it."""

    kind: str
    source: str
    nbgrader: dict[str, Any] = field(default_factory=dict)

    @property
    def grade_id(self) -> str | None:
        value = self.nbgrader.get("grade_id")
        return value if isinstance(value, str) else None

    @property
    def solution(self) -> bool:
        return self.nbgrader.get("solution") is True

    @property
    def grade(self) -> bool:
        return self.nbgrader.get("grade") is True


def cells(data: bytes) -> list[Cell]:
    """The cells of a notebook, in nbformat 4 or in the older ones with worksheets.

    Raises:
        Unreadable: if the bytes are no notebook.
    """
    try:
        record = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Unreadable("The file is no notebook: it is not text in UTF-8.") from error
    except RecursionError as error:
        raise Unreadable("The file is no notebook: its JSON is nested too deeply.") from error
    except ValueError as error:
        raise Unreadable("The file is no notebook: its JSON is broken.") from error
    if not isinstance(record, dict):
        raise Unreadable("The file is no notebook: it is JSON, but no object with cells.")
    rows = record.get("cells")
    if not isinstance(rows, list):
        sheets = record.get("worksheets")
        rows = (
            [row for sheet in sheets if isinstance(sheet, dict) for row in _listed(sheet.get("cells"))]
            if isinstance(sheets, list)
            else None
        )
    if rows is None:
        raise Unreadable("The file is no notebook: it has no list of cells.")
    if len(rows) > MOST_CELLS:
        raise Unreadable(f"The notebook has more than {MOST_CELLS} cells.")
    return [_cell(row) for row in rows if isinstance(row, dict)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _cell(row: dict[str, Any]) -> Cell:
    source = row.get("source", row.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    metadata = row.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    kind = row.get("cell_type")
    return Cell(
        kind if isinstance(kind, str) else "",
        source if isinstance(source, str) else "",
        nbgrader if isinstance(nbgrader, dict) else {},
    )


def without_solution(source: str) -> str:
    """A solution cell as the student gets it: each solution's region replaced by a stub that raises."""

    def stub(match: re.Match[str]) -> str:
        return "".join(f"{match[1]}{line}\n" for line in STUB.splitlines())

    return SOLUTION.sub(stub, source)


def without_hidden(source: str) -> str:
    """A test cell without its hidden checks."""
    return HIDDEN.sub("", source).rstrip("\n")


def student_version(record: dict[str, Any]) -> dict[str, Any]:
    """The notebook that students get, of the instructor's record: no solution, no hidden check, no output."""
    made: dict[str, Any] = json.loads(json.dumps(record))
    for cell in made["cells"]:
        cell["source"] = without_hidden(without_solution(text(cell))).rstrip("\n")
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return made


def text(cell: dict[str, Any]) -> str:
    """A cell's source, which nbformat keeps as a text or as lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def normal(source: str) -> str:
    """A source without the differences that no reader sees."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def without_magics(source: str) -> str:
    """IPython's own lines (%time, !ls, name?, t = %timeit, files = !ls) left out, for the parser of Python."""
    kept = []
    place = _Place()
    for line in source.splitlines():
        if place.between:
            bare = line.strip()
            if bare.startswith(("%", "!", "?")) or re.fullmatch(r"[\w.]+\?{1,2}", bare):
                line = line[: len(line) - len(line.lstrip())] + "pass"
            elif kept_in := re.match(r"(\s*)(\w[\w, ]*)=\s*[%!]", line):
                line = f"{kept_in[1]}{' = '.join(kept_in[2].replace(',', ' ').split())} = None"
        place.go_on(line)
        kept.append(line)
    return "\n".join(kept)


@dataclass
class _Place:
    """Where a line of Python begins: inside a text of several lines, brackets or a line that goes on, or between two statements."""

    quote: str = ""
    depth: int = 0
    continued: bool = False

    @property
    def between(self) -> bool:
        return not (self.quote or self.depth or self.continued)

    def go_on(self, line: str) -> None:
        at = 0
        self.continued = False
        while True:
            if self.quote:
                end = re.compile(rf"(?:\\.|[^\\])*?{self.quote}").match(line, at)
                if end is None:
                    # A short text ends with its line, unless that goes on.
                    self.continued = line.endswith("\\")
                    self.quote = self.quote if len(self.quote) == 3 or self.continued else ""
                    return
                at, self.quote = end.end(), ""
            found = MARKS.search(line, at)
            if found is None or found[0] == "#":
                self.continued = found is None and line.endswith("\\")
                return
            at = found.end()
            if found[0] in "([{":
                self.depth += 1
            elif found[0] in ")]}":
                self.depth = max(self.depth - 1, 0)
            else:
                self.quote = found[0]


def answer(found: Sequence[Cell], stub: str) -> Cell:
    """Of several cells with one id the last, in the notebook's order, that is not as it was handed out; the last if all are."""
    return ([cell for cell in found if normal(cell.source) != normal(stub)] or found)[-1]
