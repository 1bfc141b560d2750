"""The built site against the notebooks: one source, so the same code, outputs, numbers and references in both.

Reads _build/html, which `make test` builds first.
"""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from docutils.nodes import make_id

from crossentropy.plots.figure import new_figure
from extension import inline_figures, join_streams
from notebooks import ROOT, STATEMENTS, Book, Converter, Page, Prose

BOOK = Book()
NUMBERED = "|".join(name.title() for name in sorted({*STATEMENTS, "exercise"}))
SITE = ROOT / "_build" / "html"
each_chapter = pytest.mark.parametrize("page", BOOK.notebooks, ids=lambda page: page.name)


@cache
def article_of(path: Path) -> Tag:
    article = BeautifulSoup(path.read_text(encoding="utf8"), "html.parser").select_one("article")
    assert article is not None
    return article


def built(page: Page) -> Tag:
    """The article of the page as a reader gets it."""
    path = SITE / "chapters" / f"{page.name}.html"
    if not path.exists():
        pytest.fail(f"{path} is missing: run `make book` first")
    return article_of(path)


def stored(page: Page) -> nbformat.NotebookNode:
    return nbformat.read(page.path.with_suffix(".ipynb"), as_version=4)


def prose(page: Page) -> str:
    return "\n\n".join(cell.source for cell in stored(page).cells if cell.cell_type == "markdown")


def texts(article: Tag, selector: str) -> list[str]:
    return [element.get_text() for element in article.select(selector)]


@each_chapter
def test_page_and_notebook_show_the_same_code(page):
    # The notebook's first code cell serves Colab, and stands there only.
    code = [cell.source for cell in stored(page).cells if cell.cell_type == "code"][1:]
    assert [text.strip("\n") for text in texts(built(page), ".cell .cell_input pre")] == [
        source.strip("\n") for source in code
    ]


def words_of_notebook(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    text = output.data["text/plain"].removeprefix("Figure: ")
    # An exercise's check is a list: dashes in the one, bullets in the other.
    return re.sub(r"^ *(- )?", "", text, flags=re.MULTILINE) if "ce-check" in output.data.get("text/html", "") else text


def words_of_page(output: Tag) -> str:
    figure = output.select_one("svg[role=img]")
    if figure is not None and "ce-figure" in str(output):
        return str(figure["aria-label"])
    check = output.select_one(".ce-check")
    text = output.get_text() if check is None else "\n".join(check.stripped_strings)
    # The page shows the way that an error took; the notebook its name and message, which stand last.
    return text.strip().splitlines()[-1] if "traceback" in output["class"] else text


@each_chapter
def test_page_and_notebook_show_the_same_outputs(page):
    pairs = []
    cells = [cell for cell in stored(page).cells if cell.cell_type == "code"][1:]
    for cell, shown in zip(cells, built(page).select(".cell"), strict=True):
        outputs = shown.select(".cell_output > .output")
        for ours, theirs in zip(cell.outputs, outputs, strict=True):
            if theirs.select_one("[data-widget]") is None:
                pairs.append((words_of_notebook(ours).strip(), words_of_page(theirs).strip()))
    assert pairs
    assert [ours for ours, _ in pairs] == [theirs for _, theirs in pairs]


@each_chapter
def test_page_and_notebook_number_the_same_equations(page):
    on_page = [text.strip("#") for text in texts(built(page), "span.eqno")]
    assert on_page == [f"({number})" for number in re.findall(r"\\tag\{([\d.]+)\}", prose(page))]


@each_chapter
def test_page_and_notebook_number_the_same_statements_and_exercises(page):
    on_page = [text.strip() for text in texts(built(page), ".proof .caption-number, .exercise .caption-number")]
    assert on_page == re.findall(rf"^ *(?:\*\*|<summary>)((?:{NUMBERED}) [\d.]+\d)", prose(page), re.MULTILINE)


@each_chapter
def test_references_on_the_page_read_as_in_the_notebook(page):
    anchors = {
        (label if target.kind != "equation" else make_id(f"equation-{label}")): target
        for label, target in BOOK.targets.items()
    }
    wrong = []
    for link in built(page).select("a.reference.internal"):
        target = anchors.get(str(link["href"]).partition("#")[2])
        text = link.get_text()
        if target is not None and re.fullmatch(rf"\(?((?:{NUMBERED}) )?\d+(\.\d+)?\)?", text) and text != target.text:
            wrong.append((text, target))
    assert wrong == []


@each_chapter
def test_glued_numbers_are_the_same_on_page_and_in_notebook(page):
    glue = stored(page).metadata.crossentropy.glue
    converter = Converter(BOOK, page, glue)
    roles = re.findall(
        r"\{glue:text\}`[^`]+`", "\n".join(part.source for part in page.parts if isinstance(part, Prose))
    )
    assert texts(built(page), "span.pasted-text") == [converter.text(role, 0) for role in roles]


def test_a_line_that_the_kernel_sent_in_two_parts_stays_one_line():
    sent = [nbformat.v4.new_output("stream", text=text) for text in ("a", " b\n", "c\n")]
    figure = nbformat.v4.new_output("display_data", data={"text/plain": "A figure."})
    assert join_streams([sent[0], figure, *sent[1:]]) == [nbformat.v4.new_output("stream", text="a b\nc\n"), figure]
    assert sent[0].text == "a"


def test_a_figure_stands_in_the_page_itself():
    figure = new_figure("sample")[0]
    figure.alt = "Nothing."
    sent = nbformat.v4.new_output("display_data", data=figure._repr_mimebundle_())
    (shown,) = inline_figures([sent])
    svg = BeautifulSoup(shown.data["text/html"], "html.parser").select_one("div.ce-figure > svg")
    assert svg["aria-label"] == "Nothing."
    assert "<img" in sent.data["text/html"]
    other = nbformat.v4.new_output("display_data", data={"text/html": '<img src="a.png">'})
    assert inline_figures([other]) == [other]


@each_chapter
def test_the_buttons_lead_to_the_notebook_beside_the_chapter(page):
    html = (SITE / "chapters" / f"{page.name}.html").read_text(encoding="utf8")
    links = {str(a["href"]) for a in BeautifulSoup(html, "html.parser").select("a[href$='.ipynb']")}
    assert len([link for link in links if link.startswith("https://mybinder.org/")]) == 1
    assert len([link for link in links if link.startswith("https://colab.research.google.com/")]) == 1
    assert all(link.endswith(f"chapters/{page.name}.ipynb") for link in links)
    download = SITE / "_sources" / "chapters" / f"{page.name}.ipynb"
    assert download.read_bytes() == page.path.with_suffix(".ipynb").read_bytes()
