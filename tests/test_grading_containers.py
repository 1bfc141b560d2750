"""The second wall: a container where the kernel refuses namespaces. With an engine, what a child can reach in it; without, how one would be asked."""

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from cases.hostile import HONEST, RIGHT, SLOW, WORTHLESS
from crossentropy.exercises import load
from crossentropy.grading import containers, sandbox
from crossentropy.grading.sandbox import Limits, Lost, NoWalls, Sandbox
from test_grading import HELPER, ROOT, command, grade, hand_in, handed_in, record_of, scores, workers_of

CALLS = load("softmax").calls()[:2]
SHORT = Limits(cpu=2, wall=8)
SAY = "def say(value): raise RuntimeError(repr(value))\n"

# An engine that writes down what it is asked, and instead of a container starts the mother beside itself, or one who leaves, or fails, or hangs.
FAKE = """#!{python}
import json, os, sys, time
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + chr(10))
way, word = {way!r}, sys.argv[1]
if word == "image":
    sys.exit(1)
if word == "import":
    open({tar!r}, "wb").write(sys.stdin.buffer.read())
    sys.exit(0)
if word == "kill":
    sys.exit(0)
if way == "fails":
    sys.exit("no container today")
if way == "hangs":
    time.sleep(600)
bound = dict(argument.removeprefix("--volume=").split(":")[1::-1] for argument in sys.argv if argument.startswith("--volume="))
start = next(place for place, argument in enumerate(sys.argv) if argument.startswith("crossentropy-grading:")) + 1
*interpreter, script, door = sys.argv[start:]
place = os.open(bound["/door"], os.O_PATH)
os.set_inheritable(place, True)
broken = ["-c", "import socket, sys; socket.socket(1, socket.SOCK_SEQPACKET).connect(sys.argv[1])"]
os.execv(interpreter[0], [*interpreter, *(broken if way == "leaves" else [bound[script]]), "/proc/self/fd/%d/door" % place])
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Makes a fake podman the only engine; returns what it was asked, and the image that it was given."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    def ask(way):
        log, tar, fake = tmp_path / "log", tmp_path / "tar", tmp_path / "bin" / "podman"
        fake.write_text(FAKE.format(python=sys.executable, log=str(log), tar=str(tar), way=way))
        fake.chmod(0o755)
        with Sandbox(walls="container") as mine, pytest.raises(NoWalls) as refused:
            mine.start()
        assert list((tmp_path / "temporary").iterdir()) == []
        return [json.loads(line) for line in log.read_text().splitlines()], tar.read_bytes(), str(refused.value)

    return ask


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("fails", "podman: no container today"),
        ("hangs", "podman: the container did not answer"),
        ("leaves", "podman: the worker went away"),
        # Beside the engine there is no other root: the child cannot be enclosed, and the trial says so.
        ("starts", "podman: the walls around a question could not be built"),
    ],
)
def test_what_is_no_container_is_found_out_and_leaves_nothing(way, reason, asked, monkeypatch):
    monkeypatch.setattr(containers, "ENGINE_SECONDS", 1.0)
    monkeypatch.setattr(sandbox, "START_SECONDS", 1.0 if way == "hangs" else 300.0)
    assert asked(way)[2] == reason


def test_an_engine_is_asked_for_a_container_that_holds_a_read_only_python_and_nothing_else(asked):
    ((_, *inspected), imported, run), tar, _ = asked("fails")
    image = inspected[-1]
    assert imported == ["import", "-", image]
    given = {"run", "--rm", "--read-only", "--read-only-tmpfs=false"}
    pairs = [
        ("--network", "none"), ("--ipc", "none"), ("--pull", "never"), ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"), ("--ulimit", "nofile=256:256"),
    ]  # fmt: skip
    assert given <= set(run)
    assert set(pairs) <= set(itertools.pairwise(run))
    assert {word for word in run if word.startswith("--cap-add")} == {f"--cap-add={c}" for c in containers.CAPABILITIES}
    assert not set(run) & {"--privileged", "--device", "--pid", "--mount", "--publish"}
    volumes = [word.removeprefix("--volume=").split(":") for word in run if word.startswith("--volume=")]
    visible = sandbox._visible()[0]
    assert {mode for _, _, mode in volumes} == {"ro"}
    inside = {source: target for source, target, _ in volumes if target.startswith("/inner/")}
    assert set(visible) <= set(inside)
    assert all(target == f"/inner{source}" for source, target in inside.items())
    assert not any(part in target for target in inside.values() for part in ("crossentropy", "assignments", "/door"))
    assert {target for _, target, _ in volumes if target not in inside.values()} <= {
        "/door",
        "/zygote.py",
        "/etc/ld.so.cache",
    }
    told = run[run.index(image) + 1 :]
    assert told[0] == os.path.realpath(sys.executable)
    assert told[-2:] == ["/zygote.py", "/door/door"]
    # The image: links, by which Python is found outside its own root as well, and no file.
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        members = archive.getmembers()
    assert all(member.issym() for member in members)
    assert {"usr", told[0].split("/")[1]} <= {member.name for member in members}


@pytest.mark.parametrize(
    ("walls", "works", "engines", "standing"),
    [
        ("best", {"namespaces", "podman"}, ["podman"], "namespaces"),
        ("best", {"podman", "docker"}, ["podman", "docker"], "podman"),
        ("best", {"docker"}, ["podman", "docker"], "docker"),
        ("best", {"none"}, ["podman", "docker"], None),
        ("best", {"none"}, [], None),
        ("namespaces", {"podman", "none"}, ["podman"], None),
        ("container", {"namespaces", "docker"}, ["docker"], "docker"),
        ("container", {"namespaces"}, [], None),
        ("none", {"namespaces", "none"}, ["podman"], "none"),
    ],
)
def test_the_best_walls_that_stand_are_taken_and_no_walls_only_when_asked_for(
    walls, works, engines, standing, monkeypatch
):
    tried = []

    def start(self, wall):
        tried.append(wall)
        if wall not in works:
            raise NoWalls("not here")

    monkeypatch.setattr(Sandbox, "_start", start)
    monkeypatch.setattr(containers, "engines", lambda: engines)
    mine = Sandbox(walls=walls)
    if standing:
        mine.start()
        assert mine.standing == tried[-1] == standing
        assert mine.reason == "; ".join(f"{wall}: not here" for wall in tried[:-1])
        # What stood once is not exchanged for something weaker.
        works.clear()
        with pytest.raises(NoWalls):
            mine.start()
        assert tried[-1] == standing
    else:
        with pytest.raises(NoWalls, match="not here" if engines else "neither podman nor docker"):
            mine.start()
        assert ("none" in tried) == (walls == "none")


def test_what_a_killed_grader_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    kept = {f"grading-{os.getpid()}-a", "grading-x-b", "other"}
    for name in (*kept, f"grading-{ended.pid}-c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "door").touch()
    containers.remove_left_over()
    assert {path.name for path in tmp_path.iterdir()} == kept


# With an engine


@pytest.fixture(scope="session")
def engine():
    """An engine that is there and answers."""
    for name in containers.engines():
        if subprocess.run([name, "info"], capture_output=True, timeout=60).returncode == 0:
            return name
    pytest.skip("neither podman nor docker is here and answers, so no container")


@pytest.fixture(scope="session")
def contained(engine):
    with Sandbox(walls="container") as warm:
        warm.start()
        assert warm.standing == engine
        yield warm


def said(contained, source):
    ((_, text),) = contained.ask([("cell", SAY + source)], "softmax", CALLS, limits=SHORT).reply.trouble
    return text.removeprefix("RuntimeError: ")


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("import os\nsay((61000 <= os.getuid() < 65000, os.getuid() == os.getgid(), os.getgroups()))", "(True, True, [])"),
        ("import os\nsay(sorted(set(os.environ) - {'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'PYTHONHASHSEED', 'LC_CTYPE'}))", "[]"),
        ("import os\nsay([os.path.exists(p) for p in ('/proc', '/sys', '/dev', '/run', '/home', '/etc/passwd', '/bin/sh', '/door', '/zygote.py', '/inner')])", str([False] * 10)),
        ("import os\nsay(os.listdir('/etc'))", "['ld.so.cache']"),
        ("import importlib.util\nsay([importlib.util.find_spec(n) is None for n in ('crossentropy', 'scipy', 'sklearn', 'IPython', 'pytest')])", str([True] * 5)),
        ("import os\nsay(os.open('/touched', os.O_CREAT | os.O_WRONLY))", "Read-only file system: '/touched'"),
        ("import os\nsay([p for p, _, _ in os.walk('/') if os.access(p, os.W_OK)])", "[]"),
        ("import os, torch\nsay([bool(os.statvfs(p).f_flag & os.ST_RDONLY) for p in ('/', os.__file__, torch.__file__)])", "[True, True, True]"),
        ("import ctypes\nl = ctypes.CDLL(None)\nsay([l.unshare(0x10000000), l.setns(3, 0), l.mount(b'none', b'/usr', b'tmpfs', 0, None), l.setuid(0), l.setgid(0), l.chroot(b'/usr'), l.prctl(1, 0)])", str([-1] * 7)),
        ("import ctypes\nl = ctypes.CDLL(None)\nsay([l.prctl(39, 0, 0, 0, 0), [l.prctl(47, 1, n, 0, 0) for n in range(40)] == [0] * 40])", "[1, True]"),
        ("import os\nr = []\nfor n in range(4, 200):\n    try:\n        os.fstat(n)\n        r.append(n)\n    except OSError: pass\nsay(r)", "[]"),
        ("import resource as r\nsay([r.getrlimit(k)[1] for k in (r.RLIMIT_CORE, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE, r.RLIMIT_NPROC)])", str([0, 64 * 2**20, 128, 64])),
        ("import os\nfor n in (1, os.getppid()): \n    try: os.kill(n, 9)\n    except PermissionError: continue\n    say('killed')\nsay('safe')", "safe"),
        ("import os\nos.fork()", "PermissionError: [Errno 1] Operation not permitted"),
        ("import os\nos.execv('/bin/sh', ['sh'])", "PermissionError: [Errno 1] Operation not permitted"),
        ("import socket\nsocket.socket()", "PermissionError: [Errno 1] Operation not permitted"),
    ],
)  # fmt: skip
def test_the_child_in_a_container_sees_a_read_only_python_and_nothing_else(contained, source, answer):
    assert answer in said(contained, source)


def test_a_killed_container_is_said_to_be_lost_and_another_takes_its_place(engine):
    with Sandbox(walls="container") as mine:
        mine.start()
        names = [mine._own._container.name]
        assert subprocess.run([engine, "kill", *names], capture_output=True).returncode == 0
        with pytest.raises(Lost):
            mine.ask([("cell", RIGHT)], "softmax", CALLS, limits=SHORT)
        assert len(mine.ask([("cell", RIGHT)], "softmax", CALLS, limits=SHORT).reply.outcomes) == 2
        assert mine._own._container.name not in names


def test_one_question_in_a_container_leaves_nothing_to_the_next(contained):
    dirt = "import torch, os, sys\ntorch.exp = None\nos.environ['LEFT'] = '1'\nnote = 'the work of somebody'\n"
    assert contained.ask([("cell", dirt + RIGHT)], "softmax", CALLS, limits=SHORT).reply.trouble == []
    search = "import gc, os, torch\nmark = 'work of ' + 'ydobemos'[::-1]\n"
    search += "found = [v for o in gc.get_objects() if isinstance(o, dict) for v in list(o.values()) if isinstance(v, str) and v is not mark and mark in v]\n"
    assert said(contained, search + "say((len(found), torch.exp is None, 'LEFT' in os.environ))") == "(0, False, False)"


def test_attacks_in_a_container_get_nothing_and_the_honest_their_marks(tmp_path, engine):
    expected = {}
    for name, text in {**WORTHLESS, **SLOW}.items():
        hand_in(tmp_path / "class", name, handed_in({"open": text, **({"closed": RIGHT} if name in SLOW else {})}))
        expected[name] = (4, 0) if name in SLOW else (0, 0)
    for name, text in HONEST.items():
        hand_in(tmp_path / "class", f"honest-{name}", handed_in({"closed": text, "open": HELPER + RIGHT}))
        expected[f"honest-{name}"] = (4, 4)
    out = tmp_path / "grades"
    done = grade(tmp_path / "class", out, "--seconds", "1", "--workers", "2", "--walls", "container")
    assert done.stderr.splitlines().count(f"walls: a container of {engine}") == 1
    found = {name: scores(record_of(out, name)) for name in expected}
    assert {name: found[name] for name in expected if found[name] != expected[name]} == {}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_container_ends_with_the_grader(how, tmp_path, engine):
    mark = f"cling{os.getpid()}"
    clinging = f"import ctypes, time\nctypes.CDLL(None).prctl(15, b'{mark}', 0, 0, 0)\ntime.sleep(600)\n"
    hand_in(tmp_path / "few", "ann", handed_in({"open": clinging}))
    (tmp_path / "temporary").mkdir()
    asked = command(tmp_path / "few", tmp_path / "grades", "--seconds", "100", "--workers", "1", "--walls", "container")
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    run = subprocess.Popen(asked, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)

    def running():
        return [path for path in Path("/proc").glob("[0-9]*/comm") if reads(path) == mark]

    def listed():
        names = subprocess.run([engine, "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True)
        return [name for name in names.stdout.split() if name.startswith(f"grading-{worker}-")]

    try:
        wait_for(running)
        (worker,) = workers_of(run.pid)
        assert len(listed()) == 1
        run.send_signal(how)
        wait_for(lambda: not running())
        assert run.wait(60) != 0
    finally:
        run.kill()
        run.wait()
    wait_for(lambda: not listed())
    assert list((tmp_path / "temporary").iterdir()) == []


def reads(path):
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
