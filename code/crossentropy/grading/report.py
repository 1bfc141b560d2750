"""What comes of the records: the grade book, a page a student, a page for the class, and whose marks moved. Each file is written whole or not at all."""

import csv
import hashlib
import html
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossentropy.grading.assignment import Assignment
from crossentropy.grading.grade import Record

LONGEST_NAME = 255
FORMULA = re.compile(r" *[=+\-@\t\r]")
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
# What a student is found by, but for the name.
KEYS = ("SIS Login ID", "SIS User ID", "ID")
# What a record and the entry of a question hold; a list holds texts.
RECORD = {"student": str, "score": int, "max": int, "questions": dict, "notes": list, "answers": str, "key": str}
ENTRY = {"score": int, "max": int, "status": str, "message": str, "misconceptions": list, "right": list}
STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
section { border-left: .3rem solid; padding-left: 1rem; margin: 1.5rem 0; } svg, img { max-width: 100%; height: auto; }
"""


def write(path: Path, text: str) -> None:
    """Write a file so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.parent / f".writing-{os.getpid()}"
    data = text.encode("utf8", "backslashreplace")
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        # A full disc, a folder of this name: whoever makes room finds no half of it.
        draft.unlink(missing_ok=True)
        raise


def file_name(student: str, ending: str) -> str:
    """``<student><ending>``; a name that is no file's, or too long for one, is told apart from all others by its digest."""
    # A zip's names may hold what no file's name can.
    safe = student.replace("/", "_").replace("\0", "_")
    # A student whose name looks like one with a digest gets another digest: then no two are alike.
    if safe == student and len(os.fsencode(safe + ending)) <= LONGEST_NAME and not re.search(r"-[0-9a-f]{12}$", safe):
        return safe + ending
    digest = hashlib.sha256(student.encode("utf8", "surrogateescape")).hexdigest()[:12]
    cut = os.fsencode(safe)[: LONGEST_NAME - len(ending) - 13]
    return f"{os.fsdecode(cut)}-{digest}{ending}"


def save(out: Path, record: Record) -> None:
    """One student's record."""
    write(out / file_name(record["student"], ".json"), json.dumps(record, indent=1) + "\n")


def files(out: Path, students: Iterable[str]) -> Iterator[Path]:
    """Where a run writes."""
    yield from (out / name for name in ("grades.csv", "canvas.csv", "report.html", "moved.csv"))
    for student in students:
        yield out / file_name(student, ".json")
        yield out / "feedback" / file_name(student, ".html")


def stored(out: Path, student: str) -> Record | None:
    """The record of an earlier run, if there is a whole one: somebody may have written into it by hand."""
    try:
        record: Any = json.loads((out / file_name(student, ".json")).read_text(encoding="utf8"))
    except (OSError, ValueError, RecursionError):
        return None
    whole = _fits(record, RECORD) and all(_fits(entry, ENTRY) for entry in record["questions"].values())
    return record if whole and record["student"] == student else None


def _fits(value: Any, kinds: Mapping[str, type]) -> bool:
    return isinstance(value, dict) and all(
        type(value.get(key)) is kind and (kind is not list or all(type(item) is str for item in value[key]))
        for key, kind in kinds.items()
    )


def _table(rows: Sequence[Sequence[Any]]) -> str:
    """Rows as CSV, its lines ended as the standard says; the writer then quotes either of the two characters."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_plain(cell) for cell in row] for row in rows)
    return text.getvalue()


def _plain(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula, whatever a student is called."""
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def write_all(
    out: Path,
    assignment: Assignment,
    records: Sequence[Record],
    before: Mapping[str, Record],
    *,
    roster: Sequence[Mapping[str, str]] | None = None,
) -> list[tuple[str, int, int]]:
    """Every report on the records; returns the students whose marks moved since ``before``, with both scores."""
    records = sorted(records, key=lambda record: record["student"])
    same = duplicates(records)
    ids = [question.grade_id for question in assignment.questions]
    rows: list[list[Any]] = [["student", "score", "max", *ids, "status", "same answers as"]]
    for record in records:
        entries = record["questions"]
        told = "; ".join(f"{name}: {entries[name]['status']}" for name in ids)
        rows.append(
            [
                record["student"],
                record["score"],
                record["max"],
                *(entries[name]["score"] for name in ids),
                told,
                "; ".join(same.get(record["student"], [])),
            ]
        )
    write(out / "grades.csv", _table(rows))
    write(out / "canvas.csv", canvas(assignment, records, roster))
    for record in records:
        write(out / "feedback" / file_name(record["student"], ".html"), feedback(assignment, record))
    write(out / "report.html", class_report(assignment, records, same))
    moved = [
        (record["student"], before[record["student"]]["score"], record["score"])
        for record in records
        if record["student"] in before and before[record["student"]]["score"] != record["score"]
    ]
    if before:
        write(out / "moved.csv", _table([["student", "before", "after"], *moved]))
    return moved


def read_roster(path: Path) -> list[dict[str, str]]:
    """The students' rows of Canvas's export of its grade book.

    Raises:
        ValueError: if it cannot be read, or is something else; says what is missing.
    """
    try:
        if not path.is_file():
            path.stat()
            raise ValueError(f"roster must be a file; got {os.fspath(path)!r}")
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            rows, columns = list(table), table.fieldnames or []
    except OSError as error:
        raise ValueError(f"roster cannot be read, {error.strerror}; got {os.fspath(path)!r}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"roster must be CSV in UTF-8, as Canvas exports it; got {os.fspath(path)!r}") from error
    if not set(KEYS) & set(columns):
        raise ValueError(f"roster must have one of the columns {', '.join(KEYS)}; got {', '.join(columns) or 'none'}")
    known = [row for row in rows if any(row.get(key) for key in KEYS)]
    if not known:
        raise ValueError(f"roster has no row with a {' or '.join(KEYS)}: nobody could be found in it")
    return known


def canvas(assignment: Assignment, records: Sequence[Record], roster: Sequence[Mapping[str, str]] | None) -> str:
    """The grade book as Canvas imports it. With a roster (Canvas's own export) its rows are kept, and found by login, id or name."""
    head = [*CANVAS, assignment.title]
    points: list[Any] = ["    Points Possible", "", "", "", "", assignment.max]
    scores = {record["student"]: record["score"] for record in records}
    if roster is None:
        return _table([head, points, *([student, "", "", student, "", score] for student, score in scores.items())])
    rows = []
    for row in roster:
        student = next((row[key] for key in (*KEYS, "Student") if row.get(key) in scores), None)
        rows.append([*(row.get(key) or "" for key in CANVAS), "" if student is None else scores[student]])
    return _table([head, points, *rows])


def duplicates(records: Sequence[Record]) -> dict[str, list[str]]:
    """For each student whose answers are exactly another's: the others."""
    by_answers: dict[str, list[str]] = {}
    for record in records:
        if record["answers"]:
            by_answers.setdefault(record["answers"], []).append(record["student"])
    return {
        student: [other for other in group if other != student]
        for group in by_answers.values()
        if len(group) > 1
        for student in group
    }


def _page(title: str, body: str) -> str:
    return f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n<h1>{html.escape(title)}</h1>\n{body}</html>\n'


def feedback(assignment: Assignment, record: Record) -> str:
    """A student's page: what was right, which misconception it was, where to read on. Says nothing of hidden inputs."""
    parts = [f"<p>{html.escape(record['student'])}: {record['score']} of {record['max']} points.</p>\n"]
    parts += [f"<p>{html.escape(note)}</p>\n" for note in record["notes"]]
    for question in assignment.questions:
        entry = record["questions"][question.grade_id]
        lines = [
            f"<h2>{html.escape(question.exercise.title)}: {entry['score']} of {entry['max']}, {entry['status']}</h2>",
            f"<p>{html.escape(entry['message'])}</p>",
        ]
        if entry["right"]:
            lines.append(f"<p>What was right: the answer {html.escape('; '.join(entry['right']))}.</p>")
        for code in entry["misconceptions"]:
            known = question.exercise.misconceptions.get(code)
            if known:
                lines.append(
                    f"<p><strong>{html.escape(known.title)}</strong>. Read on: chapter {html.escape(known.read)}.</p>"
                )
        if not entry["misconceptions"] and entry["status"] != "correct":
            lines.append(f"<p>Read on: chapter {html.escape(question.exercise.chapter)}.</p>")
        parts.append(f"<section>{''.join(lines)}</section>\n")
    return _page(assignment.title, "".join(parts))


def counts(assignment: Assignment, records: Sequence[Record]) -> dict[str, Counter[str]]:
    """For each question how many answers had which misconception."""
    return {
        question.grade_id: Counter(
            code
            for record in records
            for code in record["questions"][question.grade_id]["misconceptions"]
            if code in question.exercise.misconceptions
        )
        for question in assignment.questions
    }


def class_report(assignment: Assignment, records: Sequence[Record], same: Mapping[str, Sequence[str]]) -> str:
    """The class's page: how many points, which misconceptions, who handed in the same."""
    from crossentropy.plots.grading import misconception_counts

    found = counts(assignment, records)
    parts = [
        f"<p>{len(records)} submissions.</p>\n<table><tr><th>Question</th><th>Mean</th><th>Max</th><th>Statuses</th></tr>"
    ]
    for question in assignment.questions:
        entries = [record["questions"][question.grade_id] for record in records]
        mean = sum(entry["score"] for entry in entries) / max(len(entries), 1)
        told = ", ".join(
            f"{count} {status}" for status, count in sorted(Counter(entry["status"] for entry in entries).items())
        )
        parts.append(
            f"<tr><td>{html.escape(question.grade_id)}</td><td>{mean:.2f}</td><td>{question.marks.max}</td><td>{told}</td></tr>"
        )
    parts.append("</table>\n<h2>Misconceptions</h2>\n")
    if any(found.values()):
        parts.append(misconception_counts(found).to_html())
        for grade_id, codes in found.items():
            exercise = next(question.exercise for question in assignment.questions if question.grade_id == grade_id)
            for code, count in sorted(codes.items(), key=lambda pair: (-pair[1], pair[0])):
                known = exercise.misconceptions[code]
                parts.append(
                    f"<p>{html.escape(grade_id)}, {count} times: <strong>{html.escape(known.title)}</strong>. {html.escape(known.explanation)}</p>\n"
                )
    else:
        parts.append("<p>None was recognised.</p>\n")
    groups = sorted({tuple(sorted([student, *others])) for student, others in same.items()})
    if groups:
        parts.append(
            "<h2>The same answers, character for character</h2>\n<ul>"
            + "".join(f"<li>{html.escape(', '.join(group))}</li>" for group in groups)
            + "</ul>\n"
        )
    return _page(f"{assignment.title}: the class", "".join(parts))
