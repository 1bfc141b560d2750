"""The instructor's pages: plans that fill 50 minutes, a map that the book agrees with, and labs' links in a notebook."""

import ast
import re

import pytest

from crossentropy.plots.teaching import chapter_map, direct
from javascript import ROOT
from notebooks import Book, Converter

BOOK = Book(ROOT)
TEXT = (ROOT / "chapters" / "plans.md").read_text()
CHAPTERS = [page.name for page in BOOK.pages.values() if page.number]
PLANS = dict(zip(CHAPTERS, re.split(r"^## \d\. ", TEXT, flags=re.MULTILINE)[1:], strict=True))
NEEDS = ast.literal_eval(re.search(r"^needs = (\{.*?^\})", TEXT, re.MULTILINE | re.DOTALL)[1])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_plan_fills_fifty_minutes_and_says_what_matters(chapter):
    rows = [(int(a), int(b)) for a, b in re.findall(r"^\| (\d+)–(\d+) \|", PLANS[chapter], re.MULTILINE)]
    assert [rows[0][0], *(end for _, end in rows)] == [*(start for start, _ in rows), 50]
    for word in ("**At the end**", "**Ask**", "**They stumble**", "**If short of time**"):
        assert PLANS[chapter].count(word) == 1
    page = chapter
    assert len(re.findall(rf"\]\(lab:{page}#", PLANS[chapter])) >= 2
    assert re.search(r"\{glue:text\}`\w+:", PLANS[chapter])


def test_the_map_says_what_the_first_page_says():
    rows = re.findall(
        r"^\| (\d) \| \{doc\}`(\w+)` \|.*\| ([\d, ]*) ?\| \d+ \|$", BOOK.pages["index"].path.read_text(), re.MULTILINE
    )
    names = {number: name for number, name, _ in rows}
    assert {name: tuple(names[n] for n in re.findall(r"\d", needs)) for _, name, needs in rows} == NEEDS
    assert list(NEEDS) == CHAPTERS


def test_an_arrow_that_a_longer_way_implies_is_left_out():
    assert direct(NEEDS, "gradient") == ["likelihood"]
    assert direct(NEEDS, "stability") == ["gradient"]
    assert direct(NEEDS, "ngram") == ["interfaces"]
    assert direct(NEEDS, "softmax") == []


def test_the_map_draws_each_chapter_once_and_each_arrow_from_left_to_right():
    figure = chapter_map(NEEDS)
    (axes,) = figure.axes
    written = {text.get_text(): text.get_position() for text in axes.texts if text.get_text()}
    assert sorted(written) == [f"{k} {name}" for k, name in enumerate(CHAPTERS, start=1)]
    assert len({*written.values()}) == len(written)
    arrows = [text for text in axes.texts if not text.get_text()]
    assert len(arrows) == sum(len(direct(NEEDS, chapter)) for chapter in NEEDS)
    assert all(arrow.xyann[0] < arrow.xy[0] for arrow in arrows)
    assert "ngram on interfaces" in figure.alt


def test_a_chapter_that_needs_a_later_one_is_refused():
    with pytest.raises(ValueError, match="needs must name chapters that come before; a needs b"):
        chapter_map({"a": ("b",), "b": ()})


def test_in_a_notebook_a_state_becomes_the_chapter_and_a_made_file_its_words():
    converter = Converter(BOOK, BOOK.pages["plans"], {})
    assert converter.text("[plus 5](lab:softmax#softmax.shift=5)", 1) == "[plus 5](softmax.ipynb)"
    assert converter.text("[a file](made:inventory/a.zip)", 1) == "a file"
    assert converter.text("[there](https://example.org)", 1) == "[there](https://example.org)"
