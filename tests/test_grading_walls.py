"""The walls: what a child can reach, that one question leaves nothing to the next, and that the parent believes nothing that comes back."""

import contextlib
import json
import os
import signal
import struct
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases.hostile import RIGHT
from crossentropy.exercises import load, run
from crossentropy.grading import sandbox as walls
from crossentropy.grading import wire
from crossentropy.grading.sandbox import Limits, Lost, Sandbox

EXERCISE = load("softmax")
CALLS = EXERCISE.calls()[:2]
SHORT = Limits(cpu=2, wall=8)
# Says what it found by an error, the only text that comes back.
SAY = "def say(value): raise RuntimeError(repr(value))\n"


def said(sandbox, source):
    ((_, text),) = sandbox.ask([("cell", SAY + source)], "softmax", CALLS, limits=SHORT).reply.trouble
    return text.removeprefix("RuntimeError: ")


# What lies in /tmp, but for a Python that is installed there.
TMP = "[n for n in os.listdir('/tmp') if not __import__('torch').__file__.startswith(f'/tmp/{n}/')]"


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("import os\nsay((os.getuid(), os.getgid(), os.getpid(), os.getppid()))", "(65534, 65534, 1, 0)"),
        ("import os\nsay(sorted(set(os.environ) - {'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'PYTHONHASHSEED', 'LC_CTYPE', 'TORCHINDUCTOR_CACHE_DIR'}))", "[]"),
        ("import os\nsay([os.path.exists(p) for p in ('/proc', '/sys', '/home', '/etc/passwd', '/bin/sh', '/var', '/run', '/usr/bin')])", str([False] * 8)),
        ("import os\nsay(sorted(os.listdir('/dev')))", "['null', 'random', 'urandom', 'zero']"),
        (f"import os\nsay({TMP})", "[]"),
        ("import importlib.util\nsay([importlib.util.find_spec(n) is None for n in ('crossentropy', 'scipy', 'sklearn', 'IPython', 'pytest')])", str([True] * 5)),
        ("import sys\nsay([n for n in sys.modules if 'crossentropy' in n or 'nbformat' in n])", "[]"),
        ("import socket\nsay(socket.gethostname())", "'sandbox'"),
        ("import os\nsay(os.open('/touched', os.O_CREAT | os.O_WRONLY))", "Read-only file system: '/touched'"),
        ("import os, torch\nsay([bool(os.statvfs(p).f_flag & os.ST_RDONLY) for p in ('/', '/dev', os.__file__, torch.__file__)])", "[True, True, True, True]"),
        ("import ctypes\nl = ctypes.CDLL(None)\nsay([l.unshare(0x10000000), l.setns(3, 0), l.mount(b'none', b'/tmp', b'tmpfs', 0, None), l.setuid(0), l.chroot(b'/tmp')])", "[-1, -1, -1, -1, -1]"),
        ("import ctypes\nl = ctypes.CDLL(None)\nsay([l.syscall(n, 0, 0, 0, 0) for n in (101, 272, 310, 319, 321, 425, 435)])", str([-1] * 7)),
        ("import ctypes, os\nsay(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0))", "1"),
        ("import ctypes\nl = ctypes.CDLL(None)\nsay([l.prctl(1, 0, 0, 0, 0), l.prctl(4, 0, 0, 0, 0)])", "[-1, 0]"),
        ("import os\nr = []\nfor n in range(4, 200):\n    try:\n        os.fstat(n)\n        r.append(n)\n    except OSError: pass\nsay(r)", "[]"),
        ("import os\nsay(os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize)", str(64 * 2**20)),
        ("import resource as r\nsay([r.getrlimit(k)[1] for k in (r.RLIMIT_CORE, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE, r.RLIMIT_NPROC)])", str([0, 64 * 2**20, 128, 64])),
        ("import os\nos.fork()", "PermissionError: [Errno 1] Operation not permitted"),
        ("import os\nos.execv('/bin/sh', ['sh'])", "PermissionError: [Errno 1] Operation not permitted"),
        ("import socket\nsocket.socket()", "PermissionError: [Errno 1] Operation not permitted"),
    ],
)  # fmt: skip
def test_the_child_sees_a_read_only_python_and_nothing_else(sandbox, source, answer):
    if "syscall" in source and os.uname().machine != "x86_64":
        pytest.skip("these are x86_64's numbers")
    assert answer in said(sandbox, source)


def test_the_grader_s_own_answers_are_not_in_the_child_s_memory(sandbox):
    hidden = EXERCISE.calls(seed=99)
    secret = float(EXERCISE.answer(hidden[0]).reshape(-1)[0])
    search = f"import gc, math\nsay([type(o).__name__ for o in gc.get_objects() if isinstance(o, dict) and any(isinstance(v, float) and math.isclose(v, {secret!r}) for v in o.values())])"
    assert said(sandbox, search) == "[]"


def test_one_question_leaves_nothing_to_the_next(sandbox):
    dirt = "import torch, builtins, os, sys\ntorch.exp = builtins.len = None\nopen('/tmp/left', 'w').write('here')\nos.environ['LEFT'] = '1'\nsys.modules['left'] = sys\n"
    assert sandbox.ask([("cell", dirt)], "softmax", CALLS, limits=SHORT).reply.trouble == []
    assert (
        said(
            sandbox,
            f"import os, sys, torch\nsay(({TMP}, 'LEFT' in os.environ, 'left' in sys.modules, torch.exp is None, len is None))",
        )
        == "([], False, False, False, False)"
    )


def test_a_question_cannot_find_another_s_source_in_its_memory(sandbox):
    sandbox.ask([("cell", "note = 'the work of somebody'\n" + RIGHT)], "softmax", CALLS, limits=SHORT)
    search = "import gc\nmark = 'work of ' + 'ydobemos'[::-1]\nfound = [v for o in gc.get_objects() for v in (list(o.values()) if isinstance(o, dict) else o if isinstance(o, (list, tuple)) else ())"
    search += " if isinstance(v, str) and v is not mark and mark in v]\nsay(len(found))"
    assert said(sandbox, "note = 'the work of somebody'\n" + search) != "0"
    assert said(sandbox, search) == "0"


def test_the_child_runs_a_function_as_the_exercises_do(sandbox):
    for exercise in (EXERCISE, load("cost"), load("kl_divergence")):
        calls = [*exercise.calls(), *exercise.calls(seed=3)]
        for body in [
            f"return {exercise.reference}",
            *(
                f"return {mistake.wrong}"
                for mistake in exercise.mistakes[:6]
                if "return" not in mistake.wrong and "EPSILON" not in mistake.wrong
            ),
        ]:
            source = f"import torch, math\nimport torch.nn.functional as F\ndef {exercise.signature}:\n    {body}\n"
            space = {}
            exec(source, space)
            here = exercise.judge(calls, run(space[exercise.name], calls))
            there = sandbox.ask([("cell", source)], exercise.name, calls, limits=SHORT).reply.outcomes
            assert exercise.judge(calls, there) == here, body


def test_a_killed_worker_is_said_to_be_lost_and_can_be_asked_again(namespaces):
    with Sandbox() as mine:
        mine.start()
        os.kill(mine.pid, signal.SIGKILL)
        with pytest.raises(Lost):
            mine.ask([("cell", RIGHT)], "softmax", CALLS)
        assert len(mine.ask([("cell", RIGHT)], "softmax", CALLS).reply.outcomes) == 2
        os.kill(mine.pid, signal.SIGSTOP)
        with pytest.raises(Lost, match="stopped"):
            mine.ask([("cell", RIGHT)], "softmax", CALLS)


# What comes back


def frame(header, blob=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<II", len(text), len(blob)) + text + blob


LOADED = frame({"kind": "loaded", "trouble": [], "found": True})
VALUE = {"kind": "outcome", "problem": None, "value": ["float64", [3]], "gradients": {}, "after": {}}


def test_a_plain_answer_is_read_however_it_is_cut():
    data = LOADED + frame(VALUE, struct.pack("<3d", 1, 2, 3)) + frame({"kind": "end", "used": []})
    for size in (1, 7, len(data)):
        reader = wire.Reader(CALLS)
        for start in range(0, len(data), size):
            reader.feed(data[start : start + size])
        assert reader.reply.ended
        assert torch.equal(reader.reply.outcomes[0].value, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frame(VALUE, bytes(24)), "out of its order"),
        (LOADED + LOADED, "out of its order"),
        (LOADED + frame(VALUE, bytes(23)), "fewer bytes"),
        (LOADED + frame(VALUE, bytes(25)), "more bytes"),
        (LOADED + frame({**VALUE, "value": ["object", [3]]}, bytes(24)), "unknown dtype"),
        (LOADED + frame({**VALUE, "value": ["float64", [-3]]}, bytes(24)), "shape out of bounds"),
        (LOADED + frame({**VALUE, "value": ["float64", [True]]}, bytes(8)), "shape out of bounds"),
        (LOADED + frame({**VALUE, "value": ["float64", [2**24] * 8]}, bytes(24)), "fewer bytes"),
        (LOADED + frame({**VALUE, "value": ["float64", [1] * 9]}, bytes(8)), "shape out of bounds"),
        (LOADED + frame({**VALUE, "value": ["float64", [2**24, 2**24, 2**24, 0]]}), "shape out of bounds"),
        (LOADED + frame({**VALUE, "value": ["int64", [3]]}, bytes(24)), "no floating-point"),
        (LOADED + frame({**VALUE, "value": None}), "neither a value nor a problem"),
        (LOADED + frame({**VALUE, "value": {"dtype": "float64"}}, bytes(24)), "list expected|pair expected"),
        (LOADED + frame({**VALUE, "passed": True}, bytes(24)), "other keys"),
        (LOADED + frame({**VALUE, "value": None, "problem": ["right", ""]}), "unknown problem"),
        (LOADED + frame({**VALUE, "after": {"answer": ["float64", [3]]}}, bytes(48)), "another name"),
        (LOADED + frame(b"[" * 60000), "no JSON"),
        (LOADED + frame(b"\xff"), "no JSON"),
        (LOADED + frame(b"[]"), "no object"),
        (LOADED + frame({"kind": "verdict", "score": 4}), "out of its order"),
        (LOADED + frame({"kind": "end", "used": []}) + LOADED, "after the end"),
        (struct.pack("<II", 2**31, 0), "larger than any answer"),
        (LOADED + 3 * frame(VALUE, bytes(24)), "out of its order"),
        (frame({"kind": "loaded", "trouble": [[]], "found": True}), "pair expected"),
        (LOADED + frame({**VALUE, "value": [["float64"], [3]]}, bytes(24)), "str expected"),
    ],
)  # fmt: skip
def test_whatever_is_no_plain_answer_ends_the_reading(data, reason):
    with pytest.raises(wire.Broken, match=reason):
        wire.Reader(CALLS).feed(data)


@given(st.binary(max_size=200), st.integers(0, len(LOADED)))
def test_random_bytes_are_refused_or_wait_for_more(data, cut):
    reader = wire.Reader(CALLS)
    try:
        reader.feed(LOADED[:cut] + data)
    except wire.Broken:
        return
    assert not reader.reply.outcomes


@given(
    st.sampled_from(["loaded", "outcome", "end"]),
    st.sampled_from(["trouble", "found", "used", "value", "problem", "gradients", "after"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=5,
    ),
)
def test_whatever_a_frame_holds_the_reader_knows_what_to_say(kind, key, value):
    whole = {"loaded": {"trouble": [], "found": True}, "outcome": VALUE, "end": {"used": []}}[kind]
    data = frame({**whole, "kind": kind} | ({key: value} if key in whole else {}), bytes(24) * (kind == "outcome"))
    reader = wire.Reader(CALLS)
    with contextlib.suppress(wire.Broken):
        reader.feed((b"" if kind == "loaded" else LOADED) + data)


def test_a_frame_that_the_reader_fails_on_is_broken(monkeypatch):
    monkeypatch.setattr(wire, "_text", lambda value: 1 / 0)
    with pytest.raises(wire.Broken, match="cannot be read"):
        wire.Reader(CALLS).feed(frame({"kind": "loaded", "trouble": [["a", "b"]], "found": True}))


# Writes past the grader's own frames, as only who knows this file can.
FORGED = """
import json, os
header = json.dumps({"kind": "loaded", "trouble": [[]], "found": True}).encode()
os.write(3, len(header).to_bytes(4, "little") + bytes(4) + header)
"""


def test_after_a_broken_frame_every_question_has_its_own_end(sandbox):
    assert sandbox.ask([("cell", FORGED + RIGHT)], "softmax", CALLS, limits=SHORT).ending == "broken"
    endless = sandbox.ask([("cell", "while True: pass")], "softmax", CALLS, limits=Limits(cpu=0.5, wall=8))
    assert endless.ending == "cpu"
    assert sandbox.ask([("cell", RIGHT)], "softmax", CALLS, limits=SHORT).ending == "ended"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_while_a_reply_is_read_leaves_no_end_to_the_next(error, namespaces, monkeypatch):
    def fail(*_):
        raise error

    with Sandbox() as mine:
        mine.start()
        with monkeypatch.context() as patched:
            patched.setattr(wire.Reader, "feed", fail)
            with pytest.raises(error):
                mine.ask([("cell", RIGHT)], "softmax", CALLS, limits=SHORT)
        assert mine.ask([("cell", "import os\nos._exit(1)")], "softmax", CALLS, limits=SHORT).ending == "failed"
        # The end of another question is believed to be nobody's.
        mine._asked += 1
        monkeypatch.setattr(
            json, "dumps", lambda told, dumps=json.dumps: dumps({**told, "number": 1} if "wall" in told else told)
        )
        with pytest.raises(Lost, match="another question"):
            mine.ask([("cell", RIGHT)], "softmax", CALLS, limits=SHORT)


def test_a_text_from_a_student_is_one_short_line_without_addresses():
    assert wire.clean("<object at 0x7f00ab>\n\x1b[31m" + "x" * 900).startswith("<object at 0x...> [31mxxx")
    assert len(wire.clean("x" * 10**6)) == wire.LONGEST_TEXT


def test_a_request_holds_inputs_and_no_answers():
    data = wire.request([("cell", RIGHT)], "softmax", CALLS, ["softmax"])
    answers = [struct.pack("<d", value) for call in CALLS for value in EXERCISE.answer(call).reshape(-1).tolist()]
    assert all(
        struct.pack("<d", value) in data for call in CALLS for value in call.arguments["logits"].reshape(-1).tolist()
    )
    assert not any(answer in data for answer in answers)
    assert EXERCISE.reference.encode() not in data


def test_a_python_that_is_installed_below_tmp_is_there_in_the_fresh_one(namespaces, monkeypatch):
    paths, links, path = walls._visible()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        Path(folder, "late.py").write_text("answer = 42\n", encoding="utf8")
        monkeypatch.setattr(walls, "_visible", lambda: ((*paths, folder), links, (*path, folder)))
        with Sandbox() as fresh:
            assert (
                said(fresh, "import late, os\nsay((late.answer, os.access(late.__file__, os.W_OK)))") == "(42, False)"
            )
            assert said(fresh, "open('/tmp/mine', 'w').write('here')\nsay(open('/tmp/mine').read())") == "'here'"
