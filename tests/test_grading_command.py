"""The command's own errors: one line each, before anybody is graded; and reports that harm no spreadsheet and lose nobody."""

import csv
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from crossentropy.grading import __main__ as command
from crossentropy.grading import assigning, assignment, classroom, notebook, pool, report
from crossentropy.grading.assignment import Marks
from crossentropy.grading.grade import without_answer

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = "softmax-likelihood"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """The command on a class of one, with some arguments changed; nobody is graded."""
    graded = []

    def nobody(tasks, *_, **__):
        graded.extend(tasks)
        return iter(())

    monkeypatch.setattr(pool, "on_this_machine", nobody)
    place = tmp_path / "class"
    (place / "ann").mkdir(parents=True)
    (place / "ann" / "hw.ipynb").write_text('{"cells": []}')

    def call(**changed):
        given = {
            "assignment": SAMPLE,
            "assignments": ROOT / "assignments",
            "out": tmp_path / "grades",
            "seed": "s",
            **changed,
        }
        asked = [str(given.pop("submissions", place)), *(f"--{key}={value}" for key, value in given.items())]
        code = command.main(asked)
        return code, capsys.readouterr().err, graded

    return call


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seconds": "inf"}, "seconds must be positive"),
        ({"seconds": "nan"}, "seconds must be positive"),
        ({"seconds": "-1"}, "seconds must be positive"),
        ({"memory": 10**30}, "memory from 64 to 1048576 MB"),
        ({"memory": 1}, "memory from 64"),
        ({"out": "FILE"}, "out must be a folder that can be written, "),
        ({"out": "FILE/below"}, "out must be a folder that can be written, "),
        ({"out": "LOOP"}, "out must be a folder that can be written, "),
        ({"out": "class"}, "out must not be the submissions"),
        ({"out": "class/ann/grades"}, "out must not be the submissions or lie deep in them"),
        ({"out": "TAKEN"}, "has a folder: 'TAKEN/ann.json'"),
        ({"out": "TOLD"}, "has a folder: 'TOLD/grades.csv'"),
        ({"roster": "PIPE"}, "roster must be a file"),
        ({"roster": "nowhere.csv"}, "roster cannot be read, No such file or directory"),
        ({"roster": "LATIN"}, "roster must be CSV in UTF-8"),
        ({"roster": "NO-IDS"}, "roster must have one of the columns SIS Login ID, SIS User ID, ID; got Name, Mark"),
        ({"roster": "NO-ROWS"}, "roster has no row with"),
        ({"roster": "FILE"}, "roster must have one of the columns"),
        ({"submissions": "nowhere"}, "submissions must be a folder or a zip"),
        ({"assignment": "poetry"}, "assignment must be one of"),
    ],
)
def test_what_cannot_be_is_said_before_anybody_is_graded(changed, said, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("")
    (tmp_path / "LOOP").symlink_to("LOOP")
    (tmp_path / "TAKEN" / "ann.json").mkdir(parents=True)
    (tmp_path / "TOLD" / "grades.csv").mkdir(parents=True)
    os.mkfifo(tmp_path / "PIPE")
    (tmp_path / "LATIN").write_bytes("Student,ID\nJos\xe9,1\n".encode("latin-1"))
    (tmp_path / "NO-IDS").write_text("Name,Mark\nAnn,1\n")
    (tmp_path / "NO-ROWS").write_text("Student,ID\nAnn,\n")
    code, told, graded = run(**changed)
    assert (code, graded) == (2, [])
    assert told.startswith("error: ")
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("name", ["out", "submissions"])
def test_an_empty_name_is_no_folder(name, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run(**{name: ""})
    assert stopped.value.code == 2
    assert "must not be empty" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["o\u00e9", "o\udcff"])
def test_a_folder_s_name_may_hold_any_letter(name, tmp_path):
    (tmp_path / "class").mkdir()
    asked = ["class", "--assignment", SAMPLE, "--assignments", str(ROOT / "assignments"), "--seed", "s", "--out", name]
    done = subprocess.run(
        [sys.executable, "-m", "crossentropy.grading", *asked],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"0 submissions; grades are in o\\")


def test_what_cannot_be_written_leaves_no_half_behind(tmp_path, monkeypatch):
    (tmp_path / "grades.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        report.write(tmp_path / "grades.csv", "text")
    monkeypatch.setattr(os, "fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report.write(tmp_path / "other.csv", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["grades.csv"]


def test_notebooks_are_read_when_their_turn_comes(run, tmp_path, monkeypatch):
    for number in range(8):
        (tmp_path / "class" / f"s{number}.ipynb").write_text(json.dumps({"cells": [], "metadata": "x" * 2**21}))
    held = []

    def measure(tasks, *_, **__):
        held.append(tracemalloc.get_traced_memory()[0])
        assert all(len(task.whole().data) > 2**21 for task in tasks if task.student != "ann")
        return iter(())

    monkeypatch.setattr(pool, "on_this_machine", measure)
    tracemalloc.start()
    try:
        assert run()[0] == 0
    finally:
        tracemalloc.stop()
    assert held[0] < 2**22


def without(key):
    return lambda record: record.pop(key)


@pytest.mark.parametrize(
    ("edit", "graded_again"),
    [
        (lambda record: None, False),
        (without("score"), True),
        (without("answers"), True),
        (without("notes"), True),
        (lambda record: record.update(score="4"), True),
        (lambda record: record["notes"].append(4), True),
        (lambda record: record["questions"].popitem(), True),
        (lambda record: record["questions"]["softmax"].pop("status"), True),
        (lambda record: record["questions"].update(softmax=None), True),
        (lambda record: record["questions"]["softmax"]["misconceptions"].append("nobody-s"), False),
    ],
)
def test_a_record_that_somebody_wrote_into_breaks_no_run(edit, graded_again, run, tmp_path):
    place = tmp_path / "class" / "ann" / "hw.ipynb"
    place.write_text("no notebook")
    place.unlink()
    place.symlink_to("elsewhere")
    # It is refused, so there is a record though nobody is graded.
    assert run()[0] == 0
    path = tmp_path / "grades" / "ann.json"
    before = path.read_text()
    record = json.loads(before)
    edit(record)
    path.write_text(json.dumps(record, indent=1) + "\n")
    edited = path.read_text()
    assert run()[0] == 0
    assert path.read_text() == (before if graded_again else edited)


def test_grades_in_the_folder_of_the_submissions_are_nobody_s(run, tmp_path):
    (tmp_path / "class" / "grades").mkdir()
    code, _, graded = run(out=tmp_path / "class" / "grades")
    assert (code, [task.student for task in graded]) == (0, ["ann"])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "Stopped. What is graded is kept in"),
        (
            OSError(28, "No space left on device", "grades/ann.json"),
            2,
            "error: 'grades/ann.json': No space left on device.",
        ),
    ],
)
def test_an_interrupted_run_ends_with_one_line(error, code, said, run, monkeypatch):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(pool, "on_this_machine", stop)
    done, told, _ = run()
    assert done == code
    assert said in told.strip()
    assert len(told.strip().splitlines()) == 1


def test_a_cluster_that_is_not_there_is_one_line(run, monkeypatch):
    def nobody(*_, **__):
        raise OSError("Timed out")
        yield

    monkeypatch.setattr(pool, "on_a_cluster", nobody)
    assert run(scheduler="tcp://127.0.0.1:1")[:2] == (
        2,
        "error: the scheduler at tcp://127.0.0.1:1 cannot be reached: Timed out\n",
    )


def broken(edit):
    record = json.loads(assignment.source(ROOT / "assignments", SAMPLE).read_text())
    edit(record)
    return json.dumps(record)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (broken(lambda record: record["cells"][2].pop("cell_type")), "cell 2: cell_type is missing"),
        (broken(lambda record: record["cells"][2].pop("metadata")), "cell 2: metadata is missing"),
        (broken(lambda record: record["cells"][2].update(source=3)), "cell 2: source is missing"),
        (broken(lambda record: record.update(cells=[3])), "cell 0: cell_type is missing"),
        (broken(lambda record: record.pop("cells")), "no list of cells"),
        (broken(lambda record: record["cells"][4].update(source="mark(")), "the test cell is no Python"),
        ("{", "is no notebook that can be read"),
    ],
)
def test_a_course_that_is_broken_is_said_to_be(text, said, tmp_path, run):
    path = tmp_path / "course" / "hw" / "hw.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    code, told, _ = run(assignments=tmp_path / "course", assignment="hw")
    assert code == 2
    assert said in told
    assert told.startswith("error: hw.ipynb")


# Reports

STRANGE = [
    "=1+1",
    "+cmd",
    "-rf",
    "@sum",
    "  =1",
    "\t=1",
    "\rcr",
    "line\r\nbreak",
    'a "quoted", name',
    "plain - name",
    "a=b",
]


def test_no_cell_of_a_table_is_a_formula_and_every_row_is_whole(tmp_path):
    chosen = assignment.read(ROOT / "assignments", SAMPLE)
    records = [{**without_answer(name, chosen, "missing", "nothing"), "key": ""} for name in STRANGE]
    roster = [{"Student": name, "ID": str(number), "SIS Login ID": name} for number, name in enumerate(STRANGE)]
    for given in (None, roster):
        report.write_all(tmp_path, chosen, records, {}, roster=given)
        for name in ("grades.csv", "canvas.csv"):
            with open(tmp_path / name, encoding="utf8", newline="") as file:
                rows = list(csv.reader(file))
            assert len({len(row) for row in rows}) == 1
            cells = [cell for row in rows for cell in row]
            assert not [
                cell for cell in cells if cell.lstrip(" ")[:1] in {"=", "+", "-", "@", "\t", "\r"} and cell.strip(" ")
            ]
            assert {cell.removeprefix("'") for cell in cells} >= set(STRANGE)
            # Only what needs it is changed.
            assert "plain - name" in cells


def test_names_that_are_cut_alike_give_two_files():
    long = "x" * 250
    names = [long + "a", long + "b", "a/b", "a_b", report.file_name("a/b", "")]
    for ending in (".json", ".html"):
        files = [report.file_name(name, ending) for name in names]
        assert len(set(files)) == len(names)
        assert all(len(os.fsencode(name)) <= 255 for name in files)


# Exercises of a class's own

TEST = """from crossentropy.grading import mark

mark("surprise", surprise, points={"definition": 2, "infinite": 1}, forbid=["entropy"], wrong=[("return 1 - p", 0)])"""


def cell(grade_id, source, **more):
    told = {
        "grade": False,
        "grade_id": grade_id,
        "locked": False,
        "schema_version": 3,
        "solution": False,
        "task": False,
        **more,
    }
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": grade_id,
        "metadata": {"nbgrader": told},
        "outputs": [],
        "source": source,
    }


@pytest.fixture
def mine(tmp_path):
    """A class as ``make class`` makes it, with an assignment that uses its own exercise."""
    place = tmp_path / "my class"
    assert classroom.main([str(place)]) == 0
    solution = "def surprise(p):\n    ### BEGIN SOLUTION\n    return -p.log()\n    ### END SOLUTION\n"
    test = f"print(surprise(torch.tensor([0.5])))\n### BEGIN HIDDEN TESTS\n{TEST}\n### END HIDDEN TESTS"
    cells = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Surprises"},
        cell("imports", "import torch"),
        cell("surprise", solution, solution=True),
        cell("test_surprise", test, grade=True, points=3),
    ]
    path = place / "assignments" / "surprises" / "surprises.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return place


def test_a_class_grades_by_an_exercise_of_its_own(mine, tmp_path, namespaces):
    assert "exercises/NAME.toml" in (mine / "README.md").read_text()
    assert assigning.main(["--assignments", str(mine), "--out", str(mine / "handout")]) == 0
    handed_out = json.loads((mine / "handout" / "surprises" / "student" / "surprises.ipynb").read_text())
    assert "mark(" not in json.dumps(handed_out)
    answers = {"right": "-p.log()", "finite": "-(p + 1e-300).log()", "rest": "-(1 - p).log()", "blank": None}
    for student, answer in answers.items():
        record = json.loads(json.dumps(handed_out))
        if answer:
            record["cells"][2]["source"] = f"def surprise(p): return {answer}"
        (mine / "submissions" / student).mkdir(parents=True)
        (mine / "submissions" / student / "surprises.ipynb").write_text(json.dumps(record))
    asked = [
        str(mine / "submissions"),
        "--assignment",
        "surprises",
        "--assignments",
        str(mine),
        "--out",
        str(mine / "grades"),
    ]
    assert command.main(asked) == 0
    entries = {
        name: json.loads((mine / "grades" / f"{name}.json").read_text())["questions"]["surprise"] for name in answers
    }
    assert {name: entry["score"] for name, entry in entries.items()} == {"right": 3, "finite": 2, "rest": 0, "blank": 0}
    assert entries["rest"]["misconceptions"] == ["surprise-of-the-rest"]
    assert "what did not happen" in (mine / "grades" / "report.html").read_text()
    # With another check, the marks are given anew.
    before = assignment.read(mine / "assignments", "surprises").digest
    toml = mine / "exercises" / "surprise.toml"
    toml.write_text(toml.read_text().replace("0.75, 0.25", "0.7, 0.3"))
    assert assignment.read(mine / "assignments", "surprises").digest != before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "Surprise"', "", r"surprise\.toml lacks title"),
        ("factors", "fractions", r"surprise\.toml: unknown key 'fractions'"),
        ("{ p =", "{ q =", r"surprise\.toml: each call needs name, q; got name, p"),
        ('"distribution" }', '"number" }', r"surprise\.toml: arguments must be of the kinds .*; got 'number'"),
        ('{ p = "distribution" }', "3", r"surprise\.toml: arguments must be of the type dict; got 3"),
        ('"non-negative"', '"elegant"', r"surprise\.toml: properties must be of .*; got 'elegant'"),
        ("-p.log()", "-q.log()", r"surprise\.toml: the reference fails on the call 'two outcomes'"),
        ("[0.5, 0.0, 0.5]", '["half"]', r"surprise\.toml: p of the call 'an impossible outcome' is no table of numbers"),
        ('["surprise-of-the-rest"]', '["nothing-known"]', r"surprise\.toml: the misconception 'nothing-known' is explained neither here"),
        ("explanation =", "reason =", r"surprise\.toml: misconceptions need title, explanation and read; 'surprise-of-the-rest'"),
        ("[[calls]]", "[[calls", r"surprise\.toml is no TOML"),
    ],
)  # fmt: skip
def test_an_exercise_of_a_class_that_is_broken_names_its_file_and_key(old, new, said, mine):
    path = mine / "exercises" / "surprise.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=r"surprises\.ipynb, cell 3: " + said):
        assignment.read(mine / "assignments", "surprises")


def test_an_exercise_of_a_class_may_not_hide_the_book_s_nor_be_shown_to_students(mine):
    (mine / "exercises" / "softmax.toml").write_text((mine / "exercises" / "surprise.toml").read_text())
    with pytest.raises(ValueError, match=r"softmax\.toml: the book has an exercise of this name"):
        assignment.read(mine / "assignments", SAMPLE)
    path = mine / "assignments" / "surprises" / "surprises.ipynb"
    path.write_text(
        path.read_text().replace("print(surprise(", "check('surprise', lambda p: (").replace("[0.5])))", "[0.5])))")
    )
    with pytest.raises(ValueError, match="check knows no 'surprise'"):
        assignment.read(mine / "assignments", "surprises")


def test_no_exercise_of_a_class_is_the_book_s():
    from crossentropy.exercises import names

    assert "surprise" not in names()
    with pytest.raises(ValueError, match="name must be one of"):
        assignment._file("surprise", {})


def test_marks_name_their_exercise():
    assert Marks("softmax", {"definition": 2}).max == 2


def test_the_versions_hold_no_secret_of_the_class(mine):
    made = assigning.versions(mine / "assignments", mine / "handout", ["surprises"])
    student = next(path for path in made if path.parent.name == "student")
    assert notebook.STUB.splitlines()[0] in student.read_text()
    assert "surprise-of-the-rest" not in student.read_text()
