"""Submissions graded in a given time: ours against nbgrader's autograde, on the same class, on the same cores, in one run.

Both begin cold, as somebody types them. nbgrader grades one submission after the other; so that both have all cores, the class is
split into one nbgrader course a core, and these run side by side.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ratio import Ratio, seconds

from crossentropy.grading import notebook
from crossentropy.grading.pool import cores

ROOT = Path(__file__).resolve().parent.parent
# Three questions, each with torch.
NAME = "ngram-project"
OURS, THEIRS = 120, 3


def hand_in(place: Path, students: Sequence[str], *, below: str = "") -> None:
    """Everybody hands in the solution."""
    source = json.loads((ROOT / "assignments" / NAME / f"{NAME}.ipynb").read_text(encoding="utf8"))
    made: dict[str, Any] = notebook.student_version(source)
    for cell, solved in zip(made["cells"], source["cells"], strict=True):
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = solved["source"]
    for student in students:
        folder = place / student / below
        folder.mkdir(parents=True)
        (folder / f"{NAME}.ipynb").write_text(json.dumps(made), encoding="utf8")


def ours(place: Path, count: int) -> float:
    """Seconds a submission."""
    hand_in(place / "class", [f"student-{number}" for number in range(count)])
    command = [sys.executable, "-m", "crossentropy.grading", str(place / "class"), "--assignment", NAME, "--out", str(place / "grades")]  # fmt: skip
    taken = seconds(
        lambda: subprocess.run([*command, "--seed", "benchmark"], cwd=ROOT, check=True, capture_output=True)
    )
    records = [json.loads(path.read_text()) for path in (place / "grades").glob("*.json")]
    if len(records) != count or any(record["score"] != record["max"] for record in records):
        raise RuntimeError("the grader did not give everybody full marks, so its time says nothing")
    return taken / count


def nbgrader(place: Path, count: int) -> float:
    """Seconds a submission, with ``count`` submissions a core."""
    courses = []
    for number in range(cores()):
        course = place / f"course-{number}"
        (course / "source").mkdir(parents=True)
        shutil.copytree(ROOT / "assignments" / NAME, course / "source" / NAME)
        (course / "nbgrader_config.py").write_text(f"c = get_config()\nc.CourseDirectory.root = {str(course)!r}\n")
        _run([course], "generate_assignment", NAME)
        hand_in(course / "submitted", [f"student-{one}" for one in range(count)], below=NAME)
        courses.append(course)
    taken = seconds(lambda: _run(courses, "autograde", NAME, "--create"))
    graded = [path for course in courses for path in course.glob(f"autograded/*/{NAME}/{NAME}.ipynb")]
    if len(graded) != count * len(courses):
        raise RuntimeError("nbgrader did not grade everybody, so its time says nothing")
    return taken / len(graded)


def _run(courses: Sequence[Path], *arguments: str) -> None:
    """One nbgrader a course, side by side."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "nbgrader", *arguments],
            cwd=course,
            env={**os.environ, "PATH": path, "HOME": str(course), "CROSSENTROPY_HOME": str(course)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for course in courses
    ]
    if max([process.wait() for process in running]):
        raise RuntimeError(f"nbgrader {arguments[0]} failed")


def measure(repetitions: int = 1, ours_count: int = OURS, theirs_count: int = THEIRS) -> list[Ratio]:
    """The ratio of the times a submission, start-up included on both sides."""
    samples = []
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            samples.append(nbgrader(place / "nbgrader", theirs_count) / ours(place / "ours", ours_count))
    claim = f"submissions graded a minute, three questions with torch: this grader over nbgrader's autograde, {cores()} cores each"
    return [Ratio(claim, tuple(samples), at_least=10)]
