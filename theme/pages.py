"""The article of a page, made fit to be sent: valid, accessible and lean. Also its description, and what a preview shows.

Sphinx, its extensions and KaTeX write the article; what is mended here cannot be set there.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

import formulas

#: What a reference may point at and a preview can show.
PREVIEWED = "div.math[id], div.proof[id], div.exercise[id], dl.glossary > dt[id]"
DESCRIPTION_LENGTH = 200

# Figures, code and formulas are large and need no parser: they are set aside while the rest is mended.
START = re.compile(r'<span class="katex">|<svg\b|<script\b|<pre\b')
END = {"<svg": "</svg>", "<script": "</script>", "<pre": "</pre>"}
SPAN = re.compile(r"<span\b|</span>")
PIECE = re.compile(r'<ce-piece n="(\d+)"></ce-piece>')

# The three groups of code that are told apart by colour; keywords that are words, such as "in", count as keywords.
TOKEN = re.compile(r'<span class="([^"]*)">([^<]*)</span>')
GROUPS = re.compile(r"(?P<c>c\w?)|(?P<k>k\w?|ow)|(?P<s>s[^i]?)")

# A number keeps its per cent sign on the line; code keeps its own spaces.
PERCENT = re.compile(r"<code\b.*?</code>|(\d(?:</span>)?) %", re.DOTALL)

UNSTYLED = re.compile(
    r"docutils|container|notranslate|simple|arabic|colwidths-auto|align-default|row-(?:odd|even)|sd-(?!dropdown|summary-content|summary-state-marker|summary-icon).*"
)


@dataclass
class Article:
    """What ``mend`` makes of a page's body."""

    html: str
    description: str
    previews: dict[str, str] = field(default_factory=dict)


def mend(body: str, glossary: dict[str, str]) -> Article:
    """The page's body, mended; ``glossary`` gives the address of each term as this page has to write it."""
    skeleton, pieces = set_aside(body)
    skeleton = PERCENT.sub(lambda match: f"{match[1]}\u00a0%" if match[1] else match[0], skeleton)
    soup = BeautifulSoup(skeleton, "html.parser")
    for repair in (drop_classes, mend_statements, mend_tables, mend_folds, mend_links):
        repair(soup)
    link_terms(soup, glossary)
    previews = {str(target["id"]): restore(preview_of(target), pieces) for target in soup.select(PREVIEWED)}
    return Article(restore(str(soup), pieces), describe(soup), previews)


def set_aside(html: str) -> tuple[str, list[str]]:
    """The text with a placeholder for each piece that needs no parser, and the pieces, made lean."""
    out: list[str] = []
    pieces: list[str] = []
    here = 0
    while start := START.search(html, here):
        opening = start[0]
        if opening in END:
            end = html.index(END[opening], start.end()) + len(END[opening])
        else:
            depth, end = 1, start.end()
            while depth:
                tag = SPAN.search(html, end)
                assert tag is not None, "KaTeX closes what it opens"
                depth += 1 if tag[0] == "<span" else -1
                end = tag.end()
        piece = html[start.start() : end]
        out += [html[here : start.start()], f'<ce-piece n="{len(pieces)}"></ce-piece>']
        pieces.append(LEAN.get(opening, formulas.lean)(piece))
        here = end
    return "".join([*out, html[here:]]), pieces


def restore(html: str, pieces: list[str]) -> str:
    return PIECE.sub(lambda match: pieces[int(match[1])], html)


def lean_code(html: str) -> str:
    """Only what has a colour keeps its element."""

    def token(match: re.Match[str]) -> str:
        group = GROUPS.fullmatch(match[1])
        return f'<span class="{group.lastgroup}">{match[2]}</span>' if group else match[2]

    return TOKEN.sub(token, html.replace("<span></span>", ""))


def only_data(html: str) -> str:
    """A lab's state; a script that would do something is the theme's, for things that this site has not."""
    return html if 'type="application/json"' in html[: html.index(">")] else ""


LEAN: dict[str, Callable[[str], str]] = {"<pre": lean_code, "<script": only_data, "<svg": str}


def classes(element: Tag) -> list[str]:
    return [name for name in element.get_attribute_list("class") if name]


def drop_classes(soup: BeautifulSoup) -> None:
    """Those that nothing here styles; a long page has thousands."""
    for element in soup.select("[class]"):
        kept = [name for name in classes(element) if not UNSTYLED.fullmatch(name)]
        if kept:
            element["class"] = " ".join(kept)
        else:
            del element["class"]


def mend_statements(soup: BeautifulSoup) -> None:
    """Each statement's inner section has the same id as every other, and is no section of the page."""
    for inner in soup.select("section[id$=-content]"):
        inner.name = "div"
        del inner["id"]
    for proof in soup.select("div.proof#proof"):
        # Its kind stands in no class of its own.
        proof["class"] = "proof-of"
        del proof["id"]
    for entry in soup.select("[role=doc-biblioentry]"):
        # Deprecated: an item of a list says as much.
        entry["role"] = "listitem"


def mend_tables(soup: BeautifulSoup) -> None:
    for table in soup.find_all("table"):
        for cell in table.select("thead th"):
            if cell.get_text(strip=True) or cell.find("ce-piece"):
                cell["scope"] = "col"
            else:
                cell.name = "td"
        parent = table.parent
        if (
            parent is not None
            and "pst-scrollable-table-container" not in classes(parent)
            and not table.find_parent(class_="ce-lab")
        ):
            table.wrap(soup.new_tag("div", attrs={"class": "wide"}))
        elif parent is not None and "pst-scrollable-table-container" in classes(parent):
            parent["class"] = "wide"


def mend_folds(soup: BeautifulSoup) -> None:
    """Folded cells, drop-downs and folded admonitions as plain ``details``: no script, and a name that is what is seen."""
    for summary in soup.select("details.hide > summary"):
        summary.clear()
        summary.attrs.pop("aria-label", None)
        outputs = summary.parent is not None and "below-input" in classes(summary.parent)
        summary.append("Output" if outputs else "Code")
    for marker in soup.select(".sd-summary-state-marker, .sd-summary-icon"):
        marker.decompose()
    for folded in soup.select("div.admonition.dropdown, div.admonition.toggle"):
        title = folded.select_one("p.admonition-title")
        if title is not None:
            folded.name, title.name = "details", "summary"
    for details in soup.find_all("details"):
        if "toggle-shown" in classes(details):
            details["open"] = ""


def mend_links(soup: BeautifulSoup) -> None:
    """Less of what is the same everywhere: the script says where a heading's sign leads, and a formula has its own element."""
    for link in soup.select("a.headerlink"):
        del link["title"]
    for formula in soup.select("span.math"):
        formula.unwrap()


def link_terms(soup: BeautifulSoup, glossary: dict[str, str]) -> None:
    """Where a term is set in italics it is being introduced: it leads to the glossary."""
    for em in soup.select("em"):
        address = glossary.get(em.get_text().strip().lower())
        if address and not em.find_parent(["a", "dt", "h1", "h2", "h3", "summary"]):
            em.wrap(soup.new_tag("a", attrs={"class": "reference internal term", "href": address}))


def preview_of(target: Tag) -> str:
    """What a preview of the target shows: no link in it, no id."""
    shown = target.find_next_sibling("dd") if target.name == "dt" else target
    copy = BeautifulSoup(str(shown), "html.parser")
    for link in copy.select("a.headerlink"):
        link.decompose()
    for link in copy.find_all("a"):
        link.unwrap()
    for element in copy.select("[id]"):
        del element["id"]
    return copy.decode_contents().strip() if target.name == "dt" else str(copy)


def preview_script(page: str, previews: dict[str, str]) -> str:
    """A classic script: a page that was opened from a folder may load it, and may not fetch anything."""
    text = json.dumps(previews, ensure_ascii=False)
    return f"(window.cePreviews ??= {{}})[{json.dumps(page)}] = {text};\n"


def describe(soup: BeautifulSoup) -> str:
    """The first sentences of the page, as many as a search engine shows."""
    for paragraph in soup.select("section > p"):
        text = " ".join(part for part in _words(paragraph).split())
        if len(text) > 30:
            if len(text) <= DESCRIPTION_LENGTH:
                return text
            cut = text[:DESCRIPTION_LENGTH]
            end = max(cut.rfind(". "), cut.rfind("? ")) + 1
            return cut[:end] if end > 40 else cut[: cut.rfind(" ")] + " …"
    heading = soup.find("h1")
    return _words(heading).replace("#", "").strip() if isinstance(heading, Tag) else ""


def _words(tag: Tag) -> str:
    """The text without formulas, which have no words."""
    return "".join(str(part) for part in tag.descendants if isinstance(part, NavigableString))
