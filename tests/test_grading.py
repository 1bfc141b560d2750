"""The grader as an instructor starts it, on one class: 200 made students, every attack between two honest ones; its parts are tested beside it.

While it grades them a worker is killed, another is stopped, the mother of both is killed, and the whole run is killed and begun again.
"""

import csv
import fcntl
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cases.hostile import FORBIDDEN, HONEST, RIGHT, SLOW, WORTHLESS, ZERO
from crossentropy.grading import notebook
from crossentropy.grading.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
NAME = "class"
HELPER = "def grow(z): return (z - z.amax(-1, keepdim=True)).exp()\n"
NAIVE = "def softmax(logits): return logits.exp() / logits.exp().sum(-1, keepdim=True)\n"


def source():
    """An assignment that asks for softmax twice: ``closed`` forbids torch's, ``open`` forbids nothing, so that all attacks run."""
    sample = json.loads((ROOT / "assignments" / "softmax-likelihood" / "softmax-likelihood.ipynb").read_text())
    by_id = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in sample["cells"] if "nbgrader" in cell["metadata"]
    }
    cells = [sample["cells"][0], by_id["imports"]]
    for name, forbid in (
        ("closed", '["softmax", "log_softmax", "logsumexp", "cross_entropy", "sigmoid"]'),
        ("open", "[]"),
    ):
        for old, new in (("softmax", name), ("test_softmax", f"test_{name}")):
            cell = json.loads(json.dumps(by_id[old]))
            cell["metadata"]["nbgrader"]["grade_id"] = new
            cell["source"] = re.sub(r"forbid=\[.*\]", f"forbid={forbid}", cell["source"])
            cells.append(cell)
    return {**sample, "cells": cells}


SOURCE = source()
# What the made students write beside the honest ones, and what that is worth.
MADE = [
    ({"closed": NAIVE, "open": RIGHT}, (3, 4)),
    ({"closed": ZERO}, (0, 0)),
    ({}, (0, 0)),
    ({}, (0, 0)),
]
HONEST_ONE = ({"closed": RIGHT}, (4, 0))
SETTINGS = ("--seconds", "1", "--seed", "only for this test")
SECRET = "not for students"


def handed_in(edits):
    """The student's notebook with these cells written."""
    record = notebook.student_version(SOURCE)
    for cell in record["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if grade_id in edits:
            cell["source"] = edits[grade_id]
    return record


def hand_in(place, student, record):
    folder = place / student
    folder.mkdir(parents=True)
    data = record if isinstance(record, bytes) else json.dumps(record).encode()
    (folder / f"{NAME}.ipynb").write_bytes(data)
    return folder


def course(place):
    """The instructor's folder."""
    path = place / "course" / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(SOURCE))
    return place / "course"


def command(place, out, *more, folder=None):
    """What an instructor types."""
    return [
        sys.executable, "-m", "crossentropy.grading", str(place), "--assignment", NAME,
        "--assignments", str(folder or course(out.parent)), "--out", str(out), *more,
    ]  # fmt: skip


def grade(place, out, *more, code=0, **given):
    done = subprocess.run(command(place, out, *more, **given), cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == code, done.stderr
    return done


def record_of(out, student):
    return json.loads((out / f"{student}.json").read_text())


def scores(record):
    return tuple(entry["score"] for entry in record["questions"].values())


def edited(change):
    record = handed_in({"closed": RIGHT, "open": RIGHT})
    change(record["cells"])
    return record


def cell_of(cells, grade_id):
    return next(cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def more_points(cells):
    cell_of(cells, "test_closed")["metadata"]["nbgrader"]["points"] = 1000
    cell_of(cells, "test_closed")["source"] = "4"


def stolen_id(cells):
    cell_of(cells, "open")["source"] = "def softmax(logits): return 0\n"
    cell_of(cells, "closed")["metadata"]["nbgrader"]["grade_id"] = "open"


def doubled(cells):
    cells.insert(0, {**cell_of(cells, "closed"), "source": ZERO})


def old_format(record):
    cells = [{**cell, "input": cell["source"]} for cell in record["cells"]]
    for cell in cells:
        del cell["source"]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}


# Notebooks that somebody, or a program, has changed; and what they are worth.
CHANGED = {
    "points-edited": (edited(more_points), (4, 4)),
    "tests-deleted": (edited(lambda cells: cells.remove(cell_of(cells, "test_closed"))), (4, 4)),
    "stolen-id": (edited(stolen_id), (0, 0)),
    "doubled-id": (edited(doubled), (4, 4)),
    "reordered": (edited(lambda cells: cells.reverse()), (4, 4)),
    "cell-missing": (edited(lambda cells: cells.remove(cell_of(cells, "open"))), (4, 0)),
    "cell-of-another-kind": (edited(lambda cells: cell_of(cells, "open").update(cell_type="markdown")), (4, 0)),
    "source-as-lines": (edited(lambda cells: cell_of(cells, "open").update(source=RIGHT.splitlines(keepends=True))), (4, 4)),
    "source-as-number": (edited(lambda cells: cell_of(cells, "open").update(source=4)), (4, 0)),
    "metadata-broken": (edited(lambda cells: cell_of(cells, "open").update(metadata=[])), (4, 0)),
    "id-as-list": (edited(lambda cells: cell_of(cells, "open")["metadata"]["nbgrader"].update(grade_id=["open"])), (4, 0)),
    "kernel-changed": ({**edited(lambda cells: None), "metadata": {"kernelspec": {"name": "evil"}}, "nbformat": 99}, (4, 4)),
    "setup-edited": (edited(lambda cells: cells.insert(0, {"cell_type": "code", "metadata": {}, "source": "torch = None\n1/0\n", "outputs": []})), (4, 4)),
    "nbformat-3": (old_format(handed_in({"closed": RIGHT, "open": RIGHT})), (4, 4)),
    "byte-order-mark": (b"\xef\xbb\xbf" + json.dumps(handed_in({"closed": RIGHT, "open": RIGHT})).encode(), (4, 4)),
    "json-broken": (b'{"cells": [', (0, 0)),
    "json-deep": (b"[" * 200_000, (0, 0)),
    "json-list": (b"[]", (0, 0)),
    "cells-no-list": (b'{"cells": 4}', (0, 0)),
    "bytes": (bytes(range(256)), (0, 0)),
    "no-bytes": (b"", (0, 0)),
    "utf-16": (json.dumps(handed_in({})).encode("utf-16"), (0, 0)),
}  # fmt: skip


def attacks():
    """Each attack: the question whose answer it is, its name, its text."""
    found = [("closed", name, text) for name, text in FORBIDDEN.items()]
    return found + [("open", name, text) for name, text in {**WORTHLESS, **SLOW}.items()]


def hand_all_in(place):
    """Write the class's folder; returns what everybody's answers are worth."""
    expected = {}
    random.seed(5)
    # Sorted by number, an honest student comes before and after every attack.
    for number, (grade_id, name, text) in enumerate(attacks()):
        student = f"{2 * number + 1:03}-{grade_id}-{name}"
        # What never ends leaves the other question its marks.
        hand_in(place, student, handed_in({"closed": RIGHT, grade_id: text} if name in SLOW else {grade_id: text}))
        expected[student] = (4, 0) if name in SLOW else (0, 0)
    for number in range(200):
        edits, worth = HONEST_ONE if number <= len(attacks()) else random.choice(MADE)
        student = f"{2 * number:03}-made"
        hand_in(place, student, handed_in(edits))
        expected[student] = worth
    for name, text in HONEST.items():
        hand_in(place, f"honest-{name}", handed_in({"closed": text, "open": HELPER + RIGHT}))
        expected[f"honest-{name}"] = (4, 4)
    for name, (record, worth) in CHANGED.items():
        hand_in(place, f"changed-{name}", record)
        expected[f"changed-{name}"] = worth
    return expected | strange_folders(place)


def born_of(pid):
    """The processes that a process has forked, and those that they have, the nearest first."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [other for child in children for other in born_of(child)]


def name_of(pid):
    """What a process is called; nothing if it has ended."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return "" if told.rpartition(")")[2].split()[0] == "Z" else told.partition("(")[2].rpartition(")")[0]


def mother_of(pid):
    return born_of(pid)[0]


def workers_of(pid):
    return [born for born in born_of(pid) if name_of(born) == "worker"]


def interrupted(place, out):
    """A run in which a worker is killed, another is stopped, the mother of all is killed, and which is then killed itself."""
    harm = [
        (10, lambda pid: os.kill(workers_of(pid)[0], signal.SIGKILL)),
        (20, lambda pid: os.kill(workers_of(pid)[-1], signal.SIGSTOP)),
        (40, lambda pid: os.kill(mother_of(pid), signal.SIGKILL)),
        (100, lambda pid: os.kill(pid, signal.SIGKILL)),
    ]
    environment = {**os.environ, "SECRET_TOKEN": SECRET}
    run = subprocess.Popen(
        command(place, out, *SETTINGS, "--workers", "2"), cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        for count, act in harm:
            end = time.monotonic() + 300
            while len(list(out.glob("*.json"))) < count:
                assert run.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)
            act(run.pid)
    finally:
        run.kill()
    assert run.wait() == -signal.SIGKILL


@pytest.fixture(scope="session")
def graded(tmp_path_factory, worker_id, namespaces):
    """The class after an interrupted run and a second one; made once, however many processes test."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "grading-class"
    shared.mkdir(exist_ok=True)
    place, out, told = shared / "class", shared / "grades", shared / "told.json"
    with open(shared / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.is_file():
            expected = hand_all_in(place)
            interrupted(place, out)
            kept = {path.name: path.stat().st_mtime_ns for path in out.glob("*.json")}
            # As if the power had gone while they were written.
            lost, cut = sorted(kept)[:2]
            (out / lost).unlink()
            (out / cut).write_bytes((out / cut).read_bytes()[:99])
            done = grade(place, out, *SETTINGS)
            again = {name for name, when in kept.items() if (out / name).stat().st_mtime_ns != when}
            told.write_text(
                json.dumps(
                    {
                        "expected": expected,
                        "stdout": done.stdout,
                        "stderr": done.stderr,
                        "kept": len(kept),
                        "again": sorted(again),
                        "broken": [lost, cut],
                    }
                )
            )
    run = SimpleNamespace(**json.loads(told.read_text()))
    return place, out, {name: tuple(worth) for name, worth in run.expected.items()}, run


def strange_folders(place):
    """What is no notebook, and what has a strange name."""
    (place / "empty").mkdir()
    (place / "pipe").mkdir()
    os.mkfifo(place / "pipe" / f"{NAME}.ipynb")
    (place / "link").mkdir()
    (place / "link" / f"{NAME}.ipynb").symlink_to(ROOT / "assignments" / NAME / f"{NAME}.ipynb")
    (place / "linked-folder").symlink_to(place / "empty")
    (place / "device").mkdir()
    (place / "device" / f"{NAME}.ipynb").symlink_to("/dev/zero")
    (place / "folder-as-file" / f"{NAME}.ipynb").mkdir(parents=True)
    large = hand_in(place, "large", b"{}") / f"{NAME}.ipynb"
    os.truncate(large, 2**33)
    right = handed_in({"closed": RIGHT, "open": RIGHT})
    names = [
        "José Ñandú",
        "a b'c\"d;e",
        "line\nbreak",
        "=1+1",
        "-rf",
        "é" * 120,
        "<script>alert(1)</script>".replace("/", "⁄"),
        "grades",
        "feedback",
    ]
    for name in names:
        hand_in(place, name, right)
    odd = os.fsdecode(b"\xe9t\xe9")
    hand_in(place, odd, right)
    several = hand_in(place, "several", b"{}")
    (several / f"{NAME}.ipynb").rename(several / "draft.ipynb")
    (several / "final").mkdir()
    (several / "final" / "my work.ipynb").write_text(json.dumps(right))
    nothing = dict.fromkeys(["empty", "pipe", "link", "linked-folder", "device", "folder-as-file", "large"], (0, 0))
    return {**nothing, **dict.fromkeys([*names, odd, "several"], (4, 4))}


def test_there_are_enough_attacks_and_an_honest_student_before_and_after_each():
    assert 60 <= len(attacks()) < 200


def test_everybody_gets_what_the_answers_are_worth_and_nobody_else_anything(graded):
    _, out, expected, _ = graded
    found = {}
    for path in out.glob("*.json"):
        record = json.loads(path.read_text())
        found[record["student"]] = scores(record)
    assert {name: (found.get(name), worth) for name, worth in expected.items() if found.get(name) != worth} == {}
    assert set(found) == set(expected)


def test_every_mark_that_was_not_given_has_its_reason(graded):
    _, out, _expected, _ = graded
    for path in out.glob("*.json"):
        for entry in json.loads(path.read_text())["questions"].values():
            assert (entry["score"] == entry["max"]) == (entry["status"] == "correct")
            assert entry["message"].strip()
            assert len(entry["message"]) < 2500
            assert set(entry) >= {"score", "max", "status", "message"}


def test_what_is_forbidden_is_said_to_be_forbidden(graded):
    _, out, expected, _ = graded
    statuses = {
        name: record_of(out, name)["questions"]["closed"]["status"]
        for name in expected
        if name[3:].startswith("-closed-")
    }
    assert len(statuses) == len(FORBIDDEN)
    assert {name: status for name, status in statuses.items() if status != "forbidden"} == {}


def test_what_never_ends_is_said_to_be_late(graded):
    _, out, expected, _ = graded
    for name in expected:
        if name.partition("-open-")[2] in SLOW:
            assert record_of(out, name)["questions"]["open"]["status"] == "timeout"


def test_the_grade_book_has_a_line_for_everybody(graded):
    _, out, expected, _ = graded
    with open(out / "grades.csv", encoding="utf8", newline="") as file:
        # An apostrophe keeps spreadsheets from calculating a name.
        rows = {row["student"].removeprefix("'"): row for row in csv.DictReader(file)}
    assert len(rows) == len(expected)
    for name, worth in expected.items():
        row = rows[name.encode("utf8", "backslashreplace").decode()]
        assert (row["closed"], row["open"], row["score"], row["max"]) == (
            str(worth[0]),
            str(worth[1]),
            str(sum(worth)),
            "8",
        )


def test_canvas_gets_its_own_form(graded):
    _, out, expected, _ = graded
    with open(out / "canvas.csv", encoding="utf8", newline="") as file:
        head, points, *rows = csv.reader(file)
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Softmax and the likelihood"]
    assert points[0].strip() == "Points Possible"
    assert points[-1] == "8"
    assert len(rows) == len(expected)


def test_a_feedback_page_is_whole_harmless_and_says_where_to_read_on(graded):
    _, out, expected, _ = graded
    pages = {path.name: path.read_text() for path in (out / "feedback").glob("*.html")}
    assert len(pages) == len(expected)
    assert all("<script" not in page and "http" not in page and page.endswith("</html>\n") for page in pages.values())
    wrong = next(name for name, worth in expected.items() if worth == (3, 4))
    assert "Exponentials without a safe shift" in pages[f"{wrong}.html"]
    assert "Read on: chapter stability" in pages[f"{wrong}.html"]


def test_the_class_report_counts_misconceptions_and_names_equal_answers(graded):
    _, out, expected, done = graded
    page = (out / "report.html").read_text()
    count = sum(worth == (3, 4) for worth in expected.values())
    assert f"closed, {count} times: <strong>Exponentials without a safe shift" in page
    assert "<svg" in page
    assert "character for character" in page
    assert "same answers: 000-made and 002-made, " in done.stdout


def test_the_progress_is_shown_with_an_estimate(graded):
    _, _, expected, run = graded
    assert run.stderr.count("walls: the kernel's namespaces\n") == 1
    left = int(re.search(r"\] 1/(\d+), about \d+:\d\d left", run.stderr)[1])
    assert left <= len(expected) - run.kept + 2
    assert f"] {left}/{left}, about 0:00 left" in run.stderr


def test_a_second_run_grades_only_what_has_no_whole_record(graded):
    run = graded[3]
    assert run.kept >= 100
    assert run.again == sorted(run.broken)


def test_what_is_graded_is_not_graded_again(graded, tmp_path, capsys):
    place, out, _expected, _ = graded
    before = {path.name: path.read_bytes() for path in out.rglob("*.*") if path.is_file()}
    copy = shutil.copytree(out, tmp_path / "grades")
    when = {path.name: path.stat().st_mtime_ns for path in copy.glob("*.json")}
    assert main(command(place, copy, *SETTINGS, folder=course(tmp_path))[3:]) == 0
    assert when == {path.name: path.stat().st_mtime_ns for path in copy.glob("*.json")}
    assert before == {path.name: path.read_bytes() for path in copy.rglob("*.*") if path.is_file()}
    assert "about" not in capsys.readouterr().err


def chosen(place, few, names):
    """The same submissions in a folder of their own."""
    for name in names:
        shutil.copytree(place / name, few / name)
    return few


def test_a_cluster_gives_the_same_bytes_though_a_worker_is_killed(graded, tmp_path):
    pytest.importorskip("distributed", reason="make grading installs it")
    place, out, _, _ = graded
    names = [f"{number:03}-made" for number in range(0, 48, 2)] + ["changed-doubled-id", "honest-numpy-allowed"]
    few, told, here = chosen(place, tmp_path / "few", names), tmp_path / "scheduler.json", tmp_path / "grades"
    scheduler, worker = (
        [sys.executable, "-W", "ignore", "-m", f"distributed.cli.dask_{part}"] for part in ("scheduler", "worker")
    )
    where = ["--host", "127.0.0.1", "--no-dashboard"]
    cluster = [
        subprocess.Popen(
            [*scheduler, "--port", "0", "--scheduler-file", str(told), *where],
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        )
    ]
    run = None
    try:
        wait_for(told.is_file, cluster)
        address = json.loads(told.read_text())["address"]
        assert address.startswith("tcp://127.0.0.1:")
        work = [*worker, address, "--nworkers", "1", "--nthreads", "1", "--no-nanny", *where]
        cluster += [subprocess.Popen(work, cwd=tmp_path, stderr=subprocess.DEVNULL) for _ in range(2)]
        run = subprocess.Popen(
            command(few, here, *SETTINGS, "--scheduler", address), cwd=ROOT, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: len(list(here.glob("*.json"))) >= 5, [*cluster, run])
        cluster[1].kill()
        assert run.wait(300) == 0
    finally:
        for process in [*cluster, *filter(None, [run])]:
            process.kill()
            process.wait()
    assert {path.name: path.read_bytes() for path in here.glob("*.json")} == {
        f"{name}.json": (out / f"{name}.json").read_bytes() for name in names
    }


def wait_for(condition, processes, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert all(process.poll() is None for process in processes)
        assert time.monotonic() < end
        time.sleep(0.05)


ROSTER = """Student,ID,SIS User ID,SIS Login ID,Section,Other
    Points Possible,,,,,10
"Made, One",101,s1,000-made,A,7
"Made, Two",102,s2,naive,A,
"Absent, Ann",103,s3,ann,B,
"""


def test_after_a_changed_check_it_shows_whose_marks_moved(graded, tmp_path):
    place, out, expected, _ = graded
    naive = next(name for name, worth in expected.items() if worth == (3, 4))
    zipped = shutil.make_archive(
        str(tmp_path / "export"), "zip", chosen(place, tmp_path / "few", ["000-made", "002-made", naive])
    )
    here = tmp_path / "grades"
    here.mkdir()
    for name in ("000-made", "002-made", naive):
        shutil.copyfile(out / f"{name}.json", here / f"{name}.json")
    (tmp_path / "roster.csv").write_text(ROSTER.replace("naive", naive))
    folder = course(tmp_path)
    path = folder / NAME / f"{NAME}.ipynb"
    path.write_text(
        path.read_text().replace('\\"definition\\": 2, \\"stable\\": 1', '\\"definition\\": 1, \\"stable\\": 2')
    )
    done = grade(zipped, here, *SETTINGS, "--workers", "1", "--roster", str(tmp_path / "roster.csv"), folder=folder)
    assert done.stdout.count("moved: ") == 1
    assert f"moved: {naive} 7 -> 6" in done.stdout
    assert (here / "moved.csv").read_text() == f"student,before,after\n{naive},7,6\n"
    assert (here / "canvas.csv").read_text().splitlines()[1:] == [
        "    Points Possible,,,,,8",
        '"Made, One",101,s1,000-made,A,4',
        f'"Made, Two",102,s2,{naive},A,6',
        '"Absent, Ann",103,s3,ann,B,',
    ]
    with open(here / "grades.csv", newline="") as file:
        assert [row["same answers as"] for row in csv.DictReader(file)] == ["002-made", "000-made", ""]


# As in a container that forbids it: the kernel refuses unshare, on x86_64 and on aarch64. Then the grader, without and with --unsafe.
WITHOUT = """
import ctypes, os, struct, sys
from crossentropy.grading.__main__ import main
if __name__ == "__main__":
    number = {"x86_64": 272, "aarch64": 97}[os.uname().machine]
    lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))) == 0
    print(main(sys.argv[1:]), os.path.exists(os.path.join(os.environ["OUT"], "grades.csv")))
    sys.stderr.write("--then--")
    sys.stderr.flush()
    print(main([*sys.argv[1:], "--unsafe"]))
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has the filter that this test takes the namespaces away with"
)
def test_without_namespaces_it_grades_nobody_unless_told_to_and_then_warns(tmp_path):
    place, out = tmp_path / "few", tmp_path / "grades"
    hand_in(place, "ann", handed_in({"closed": RIGHT, "open": "while True: pass\n"}))
    program = tmp_path / "without.py"
    program.write_text(WITHOUT)
    asked = [sys.executable, str(program), *command(place, out, *SETTINGS, "--workers", "1")[3:]]
    # No podman and no docker either.
    done = subprocess.run(
        asked, cwd=ROOT, capture_output=True, text=True, timeout=300, env={**os.environ, "OUT": str(out), "PATH": ""}
    )
    refused, _, graded_all_the_same = done.stderr.partition("--then--")
    assert "No safe place to run submissions was found on this machine" in refused
    assert "namespaces: " in refused
    assert "container: neither podman nor docker is on the PATH" in refused
    assert "UNSAFE" not in refused
    assert "!!! UNSAFE" in graded_all_the_same
    assert done.stdout.splitlines()[0] == "2 False"
    assert done.stdout.splitlines()[-1] == "0"
    assert scores(record_of(out, "ann")) == (4, 0)
    assert record_of(out, "ann")["questions"]["open"]["status"] == "timeout"


# Would outlive its guard, and says when it has got so far.
CLINGING = "import ctypes, time\nlibc = ctypes.CDLL(None)\nlibc.prctl(1, 0, 0, 0, 0)\nlibc.prctl(15, b'clinging', 0, 0, 0)\ntime.sleep(600)\n"
ENDS = {
    "interrupted": (lambda pid: pid, signal.SIGINT),
    "killed": (lambda pid: pid, signal.SIGKILL),
    "mother-killed": (mother_of, signal.SIGKILL),
    "worker-killed": (lambda pid: workers_of(pid)[0], signal.SIGKILL),
}


@pytest.mark.parametrize("way", ENDS)
def test_however_it_ends_no_process_and_no_folder_is_left(way, tmp_path, namespaces):
    hand_in(tmp_path / "few", "ann", handed_in({"open": CLINGING}))
    (tmp_path / "temporary").mkdir()
    asked = command(tmp_path / "few", tmp_path / "grades", "--seconds", "100", "--workers", "1")
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    run = subprocess.Popen(asked, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: "clinging" in map(name_of, born_of(run.pid)), [run])
        hit, how = ENDS[way]
        born, pid = born_of(run.pid), hit(run.pid)
        assert [name_of(one) for one in born][-4:] == ["worker", "zygote", "zygote", "clinging"]
        os.kill(pid, how)
        # What a worker had forked for it goes with it; the mother stays.
        wait_for(lambda: not any(map(name_of, born[1 if way == "worker-killed" else 0 :])), [], 20)
        if pid == run.pid:
            assert run.wait(60) == (130 if way == "interrupted" else -how)
    finally:
        run.kill()
        run.wait()
    wait_for(lambda: not any(map(name_of, born)), [], 20)
    assert list((tmp_path / "temporary").iterdir()) == []
