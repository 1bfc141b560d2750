"""The site against a stock Jupyter Book build of the same chapters: bytes and requests a page, blocking time, building time.

Both are built in this run: cold with nothing kept, warm with the executed chapters kept and one page touched. The stock
page asks other hosts for scripts; these are refused here, so its bytes are what it has at home, a lower bound.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from benchmarks.ratio import Ratio, seconds
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "_build" / "bench"
OURS, STOCK = BENCH / "ours", BENCH / "stock"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # fmt: skip
LONG_TASKS = """
window.blocked = 0;
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.blocked += task.duration - 50;
}).observe({ type: "longtask", buffered: true });
"""
# A task shorter than this cannot be told from none.
LEAST_MILLISECONDS = 1.0


@dataclass(frozen=True)
class Visit:
    """What one page took."""

    size: int
    requests: int
    blocking: float


def measure(repetitions: int = 3, build: bool = True) -> list[Ratio]:
    """Stock over ours, chapter by chapter; for the building times one sample each."""
    ratios = []
    if build:
        cold, warm = building_times()
        ratios += [
            Ratio("time of a cold build, stock over ours", (cold,)),
            Ratio("time of a warm build, stock over ours", (warm,)),
        ]
    chapters = sorted(path.name for path in (OURS / "_build" / "html" / "chapters").glob("*.html"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        size, requests, blocking = [], [], []
        for name in chapters:
            for _ in range(repetitions):
                ours, stock = (visit(browser, site / "_build" / "html" / "chapters" / name) for site in (OURS, STOCK))
                blocking.append(max(stock.blocking, LEAST_MILLISECONDS) / max(ours.blocking, LEAST_MILLISECONDS))
            size.append(stock.size / ours.size)
            requests.append(stock.requests / ours.requests)
        browser.close()
    return [
        Ratio("bytes of a page on the first visit, stock over ours", tuple(size), at_least=1),
        Ratio("requests of a page, stock over ours", tuple(requests), at_least=1),
        Ratio("blocking time of a page, stock over ours", tuple(blocking)),
        *ratios,
    ]


def visit(browser: Browser, path: Path) -> Visit:
    """Open a page from its folder with an empty cache."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(LONG_TASKS)
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(path.as_uri(), wait_until="load")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")
    blocking = float(page.evaluate("window.blocked"))
    context.close()
    real = [url for url in urls if not url.startswith(("data:", "blob:"))]
    return Visit(sum(weight(url) for url in real), len(real), blocking)


def weight(url: str) -> int:
    """As a server sends it: what is text is compressed; what another host has counts nothing."""
    path = Path(unquote(urlsplit(url).path))
    if not url.startswith("file:") or not path.is_file():
        return 0
    content = path.read_bytes()
    return len(gzip.compress(content, 6)) if re.fullmatch(r"\.(html|css|js|svg|json)", path.suffix) else len(content)


def building_times() -> tuple[float, float]:
    """Cold and warm: the stock build's time over ours."""
    copy_project()
    times = {}
    for kind in ("cold", "warm"):
        for site in (STOCK, OURS):
            if kind == "warm":
                (site / "chapters" / "notation.md").touch()
            times[kind, site] = seconds(lambda site=site: build_site(site))  # type: ignore[misc]
    return times["cold", STOCK] / times["cold", OURS], times["warm", STOCK] / times["warm", OURS]


def copy_project() -> None:
    """Both sites from the same chapters, each in a folder of its own with nothing kept from before."""
    for site in (OURS, STOCK):
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(ROOT / "chapters", site / "chapters")
        shutil.copy2(ROOT / "_toc.yml", site)
    for name in ("theme", "code", "requirements.txt", "_config.yml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, OURS / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, OURS)
    (OURS / "node_modules").symlink_to(ROOT / "node_modules")
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
    (STOCK / "_config.yml").write_text(yaml.safe_dump(stock(config)), encoding="utf8")


def stock(config: dict[str, Any]) -> dict[str, Any]:
    """Our settings without what is ours: MathJax for the formulas, the theme's own page, html-manager for the labs."""
    settings = config["sphinx"]
    ours = {"html_math_renderer", "katex_prerender", "nb_ipywidgets_js", "nb_mime_priority_overrides", "bibtex_reference_style", "html_show_search_summary", "html_use_index", "html_domain_indices"}  # fmt: skip
    return {
        **config,
        "sphinx": {
            "extra_extensions": [name for name in settings["extra_extensions"] if name != "sphinxcontrib.katex"],
            "config": {name: value for name, value in settings["config"].items() if name not in ours},
        },
    }


def build_site(site: Path) -> None:
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", "."]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=site, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{site.name}: the build failed\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
