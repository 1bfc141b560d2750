"""The sample assignments: each from one source, worth what it says, and nothing of a solution in what students and readers get."""

import ast
import contextlib
import json
import os
import re
import stat
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import nbformat
import pytest

from crossentropy.exercises import load
from crossentropy.grading import assigning, assignment, classroom, notebook
from crossentropy.grading.grade import grade
from crossentropy.grading.sandbox import Limits

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "assignments"
NAMES = assignment.names(PLACE)
CHAPTERS = {"softmax", "likelihood", "gradient", "information", "binary", "interfaces", "stability", "ngram"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What ``make assignments`` writes."""
    out = tmp_path_factory.mktemp("written")
    assert assigning.main(["--assignments", str(PLACE), "--out", str(out)]) == 0
    return out


def record_of(path):
    return json.loads(path.read_text(encoding="utf8"))


def graded(name, edits, sandbox):
    """The record of a student version with some cells written."""
    record = notebook.student_version(record_of(assignment.source(PLACE, name)))
    for cell in record["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cell["source"] = edits.get(grade_id, cell["source"])
    return grade(
        "somebody", json.dumps(record).encode(), assignment.read(PLACE, name), sandbox, limits=Limits(cpu=10, wall=60)
    )


def test_there_are_five_and_every_chapter_is_in_one():
    assert len(NAMES) >= 5
    assert {
        exercise.chapter
        for name in NAMES
        for question in assignment.read(PLACE, name).questions
        for exercise in [question.exercise]
    } <= CHAPTERS
    told = " ".join(notebook.text(record_of(assignment.source(PLACE, name))["cells"][0]) for name in NAMES)
    assert {chapter for chapter in CHAPTERS if chapter in told} == CHAPTERS


@pytest.mark.parametrize("name", NAMES)
def test_the_untouched_version_scores_nothing_and_the_solution_everything(name, sandbox):
    read = assignment.read(PLACE, name)
    empty = graded(name, {}, sandbox)
    assert empty["score"] == 0
    assert {entry["status"] for entry in empty["questions"].values()} == {"unanswered"}
    full = graded(name, {question.grade_id: question.solution for question in read.questions}, sandbox)
    assert full["score"] == full["max"] == read.max, full
    assert {entry["status"] for entry in full["questions"].values()} == {"correct"}


@pytest.mark.parametrize("name", NAMES)
def test_every_wrong_solution_scores_what_its_source_says(name, sandbox):
    read = assignment.read(PLACE, name)
    rounds = max(len(question.marks.wrong) for question in read.questions)
    found, promised = {}, {}
    for number in range(rounds):
        chosen = {
            question.grade_id: (question, question.marks.wrong[number])
            for question in read.questions
            if number < len(question.marks.wrong)
        }
        edits = {
            key: f"def {question.exercise.signature}:\n{textwrap.indent(body, '    ')}\n"
            for key, (question, (body, _)) in chosen.items()
        }
        record = graded(name, edits, sandbox)
        for key, (question, (body, score)) in chosen.items():
            promised[key, body] = score
            found[key, body] = record["questions"][key]["score"]
            assert score < question.marks.max
    assert found == promised
    assert any(score > 0 for score in promised.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_versions_are_valid_notebooks_with_nbgrader_s_metadata(name, written):
    for version in ("student", "instructor"):
        made = nbformat.read(written / name / version / f"{name}.ipynb", as_version=4)
        nbformat.validate(made)
        told = [cell.metadata.nbgrader for cell in made.cells if "nbgrader" in cell.metadata]
        assert len({entry.grade_id for entry in told}) == len(told)
        assert all(
            set(entry) >= {"grade", "grade_id", "locked", "schema_version", "solution", "task"} for entry in told
        )
        assert sum(entry.get("points", 0) for entry in told) == assignment.read(PLACE, name).max
    assert record_of(written / name / "instructor" / f"{name}.ipynb") == record_of(assignment.source(PLACE, name))


@pytest.mark.parametrize("name", NAMES)
def test_the_student_version_runs_from_top_to_bottom_and_its_stubs_raise(name, written, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CROSSENTROPY_HOME", str(tmp_path))
    space = {"__name__": "__main__", "display": print}
    for cell in record_of(written / name / "student" / f"{name}.ipynb")["cells"]:
        if cell["cell_type"] == "code":
            exec(notebook.text(cell), space)
    for question in assignment.read(PLACE, name).questions:
        with pytest.raises(NotImplementedError):
            space[question.function](*question.exercise.example.arguments.values())


def secrets_of(name):
    """The lines of solutions and hidden checks, long enough that they stand nowhere by chance."""
    found = set()
    for cell in record_of(assignment.source(PLACE, name))["cells"]:
        regions = re.findall(
            r"### BEGIN SOLUTION(.*?)### END SOLUTION|### BEGIN HIDDEN TESTS(.*?)### END HIDDEN TESTS",
            notebook.text(cell),
            flags=re.DOTALL,
        )
        found |= {
            line.strip() for pair in regions for part in pair for line in part.splitlines() if len(line.strip()) > 24
        }
    # A name alone on its line, an argument of mark, is told in the task; where mark comes from is no secret.
    return {line for line in found - {"from crossentropy.grading import mark"} if not re.fullmatch(r'"?\w+"?,', line)}


def words(text):
    """Text without markup, quotes and spacing, so that no page hides a line in its HTML."""
    import html

    return re.sub(r"[\s\"'\\]+", "", html.unescape(re.sub(r"<[^>]+>", "", text)))


def test_nothing_of_a_solution_or_a_hidden_check_reaches_students_or_readers(written):
    lines = {words(line): line for name in NAMES for line in secrets_of(name)}
    assert len(lines) > 40
    places = [*written.glob("*/student/*"), *(ROOT / "chapters").glob("*.*")]
    site = ROOT / "_build" / "html"
    places += (
        [
            path
            for path in site.rglob("*")
            if path.suffix in {".html", ".ipynb", ".md", ".js", ".txt", ".py", ".zip", ".inv"}
        ]
        if site.is_dir()
        else []
    )
    told = {}
    texts = [
        (path, path.read_text(encoding="utf8", errors="replace"))
        for path in places
        if path.is_file() and path.suffix not in {".zip", ".inv"}
    ]
    for path in (path for path in places if path.suffix == ".zip"):
        with zipfile.ZipFile(path) as archive:
            assert not [name for name in archive.namelist() if Path(name).stem in NAMES]
            texts += [(path / name, archive.read(name).decode("utf8", "replace")) for name in archive.namelist()]
    for path, text in texts:
        squeezed = words(text)
        found = [line for key, line in lines.items() if key in squeezed]
        # The page for instructors shows how a source is written, with a question that is in none of them.
        if path.suffix != ".js" and path.name.split(".")[0] != "grading":
            marks = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "forbid=[", "wrong=[")
            found += [mark for mark in marks if mark in text]
        if found:
            told[str(path)] = found
    assert told == {}
    assert not [path for path in site.rglob("*") if path.stem in NAMES]


def test_the_search_for_secrets_finds_one_that_is_there(written, tmp_path):
    # The search above can fail: the instructor's version holds every line that it looks for.
    text = words((written / NAMES[0] / "instructor" / f"{NAMES[0]}.ipynb").read_text())
    assert all(words(line) in text for line in secrets_of(NAMES[0]))


@pytest.mark.parametrize("name", NAMES)
def test_the_test_cell_is_data_that_nbgrader_and_the_grader_read_alike(name):
    from crossentropy.grading import mark

    read = assignment.read(PLACE, name)
    for question in read.questions:
        space = {}
        exec("import math\nimport torch\n" + question.solution, space)
        given = {
            "points": question.marks.points,
            "partial": question.marks.partial,
            "forbid": question.marks.forbid,
            "wrong": question.marks.wrong,
        }
        assert mark(question.marks.exercise, space[question.function], **given) == question.marks.max
        body, score = question.marks.wrong[0]
        exec(f"def {question.exercise.signature}:\n{textwrap.indent(body, '    ')}\n", space)
        assert mark(question.marks.exercise, space[question.function], **given) == score


def test_hidden_inputs_hang_on_the_seed():
    read = [assignment.read(PLACE, NAMES[0], seed=seed) for seed in ("one", "one", "two")]
    first, again, other = ([str(call) for call in one.calls(one.questions[0])] for one in read)
    assert first == again != other
    assert len({one.digest for one in read}) == 2


def change(tmp_path, name, edit):
    record = record_of(assignment.source(PLACE, name))
    edit(record["cells"])
    path = tmp_path / name / f"{name}.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(record))
    return tmp_path


def replaced(old, new):
    def edit(cells):
        for cell in cells:
            cell["source"] = notebook.text(cell).replace(old, new)

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (replaced('"definition": 2', '"definition": 3'), "nbgrader's points are 4, those of the check 5"),
        (replaced('"definition"', '"elegance"'), "points must name the definition"),
        (replaced('"log-base-2"', '"log-base-3"'), "partial must name misconceptions"),
        (replaced("mark(", "note("), "one call of mark"),
        (lambda cells: cells.pop(3), "a test cell without a solution cell"),
        (lambda cells: cells.pop(4), "two solution cells"),
    ],
)
def test_an_incomplete_source_is_refused_by_its_cell(edit, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        assignment.read(change(tmp_path, "softmax-likelihood", edit), "softmax-likelihood")


def test_a_name_that_is_none_is_answered_with_those_there_are(tmp_path, capsys):
    with pytest.raises(ValueError, match="ngram-project"):
        assignment.read(PLACE, "poetry")
    with pytest.raises(ValueError, match="assignments must be a folder"):
        assignment.folder(tmp_path)
    assert assigning.main(["poetry", "--assignments", str(PLACE), "--out", str(tmp_path)]) == 2
    assert "ngram-project" in capsys.readouterr().err


def test_a_private_class_begins_with_the_samples_and_a_secret_of_its_own(tmp_path, capsys):
    place = tmp_path / "my class"
    assert classroom.main([str(place)]) == 0
    assert assignment.names(place / "assignments") == NAMES
    assert stat.S_IMODE((place / "seed").stat().st_mode) == 0o600
    assert (
        assignment.seed_of(assignment.folder(place)) == (place / "seed").read_text().strip() != assignment.SAMPLE_SEED
    )
    for command in re.findall(r"^    python -m (.*)$", (place / "README.md").read_text(), flags=re.MULTILINE):
        if "assigning" in command:
            with contextlib.chdir(place):
                assert assigning.main(command.split()[1:]) == 0
    assert (place / "handout" / NAMES[0] / "student" / f"{NAMES[0]}.ipynb").is_file()
    assert classroom.main([str(place)]) == 2
    assert "new or empty folder" in capsys.readouterr().err


# What `nbgrader generate_assignment` and `nbgrader autograde --create` run, by nbgrader's own interface.
NBGRADER = """
import json, os, sys
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
step, name = sys.argv[1:]
config = Config()
config.CourseDirectory.course_id, config.CourseDirectory.root = "test", os.getcwd()
api = NbGraderAPI(config=config)
for student in sorted(os.listdir("submitted")) if step == "grade" else [None]:
    done = api.autograde(name, student, create=True) if student else api.generate_assignment(name)
    if not done["success"]:
        sys.exit(str(done))
if step == "grade":
    with api.gradebook as book:
        print(json.dumps({row.student.id: row.score for row in book.assignment_submissions(name)}))
"""


def test_the_sources_work_in_a_real_nbgrader_course(tmp_path):
    """nbgrader's own generate_assignment and autograde, on a source as it lies here: a student with a right answer, one that is right in part, and one not written."""
    pytest.importorskip("nbgrader", reason="make grading installs it")
    name = "ngram-project"
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / name).symlink_to(PLACE / name)

    def nbgrader(step):
        environment = {
            **os.environ,
            "HOME": str(tmp_path),
            "CROSSENTROPY_HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", NBGRADER, step, name],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    nbgrader("release")
    released = record_of(tmp_path / "release" / name / f"{name}.ipynb")
    ours = notebook.student_version(record_of(assignment.source(PLACE, name)))
    assert [notebook.normal(notebook.text(cell)) for cell in released["cells"]] == [
        notebook.normal(notebook.text(cell)) for cell in ours["cells"]
    ]
    read = assignment.read(PLACE, name)
    first, second, _ = read.questions
    body, worth = second.marks.wrong[1]
    answers = {
        first.grade_id: first.solution,
        second.grade_id: f"def {second.exercise.signature}:\n{textwrap.indent(body, '    ')}\n",
    }
    for cell in released["cells"]:
        cell["source"] = answers.get(cell["metadata"].get("nbgrader", {}).get("grade_id"), cell["source"])
    path = tmp_path / "submitted" / "ann" / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(released))
    marks = json.loads(nbgrader("grade").splitlines()[-1])
    assert marks == {"ann": first.marks.max + worth}
    assert worth > 0


def test_the_exercises_of_the_samples_exist_and_say_what_is_forbidden():
    for name in NAMES:
        for question in assignment.read(PLACE, name).questions:
            assert load(question.marks.exercise)
            assert question.marks.forbid
            assert isinstance(ast.parse(question.solution), ast.Module)
