"""`make figures`: every figure of the book as SVG and PNG, for light and dark slides."""

import re
import struct

import chromium
import pytest
from lxml import etree

from figures import PIXELS, THEMES, drawings, index, themed, write
from notebooks import ROOT, Book

FOUND = list(drawings(Book(ROOT)))


def test_every_figure_of_the_notebooks_is_there_once_with_its_words():
    stored = sum(path.read_text().count('class=\\"ce-figure\\"') for path in (ROOT / "chapters").glob("*.ipynb"))
    assert len(FOUND) == stored > 20
    assert len({drawing.name for drawing in FOUND}) == len(FOUND)
    assert "softmax-temperature-curves" in {drawing.name for drawing in FOUND}
    assert all(drawing.alt for drawing in FOUND)


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_leaves_no_colour_to_a_page(theme):
    for drawing in FOUND:
        svg = themed(drawing.svg, theme)
        assert not re.search(r"var\(|currentColor|100%", svg), drawing.name
        root = etree.fromstring(svg.encode())
        assert (root.get("width"), root.get("aria-label")) == (str(PIXELS), drawing.alt)
        _, _, width, height = map(float, root.get("viewBox").split())
        assert float(root.get("height")) == pytest.approx(PIXELS * height / width, abs=0.5)
    assert themed(FOUND[0].svg, "light") != themed(FOUND[0].svg, "dark")


def test_a_drawing_without_a_box_is_refused():
    with pytest.raises(ValueError, match="svg must have a viewBox"):
        themed("<svg></svg>", "light")


def test_the_files_are_written_in_both_forms_and_themes(tmp_path):
    files = write(FOUND[:1], tmp_path, chromium.find())
    name = FOUND[0].name
    assert {path.name for path in files} == {"index.html"} | {
        f"{name}-{t}.{kind}" for t in THEMES for kind in ("svg", "png")
    }
    assert index(FOUND[:1]) == (tmp_path / "index.html").read_text()
    for theme in THEMES:
        picture = (tmp_path / f"{name}-{theme}.png").read_bytes()
        width, _, _, kind = struct.unpack(">IIBB", picture[16:26])
        # Kind 6 has an alpha channel: the ground is transparent.
        assert (picture[:8], width, kind) == (b"\x89PNG\r\n\x1a\n", PIXELS, 6)
