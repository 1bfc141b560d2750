"""The figures: what they drew, that they say it in words, and that they follow the page's theme."""

import base64
import re
from xml.etree import ElementTree

import pytest
import torch
from bs4 import BeautifulSoup

from crossentropy.datasets import load_wine
from crossentropy.plots import softmax as plots
from crossentropy.plots.figure import INK, PALETTE, new_figure
from crossentropy.softmax import softmax

LOGITS = torch.tensor([2.0, 0.5, 0.1], dtype=torch.float64)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [*PALETTE, INK])
@pytest.mark.parametrize("ground", ["#ffffff", "#14181e"])
def test_every_colour_is_seen_on_light_and_on_dark(colour, ground):
    darker, lighter = sorted([luminance(colour), luminance(ground)])
    assert (lighter + 0.05) / (darker + 0.05) >= 3


def test_probability_bars_draw_the_logits_and_their_softmax():
    left, right = plots.probability_bars(LOGITS).axes
    assert [bar.get_width() for bar in left.patches] == pytest.approx(LOGITS.tolist())
    assert [bar.get_width() for bar in right.patches] == pytest.approx(softmax(LOGITS).tolist())
    assert len({bar.get_hatch() for bar in left.patches}) == 3


def test_temperature_curves_are_softmax_at_each_temperature():
    (axes,) = plots.temperature_curves(LOGITS).axes
    for k in range(3):
        x, y = axes.lines[k].get_data()
        assert y[50] == pytest.approx(softmax(LOGITS, temperature=float(x[50]))[k].item())
    assert len({axes.lines[k].get_linestyle() for k in range(3)}) == 3


def test_bottles_are_all_drawn():
    wine = load_wine()
    (axes,) = plots.bottles(*wine).axes
    drawn = [tuple(point) for points in axes.collections for point in points.get_offsets().tolist()]
    assert sorted(drawn) == sorted(tuple(row) for row in wine.x.tolist())


def test_a_figure_takes_the_themes_ink():
    shown = plots.probability_bars(LOGITS).to_html()
    assert 'role="img" aria-label="Two bar charts' in shown
    assert "currentColor" in shown
    assert not re.search(r"(?<!, )#[0-9a-f]{6}(?!\))", shown.replace("#ffffff", ""))
    assert "<style" not in shown


def test_a_figure_shows_itself_as_an_image_with_its_alt_text():
    figure = plots.probability_bars(LOGITS)
    figure.alt += ' Said "so".'
    shown = figure._repr_mimebundle_()
    assert set(shown) == {"text/html", "text/plain"}
    assert shown["text/plain"] == f"Figure: {figure.alt}"
    image = BeautifulSoup(shown["text/html"], "html.parser").select_one("img.ce-figure")
    assert image["alt"] == figure.alt
    kind, _, data = image["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    # Well-formed on its own, and with an ink of its own: an image sees no page around it.
    root = ElementTree.fromstring(base64.b64decode(data))
    assert root.attrib["color"] == INK
    svg = base64.b64decode(data).decode().replace(f' color="{INK}"', "", 1)
    assert figure.to_html() == f'<div class="ce-figure">{svg}</div>'


def test_two_figures_share_no_id():
    first, second = (set(re.findall(r' id="([^"]+)"', f.to_html())) for f in (
        plots.probability_bars(LOGITS), plots.temperature_curves(LOGITS)))  # fmt: skip
    assert first
    assert second
    assert not first & second


def test_a_figure_is_the_same_each_time():
    assert plots.temperature_curves(LOGITS).to_html() == plots.temperature_curves(LOGITS).to_html()


def test_a_figure_without_words_is_refused():
    figure, _ = new_figure("mute")
    with pytest.raises(ValueError, match=r"figure\.alt must say what the figure shows"):
        figure._repr_mimebundle_()


def test_a_bad_name_is_refused():
    with pytest.raises(ValueError, match="name must be letters"):
        new_figure("No Spaces")
