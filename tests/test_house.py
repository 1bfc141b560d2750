"""The house itself: what README.md promises, and that a folder named `code` gets in nobody's way."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TOPICS = ["softmax", "likelihood", "gradient", "information", "binary", "interfaces", "stability", "ngram"]


def run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "line",
    [
        "import code; code.InteractiveConsole().push('print(6 * 7)')",
        "import code, pdb; assert 'crossentropy' not in code.__file__; pdb.Pdb",
        "import pdb, bdb, doctest, unittest",
    ],
)
def test_the_standard_librarys_code_module_is_the_one_that_is_found(line):
    run(sys.executable, "-c", line)


def test_the_debugger_starts_and_stops_in_the_repositorys_root(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("answer = 6 * 7\nprint(answer)\n")
    assert "42" in run(sys.executable, "-m", "pdb", str(script), stdin="continue\nquit\n")


def test_the_folder_code_is_no_package():
    assert not (ROOT / "code" / "__init__.py").exists()


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_has_its_name_in_every_room(topic):
    assert (ROOT / "chapters" / f"{topic}.md").is_file()
    assert (ROOT / "chapters" / f"{topic}.ipynb").is_file()
    assert (ROOT / "code" / "crossentropy" / f"{topic}.py").is_file()
    assert (ROOT / "code" / "crossentropy" / "plots" / f"{topic}.py").is_file()
    assert (ROOT / "tests" / f"test_{topic}.py").is_file()


def test_the_chapters_stand_in_the_table_of_contents_in_the_storys_order():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    assert [chapter["file"] for chapter in parts[0]["chapters"]] == [f"chapters/{topic}" for topic in TOPICS]


def test_readmes_python_prints_what_it_says(tmp_path, monkeypatch):
    # What it solves is no reader's progress.
    monkeypatch.setenv("CROSSENTROPY_HOME", str(tmp_path))
    checked, block = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    promised = re.findall(r"^# (?!\.)(.*)$", checked, flags=re.MULTILINE)
    assert run(sys.executable, "-c", checked).splitlines()[: len(promised)] == promised
    printed = run(sys.executable, "-c", block)
    (promised,) = re.findall(r"# (tensor\(.*\))", block)
    assert printed.startswith(promised)
    assert "softmax" in printed


def test_make_alone_lists_every_word():
    makefile = (ROOT / "Makefile").read_text()
    words = set(re.findall(r"^([a-z]+):(?!=)", makefile, flags=re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    listed = set(re.findall(r"^  make ([a-z]+) ", run("make", "--no-print-directory"), flags=re.MULTILINE))
    assert words == set(phony.split()) == listed


def test_every_word_that_readme_gives_exists():
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    words = set(re.findall(r"(?:`|^)make ([a-z]+)", text, flags=re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text()
    assert words
    assert {word for word in words if not re.search(rf"^{word}:", makefile, flags=re.MULTILINE)} == set()


def test_every_direct_need_is_pinned():
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)}  # fmt: skip
    direct = re.findall(r"^([\w.-]+)", (ROOT / "requirements.in").read_text(), flags=re.MULTILINE)
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for name in [*direct, *(re.match(r"[\w.-]+", need)[0] for need in package)]:
        assert re.sub(r"[-_.]+", "-", name).lower() in pinned


def test_binder_pins_what_the_book_pins():
    pins = set((ROOT / "requirements.txt").read_text().splitlines())
    for line in (ROOT / ".binder" / "requirements.txt").read_text().splitlines():
        if line and not line.startswith(("#", "--")):
            assert line.replace("+cpu", "") in pins


def test_nothing_committed_names_a_download_address_of_a_registry():
    tracked = run("git", "ls-files", "-z").split("\0")
    for name in filter(None, tracked):
        path = ROOT / name
        if path.suffix in {".json", ".txt", ".toml", ".in", ".cfg"} and path.parts[-2] != ".binder":
            assert '"resolved"' not in path.read_text()
