"""What a learning platform exports: a folder a student, flat notebooks, or a zip of either. Only regular files are read, and no link is followed."""

import os
import stat
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crossentropy.grading import notebook

LARGEST = 16 * 2**20
MOST_FILES = 200
DEPTH = 4
# What systems leave in folders, and nobody handed in.
IGNORED = {"__MACOSX", ".ipynb_checkpoints", ".git"}


class Refused(ValueError):
    """No notebook can be read here; the message says why, for the student."""


@dataclass(frozen=True)
class Submission:
    """A student's name, and how to read the notebook: the bytes, and a note about the choice if there was one."""

    student: str
    read: Callable[[], tuple[bytes, str]]
    flat: bool = False


def find(
    place: Path, assignment: str, *, expected: Iterable[str] = (), leave_out: Path | None = None
) -> list[Submission]:
    """All submissions at a place, by the students' names.

    Args:
        place: A folder, or a zip.
        assignment: The assignment's name: of several notebooks of a student the one of this name is taken.
        expected: The ids of its questions: else the notebook that has most of them.
        leave_out: A folder in ``place`` that is no submission (the grader's own output).

    Raises:
        ValueError: if there is no such folder or zip.
    """
    wanted = frozenset(expected)
    if place.is_dir():
        return _unique(_in_folder(place, assignment, wanted, leave_out))
    if place.is_file() and zipfile.is_zipfile(place):
        return _unique(_in_zip(place, assignment, wanted))
    raise ValueError(f"submissions must be a folder or a zip; got {os.fspath(place)!r}")


def _unique(found: Iterable[Submission]) -> list[Submission]:
    """By name; a name that stands twice (a folder and a file) is told apart."""
    known: dict[str, Submission] = {}
    for submission in sorted(found, key=lambda one: (one.flat, one.student)):
        name = submission.student
        while name in known:
            name += ".ipynb"
        known[name] = Submission(name, submission.read)
    return [known[name] for name in sorted(known)]


def _in_folder(place: Path, assignment: str, wanted: frozenset[str], leave_out: Path | None) -> Iterable[Submission]:
    for item in os.scandir(place):
        if item.name in IGNORED or (leave_out is not None and Path(item.path).resolve() == leave_out.resolve()):
            continue
        if item.is_dir(follow_symlinks=False):
            yield Submission(item.name, lambda path=item.path: _choose(_below(path), assignment, wanted))  # type: ignore[misc]
        elif item.name.endswith(".ipynb"):
            yield Submission(item.name.removesuffix(".ipynb"), lambda path=item.path: (regular(path), ""), flat=True)  # type: ignore[misc]
        elif item.is_symlink():
            yield Submission(item.name, _refuse("The folder is a link; links are not followed."))


def _refuse(message: str) -> Callable[[], tuple[bytes, str]]:
    def read() -> tuple[bytes, str]:
        raise Refused(message)

    return read


def regular(path: str) -> bytes:
    """The bytes of a regular file that is not too large.

    Raises:
        Refused: for a link, a pipe, a device, a folder, a file too large or one that cannot be read.
    """
    try:
        # O_NONBLOCK: opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        linked = os.path.islink(path)
        raise Refused(
            "The notebook is a link; links are not followed."
            if linked
            else f"The notebook cannot be read: {error.strerror}."
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        told = os.fstat(descriptor)
        if not stat.S_ISREG(told.st_mode):
            raise Refused("The notebook is no regular file.")
        if told.st_size > LARGEST:
            raise Refused(f"The notebook is larger than {LARGEST // 2**20} MB.")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Refused(f"The notebook is larger than {LARGEST // 2**20} MB.")
    return data


Readers = dict[str, Callable[[], bytes]]


def _below(folder: str) -> Readers:
    """Every notebook in a student's folder, by its path in it."""
    found: Readers = {}
    waiting = [(folder, 0)]
    while waiting and len(found) < MOST_FILES:
        place, depth = waiting.pop(0)
        try:
            items = sorted(os.scandir(place), key=lambda item: item.name)
        except OSError:
            continue
        for item in items:
            if item.is_dir(follow_symlinks=False):
                if depth < DEPTH and item.name not in IGNORED:
                    waiting.append((item.path, depth + 1))
            elif item.name.endswith(".ipynb"):
                found[os.path.relpath(item.path, folder)] = lambda path=item.path: regular(path)  # type: ignore[misc]
    return found


def _choose(found: Readers, assignment: str, wanted: frozenset[str]) -> tuple[bytes, str]:
    """Of a student's notebooks the assignment's own; else the one with most of its questions."""
    if not found:
        raise Refused("There is no notebook in the folder.")
    for name, read in found.items():
        if name == f"{assignment}.ipynb":
            try:
                return read(), ""
            except Refused:
                if len(found) == 1:
                    raise
    if len(found) == 1:
        return next(iter(found.values()))(), ""
    best: tuple[int, str, bytes] | None = None
    first: Refused | None = None
    for name in sorted(found, key=lambda name: (PurePosixPath(name).name != f"{assignment}.ipynb", name)):
        try:
            data = found[name]()
        except Refused as error:
            first = first or error
            continue
        try:
            count = len({cell.grade_id for cell in notebook.cells(data)} & wanted)
        except notebook.Unreadable:
            count = -1
        if best is None or count > best[0]:
            best = count, name, data
    if best is None:
        raise first or Refused("There is no notebook in the folder.")
    return best[2], f"Of {len(found)} notebooks {best[1]} was graded."


def _in_zip(place: Path, assignment: str, wanted: frozenset[str]) -> Iterable[Submission]:
    try:
        archive = zipfile.ZipFile(place)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ValueError(f"submissions: the zip cannot be read, {error}; got {os.fspath(place)!r}") from error
    members: dict[tuple[str, ...], zipfile.ZipInfo] = {}
    folders: set[tuple[str, ...]] = set()
    for info in archive.infolist():
        parts = tuple(part for part in info.filename.replace("\\", "/").split("/") if part not in {"", "."})
        if not parts or ".." in parts or set(parts) & IGNORED:
            continue
        if info.is_dir():
            folders.add(parts)
        elif parts not in members:
            members[parts] = info
            folders.add(parts[:-1])
    tops = {parts[0] for parts in [*members, *folders] if parts}
    # A zip of a folder: the folder is no student.
    if len(tops) == 1:
        (top,) = tops
        inside = [parts for parts in members if parts[0] == top]
        if not any(len(parts) == 1 for parts in inside) and (
            top == place.stem or not any(len(parts) == 2 and parts[1].endswith(".ipynb") for parts in inside)
        ):
            members = {parts[1:]: info for parts, info in members.items()}
            folders = {parts[1:] for parts in folders}
    students: dict[str, Readers] = {parts[0]: {} for parts in folders if parts}
    for parts, info in members.items():
        if not parts[-1].endswith(".ipynb"):
            continue
        if len(parts) == 1:
            yield Submission(parts[0].removesuffix(".ipynb"), lambda info=info: (_member(archive, info), ""), flat=True)  # type: ignore[misc]
        else:
            students[parts[0]]["/".join(parts[1:])] = lambda info=info: _member(archive, info)  # type: ignore[misc]
    for student, found in students.items():
        yield Submission(student, lambda found=found: _choose(found, assignment, wanted))  # type: ignore[misc]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    mode = info.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise Refused("The notebook is no regular file.")
    try:
        with archive.open(info) as file:
            data = file.read(LARGEST + 1)
    except (OSError, RuntimeError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        raise Refused("The notebook cannot be read from the zip.") from error
    except Exception as error:  # a decompressor's own, zlib.error and its like
        raise Refused("The notebook cannot be read from the zip.") from error
    if len(data) > LARGEST:
        raise Refused(f"The notebook is larger than {LARGEST // 2**20} MB.")
    return data
