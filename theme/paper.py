"""Make one PDF of the whole book by the browser's own print: ``python theme/paper.py`` after ``make book``.

The built pages are put into one document, in the order of the contents. Formulas stay vectors, labs stand as the tables
of their first state, folds are open, and every inner link leads to its place in the same file.
"""

import html
import re
import sys
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright

from notebooks import Book

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "browser"))

import chromium  # noqa: E402 (the finder that the tests use)

SITE = ROOT / "_build" / "html"
PAPER = ROOT / "_build" / "paper"
FOOTER = '<div style="width:100%;font:8pt serif;text-align:center;color:#555"><span class="pageNumber"></span></div>'
MINUTES = 10


def assemble(book: Book) -> str:
    """All pages as one document, below ``_build/html/chapters`` in its own eyes: relative addresses stay right."""
    articles, contents = [], []
    for name, page in book.pages.items():
        soup = BeautifulSoup((SITE / "chapters" / f"{name}.html").read_text(encoding="utf8"), "html.parser")
        article = soup.select_one("article")
        if not isinstance(article, Tag):
            raise ValueError(f"{name}.html holds no article: run `make book`")
        localise(article, name, set(book.pages))
        heading = article.find("h1")
        title = heading.get_text().removesuffix("#") if isinstance(heading, Tag) else page.title
        contents.append(f'<li><a href="#{name}">{html.escape(title)}</a></li>')
        articles.append(f'<div class="chapter" id="{name}">{article}</div>')
    title = html.escape(str(book.config["title"]))
    author = html.escape(str(book.config["author"]))
    styles = "".join(
        f'<link rel="stylesheet" href="../_static/{name}">'
        for name in ("katex/katex.min.css", "labs/labs.css", "book.css")
    )
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{title}</title>{styles}</head><body>'
        f'<main><header class="half-title"><p class="name">{title}</p><p>{author}</p></header>'
        f'<nav class="printed" aria-label="Contents"><h1>Contents</h1><ul>{"".join(contents)}</ul></nav>{"".join(articles)}</main></body></html>'
    )


def localise(article: Tag, name: str, pages: set[str]) -> None:
    """Make the page's anchors its own, and its links to other pages links within the document."""
    for element in article.select("[id]"):
        element["id"] = f"{name}--{element['id']}"
    for attribute in ("aria-labelledby", "aria-describedby", "for"):
        for element in article.select(f"[{attribute}]"):
            element[attribute] = " ".join(f"{name}--{word}" for word in str(element[attribute]).split())
    # A figure's own parts, such as the marks of a plot, point at each other.
    for element in article.select("svg *"):
        for key, value in list(element.attrs.items()):
            if isinstance(value, str) and key != "id":
                element[key] = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}--\1)", value)
                if key.endswith("href") and value.startswith("#"):
                    element[key] = f"#{name}--{value[1:]}"
    for link in article.select("a[href]:not(svg a)"):
        path, _, anchor = str(link["href"]).partition("#")
        target = path.removesuffix(".html") or name
        if target in pages and (not path or path.endswith(".html")):
            link["href"] = f"#{target}--{anchor}" if anchor else f"#{target}"
    for details in article.select("details"):
        details["open"] = ""
    for script in article.select("script, .headerlink"):
        script.decompose()


def print_book(target: Path) -> None:
    """Print the assembled document to ``target``."""
    source = SITE / "chapters" / "_paper.html"
    source.write_text(assemble(Book()), encoding="utf8")
    target.parent.mkdir(parents=True, exist_ok=True)
    path = chromium.find()
    if path is None:
        raise SystemExit("no Chromium was found: run `make browser`")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_context(java_script_enabled=False).new_page()
            page.set_default_timeout(MINUTES * 60_000)
            page.goto(source.as_uri())
            page.pdf(
                path=str(target),
                prefer_css_page_size=True,
                outline=True,
                tagged=True,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=FOOTER,
            )
            browser.close()
    finally:
        source.unlink()


if __name__ == "__main__":
    print_book(PAPER / "cross-entropy-loss.pdf")
