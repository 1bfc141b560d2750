"""The site's fonts: each cut down to the characters that the built pages hold, which is a third of its weight."""

import html
import re
from pathlib import Path

from fontTools import subset as fonttools

MODULES = Path(__file__).resolve().parent.parent / "node_modules"
TEXT = MODULES / "@fontsource" / "source-serif-4" / "files"
KATEX = MODULES / "katex" / "dist" / "fonts"
#: KaTeX's classes, as the site writes them, whose letters come from a font that serves nothing else.
KATEX_CLASSES = {
    "mn": "KaTeX_Math-Italic",
    "mathbf": "KaTeX_Main-Bold",
    "mathbb": "KaTeX_AMS-Regular",
    "amsrm": "KaTeX_AMS-Regular",
    "mathcal": "KaTeX_Caligraphic-Regular",
}
#: Regular, italic and semibold.
FACES = ("400-normal", "400-italic", "600-normal")
FEATURES = ["kern", "liga", "onum", "lnum", "tnum", "pnum", "mark", "mkmk", "ccmp", "locl"]


def subset(site: Path) -> None:
    """Write the fonts that the stylesheets name into the built site."""
    characters = {chr(code) for code in range(0x20, 0x7F)}
    for page in [
        *site.rglob("*.html"),
        *(site / "_static" / "labs").glob("*.js"),
        *(site / "_static" / "previews").glob("*.js"),
    ]:
        characters |= set(html.unescape(page.read_text(encoding="utf8")))
    for face in FACES:
        write(TEXT / f"source-serif-4-latin-{face}.woff2", site / "_static" / "fonts", characters)
    letters = letters_by_font("".join(page.read_text(encoding="utf8") for page in site.rglob("*.html")))
    for font in sorted(KATEX.glob("*.woff2")):
        write(font, site / "_static" / "katex" / "fonts", letters.get(font.stem, characters))


def letters_by_font(pages: str) -> dict[str, set[str]]:
    """Of KaTeX's fonts that serve a class alone, the characters that stand in an element of this class."""
    letters: dict[str, set[str]] = {font: {" "} for font in KATEX_CLASSES.values()}
    for name, text in re.findall(rf'class="(?:[^"]* )?({"|".join(KATEX_CLASSES)})(?: [^"]*)?"[^>]*>([^<]*)<', pages):
        letters[KATEX_CLASSES[name]] |= set(html.unescape(text))
    # A variable is an element of its own.
    letters[KATEX_CLASSES["mn"]].update(*map(html.unescape, re.findall(r"<i(?: [^>]*)?>([^<]*)</i>", pages)))
    return letters


def write(font: Path, folder: Path, characters: set[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    options = fonttools.Options(flavor="woff2", layout_features=FEATURES, hinting=False, notdef_outline=True)
    # The date of the cut would change the file with each build.
    options.recalc_timestamp = False
    options.drop_tables += ["FFTM"]
    face = fonttools.load_font(str(font), options)
    cutter = fonttools.Subsetter(options)
    cutter.populate(text="".join(sorted(characters)))
    cutter.subset(face)
    fonttools.save_font(face, str(folder / font.name), options)
