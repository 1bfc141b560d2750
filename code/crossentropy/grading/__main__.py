"""``python -m crossentropy.grading SUBMISSIONS --assignment NAME --out grades/``: grade a class."""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from crossentropy.grading import assignment as assignments
from crossentropy.grading import pool, report, submissions
from crossentropy.grading.assignment import Assignment
from crossentropy.grading.grade import Record, without_answer
from crossentropy.grading.sandbox import Limits, NoWalls, Walls

UNSAFE = """
!!! UNSAFE: --unsafe was given, so submissions run WITHOUT walls, under resource limits only.
!!! A submission can read your files, use your network and change grades. Never do this with work of people you do not trust.
"""
NOWHERE = """No safe place to run submissions was found on this machine: {reason}
The sandbox needs Linux (x86_64 or aarch64), and either root, or user namespaces for everybody, or podman or docker.
--unsafe grades without walls: a submission can then read and change whatever you can.
"""


# A day, and a terabyte: more is a slip of the keyboard.
LONGEST, LARGEST = 86_400, 2**20


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m crossentropy.grading",
        description="Grade a class. Submissions run in a sandbox, and are judged outside it.",
    )
    made.add_argument(
        "submissions", type=_path, help="a folder with a folder a student, or with notebooks; or a zip of either"
    )
    made.add_argument("--assignment", required=True, metavar="NAME", help="which assignment")
    made.add_argument("--assignments", metavar="DIR", help="where NAME/NAME.ipynb is (default: assignments)")
    made.add_argument("--out", required=True, type=_path, metavar="DIR", help="where grades.csv and the records go")
    made.add_argument(
        "--seed", help="the secret from which hidden inputs are drawn (default: the file seed beside the assignments)"
    )
    made.add_argument("--roster", type=Path, metavar="CSV", help="Canvas's export of its grade book, for canvas.csv")
    made.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    made.add_argument(
        "--seconds",
        type=float,
        default=Limits.cpu,
        help="processor time of a question (default: %(default)g); four times as much by the clock",
    )
    made.add_argument(
        "--memory",
        type=int,
        default=Limits.memory // 2**20,
        metavar="MB",
        help="memory of a question (default: %(default)s)",
    )
    made.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="grade on this Dask cluster")
    made.add_argument("--again", action="store_true", help="grade everybody again, whatever is there already")
    made.add_argument(
        "--walls",
        choices=["best", "namespaces", "container"],
        default="best",
        help="what keeps submissions in (default: namespaces, or a container where the kernel refuses them)",
    )
    made.add_argument("--unsafe", action="store_true", help="run submissions without a sandbox, if there is none")
    return made


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return Path(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit code: 0, 2 if not everybody could be graded, 130 if it was interrupted."""
    given = parser().parse_args(arguments)
    try:
        return run(given)
    except KeyboardInterrupt:
        print(
            f"\nStopped. What is graded is kept in {given.out}; the same command goes on from there.", file=sys.stderr
        )
        return 130
    except NoWalls as error:
        print(NOWHERE.format(reason=error), file=sys.stderr)
    except pool.NoCluster as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        # A full disc, a folder that was taken away.
        what = f"{error.filename!r}: " if error.filename else ""
        print(f"error: {what}{error.strerror or error}. What is graded is kept.", file=sys.stderr)
    return 2


def run(given: argparse.Namespace) -> int:
    """Check everything that was given, grade, write the reports.

    Raises:
        NoWalls, pool.NoCluster, OSError: if the grading cannot be done or written here.
    """
    try:
        place = assignments.folder(given.assignments)
        chosen = assignments.read(place, given.assignment, seed=given.seed)
        if given.workers is not None and given.workers < 1:
            raise ValueError(f"workers must be at least 1; got {given.workers}")
        if not 0 < given.seconds <= LONGEST or not 64 <= given.memory <= LARGEST:
            raise ValueError(f"seconds must be positive and at most {LONGEST}, and memory from 64 to {LARGEST} MB")
        roster = None if given.roster is None else report.read_roster(given.roster)
        found = submissions.find(
            given.submissions,
            chosen.name,
            stubs={question.grade_id: question.stub for question in chosen.questions},
            leave_out=given.out,
        )
        _prepare(given.out, given.submissions, [submission.student for submission in found])
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if chosen.seed == assignments.SAMPLE_SEED:
        print("note: no secret seed was found; the hidden inputs are the samples' public ones.", file=sys.stderr)
    limits = Limits(given.seconds, 4 * given.seconds, given.memory * 2**20)
    if given.unsafe:
        print(UNSAFE, file=sys.stderr)
    records, before = grade_all(
        found,
        chosen,
        given.out,
        limits,
        workers=given.workers,
        scheduler=given.scheduler,
        walls="none" if given.unsafe else given.walls,
        again=given.again,
    )
    moved = report.write_all(given.out, chosen, records, before, roster=roster)
    for student, old, new in moved:
        print(f"moved: {_shown(student)} {old} -> {new}")
    for student, others in report.duplicates(records).items():
        # Once a group, by its first.
        if student > min(others):
            continue
        print(f"same answers: {_shown(student)} and {', '.join(map(_shown, others))}")
    print(f"{len(records)} submissions; grades are in {_shown(os.fspath(given.out))}/grades.csv")
    return 0


def _prepare(out: Path, place: Path, students: Sequence[str]) -> None:
    """Make the folder for the grades, and see that files can be written there.

    Raises:
        ValueError: if they cannot, or if it would be taken for a submission.
    """
    mine, theirs = os.path.realpath(out), os.path.realpath(place)
    if mine == theirs or (Path(theirs) in Path(mine).parents and os.path.dirname(mine) != theirs):
        raise ValueError(f"out must not be the submissions or lie deep in them; got {os.fspath(out)!r}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise ValueError(
            f"out must be a folder that can be written, {error.strerror}; got {os.fspath(out)!r}"
        ) from error
    for path in report.files(out, students):
        if path.is_dir():
            raise ValueError(
                f"out must have a file or nothing where a file goes, and has a folder: {os.fspath(path)!r}"
            )


def _shown(student: str) -> str:
    return ascii(student)[1:-1]


def grade_all(
    found: Sequence[submissions.Submission],
    chosen: Assignment,
    out: Path,
    limits: Limits,
    *,
    workers: int | None,
    scheduler: str | None,
    walls: Walls,
    again: bool,
) -> tuple[list[Record], dict[str, Record]]:
    """Grade what is not graded yet, keep what is; returns all records, and the former ones of those that were graded anew."""
    records: dict[str, Record] = {}
    before: dict[str, Record] = {}
    tasks: list[pool.Task] = []
    keys: dict[str, str] = {}
    notes: dict[str, str] = {}
    ids = [question.grade_id for question in chosen.questions]
    for submission in found:
        name = submission.student
        data, refused = b"", ""
        try:
            data, notes[name] = submission.read()
        except submissions.Refused as error:
            refused = str(error)
        keys[name] = hashlib.sha256(
            json.dumps([hashlib.sha256(data).hexdigest(), refused, chosen.digest, limits.record()]).encode()
        ).hexdigest()
        known = report.stored(out, name)
        if known is not None and known["key"] == keys[name] and [*known["questions"]] == ids and not again:
            records[name] = known
            continue
        if known is not None:
            before[name] = known
        if refused:
            records[name] = pool.unreadable(name, chosen, refused) | {"key": keys[name]}
            report.save(out, records[name])
        else:
            tasks.append(pool.Task(name, partial(_data, submission)))
    if records and tasks:
        print(f"{len(records)} of {len(found)} were graded before, or cannot be read.", file=sys.stderr)
    bar = Bar(len(tasks))
    results = (
        _on_a_cluster(scheduler, tasks, chosen, limits=limits, walls=walls)
        if scheduler
        else pool.on_this_machine(tasks, chosen, limits=limits, walls=walls, workers=workers)
    )
    for task, record, failure in results:
        if record is None:
            record = without_answer(task.student, chosen, "crashed", failure)
        if notes.get(task.student):
            record["notes"] = [notes[task.student], *record["notes"]]
        lost = any(entry["message"].startswith("Not graded") for entry in record["questions"].values())
        # Without a key the next run grades it again.
        record["key"] = "" if lost else keys[task.student]
        report.save(out, record)
        records[task.student] = record
        bar.step()
    return [records[name] for name in sorted(records)], before


def _data(submission: submissions.Submission) -> bytes:
    """A notebook once more; of one that has changed since, the next run sees that its key is another."""
    try:
        return submission.read()[0]
    except (submissions.Refused, OSError):
        return b""


def _on_a_cluster(address: str, tasks: Sequence[pool.Task], chosen: Assignment, **given: Any) -> Iterator[pool.Result]:
    """The same, with one kind of error for a cluster that is not there.

    Raises:
        pool.NoCluster: if Dask is not installed, or nobody answers.
    """
    results = pool.on_a_cluster(address, tasks, chosen, **given)
    while True:
        try:
            result = next(results, None)
        except ModuleNotFoundError as error:
            raise pool.NoCluster(f"--scheduler needs {error.name}, which is not installed: make grading") from error
        except (OSError, ValueError) as error:
            raise pool.NoCluster(f"the scheduler at {address} cannot be reached: {error}") from error
        if result is None:
            return
        yield result


class Bar:
    """How far it is, and how long it may take, on standard error."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.start, self.told = total, 0, time.monotonic(), -1

    def step(self) -> None:
        self.done += 1
        tenth = 10 * self.done // self.total
        if not sys.stderr.isatty() and tenth == self.told:
            return
        self.told = tenth
        left = (time.monotonic() - self.start) / self.done * (self.total - self.done)
        full = 30 * self.done // self.total
        end = "\n" if not sys.stderr.isatty() or self.done == self.total else ""
        print(
            f"\r[{'#' * full}{'.' * (30 - full)}] {self.done}/{self.total}, about {left // 60:.0f}:{left % 60:02.0f} left ",
            end=end,
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
