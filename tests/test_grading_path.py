"""The page for instructors: every command on it is run, in its order, as it stands there."""

import csv
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from crossentropy.grading import assignment, notebook
from crossentropy.grading.grade import grade

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "chapters" / "grading.md").read_text(encoding="utf8")
COMMANDS = re.findall(r"^```bash\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
ROSTER = (
    "Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\nAnn Example,1,,ann,A\nBob Example,2,,bob,A\n"
)


@pytest.fixture
def book(tmp_path):
    """A checkout of the book beside which the class may be made; the set-up is this one's."""
    place = tmp_path / "book"
    (place / ".venv").mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "pyproject.toml", "assignments", "code"):
        (place / name).symlink_to(ROOT / name)
    for part in Path(sys.prefix).iterdir():
        if part.name != ".ready":
            (place / ".venv" / part.name).symlink_to(part)
    (place / ".venv" / ".ready").touch()
    return place


def test_the_whole_path_runs_as_the_page_says(book, namespaces):
    mine = book.parent / "my-class"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = []
    for command in COMMANDS:
        if "submissions.zip" in command and not said[-1].count("submissions"):
            hand_in(mine)
        done = subprocess.run(
            ["bash", "-e", "-c", command],
            cwd=mine if "--assignments ." in command and "cd " not in command else book,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, command + done.stderr
        said.append(done.stdout)
    assert (book / "_build" / "assignments" / "softmax-likelihood" / "student" / "softmax-likelihood.ipynb").is_file()
    assert (mine / "handout" / "softmax-likelihood" / "student" / "softmax-likelihood.ipynb").is_file()
    with open(mine / "grades" / "grades.csv", newline="") as file:
        assert {row["student"]: row["score"] for row in csv.DictReader(file)} == {"ann": "8"}
    assert (mine / "grades" / "canvas.csv").read_text().splitlines()[2:] == [
        "Ann Example,1,,ann,A,8",
        "Bob Example,2,,bob,A,",
    ]
    listed = re.findall(r"^\| `(.*?)` \|", PAGE, flags=re.MULTILINE)
    written = {
        str(path.relative_to(mine / "grades")).replace("ann", "<student>") for path in (mine / "grades").rglob("*.*")
    }
    assert {"grades.csv", "canvas.csv", "<student>.json", "feedback/<student>.html", "report.html"} <= set(listed)
    assert set(listed) - written == {"moved.csv"}


def hand_in(place):
    """What the platform exports: one student has the solution, another handed in nothing."""
    name = "softmax-likelihood"
    record = json.loads((place / "handout" / name / "student" / f"{name}.ipynb").read_text())
    with zipfile.ZipFile(place / "submissions.zip", "w") as archive:
        solutions = {
            question.grade_id: question.solution for question in assignment.read(ROOT / "assignments", name).questions
        }
        for cell in record["cells"]:
            cell["source"] = solutions.get(cell["metadata"].get("nbgrader", {}).get("grade_id"), notebook.text(cell))
        archive.writestr(f"ann/{name}.ipynb", json.dumps(record))
    (place / "roster.csv").write_text(ROSTER)


def test_the_question_on_the_page_is_worth_what_it_says_and_in_no_sample(tmp_path, sandbox):
    solution, test = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    source = json.loads((ROOT / "assignments" / "softmax-likelihood" / "softmax-likelihood.ipynb").read_text())
    by_id = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in source["cells"] if "nbgrader" in cell["metadata"]
    }
    by_id["softmax"]["source"], by_id["test_softmax"]["source"] = solution, test
    by_id["test_softmax"]["metadata"]["nbgrader"]["points"] = 3
    path = tmp_path / "page" / "page.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps({**source, "cells": [by_id["imports"], by_id["softmax"], by_id["test_softmax"]]}))
    (question,) = assignment.read(tmp_path, "page").questions
    answers = [(question.solution, 3), (question.stub, 0)]
    answers += [(f"def cross_entropy(p, q):\n    {body}\n", worth) for body, worth in question.marks.wrong]
    for text, worth in answers:
        by_id["softmax"]["source"] = text
        data = json.dumps({"cells": [by_id["softmax"]]}).encode()
        assert grade("ann", data, assignment.read(tmp_path, "page"), sandbox)["score"] == worth, text
    samples = assignment.names(ROOT / "assignments")
    asked = {one.marks.exercise for name in samples for one in assignment.read(ROOT / "assignments", name).questions}
    assert "cross_entropy" not in asked


def test_the_page_says_what_is_not_safe_and_what_was_not_tried():
    assert "nbgrader's autograde is not tamper-proof" in PAGE
    assert "Not tried: " in PAGE


def test_the_page_lists_every_status():
    from crossentropy.grading.grade import STATUS

    assert all(f"`{status}`" in PAGE for status in STATUS)
