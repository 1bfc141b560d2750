"""Run a question's cells behind walls: start a zygote, send it a question's socket, read plain data back.

The walls are the kernel's namespaces; where those are refused, a container; where neither is to be had, nobody is graded.
"""

import contextlib
import csv
import importlib.metadata
import json
import os
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch

from crossentropy.exercises import Call
from crossentropy.grading import containers, wire
from crossentropy.grading.zygote import ENVIRONMENT, FIRST_UID, UIDS

Walls = Literal["best", "namespaces", "container", "none"]
# What a student's code may import: these distributions, with all that they need themselves.
LIBRARIES = ("torch", "numpy")
# Longer than this nobody waits for a zygote: importing torch takes seconds on a cold disc.
START_SECONDS = 300.0
GRACE_SECONDS = 10.0
ENDINGS = {0: "ended", 1: "failed", 2: "cpu", 3: "time"}
NO_WALLS = 4
# Run as a student's code would be: 1 for each wall that stands.
PROBE = """
import os, socket, torch

def refused(action, *arguments):
    try:
        action(*arguments)
    except OSError:
        return 1.0
    return 0.0

def probe(logits):
    (logits - logits.amax(-1, keepdim=True)).exp().sum(-1).log().sum()
    walls = [
        os.getuid() >= 61000, os.getpid() == 1 or not ALONE, not os.path.exists("/proc"), not os.path.exists(HERE),
        refused(os.fork), refused(os.execv, "/bin/true", ["true"]), refused(socket.socket), refused(open, "/touched", "w"),
        refused(os.setuid, 0), all(refused(os.kill, pid, 0) for pid in range(1, 999) if pid != os.getpid()),
    ]
    return torch.tensor([float(wall) for wall in walls], dtype=torch.float64) + 0 * logits.sum()
"""

# Without walls the trial would do what it tries: leave the probing out.
TRIAL = "def probe(logits): return (logits - logits.amax(-1, keepdim=True)).exp().sum(-1).log()"


class NoWalls(RuntimeError):
    """This machine cannot keep a student's code away from the grader."""


class Lost(RuntimeError):
    """The zygote went away, or no longer answers."""


@dataclass(frozen=True)
class Limits:
    """What one question may use: seconds of processor and of the clock, bytes of memory beyond Python and torch."""

    cpu: float = 5.0
    wall: float = 20.0
    memory: int = 2**30

    def record(self) -> dict[str, float]:
        return {"cpu": self.cpu, "wall": self.wall, "memory": self.memory}


@dataclass
class Run:
    """A reply and how it ended: "ended", "failed", "cpu", "time", "signal N" or "broken" (with the reason)."""

    reply: wire.Reply
    ending: str
    reason: str = ""


@cache
def _visible() -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What the child sees: paths, symbolic links, and its sys.path."""
    stdlib = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
    own = Path(sys.base_prefix).resolve() / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    folders = {path for path in [*stdlib, own] if path.is_dir()}
    paths = {
        str(item)
        for folder in folders
        for item in folder.iterdir()
        if item.name not in {"site-packages", "dist-packages", "test", "__pycache__"}
    }
    site = set()
    for name in _needed():
        for place in _places(name):
            paths.add(str(place))
            site.add(str(place.parent))
    links = []
    for name in ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib"):
        if os.path.islink(name):
            links.append((name, os.readlink(name)))
        elif os.path.isdir(name):
            paths.update(_libraries(Path(name)))
    if os.path.exists("/etc/ld.so.cache"):
        paths.add("/etc/ld.so.cache")
    listed = [str(folder) for folder in sorted(folders)] + [str(folder / "lib-dynload") for folder in sorted(folders)]
    return tuple(sorted(paths)), tuple(links), (*dict.fromkeys(listed), *sorted(site))


def _libraries(folder: Path) -> list[str]:
    """Shared libraries of the system: the folder of the machine's architecture, and what lies loose beside it."""
    triplet = sysconfig.get_config_var("MULTIARCH")
    found = [str(path) for path in folder.iterdir() if ".so" in path.name and not path.is_symlink() and path.is_file()]
    if triplet and (folder / triplet).is_dir():
        found.append(str(folder / triplet))
    elif folder.name == "lib64":
        return [str(folder)]
    return found


def _needed() -> set[str]:
    """The distributions that a student's code may use, with their needs."""
    found: set[str] = set()
    waiting = list(LIBRARIES)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(name)
        # Without a marker, or one that holds in some environment: what is not installed is passed over above.
        waiting += [match[0] for need in needs if "extra ==" not in need and (match := re.match(r"[\w.-]+", need))]
    return found


def _places(distribution: str) -> set[Path]:
    """Where a distribution's own files and folders lie, the first level of them."""
    known = importlib.metadata.distribution(distribution)
    # Its list of files as text: asked for by ``files``, newer versions look for each of torch's thousands on the disc.
    rows = csv.reader((known.read_text("RECORD") or "").splitlines())
    tops = {row[0].split("/")[0] for row in rows if row} - {"..", "__pycache__", ""}
    tops = {top for top in tops if not top.endswith(".pth")}
    base = Path(str(known.locate_file(""))).resolve()
    return {base / top for top in tops if (base / top).exists()}


class Mother:
    """A process that has imported torch and run nothing, and forks what is asked for: zygotes, and the grader's workers."""

    def __init__(self, door: int | None = None, *, engine: str | None = None) -> None:
        """A new one, in a container if there is an ``engine``; or the one behind ``door``, a descriptor that she was reached by elsewhere.

        Raises:
            NoContainer: if the engine starts none.
        """
        self._process: subprocess.Popen[bytes] | None = None
        self._container: containers.Container | None = None
        if door is not None:
            self.door = socket.socket(fileno=door)
            return
        paths, links, path = _visible()
        # -I would also ignore PYTHONHASHSEED, on which the order of a student's sets hangs.
        interpreter = [os.path.realpath(sys.executable), "-s", "-P", "-S", "-B", "-X", "utf8"]
        if engine:
            self._container, self.door = containers.start(engine, paths, links, interpreter, ENVIRONMENT, START_SECONDS)
        else:
            self.door, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            script = str(Path(__file__).with_name("zygote.py"))
            with theirs:
                self._process = subprocess.Popen(
                    [*interpreter, script, str(theirs.fileno()), str(os.getpid())],
                    env=ENVIRONMENT,
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
        message = json.dumps({"paths": paths, "links": links, "path": path}).encode()
        self.door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(message) + 2**16)
        # Who has ended already is found out by whoever asks.
        with contextlib.suppress(OSError):
            self.door.send(message)

    def fork(self, what: str, *descriptors: int, **settings: Any) -> None:
        """Ask for a "zygote" or a "worker" that has these descriptors. Who is lost on the way closes them."""
        with contextlib.suppress(OSError):
            socket.send_fds(self.door, [json.dumps({"fork": what, **settings}).encode()], descriptors)

    def lost(self) -> bool:
        """Whether she has ended, or somebody has stopped her."""
        return self._process is not None and (self._process.poll() is not None or stopped(self._process.pid))

    def close(self) -> None:
        """End her, and with her all that she has forked."""
        self.door.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._container is not None:
            self._container.end()


class Sandbox:
    """A warm zygote, of this mother or of one of its own. ``ask`` runs one question in a child of its own; the next knows nothing of it."""

    def __init__(self, *, walls: Walls = "best", mother: Mother | None = None) -> None:
        """``walls`` says which may be used: "best" is namespaces, and a container where they are refused; "none" is for people whom you trust."""
        self.walls = walls
        # Which walls stand: "namespaces", "podman", "docker" or "none"; and why no better ones.
        self.standing = self.reason = ""
        self.pid: int | None = None
        self._mother = mother
        self._own: Mother | None = None
        self._control: socket.socket | None = None
        self._asked = 0

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the zygote, and wait until it is warm.

        Raises:
            NoWalls: if this machine cannot build the walls; says why.
            Lost: if its mother went away meanwhile.
        """
        if self._control is not None:
            return
        if self.standing:
            return self._start(self.standing)
        first = [] if self.walls == "container" else ["none" if self.walls == "none" else "namespaces"]
        wanted = first + (containers.engines() if self.walls in {"best", "container"} else [])
        reasons = []
        for standing in wanted:
            try:
                self._start(standing)
            except NoWalls as error:
                reasons.append(f"{standing}: {error}")
            else:
                self.standing, self.reason = standing, "; ".join(reasons)
                return
        if self.walls in {"best", "container"} and len(wanted) == len(first):
            reasons.append("container: neither podman nor docker is on the PATH")
        raise NoWalls("; ".join(reasons))

    def _start(self, standing: str) -> None:
        mother = self._mother
        engine = standing if standing in containers.ENGINES else None
        # The number by which a child in a container differs from those in others.
        uid = FIRST_UID + secrets.randbelow(UIDS)
        try:
            if mother is None or engine:
                mother = self._own = Mother(engine=engine)
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                mother.fork("zygote", theirs.fileno(), walls="container" if engine else standing, uid=uid)
            told = self._hear(START_SECONDS)
            if "error" in told:
                raise NoWalls(str(told["error"]))
            # In a container it has a number of its own there, which means nothing here.
            self.pid = None if engine else told["pid"]
            self._warm(standing)
        except BaseException as error:
            self.close()
            # A container that is lost before any has stood is none that can be had here.
            if isinstance(error, containers.NoContainer) or (engine and not self.standing and isinstance(error, Lost)):
                raise NoWalls(str(error)) from error
            raise

    def _warm(self, standing: str) -> None:
        """A first question, whose time nobody counts: it brings torch from the disc, and shows that the walls stand."""
        call = Call("warm", {"logits": torch.tensor([2.0, 0.5, 0.1], dtype=torch.float64)}, wants_gradient=True)
        run = self.ask(
            [
                ("where", f"HERE, ALONE = {__file__!r}, {standing == 'namespaces'}"),
                ("probe", TRIAL if standing == "none" else PROBE),
            ],
            "probe",
            [call],
            limits=Limits(cpu=START_SECONDS, wall=START_SECONDS),
        )
        trouble = run.reply.trouble or [("probe", run.reason or run.ending)]
        if not run.reply.ended or not run.reply.outcomes or run.reply.outcomes[0].value is None:
            raise NoWalls(f"the trial question failed: {trouble[0][1]}")
        told = run.reply.outcomes[0].value
        if standing != "none" and not bool((told == 1).all()):
            raise NoWalls("a wall does not stand: a child could reach a file, a process or the network")

    def close(self) -> None:
        """End the zygote, and with it every child."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.pid = None
        if self._own is not None:
            self._own.close()
            self._own = None

    def ask(
        self,
        cells: Sequence[tuple[str, str]],
        function: str,
        calls: Sequence[Call],
        *,
        forbidden: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> Run:
        """Run the cells (name and source) in a new child, call the function, and read what it sends.

        Raises:
            Lost: if the zygote went away meanwhile; the sandbox is closed, and may be asked again.
            NoWalls: if the child's walls could not be built.
        """
        limits = limits or Limits()
        self.start()
        assert self._control is not None
        question = wire.request(cells, function, calls, forbidden)
        reader = wire.Reader(calls)
        ours, theirs = socket.socketpair()
        self._asked += 1
        with ours:
            end = time.monotonic() + limits.wall + GRACE_SECONDS
            try:
                with theirs:
                    told = {**limits.record(), "number": self._asked, "threads": not forbidden}
                    socket.send_fds(self._control, [json.dumps(told).encode()], [theirs.fileno()])
                broken = self._converse(ours, question, reader, end)
                ours.close()
                told = self._hear(max(1.0, end - time.monotonic()))
                if told["number"] != self._asked:
                    raise Lost("the worker answers another question")
            except BaseException as error:
                # Whatever it was: an end that nobody has read would be taken for the next question's.
                self.close()
                if isinstance(error, OSError):
                    raise Lost("the worker went away") from error
                raise
        code = int(told["end"])
        if code == NO_WALLS:
            raise NoWalls("the walls around a question could not be built")
        ending = ENDINGS.get(code) or f"signal {code - 128}"
        if broken and ending in {"ended", "failed"}:
            return Run(reader.reply, "broken", broken)
        return Run(reader.reply, ending)

    def _converse(self, ours: socket.socket, question: bytes, reader: wire.Reader, end: float) -> str:
        """Send the question, read the reply until the child closes it; returns why the reading stopped early, if it did."""
        ours.setblocking(False)
        waiting = memoryview(question)
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise Lost("the worker no longer answers")
            readable, writable, _ = select.select([ours], [ours] if waiting else [], [], min(left, 1.0))
            if not readable and not writable and self._stopped():
                raise Lost("the worker was stopped")
            try:
                if writable:
                    waiting = waiting[ours.send(waiting) :]
                if readable:
                    data = ours.recv(2**16)
                    if not data:
                        return ""
                    reader.feed(data)
            except BlockingIOError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                return ""
            except wire.Broken as error:
                return str(error)

    def _stopped(self) -> bool:
        """Whether somebody has stopped the zygote or the guard (SIGSTOP): they would never answer."""
        return self.pid is not None and any(stopped(pid) for pid in [self.pid, *_children(self.pid)])

    def _hear(self, seconds: float) -> dict[str, Any]:
        assert self._control is not None
        self._control.settimeout(seconds)
        try:
            message = self._control.recv(4096)
        except TimeoutError:
            raise Lost("the worker no longer answers") from None
        except OSError:
            raise Lost("the worker went away") from None
        if not message:
            raise Lost("the worker went away")
        told: dict[str, Any] = json.loads(message)
        return told


def stopped(pid: int) -> bool:
    """Whether a process is stopped, where the system tells."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in "Tt"


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
