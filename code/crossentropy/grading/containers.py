"""The second wall, where the kernel's namespaces are refused: a container of podman or docker, with a mother of its own in it.

The image is empty but for links; what a student's code may see is bound into ``INNER``, read-only, and the child's root is moved there. So the
child sees no more than behind the first wall: not the container's /proc, and no place where it could leave something to the next question.
"""

import contextlib
import hashlib
import io
import os
import re
import resource
import secrets
import shutil
import socket
import subprocess
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossentropy.grading.zygote import INNER

ENGINES = ("podman", "docker")
# What the mother needs to make a child another user with another root, to end it, and to read what the grader's user reads; a child has none.
CAPABILITIES = ("SETUID", "SETGID", "SYS_CHROOT", "KILL", "DAC_OVERRIDE")
ENGINE_SECONDS = 60.0
# The runtime's own.
OUTER = {"", "dev", "proc", "sys", "etc", "run"}
PREFIX = "grading-"


class NoContainer(RuntimeError):
    """The engine starts no container; says why."""


@dataclass(frozen=True)
class Container:
    """A container that has been started, and what ends it."""

    client: subprocess.Popen[bytes]
    engine: str
    name: str

    def end(self) -> None:
        """To be called once the mother's door is closed: she then ends by herself, and the container with her."""
        try:
            self.client.wait(ENGINE_SECONDS / 6)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(NoContainer):
                _told(self.engine, "kill", self.name)
            self.client.kill()
        self._close()

    def failed(self) -> str | None:
        """What the engine said, if it has ended before its time."""
        if self.client.poll() is None:
            return None
        return _line(self._close()) or "the container ended at once"

    def _close(self) -> bytes:
        return self.client.communicate()[1]


def engines() -> list[str]:
    """Those of podman and docker that are on the PATH."""
    return [engine for engine in ENGINES if shutil.which(engine)]


def start(
    engine: str,
    paths: Sequence[str],
    links: Sequence[tuple[str, str]],
    interpreter: Sequence[str],
    environment: Mapping[str, str],
    seconds: float,
) -> tuple[Container, socket.socket]:
    """Start a container with a mother in it, and wait until she has come to the door.

    Raises:
        NoContainer: if she does not come within ``seconds``; says what the engine said.
    """
    paths = [*paths, *_of_the_interpreter(interpreter[0])]
    image = _image(engine, paths, links)
    name = f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    remove_left_over()
    folder = tempfile.mkdtemp(prefix=f"{name}-")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            place = os.open(folder, os.O_PATH)
            # A socket's path may not be long, a temporary folder's may.
            listening.bind(f"/proc/self/fd/{place}/door")
            os.close(place)
            listening.listen(1)
            listening.settimeout(0.2)
            client = subprocess.Popen(
                command(engine, name, image, folder, paths, interpreter, environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            made = Container(client, engine, name)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                with contextlib.suppress(TimeoutError):
                    return made, listening.accept()[0]
                if reason := made.failed():
                    raise NoContainer(reason)
            made.end()
            raise NoContainer("the container did not answer")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def command(
    engine: str,
    name: str,
    image: str,
    folder: str,
    paths: Sequence[str],
    interpreter: Sequence[str],
    environment: Mapping[str, str],
) -> list[str]:
    """The engine's command line."""
    asked = [engine, "run", "--rm", "--name", name, "--pull", "never", "--log-driver", "none"]
    asked += ["--network", "none", "--ipc", "none", "--read-only", "--user", "0:0", "--workdir", "/"]
    # podman would mount a writable /tmp otherwise.
    asked += ["--read-only-tmpfs=false"] if engine == "podman" else []
    asked += ["--cap-drop", "ALL", *(f"--cap-add={capability}" for capability in CAPABILITIES)]
    # Without the label's exception SELinux would let nobody read what is bound, nor come to the door.
    asked += ["--security-opt", "no-new-privileges", "--security-opt", "label=disable"]
    # Engines would raise these, which a grader within a container may not.
    for limit, kind, most in (("nofile", resource.RLIMIT_NOFILE, 256), ("nproc", resource.RLIMIT_NPROC, 2**15)):
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        asked += ["--ulimit", f"{limit}={value}:{value}"]
    asked += [f"--env={key}={value}" for key, value in environment.items()]
    bound = [(path, INNER + path) for path in paths]
    bound += [(path, path) for path in paths if path.split("/")[1] in OUTER]
    bound += [(folder, "/door"), (str(Path(__file__).with_name("zygote.py")), "/zygote.py")]
    asked += [f"--volume={source}:{target}:ro" for source, target in bound]
    return [*asked, image, *interpreter, "/zygote.py", "/door/door"]


def _of_the_interpreter(executable: str) -> list[str]:
    """What Python needs to start, beyond what a running one does."""
    library = Path(sysconfig.get_config_var("LIBDIR") or "/") / (sysconfig.get_config_var("INSTSONAME") or "")
    return [executable, *([str(library)] if library.is_file() and ".so" in library.name else [])]


def _image(engine: str, paths: Sequence[str], links: Sequence[tuple[str, str]]) -> str:
    """The name of the image, which is made where it is not known: links alone, so that each path is found outside ``INNER`` as in it."""
    tops = sorted({path.split("/")[1] for path in [*paths, *(link for link, _ in links)]} - OUTER)
    wanted = {top: f"{INNER}/{top}"[1:] for top in tops} | {f"{INNER}{link}"[1:]: target for link, target in links}
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for place, target in sorted(wanted.items()):
            entry = tarfile.TarInfo(place)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    name = f"crossentropy-grading:{hashlib.sha256(held.getvalue()).hexdigest()[:16]}"
    try:
        _told(engine, "image", "inspect", name)
    except NoContainer:
        _told(engine, "import", "-", name, given=held.getvalue())
    return name


def _told(*asked: str, given: bytes = b"") -> None:
    """Run the engine.

    Raises:
        NoContainer: if it fails; says what it said.
    """
    try:
        done = subprocess.run(asked, input=given, capture_output=True, timeout=ENGINE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoContainer(str(error)) from error
    if done.returncode:
        raise NoContainer(_line(done.stderr) or f"{asked[0]} {asked[1]} failed")


def _line(said: bytes) -> str:
    return " ".join(said.decode("utf8", "replace").split())[-300:]


def remove_left_over() -> None:
    """Remove the folders of those that were killed while they waited for a container."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if owner := re.match(rf"{PREFIX}(\d+)-", folder.name):
            try:
                os.kill(int(owner[1]), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)
            except (OSError, OverflowError):
                continue
