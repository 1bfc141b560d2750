"""The same labs in a live notebook: a real JupyterLab, a real kernel, and Python that sees every change."""

import json
import os
import subprocess
import sys
import time
from urllib.request import urlopen

import nbformat
import pytest
from jupyter_client import BlockingKernelClient
from labs import assert_right, cases, controls, results
from visitor import ROOT, Visitor

from crossentropy.widgets import Quiz
from javascript import assert_agree, numbers

START_SECONDS = 90


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """A JupyterLab of its own on the loopback, with nobody else's settings: (address, folder of notebooks, folder of kernels)."""
    home = tmp_path_factory.mktemp("jupyter")
    folders = {name: home / name for name in ("config", "data", "runtime", "notebooks", "lab")}
    for folder in folders.values():
        folder.mkdir()
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folders["config"]),
        "JUPYTER_DATA_DIR": str(folders["data"]),
        "JUPYTER_RUNTIME_DIR": str(folders["runtime"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(folders["lab"]),
        "JUPYTERLAB_SETTINGS_DIR": str(folders["lab"]),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": str(ROOT / "code"),
    }
    options = [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
        f"--ServerApp.root_dir={folders['notebooks']}",
        # No secret is needed where only this machine can knock; nothing here outlives the test.
        "--IdentityProvider.token=",
        "--ServerApp.password=",
        "--ServerApp.shutdown_no_activity_timeout=600",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    log = home / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=out, stderr=out
        )
    try:
        yield _address(folders["runtime"], server, log), folders["notebooks"], folders["runtime"]
    finally:
        server.terminate()
        server.wait(timeout=30)


def _address(runtime, server, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            try:
                return json.loads(path.read_text())["url"].rstrip("/")
            except (json.JSONDecodeError, KeyError):
                pass  # It is being written.
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture
def visitor(browser, jupyter):
    visitor = Visitor(browser, [jupyter[0], jupyter[0].replace("http", "ws")])
    yield visitor
    visitor.close()
    # JupyterLab has warnings of its own; what must not happen is an error or a foreign request.
    assert [c for c in visitor.complaints if not c.startswith("console warning")] == []


@pytest.fixture
def live(visitor, jupyter):
    """Show a lab in a notebook: the page's root element, and a function that runs Python in the notebook's kernel."""
    address, notebooks, runtime = jupyter
    clients = []

    def live(lab, arguments=""):
        name = lab.__name__
        cell = f"from crossentropy.widgets import {name}\nlab = {name}({arguments})\nlab"
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell, id="lab")],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, notebooks / f"{lab.topic}.ipynb")
        # A workspace of its own: a shared one would bring the last lab's notebook back beside this one.
        page = visitor.open(f"{address}/lab/workspaces/{lab.topic}/tree/{lab.topic}.ipynb")
        page.set_default_timeout(START_SECONDS * 1000)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        # JupyterLab says idle before it is connected; a key that comes too early is lost.
        prompt = page.locator(".jp-CodeCell .jp-InputPrompt").first
        deadline = time.monotonic() + START_SECONDS
        while prompt.text_content() == "[ ]:":
            assert time.monotonic() < deadline, "the cell does not run"
            page.locator(".jp-CodeCell .cm-content").first.click()
            page.keyboard.press("Control+Enter")
            page.wait_for_timeout(1000)
        root = page.locator(f'[data-widget="{lab.topic}"][data-ready="true"]')
        root.wait_for()
        with urlopen(f"{address}/api/sessions") as answer:
            (kernel,) = [s["kernel"]["id"] for s in json.load(answer) if s["path"] == f"{lab.topic}.ipynb"]
        client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{kernel}.json"))
        client.load_connection_file()
        client.start_channels()
        clients.append(client)

        def run(code):
            said = []
            client.execute_interactive(
                code, timeout=60, store_history=False, output_hook=lambda message: said.append(message["content"])
            )
            errors = [content["evalue"] for content in said if "evalue" in content]
            assert errors == []
            return "".join(content["text"] for content in said if "text" in content).strip()

        return page, root, run

    yield live
    for client in clients:
        client.stop_channels()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.lab.topic)
def test_page_and_python_see_each_others_changes(case, live):
    page, root, run = live(case.lab)
    run("import json")

    def python(expression):
        return json.loads(run(f"print(json.dumps({expression}))"))

    def assert_same_results():
        """Every number on the page is the trait of that name, once the change has arrived."""
        deadline = time.monotonic() + 10
        while True:
            there = numbers(python("lab.get_state()"))
            shown = {
                name.replace("-", "_"): value for name, value in results(root).items() if name not in case.only_shown
            }
            try:
                for name, value in shown.items():
                    if not isinstance(value, str):
                        assert_agree(value, there[name], case.tolerance(controls(root)))
                    assert not isinstance(value, str) or value == there[name]
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
            else:
                return

    assert root.count() == 1
    assert_right(case, root)
    assert_same_results()
    start = python("lab.state")

    # The page changes Python.
    slider = root.locator('input[type="range"]').first
    if slider.count():
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        x, y = box["x"], box["y"] + box["height"] / 2
        page.mouse.move(x + 0.7 * box["width"], y)
        page.mouse.down()
        page.mouse.move(x + 0.9 * box["width"], y, steps=20)
        page.mouse.up()
        assert_right(case, root)
        assert_same_results()
        assert python("lab.state") != start
        # The keys are the lab's, not the notebook's around it: there they would leave the cell, or cut it.
        for key in ("ArrowDown", "ArrowLeft", "ArrowDown", "ArrowLeft"):
            before = slider.input_value()
            slider.press(key)
            assert slider.input_value() != before
        root.locator('[name="copy"]').press("x")
        assert root.count() == 1
        assert_same_results()

    # Python changes the page.
    for state in ({}, *case.states):
        target = case.lab(**state).state
        run(
            f"with lab.hold_sync(), lab.hold_trait_notifications():\n for name, value in {target!r}.items(): setattr(lab, name, value)"
        )
        assert python("lab.state") == target
        assert_same_results()
        assert_right(case, root)
    # Their text, because NaN is not equal to itself.
    assert run("print({**lab.compute(), **lab.state})") == run(
        "print({k: getattr(lab, k) for k in [*lab.compute(), *lab.state]})"
    )

    # A second view of the lab shows the same, and what is refused in Python changes neither.
    root.locator('[name="reset"]').click()
    assert_same_results()
    assert python("lab.state") == start


def test_the_quiz_and_python_see_each_others_answers(live):
    page, root, run = live(Quiz, '"softmax"')

    def until(condition):
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline
            page.wait_for_timeout(100)

    root.locator('input[name="odds"]').fill("4.48")
    root.locator('input[name="odds"]').press("Enter")
    until(lambda: run("print(lab.answers, lab.right)") == "{'odds': 4.48} ['odds']")

    run("lab.answers = {'newcomer': [1, 3], 'shift-or-scale': 0}")
    right = root.locator('output[data-quantity="right"]')
    verdicts = root.locator('output[data-quantity="verdict"]')
    until(lambda: verdicts.evaluate_all("all => all.map((o) => o.dataset.value)") == ["wrong", "", "right"])
    assert right.get_attribute("data-value") == "1"
    assert root.locator('input[name="odds"]').input_value() == ""

    assert page.evaluate("JSON.parse(localStorage['crossentropy.quiz.softmax'])") == {
        "newcomer": [1, 3],
        "shift-or-scale": [0],
    }
    root.locator('[name="forget"]').click()
    until(lambda: run("print(lab.answers, lab.right)") == "{} []")
