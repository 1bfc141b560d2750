"""Every figure of the book for slides: ``python theme/figures.py FOLDER`` writes SVG and PNG, for light and dark slides.

The figures are those that ``crossentropy.plots`` drew into the notebooks, in large type on a transparent ground: after a
change in the package, run ``make notebooks`` first. A browser makes the PNGs, so both show the same.
"""

import base64
import html
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

from notebooks import ROOT, Book

# The width of a slide of 16:9; type of 11 points in the book is then 46 pixels high.
PIXELS = 1920
# The ink of the figures, and then their colours 1 to 4, as the book's page has them on a light and on a dark ground.
THEMES = {
    "light": ("#1f2933", "#0072b2", "#d55e00", "#008a65", "#b3649c", "#ffffff"),
    "dark": ("#e4e8ec", "#56b4e9", "#f08a4b", "#3ecfa4", "#d68fc4", "#14181d"),
}
IMAGE = re.compile(r'<img class="ce-figure" alt="([^"]*)" [^>]*base64,([^"]+)">')
CALL = re.compile(r"(\w+)\([^()]*(?:\([^()]*\)[^()]*)*\)\s*$")


@dataclass(frozen=True)
class Drawing:
    """A figure of the book: its file's name, what it shows, and its SVG with colours that a page would set."""

    name: str
    alt: str
    svg: str


def drawings(book: Book) -> Iterator[Drawing]:
    """The figures in the notebooks, in the order of the book, named after the page and the function that drew them."""
    taken: set[str] = set()
    for page in book.notebooks:
        for cell in nbformat.read(page.path.with_suffix(".ipynb"), as_version=4).cells:
            for output in cell.get("outputs", []):
                if image := IMAGE.search(output.get("data", {}).get("text/html", "")):
                    call = CALL.search(cell.source)
                    stem = name = f"{page.name}-{call[1].replace('_', '-') if call else 'figure'}"
                    repeat = 1
                    while name in taken:
                        repeat += 1
                        name = f"{stem}-{repeat}"
                    taken.add(name)
                    yield Drawing(name, html.unescape(image[1]), base64.b64decode(image[2]).decode())


def themed(svg: str, theme: str) -> str:
    """The SVG with the colours of a light or a dark slide in the place of those that follow a page."""
    ink, *colours, _ = THEMES[theme]
    svg = re.sub(r"var\(--ce-colour-(\d), #[0-9a-f]{6}\)", lambda match: colours[int(match[1]) - 1], svg)
    svg = svg.replace("currentColor", ink)
    # A viewer without a page around it needs a size, and has no use for the book's.
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if box is None:
        raise ValueError("svg must have a viewBox that begins at 0 0, and none was found")
    height = round(PIXELS * float(box[2]) / float(box[1]))
    svg = re.sub(r' style="width: 100%;[^"]*"', f' width="{PIXELS}" height="{height}"', svg, count=1)
    return re.sub(r' color="#[0-9a-f]{6}"', f' color="{ink}"', svg, count=1)


def index(found: list[Drawing]) -> str:
    """A page that shows all figures on their grounds, with what each says."""
    rows = [
        f'<h2>{d.name}</h2><p>{html.escape(d.alt)}</p><div class="pair">'
        + "".join(f'<img class="{theme}" src="{d.name}-{theme}.svg" alt="">' for theme in THEMES)
        + "</div>"
        for d in found
    ]
    grounds = "".join(f".{theme}{{background:{colours[-1]}}}" for theme, colours in THEMES.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Figures of the book</title>'
        f"<style>body{{font-family:sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}}img{{width:100%;padding:1rem;"
        f"box-sizing:border-box}}.pair{{display:grid;grid-template-columns:1fr 1fr;gap:1rem}}{grounds}</style>"
        f"<h1>Figures of the book</h1>{''.join(rows)}</html>\n"
    )


def write(found: list[Drawing], folder: Path, browser_path: str | None) -> list[Path]:
    """Write the figures and their index; the PNGs are drawn by the browser at ``browser_path``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(index(found), encoding="utf-8")
    written = [folder / "index.html"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": PIXELS, "height": PIXELS})
        for drawing in found:
            for theme in THEMES:
                svg = themed(drawing.svg, theme)
                path = folder / f"{drawing.name}-{theme}.svg"
                path.write_text(svg, encoding="utf-8")
                page.set_content(f"<style>body{{margin:0}}svg{{display:block}}</style>{svg}")
                picture = path.with_suffix(".png")
                page.locator("svg").first.screenshot(path=picture, omit_background=True)
                written += [path, picture]
        browser.close()
    return written


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python theme/figures.py FOLDER BROWSER")
    book = Book(ROOT)
    files = write(list(drawings(book)), Path(sys.argv[1]), sys.argv[2])
    print(f"{len(files)} files in {sys.argv[1]}")
