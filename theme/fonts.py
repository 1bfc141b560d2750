"""The site's fonts: each cut down to the characters that the built pages hold, which is a third of its weight."""

import html
from pathlib import Path

from fontTools import subset as fonttools

MODULES = Path(__file__).resolve().parent.parent / "node_modules"
TEXT = MODULES / "@fontsource" / "source-serif-4" / "files"
KATEX = MODULES / "katex" / "dist" / "fonts"
#: Regular, italic and semibold.
FACES = ("400-normal", "400-italic", "600-normal")
FEATURES = ["kern", "liga", "onum", "lnum", "tnum", "pnum", "mark", "mkmk", "ccmp", "locl"]


def subset(site: Path) -> None:
    """Write the fonts that the stylesheets name into the built site."""
    characters = {chr(code) for code in range(0x20, 0x7F)}
    for page in [*site.rglob("*.html"), *(site / "_static" / "labs").glob("*.js"), *(site / "_static" / "previews").glob("*.js")]:
        characters |= set(html.unescape(page.read_text(encoding="utf8")))
    for face in FACES:
        write(TEXT / f"source-serif-4-latin-{face}.woff2", site / "_static" / "fonts", characters)
    for font in sorted(KATEX.glob("*.woff2")):
        write(font, site / "_static" / "katex" / "fonts", characters)


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
