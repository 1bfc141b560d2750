"""What a learning platform exports: a folder a student, flat notebooks, or a zip of either. Only regular files are read, and no link is followed."""

import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crossentropy.grading import notebook

LARGEST = 16 * 2**20
# Of one student, where one of several notebooks must be chosen.
MOST_BYTES = 4 * LARGEST
MOST_FILES = 200
DEPTH = 8
# What systems leave in folders, and nobody handed in.
IGNORED = {"__MACOSX", ".ipynb_checkpoints", ".git"}
# Handed in instead of a notebook: whoever did so has a record that says it.
PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


class Refused(ValueError):
    """No notebook can be read here; the message says why, for the student."""


@dataclass(frozen=True)
class Submission:
    """A student's name, and how to read the notebook: the bytes, and a note about the choice if there was one."""

    student: str
    read: Callable[[], tuple[bytes, str]]
    flat: bool = False


def find(
    place: Path, assignment: str, *, stubs: Mapping[str, str] | None = None, leave_out: Path | None = None
) -> list[Submission]:
    """All submissions at a place, by the students' names.

    Args:
        place: A folder, or a zip.
        assignment: The assignment's name: of several notebooks of a student the one of this name is taken.
        stubs: The ids of its questions, and the sources that were handed out: where that notebook is as it was handed out, or there is
            none, the one that answers most questions is taken.
        leave_out: A folder in ``place`` that is no submission (the grader's own output).

    Raises:
        ValueError: if there is no such folder or zip.
    """
    wanted = {name: notebook.normal(stub) for name, stub in (stubs or {}).items()}
    if place.is_dir():
        try:
            return _unique(_in_folder(place, assignment, wanted, leave_out))
        except OSError as error:
            raise ValueError(
                f"submissions: the folder cannot be read, {error.strerror}; got {os.fspath(place)!r}"
            ) from error
    if place.is_file() and zipfile.is_zipfile(place):
        return _unique(_in_zip(place, assignment, wanted))
    raise ValueError(f"submissions must be a folder or a zip; got {os.fspath(place)!r}")


def _ignored(name: str) -> bool:
    return name in IGNORED or name.startswith("._")


def _notebook(name: str) -> bool:
    return name.lower().endswith(".ipynb")


def _packed(name: str) -> bool:
    return name.lower().endswith(PACKED)


def _unique(found: Iterable[Submission]) -> list[Submission]:
    """By name; a name that stands twice (a folder and a file) is told apart."""
    known: dict[str, Submission] = {}
    for submission in sorted(found, key=lambda one: (one.flat, one.student)):
        name = submission.student
        while name in known:
            name += ".ipynb"
        known[name] = Submission(name, submission.read)
    return [known[name] for name in sorted(known)]


def _in_folder(place: Path, assignment: str, wanted: Mapping[str, str], leave_out: Path | None) -> Iterable[Submission]:
    items = _items(place, leave_out)
    # A folder of the folder with everybody's: it is no student.
    if len(items) == 1 and items[0].is_dir(follow_symlinks=False):
        inside = _items(Path(items[0].path), leave_out)
        deeper = any(item.is_dir(follow_symlinks=False) for item in inside)
        if inside and (items[0].name == place.name or (deeper and not any(_notebook(item.name) for item in inside))):
            items = inside
    for item in items:
        name = item.name
        if item.is_dir(follow_symlinks=False):
            yield Submission(name, lambda path=item.path: _choose(*_below(path), assignment, wanted))  # type: ignore[misc]
        elif _notebook(name):
            yield Submission(PurePosixPath(name).stem, lambda path=item.path: (regular(path), ""), flat=True)  # type: ignore[misc]
        elif item.is_symlink():
            yield Submission(name, _refuse("The folder is a link; links are not followed."))
        elif _packed(name):
            yield Submission(
                PurePosixPath(name).stem, _refuse(f"{name} was handed in, which is no notebook."), flat=True
            )


def _items(place: Path, leave_out: Path | None) -> "list[os.DirEntry[str]]":
    # realpath, other than Path.resolve, takes a link to itself as it is.
    own = None if leave_out is None else os.path.realpath(leave_out)
    return [item for item in os.scandir(place) if not _ignored(item.name) and os.path.realpath(item.path) != own]


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


def _below(folder: str) -> tuple[Readers, list[str]]:
    """Every notebook in a student's folder, by its path in it; and what else is there."""
    found: Readers = {}
    others: list[str] = []
    waiting = [(folder, 0)]
    while waiting and len(found) < MOST_FILES:
        place, depth = waiting.pop(0)
        try:
            items = sorted(os.scandir(place), key=lambda item: item.name)
        except OSError as error:
            others.append(f"a folder that cannot be read ({error.strerror})")
            continue
        for item in items:
            if _ignored(item.name):
                continue
            if item.is_dir(follow_symlinks=False):
                if depth < DEPTH:
                    waiting.append((item.path, depth + 1))
                else:
                    others.append(f"folders deeper than {DEPTH}")
            elif _notebook(item.name):
                found[os.path.relpath(item.path, folder)] = lambda path=item.path: regular(path)  # type: ignore[misc]
            else:
                others.append(item.name)
    return found, others


def _choose(found: Readers, others: Sequence[str], assignment: str, wanted: Mapping[str, str]) -> tuple[bytes, str]:
    """Of a student's notebooks the assignment's own, if it is answered; else the one with most answers, and most questions."""
    if not found:
        listed = ", ".join(dict.fromkeys(others[:3]))
        raise Refused(f"There is no notebook in the folder{f', only {listed}' if listed else ''}.")
    if len(found) == 1:
        return next(iter(found.values()))(), ""
    own = f"{assignment}.ipynb"
    best: tuple[tuple[int, int], str, bytes] | None = None
    first: Refused | None = None
    read, more = 0, ""
    for name in sorted(found, key=lambda name: (name != own, PurePosixPath(name).name != own, name)):
        if read > MOST_BYTES:
            more = f" They are larger than {MOST_BYTES // 2**20} MB together; not all were looked at."
            break
        try:
            data = found[name]()
        except Refused as error:
            first = first or error
            continue
        read += len(data)
        rank = _rank(data, wanted)
        if name == own and rank[0] > 0:
            return data, ""
        if best is None or rank > best[0]:
            best = rank, name, data
    if best is None:
        assert first is not None
        raise first
    return best[2], "" if best[1] == own else f"Of {len(found)} notebooks {best[1]} was graded.{more}"


def _rank(data: bytes, wanted: Mapping[str, str]) -> tuple[int, int]:
    """How many of the questions a notebook answers, and how many it has; less than none if it is no notebook."""
    try:
        cells = [cell for cell in notebook.cells(data) if cell.grade_id in wanted]
    except notebook.Unreadable:
        return -1, -1
    answered = {cell.grade_id for cell in cells if notebook.normal(cell.source) != wanted[cell.grade_id or ""]}
    return len(answered), len({cell.grade_id for cell in cells})


def _in_zip(place: Path, assignment: str, wanted: Mapping[str, str]) -> Iterable[Submission]:
    try:
        archive = zipfile.ZipFile(place)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ValueError(f"submissions: the zip cannot be read, {error}; got {os.fspath(place)!r}") from error
    members: dict[tuple[str, ...], Callable[[], bytes]] = {}
    folders: set[tuple[str, ...]] = set()
    for info in archive.infolist():
        whole = info.filename.replace("\\", "/").split("/")
        parts = tuple(part for part in whole if part not in {"", ".", ".."})
        if not parts or any(_ignored(part) for part in parts):
            continue
        if info.is_dir():
            folders.add(parts)
        elif parts not in members:
            members[parts] = _outside if ".." in whole else lambda info=info: _member(archive, info)  # type: ignore[misc]
            folders.add(parts[:-1])
    tops = {parts[0] for parts in [*members, *folders] if parts}
    # A zip of a folder: the folder is no student.
    if len(tops) == 1:
        (top,) = tops
        inside = [parts for parts in members if parts[0] == top]
        deeper = any(len(parts) > 1 for parts in folders)
        if not any(len(parts) == 1 for parts in inside) and (
            top == place.stem or (deeper and not any(len(parts) == 2 and _notebook(parts[1]) for parts in inside))
        ):
            members = {parts[1:]: reader for parts, reader in members.items()}
            folders = {parts[1:] for parts in folders}
    students: dict[str, tuple[Readers, list[str]]] = {parts[0]: ({}, []) for parts in folders if parts}
    for parts, reader in members.items():
        name = parts[-1]
        if len(parts) > 1:
            found, others = students[parts[0]]
            if not _notebook(name):
                others.append(name)
            elif len(found) < MOST_FILES:
                found["/".join(parts[1:])] = reader
        elif _notebook(name):
            yield Submission(PurePosixPath(name).stem, lambda reader=reader: (reader(), ""), flat=True)  # type: ignore[misc]
        elif _packed(name):
            yield Submission(
                PurePosixPath(name).stem, _refuse(f"{name} was handed in, which is no notebook."), flat=True
            )
    for student, (found, others) in students.items():
        yield Submission(student, lambda found=found, others=others: _choose(found, others, assignment, wanted))  # type: ignore[misc]


def _outside() -> bytes:
    raise Refused("The notebook's path leads out of the zip.")


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
