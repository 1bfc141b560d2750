"""What a learning platform exports, in every form; and what may lie in it that is no notebook."""

import io
import json
import os
import stat
import zipfile

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
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_zip_of_any_form_is_read(form, tmp_path):
    members = {name: f"{name} of the zip" for name in FORMS[form]}
    found = read(zipped(tmp_path / "export.zip", members))
    assert list(found) == ["ann", "bob"]
    assert b"ann" in found["ann"]
    assert b"bob" in found["bob"]


@pytest.mark.parametrize("form", ["a folder a student", "flat notebooks", "mixed"])
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


def test_of_several_notebooks_the_assignment_s_is_taken_else_the_one_with_most_questions(tmp_path):
    def notebook(*ids):
        cells = [{"cell_type": "code", "source": "", "metadata": {"nbgrader": {"grade_id": name}}} for name in ids]
        return json.dumps({"cells": cells}).encode()

    members = {
        "ann/hw.ipynb": notebook(),
        "ann/full.ipynb": notebook("one", "two"),
        "bob/draft.ipynb": notebook("one"),
        "bob/final/mine.ipynb": notebook("one", "two"),
        "bob/broken.ipynb": b"{",
    }
    for name, data in members.items():
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for place in (tmp_path / "class", zipped(tmp_path / "class.zip", members)):
        found = {submission.student: submission.read() for submission in find(place, "hw", expected=["one", "two"])}
        assert found["ann"] == (members["ann/hw.ipynb"], "")
        assert found["bob"] == (members["bob/final/mine.ipynb"], "Of 3 notebooks final/mine.ipynb was graded.")


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
