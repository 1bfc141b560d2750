"""What a learning platform exports, in every form; and what may lie in it that is no notebook."""

import io
import json
import os
import stat
import zipfile
from pathlib import Path

import pytest

from crossentropy.grading import submissions
from crossentropy.grading.submissions import Refused, find

NOTEBOOK = json.dumps({"cells": [], "nbformat": 4}).encode()


def zipped(path, members, *, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def read(place, **more):
    """Everybody's bytes, or why there are none."""
    found = {}
    for submission in find(place, "hw", **more):
        try:
            found[submission.student] = submission.read()[0]
        except Refused as error:
            found[submission.student] = str(error)
    return found


FORMS = {
    "a folder a student": ["ann/hw.ipynb", "bob/hw.ipynb"],
    "folders in a folder": ["all/ann/hw.ipynb", "all/bob/hw.ipynb"],
    "flat notebooks": ["ann.ipynb", "bob.ipynb"],
    "flat notebooks in a folder of the zip's name": ["export/ann.ipynb", "export/bob.ipynb"],
    "with what systems leave": ["ann/hw.ipynb", "bob/hw.ipynb", "__MACOSX/ann/._hw.ipynb", "ann/.ipynb_checkpoints/hw-checkpoint.ipynb"],
    "another system's slashes": ["ann\\hw.ipynb", "bob\\hw.ipynb"],
    "mixed": ["ann/hw.ipynb", "bob.ipynb"],
    "another system's endings": ["ann/HW.IPYNB", "bob.IPYNB", "._bob.ipynb"],
    "folders deep in folders": ["ann/1/2/3/4/5/6/hw.ipynb", "bob/hw.ipynb"],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_zip_of_any_form_is_read(form, tmp_path):
    members = {name: f"{name} of the zip" for name in FORMS[form]}
    found = read(zipped(tmp_path / "export.zip", members))
    assert list(found) == ["ann", "bob"]
    assert b"ann" in found["ann"]
    assert b"bob" in found["bob"]


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"another system's slashes"}))
def test_a_folder_gives_what_its_zip_gives(form, tmp_path):
    for name in FORMS[form]:
        path = tmp_path / "export" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} of the zip")
    members = {name: f"{name} of the zip" for name in FORMS[form]}
    assert read(tmp_path / "export") == read(zipped(tmp_path / "export.zip", members))


def test_nothing_in_a_zip_leaves_it(tmp_path):
    path = tmp_path / "evil.zip"
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(NOTEBOOK)
    link = zipfile.ZipInfo("linked/hw.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../up/hw.ipynb", b"above")
        archive.writestr("/absolute/hw.ipynb", b"at the root")
        archive.writestr("honest/hw.ipynb", NOTEBOOK)
        archive.writestr(link, str(secret))
        archive.writestr("folder-only/", b"")
    before = sorted(tmp_path.rglob("*"))
    assert read(path) == {
        "absolute": b"at the root",
        "up": "The notebook's path leads out of the zip.",
        "folder-only": "There is no notebook in the folder.",
        "honest": NOTEBOOK,
        "linked": "The notebook is no regular file.",
    }
    assert sorted(tmp_path.rglob("*")) == before


def test_a_bomb_a_password_and_a_broken_member_cost_only_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "LARGEST", 2**20)
    path = zipped(tmp_path / "class.zip", {"bomb/hw.ipynb": bytes(2**24), "honest/hw.ipynb": NOTEBOOK, "locked/hw.ipynb": NOTEBOOK, "broken/hw.ipynb": NOTEBOOK})  # fmt: skip
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        places = {info.filename: info.header_offset for info in archive.infolist()}
    body = places["broken/hw.ipynb"] + 30 + len("broken/hw.ipynb")
    data[body : body + 4] = b"\xff" * 4
    # The flag that says "encrypted", in the central directory.
    data[data.rindex(b"locked/hw.ipynb") - 46 + 8] |= 1
    path.write_bytes(data)
    assert read(path) == {
        "bomb": "The notebook is larger than 1 MB.",
        "broken": "The notebook cannot be read from the zip.",
        "honest": NOTEBOOK,
        "locked": "The notebook cannot be read from the zip.",
    }


def test_names_that_differ_in_case_only_and_names_that_stand_twice_are_told_apart(tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in [("ann/hw.ipynb", b"1"), ("Ann/hw.ipynb", b"2"), ("ann.ipynb", b"3"), ("bob/hw.ipynb", b"4")]:
            archive.writestr(name, data)
    assert read(path) == {"Ann": b"2", "ann": b"1", "ann.ipynb": b"3", "bob": b"4"}


def notebook(**sources):
    """A notebook of questions, each with this source."""
    cells = [
        {"cell_type": "code", "source": source, "metadata": {"nbgrader": {"grade_id": name}}}
        for name, source in sources.items()
    ]
    return json.dumps({"cells": cells}).encode()


STUBS = {"one": "stub", "two": "stub"}
SEVERAL = {
    "own, though another has more": ({"hw.ipynb": notebook(one="1"), "full.ipynb": notebook(one="1", two="2")}, "hw.ipynb"),
    "most questions": ({"draft.ipynb": notebook(one="1"), "final/mine.ipynb": notebook(one="1", two="2"), "broken.ipynb": b"{"}, "final/mine.ipynb"),
    "own blank, another answered": ({"hw.ipynb": notebook(one="stub ", two="stub"), "hw (1).ipynb": notebook(one="1", two="stub")}, "hw (1).ipynb"),
    "all blank": ({"hw.ipynb": notebook(**STUBS), "copy.ipynb": notebook(**STUBS)}, "hw.ipynb"),
    "own broken": ({"hw.ipynb": b"{", "copy.ipynb": notebook(one="1")}, "copy.ipynb"),
}  # fmt: skip


@pytest.mark.parametrize("case", SEVERAL)
def test_of_several_notebooks_the_assignment_s_is_taken_if_it_is_answered_else_the_one_with_most_answers(
    case, tmp_path
):
    members, name = SEVERAL[case]
    for path, data in members.items():
        place = tmp_path / "class" / "ann" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    (tmp_path / "class" / "bob").mkdir()
    zipped(tmp_path / "class.zip", {**{f"ann/{path}": data for path, data in members.items()}, "bob/": b""})
    for place in (tmp_path / "class", tmp_path / "class.zip"):
        ann, _ = find(place, "hw", stubs=STUBS)
        note = "" if name == "hw.ipynb" else f"Of {len(members)} notebooks {name} was graded."
        assert ann.read() == (members[name], note)


def test_of_many_large_notebooks_not_all_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "MOST_BYTES", 1000)
    (tmp_path / "ann").mkdir()
    (tmp_path / "bob").mkdir()
    for number in range(9):
        (tmp_path / "ann" / f"{number}.ipynb").write_bytes(notebook(one="stub" + " " * 400))
    (tmp_path / "ann" / "last.ipynb").write_bytes(notebook(one="1"))
    read = []
    monkeypatch.setattr(submissions, "regular", lambda path: read.append(path) or Path(path).read_bytes())
    note = find(tmp_path, "hw", stubs=STUBS)[0].read()[1]
    assert note.startswith("Of 10 notebooks 0.ipynb was graded. They are larger than")
    assert len(read) == 3


INSTEAD = {
    "ann/essay.pdf": "There is no notebook in the folder, only essay.pdf.",
    "bob.zip": "bob.zip was handed in, which is no notebook.",
    "cid/1/2/3/4/5/6/7/8/9/hw.ipynb": "There is no notebook in the folder, only folders deeper than 8.",
}


def test_who_hands_in_something_else_has_a_record_that_says_so(tmp_path):
    for name in INSTEAD:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert read(tmp_path) == {name.split("/")[0].removesuffix(".zip"): said for name, said in INSTEAD.items()}
    members = {name: b"x" for name in INSTEAD if "1/2" not in name} | {"../dan.ipynb": b"x", "eve/../../x.ipynb": b"x"}
    outside = "The notebook's path leads out of the zip."
    assert read(zipped(tmp_path / "class.zip", members)) == {
        **{name.split("/")[0].removesuffix(".zip"): said for name, said in INSTEAD.items() if "1/2" not in name},
        "dan": outside,
        "eve": outside,
    }


def test_a_link_to_itself_stops_nobody(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "hw.ipynb").write_bytes(NOTEBOOK)
    (tmp_path / "round").symlink_to("round")
    found = read(tmp_path, leave_out=tmp_path / "round" / "grades")
    assert found == {"ann": NOTEBOOK, "round": "The folder is a link; links are not followed."}


def test_the_only_student_of_a_class_is_no_folder_of_the_class(tmp_path):
    (tmp_path / "class" / "ann").mkdir(parents=True)
    (tmp_path / "class" / "ann" / "essay.pdf").write_bytes(b"x")
    expected = {"ann": "There is no notebook in the folder, only essay.pdf."}
    assert read(tmp_path / "class") == read(zipped(tmp_path / "class.zip", {"ann/essay.pdf": b"x"})) == expected


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip", None])
def test_what_is_neither_folder_nor_zip_is_refused(data, tmp_path):
    path = tmp_path / "class.zip"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ValueError, match=r"submissions must be a folder or a zip; got '.*class\.zip'"):
        find(path, "hw")


def test_a_damaged_archive_is_said_to_be_damaged(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ann/hw.ipynb", NOTEBOOK)
    data = buffer.getvalue()
    path = tmp_path / "class.zip"
    # The list of its members is gone, the end that marks a zip is not.
    path.write_bytes(data[:20] + data[data.rindex(b"PK\x05\x06") :])
    with pytest.raises(ValueError, match="the zip cannot be read"):
        find(path, "hw")


def test_a_folder_that_cannot_be_entered_and_the_grader_s_own_output(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "hw.ipynb").write_bytes(NOTEBOOK)
    (tmp_path / "grades").mkdir()
    (tmp_path / "notes.txt").write_text("no notebook")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    linked = {"gone": "The folder is a link; links are not followed."}
    assert read(tmp_path, leave_out=tmp_path / "grades") == {"ann": NOTEBOOK, **linked}
    os.symlink(tmp_path, tmp_path / "ann" / "round")
    assert read(tmp_path, leave_out=tmp_path / "grades") == {"ann": NOTEBOOK, **linked}
