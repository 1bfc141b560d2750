"""The canvas of every figure: one palette, SVG that follows the page's theme, alt text that travels along."""

import base64
import html
import io
import re
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as MatplotlibFigure

# Each is at least 3:1 on white and on near-black, and told apart by colour-blind readers (Okabe & Ito);
# a figure must still say the same by marker, dash or hatch.
BLUE, ORANGE, GREEN, PINK = "#0072b2", "#d55e00", "#008a65", "#b3649c"
PALETTE = (BLUE, ORANGE, GREEN, PINK)
MARKERS = ("o", "s", "^", "D")
DASHES = ("-", "--", "-.", ":")
HATCHES = ("", "///", "\\\\\\", "xxx")
# Grey that reads on both grounds; in the page it becomes the text's own colour.
INK = "#767676"

_THEMED = {INK: "currentColor"} | {c: f"var(--ce-colour-{i}, {c})" for i, c in enumerate(PALETTE, 1)}

_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.25,
    "hatch.linewidth": 1.2,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


class Figure(MatplotlibFigure):
    """A matplotlib Figure that shows itself as an SVG image, and as its alt text where no picture can be seen."""

    name: str
    alt: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        if not self.alt:
            raise ValueError("figure.alt must say what the figure shows, got an empty text")
        return {"text/html": self.to_image(), "text/plain": f"Figure: {self.alt}"}

    def to_image(self) -> str:
        """An ``img`` that holds the SVG.

        Of inline SVG, a Jupyter that does not trust a notebook yet leaves the loose words; an image it shows, with its
        alt text. The book's site takes the SVG out again, so that its ink can follow the theme.
        """
        svg = self.to_html().removeprefix('<div class="ce-figure">').removesuffix("</div>")
        # An image sees no page around it: this is the ink of currentColor there.
        svg = svg.replace("<svg ", f'<svg color="{INK}" ', 1)
        data = base64.b64encode(svg.encode()).decode()
        return f'<img class="ce-figure" alt="{html.escape(self.alt)}" width="{self._width()}" src="data:image/svg+xml;base64,{data}">'

    def to_html(self) -> str:
        """Inline SVG whose ink is the text's own colour, so that it reads on a light and on a dark page."""
        buffer = io.StringIO()
        with rc_context({**_STYLE, "svg.hashsalt": self.name}):
            FigureCanvasSVG(self).print_svg(  # type: ignore[no-untyped-call]  # matplotlib leaves it unannotated
                buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
            )
        svg = buffer.getvalue()
        svg = svg[svg.index("<svg") :].rstrip()
        svg = re.sub(
            r"<metadata>.*?</metadata>|<!--.*?-->|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL
        )
        svg = re.sub(r'(?<=<svg )(.*?)(viewBox="[^"]*")(.*?)>', self._root, svg, count=1, flags=re.DOTALL)
        svg = self._keep_only_used_ids(svg)
        for colour, themed in _THEMED.items():
            svg = svg.replace(colour, themed)
        svg = re.sub(r"font(-family)?: ([^;\"]*?)'[^;\"]*'[^;\"]*(?=[;\"])", r"font\1: \2sans-serif", svg)
        svg = re.sub(r"\n\s*", "\n", svg)
        return f'<div class="ce-figure">{svg}</div>'

    def _root(self, match: re.Match[str]) -> str:
        return (
            f'{match[2]} role="img" aria-label="{html.escape(self.alt)}" '
            f'style="width: 100%; max-width: {self._width()}px; height: auto" xmlns="http://www.w3.org/2000/svg" '
            'xmlns:xlink="http://www.w3.org/1999/xlink">'
        )

    def _width(self) -> int:
        return round(self.get_figwidth() * 90)

    def _keep_only_used_ids(self, svg: str) -> str:
        """Ids are global to a page: drop those nobody points at, and put the figure's name before the others."""
        used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
        svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{self.name}-{m[1]}"' if m[1] in used else "", svg)
        return re.sub(r'(url\(#|href="#)([^)"]+)', lambda m: f"{m[1]}{self.name}-{m[2]}", svg)


def new_figure(name: str, *, width: float = 6.4, height: float = 3.2, **subplots: Any) -> tuple[Figure, Any]:
    """An empty figure in the book's style, and its axes (one, or an array as ``Figure.subplots`` gives).

    Args:
        name: Unique in a page; letters, digits and hyphens.
        width, height: In inches.
        subplots: Passed to ``Figure.subplots``.

    The caller sets ``figure.alt`` to what the figure shows, from the data that it drew.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ValueError(f"name must be letters, digits and hyphens, got {name!r}")
    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(**subplots)
    figure.name, figure.alt = name, ""
    return figure, axes


def add_legend(axes: Axes, **kwargs: Any) -> None:
    """A legend without a box, in the page's ink; outside the axes unless ``loc`` says where."""
    axes.legend(**{"frameon": False, "labelcolor": INK, "loc": "upper left", "bbox_to_anchor": (1, 1)} | kwargs)
