"""Make the notebook that people run, ``chapters/<topic>.ipynb``, from the page that people write, ``<topic>.md``.

Only pages with code cells get a notebook. Cells are executed and their outputs stored; what only the site
understands (directives, roles, labels, glue) becomes plain Markdown that any Jupyter reads. The directives
and roles known here are a closed list: any other stops the run with its file and line, so that nothing the
site shows goes missing from the notebook unseen. Numbers are counted as Sphinx counts them: by chapter, one
counter for equations, one for exercises and one for each kind of statement.

``python theme/notebooks.py [--check] [topic ...]``: with --check nothing is executed or written; it fails
unless each notebook's cells are what its source gives now.
"""

import argparse
import ast
import hashlib
import html
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import yaml
from docutils.parsers.rst import Directive
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_nb.core.variables import format_plain_text
from myst_nb.ext.glue import GLUE_PREFIX
from myst_parser.config.main import MdParserConfig
from myst_parser.mdit_to_docutils.base import default_slugify
from myst_parser.parsers.directives import parse_directive_text
from myst_parser.parsers.mdit import create_md_parser
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from pybtex.backends.markdown import Backend as MarkdownBackend
from pybtex.database import BibliographyData, Entry, parse_string
from pybtex.plugin import find_plugin
from pybtex.richtext import Text
from sphinx_external_toc.api import FileItem
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS = 300
# No version numbers: they would change with the machine and say nothing that requirements.txt does not.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
TAGS = {
    "hide-input",
    "hide-output",
    "remove-cell",
    "raises-exception",
    "seed",
    "nbval-ignore-output",
    "nbval-skip",
}

STATEMENTS = {"definition", "proposition", "theorem", "lemma", "corollary", "remark", "example"}
ADMONITIONS = {"note", "tip", "warning", "important", "seealso", "admonition"}
# What a directive may hold besides its content; it decides how its first line is read, too.
WITH_TITLE = {*(f"prf:{name}" for name in STATEMENTS), "exercise", "dropdown", "admonition", "code-block", "code-cell"}
CONTAINERS = {*WITH_TITLE, *ADMONITIONS, "prf:proof"} - {"code-block", "code-cell"}
DIRECTIVES = {*CONTAINERS, "code-block", "math"}
OPTIONS = {"label", "class", "name", "nonumber", "open"}
ROLES = {"eq", "ref", "numref", "prf:ref", "doc", "term", "cite:t", "cite:p", "glue:text"}
# Every extension whose syntax a page could try: what is switched off here would pass as plain text, unseen.
EXTENSIONS = {"colon_fence", "dollarmath", "amsmath", "deflist", "fieldlist", "substitution", "attrs_inline"}
PLAIN_BLOCKS = re.compile(
    r"(paragraph|heading|bullet_list|ordered_list|list_item|blockquote|table|thead|tbody|tr|th|td)_(open|close)"
    r"|inline|fence|colon_fence|code_block|hr|html_block|math_block|math_block_label|myst_target|myst_line_comment"
)
PLAIN_INLINES = re.compile(
    r"(em|strong|s|link)_(open|close)|text|softbreak|hardbreak|code_inline|image|html_inline|math_inline(_double)?|myst_role"
)
# One alternative a thing that stands in a line: what must not be touched comes first and is kept as it is.
INLINE = re.compile(
    r"(?P<kept>\\.|<[^>\n]+>|\$\$.+?\$\$|\$(?:\\.|[^$\\])+\$)"
    r"|\{(?P<role>[a-z:]+)\}(?P<fence>`+)(?P<content>.+?)(?<!`)(?P=fence)(?!`)"
    r"|(?P<code>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<image>!?)\[(?P<text>(?:\\.|`[^`]*`|\$[^$]*\$|\{[a-z:]+\}|[^\[\]\\])*)\]\((?P<href>[^()\s]*)\)",
    re.DOTALL,
)
EXPLICIT = re.compile(r"(?P<text>.*\S)\s*<(?P<target>[^<>]+)>", re.DOTALL)

INTRODUCTION = (
    "> **This is the runnable copy of {chapter}“{title}”.** Change any code cell and run it again; nothing here "
    "can break the book. The text of the page is written in `{name}.md`: mend it there, since this file is made from it "
    "and edits to it are lost."
)
COLAB = """\
# Colab starts without the book's package; where it is installed this cell does nothing.
import importlib.util

if importlib.util.find_spec("crossentropy") is None:
    %pip install --quiet "git+{url}@{branch}\""""

# An address differs on each run, a path on each machine: neither may reach a reader, nor the repository.
ADDRESS = re.compile(r"0x[0-9a-f]{6,}", re.IGNORECASE)
HOME = re.compile(r"(?<![\w.:/])(/home/|/root/|/Users/|/tmp/|[A-Z]:\\Users)")


class SourceError(Exception):
    """A page holds what the notebook cannot show; says where."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")


@dataclass(frozen=True)
class Target:
    """What a label stands for: the page that it is on, and how a reference to it reads ("Proposition 2.1", "(2.3)")."""

    page: str
    kind: str
    text: str


@dataclass(frozen=True)
class Cell:
    """A code cell of a page: its tags, its code, and the line of the page where its code begins."""

    tags: tuple[str, ...]
    source: str
    line: int


@dataclass(frozen=True)
class Prose:
    """The text between two code cells, and the line of the page where it begins."""

    source: str
    line: int


@dataclass
class Page:
    """A page of the table of contents."""

    name: str
    path: Path
    number: int | None
    title: str = ""
    parts: list[Cell | Prose] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)

    @property
    def cells(self) -> list[Cell]:
        return [part for part in self.parts if isinstance(part, Cell)]


@dataclass(frozen=True)
class Block:
    """A directive as it was written: its body begins at line ``line`` of the page."""

    name: str
    title: str
    options: dict[str, Any]
    body: str
    line: int


class _Titled(Directive):  # type: ignore[misc]
    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"any": str}  # noqa: RUF012 (docutils declares it so)


class _Untitled(Directive):  # type: ignore[misc]
    has_content = True
    option_spec = {"any": str}  # noqa: RUF012


@cache
def parser() -> MarkdownIt:
    """The site's own Markdown parser."""
    return create_md_parser(MdParserConfig(enable_extensions=EXTENSIONS), RendererHTML)


def is_directive(token: Token) -> bool:
    """Whether a fence is a directive, not a listing."""
    return token.type in {"fence", "colon_fence"} and token.info.startswith("{")


def read_directive(token: Token, path: Path, line: int) -> Block:
    """Take a directive's fence apart; ``line`` is the page's line of the text that was parsed."""
    assert token.map is not None
    name, _, first = token.info[1:].partition("}")
    here = line + token.map[0]
    kind = _Titled if name in WITH_TITLE else _Untitled
    result = parse_directive_text(kind, first.strip(), token.content, validate_options=False)
    if result.warnings:
        raise SourceError(path, here, f"directive {{{name}}}: {result.warnings[0].msg}")
    if name in DIRECTIVES and (unknown := set(result.options) - OPTIONS):
        raise SourceError(path, here, f"directive {{{name}}}: unknown option {', '.join(sorted(unknown))}")
    title = " ".join(result.arguments).strip()
    return Block(name, title, result.options, "\n".join(result.body), here + 1 + result.body_offset)


def split_page(text: str, path: Path) -> list[Cell | Prose]:
    """Part a page into code cells and the text between them, as myst-nb does."""
    parts: list[Cell | Prose] = []
    lines = text.splitlines()
    start = 0

    def close(end: int) -> None:
        first = start
        while first < end and not lines[first].strip():
            first += 1
        if prose := "\n".join(lines[first:end]).rstrip():
            parts.append(Prose(prose, first + 1))

    for token in parser().parse(text):
        if token.map is None or token.level:
            continue
        if token.type == "front_matter":
            start = token.map[1]
        elif is_directive(token) and token.info.startswith("{code-cell}"):
            close(token.map[0])
            start = token.map[1]
            block = read_directive(token, path, 1)
            tags = block.options.get("tags", [])
            if set(block.options) - {"tags"} or not isinstance(tags, list):
                raise SourceError(path, token.map[0] + 1, "a code cell takes one option, a list of tags")
            if unknown := set(tags) - TAGS:
                raise SourceError(path, token.map[0] + 1, f"unknown cell tag {', '.join(sorted(unknown))}")
            parts.append(Cell(tuple(tags), block.body, block.line))
    close(len(lines))
    return parts


class Book:
    """The pages in order, and what every label in them stands for."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf8"))
        bibliography = root / "chapters" / "references.bib"
        source = bibliography.read_text(encoding="utf8") if bibliography.exists() else ""
        self.bibliography: BibliographyData = parse_string(source, "bibtex")
        self.pages: dict[str, Page] = {}
        self.targets: dict[str, Target] = {}
        self._counters: dict[tuple[str, int | None], int] = {}
        for docname, number in self._contents():
            path = root / f"{docname}.md"
            page = Page(Path(docname).name, path, number)
            if page.name in self.pages:
                raise ValueError(f"{root / '_toc.yml'}: two pages are named {page.name}")
            self.pages[page.name] = page
            text = path.read_text(encoding="utf8")
            page.parts = split_page(text, path)
            self._survey(page, text, 1)

    def _contents(self) -> Iterator[tuple[str, int | None]]:
        """Each page of _toc.yml in order, with its chapter's number where it has one."""
        site = parse_toc_yaml(self.root / "_toc.yml")
        last = 0

        def below(docname: str, number: int | None) -> Iterator[tuple[str, int | None]]:
            nonlocal last
            yield docname, number
            for tree in site[docname].subtrees:
                for item in tree.items:
                    if not isinstance(item, FileItem):
                        continue
                    if number is None and tree.numbered:
                        last += 1
                        yield from below(str(item), last)
                    else:
                        yield from below(str(item), number)

        yield from below(site.root.docname, None)

    @property
    def notebooks(self) -> list[Page]:
        """The pages that have a notebook: those with code cells."""
        return [page for page in self.pages.values() if page.cells]

    def _survey(self, page: Page, text: str, line: int) -> None:
        """Number what is numbered, and note labels, titles and citations, in the order of the page."""
        waiting: list[str] = []
        level = 0
        for token in parser().parse(text):
            if token.map is None:
                continue
            here = line + token.map[0]
            if token.type == "myst_target":
                waiting.append(token.content)
                continue
            if token.type == "heading_open":
                level = int(token.tag[1])
                continue
            if token.type == "inline":
                if level:
                    title = " ".join(token.content.split())
                    page.title = page.title or title
                    for label in waiting:
                        self._note(page, here, label, "section", title)
                    # The site gives each heading an anchor of its own; the second of one name gets another.
                    anchor = f"{page.name}#{default_slugify(title)}"
                    self.targets.setdefault(anchor, Target(page.name, "section", title))
                for child in token.children or []:
                    if child.type == "myst_role" and child.meta["name"] in {"cite:t", "cite:p"}:
                        page.cited += [key.strip() for key in child.content.split(",")]
            elif token.type == "math_block_label":
                self._note(page, here, token.info, "equation", f"({self._count('equation', page)})")
            elif is_directive(token):
                self._survey_directive(page, read_directive(token, page.path, line), here)
            waiting, level = [], 0

    def _survey_directive(self, page: Page, block: Block, here: int) -> None:
        label = block.options.get("label")
        kind = block.name.removeprefix("prf:")
        if block.name == "math":
            if label:
                self._note(page, here, label, "equation", f"({self._count('equation', page)})")
        elif kind in STATEMENTS or kind == "exercise":
            text = kind.title()
            if "nonumber" not in block.options:
                text += f" {self._count(kind, page)}"
            # Without a label nothing refers to it, but the notebook must still find its number.
            self._note(page, here, label or f"{page.name}:{here}", kind, text)
        if block.name in CONTAINERS:
            self._survey(page, block.title, here)
            self._survey(page, block.body, block.line)

    def _count(self, kind: str, page: Page) -> str:
        key = (kind, page.number)
        self._counters[key] = self._counters.get(key, 0) + 1
        return f"{page.number}.{self._counters[key]}" if page.number else f"{self._counters[key]}"

    def _note(self, page: Page, line: int, label: str, kind: str, text: str) -> None:
        if label in self.targets:
            raise SourceError(page.path, line, f"label {label!r} is already used on page {self.targets[label].page}")
        self.targets[label] = Target(page.name, kind, text)


def author_names(entry: Entry) -> str:
    """The authors as a sentence names them: "Cover and Thomas", "Shannon", "Guo et al."."""
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [str(Text.from_latex(" ".join([*person.prelast_names, *person.last_names]))) for person in people]
    if not names:
        return str(Text.from_latex(entry.fields["title"]))
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


class _ReferenceBackend(MarkdownBackend):  # type: ignore[misc]
    """pybtex's Markdown without its habit of escaping every full stop and bracket."""

    def format_str(self, text: str) -> str:
        return re.sub(r"([\\`*_\[\]$])", r"\\\1", html.escape(text, quote=False))


class Converter:
    """Turns one page's text into plain Markdown; ``glue`` maps each key to its value's text."""

    def __init__(self, book: Book, page: Page, glue: dict[str, str]) -> None:
        self.book = book
        self.page = page
        self.glue = glue

    def error(self, line: int, message: str) -> SourceError:
        return SourceError(self.page.path, line, message)

    def convert(self, text: str, line: int) -> str:
        """The text, which begins at line ``line`` of the page, as plain Markdown."""
        lines = text.splitlines()
        edits: dict[tuple[int, int], list[str]] = {}
        inlines: dict[tuple[int, int], list[Token]] = {}
        directives: set[tuple[int, int]] = set()
        for token in parser().parse(text):
            if not PLAIN_BLOCKS.fullmatch(token.type):
                here = line + (token.map[0] if token.map else 0)
                raise self.error(here, f"only the site understands this: {token.type}")
            if token.map is None:
                continue
            region = (token.map[0], token.map[1])
            here = line + region[0]
            if token.type == "inline":
                inlines.setdefault(region, []).append(token)
            elif token.type in {"myst_target", "myst_line_comment"}:
                edits[region] = []
            elif token.type in {"math_block", "math_block_label"}:
                number = self.book.targets[token.info].text if token.type == "math_block_label" else ""
                edits[region] = self._indent(lines[region[0]], "$$", self._maths(token.content, number))
            elif is_directive(token):
                directives.add(region)
                edits[region] = self._indent(
                    lines[region[0]], token.markup, self._directive(read_directive(token, self.page.path, line), here)
                )
            elif token.type == "colon_fence":
                raise self.error(here, "a ::: fence must name a directive in braces")
        for region, tokens in inlines.items():
            written = "\n".join(lines[slice(*region)])
            edits[region] = self._inline(written, tokens, line + region[0]).split("\n")

        result: list[str] = []
        position = 0
        for (start, end), replacement in sorted(edits.items()):
            result += lines[position:start]
            position = end
            if replacement:
                # Without blank lines around it, text would belong to the HTML that a directive became.
                apart = (start, end) in directives
                result += ([""] if apart and result and result[-1].strip() else []) + replacement
                result += [""] if apart and end < len(lines) and lines[end].strip() else []
            elif end < len(lines) and not lines[end].strip():
                # A label or comment that is gone takes one of its blank lines along.
                position += 1
        return "\n".join(result + lines[position:]).strip("\n")

    def _indent(self, line: str, marker: str, text: str) -> list[str]:
        """Lay ``text`` where ``marker`` stood: in a list item or a quotation its lines keep that place."""
        first = line[: line.index(marker)]
        rest = re.sub(r"[^>\s]", " ", first)
        return [((first if i == 0 else rest) + row).rstrip() for i, row in enumerate(text.split("\n"))]

    def _maths(self, latex: str, number: str) -> str:
        latex = latex.strip()
        # Sphinx aligns the lines of a bare block by itself; Jupyter would run them together.
        if r"\\" in latex and r"\begin{" not in latex:
            latex = f"\\begin{{aligned}}\n{latex}\n\\end{{aligned}}"
        tag = f"\n\\tag{{{number.strip('()')}}}" if number else ""
        return f"$$\n{latex}{tag}\n$$"

    def _directive(self, block: Block, here: int) -> str:
        name = block.name
        if name not in DIRECTIVES:
            raise self.error(here, f"unknown directive {{{name}}}")
        if name == "math":
            label = block.options.get("label")
            return self._maths(block.body, self.book.targets[label].text if label else "")
        if name == "code-block":
            return f"```{block.title}\n{block.body}\n```"
        body = self.convert(block.body, block.line)
        title = self.text(block.title, here)
        if name in {"dropdown", "prf:proof", *ADMONITIONS}:
            heading = title or {"prf:proof": "Proof", "seealso": "See also"}.get(name, name.title())
        else:
            label = block.options.get("label") or f"{self.page.name}:{here}"
            heading = self.book.targets[label].text + (f" ({title})" if title else "")
        if name == "dropdown" or "dropdown" in str(block.options.get("class", "")):
            return f"<details>\n<summary>{self._html(heading)}</summary>\n\n{body}\n\n</details>"
        if name == "prf:proof":
            # The mark ends the last sentence, but cannot stand beside displayed maths, a list or a listing.
            tokens = parser().parse(body)
            ends_in_words = bool(tokens) and tokens[-1].type == "paragraph_close"
            return f"*Proof.* {body}" + (" ∎" if ends_in_words else "\n\n∎")
        # An HTML quotation, not "> ": Jupyter would show the sign inside displayed maths.
        stop = "" if name in ADMONITIONS else "."
        return f"<blockquote>\n\n**{heading}{stop}**\n\n{body}\n\n</blockquote>"

    def _html(self, text: str) -> str:
        """Inline Markdown as HTML, maths left alone: inside a summary no Jupyter reads Markdown."""
        kept: list[str] = []

        def keep(match: re.Match[str]) -> str:
            kept.append(html.escape(match[0], quote=False))
            return f"\x00{len(kept) - 1}\x00"

        rendered: str = MarkdownIt("commonmark").renderInline(re.sub(r"\$(?:\\.|[^$\\])+\$", keep, text))
        return re.sub("[\x00\ufffd](\\d+)[\x00\ufffd]", lambda match: kept[int(match[1])], rendered)

    def text(self, text: str, line: int) -> str:
        """Inline text alone, such as a title."""
        return self._inline(text, list(parser().parseInline(text)), line) if text else ""

    def _inline(self, text: str, tokens: list[Token], line: int) -> str:
        """Turn roles and links into plain Markdown; ``tokens`` is what the parser saw, to know that none is missed."""
        children = [child for token in tokens for child in token.children or []]
        for child in children:
            if not PLAIN_INLINES.fullmatch(child.type):
                raise self.error(line, f"only the site understands this: {child.type}")
        seen = [0, 0]
        result = self._rewrite(text, line, seen)
        expected = [
            sum(child.type == "myst_role" for child in children),
            sum(child.type == "link_open" and self._is_local(str(child.attrs["href"])) for child in children),
        ]
        if seen != expected:
            raise self.error(line, "a role or a link here is not written in a form that the notebook can follow")
        return result

    def _is_local(self, href: str) -> bool:
        return not re.match(r"[a-z]+:", href)

    def _rewrite(self, text: str, line: int, seen: list[int]) -> str:
        def replace(match: re.Match[str]) -> str:
            here = line + text.count("\n", 0, match.start())
            if match["role"]:
                seen[0] += 1
                return self._role(match["role"], " ".join(match["content"].split()), here)
            if match["href"] is not None and not match["image"]:
                words = self._rewrite(match["text"], here, seen)
                if self._is_local(match["href"]):
                    seen[1] += 1
                    return self._local_link(words, match["href"], here)
                scheme, _, rest = match["href"].partition(":")
                if scheme == "lab":
                    # The notebook beside it holds the lab; only the page's address holds a state.
                    return self._page_link(words, rest.partition("#")[0], here)
                return words if scheme == "made" else f"[{words}]({match['href']})"
            return match[0]

        return INLINE.sub(replace, text)

    def _local_link(self, words: str, href: str, line: int) -> str:
        path, _, label = href.partition("#")
        if path and not path.endswith(".md"):
            raise self.error(line, f"link to {path}: only pages of the book can be linked to by file")
        name = Path(path).stem if path else self.page.name
        if not label:
            return self._page_link(words, name, line)
        anchor = f"{name}#{label}"
        return self._refer(anchor if anchor in self.book.targets else label, words, line)

    def _page_link(self, words: str, name: str, line: int) -> str:
        if name not in self.book.pages:
            raise self.error(line, f"no page {name!r} in _toc.yml")
        page = self.book.pages[name]
        words = words or page.title
        return f"[{words}]({name}.ipynb)" if page.cells and page is not self.page else words

    def _refer(self, label: str, words: str, line: int, kinds: set[str] | None = None) -> str:
        target = self.book.targets.get(label)
        if target is None or (kinds and target.kind not in kinds):
            raise self.error(line, f"no {' or '.join(sorted(kinds or {'place'}))} is labelled {label!r}")
        return self._page_link(words or target.text, target.page, line)

    def _role(self, role: str, content: str, line: int) -> str:
        if role not in ROLES:
            raise self.error(line, f"unknown role {{{role}}}")
        if role == "glue:text":
            return self._glued(content, line)
        if role in {"cite:t", "cite:p"}:
            return self._cite(role, content, line)
        match = EXPLICIT.fullmatch(content)
        words, target = (self._rewrite(match["text"], line, [0, 0]), match["target"]) if match else ("", content)
        if role == "term":
            return words or target
        if role == "doc":
            return self._page_link(words, Path(target).name, line)
        if role == "numref":
            number = self.book.targets[target].text.split()[-1] if target in self.book.targets else ""
            words = words.replace("%s", number).replace("{number}", number)
        kinds = {"eq": {"equation"}, "prf:ref": STATEMENTS, "numref": {"exercise"}}
        return self._refer(target, words, line, kinds.get(role, {"section", "exercise"}))

    def _glued(self, content: str, line: int) -> str:
        key, colon, spec = content.rpartition(":")
        key, spec = (key, spec) if colon else (content, "s")
        if key not in self.glue:
            raise self.error(line, f"nothing was glued under the key {key!r}")
        try:
            return str(format_plain_text(self.glue[key], spec))
        except ValueError as error:
            raise self.error(line, f"glued value {key!r} is {self.glue[key]}: {error}") from error

    def _cite(self, role: str, content: str, line: int) -> str:
        cited = []
        for key in (part.strip() for part in content.split(",")):
            if key not in self.book.bibliography.entries:
                raise self.error(line, f"no entry {key!r} in references.bib")
            entry = self.book.bibliography.entries[key]
            year = entry.fields["year"]
            cited.append(f"{author_names(entry)} ({year})" if role == "cite:t" else f"{author_names(entry)}, {year}")
        return ", ".join(cited) if role == "cite:t" else f"({'; '.join(cited)})"

    def references(self) -> str:
        """What the page cites, as a list: on the site one page holds it for the whole book."""
        style = find_plugin("pybtex.style.formatting", "plain")(sorting_style="author_year_title")
        entries = style.format_bibliography(self.book.bibliography, list(dict.fromkeys(self.page.cited)))
        rendered = [entry.text.render(_ReferenceBackend()) for entry in entries]
        return "\n".join(["## References\n", *(f"- {' '.join(text.split())}" for text in rendered)])


def new_cell(kind: str, topic: str, source: str, taken: set[str]) -> NotebookNode:
    """A cell whose id follows from its topic and content, so that an edit elsewhere leaves it alone."""
    digest = hashlib.sha256(f"{kind}\n{source}".encode()).hexdigest()[:8]
    identity, repeat = f"{topic}-{digest}", 1
    while identity in taken:
        repeat += 1
        identity = f"{topic}-{digest}-{repeat}"
    taken.add(identity)
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    return make(source, id=identity)


def source_side(book: Book, page: Page, glue: dict[str, str]) -> NotebookNode:
    """The page's notebook before it is run: every cell with its source, id and metadata, and no outputs."""
    converter = Converter(book, page, glue)
    taken: set[str] = set()
    chapter = f"chapter {page.number}, " if page.number else ""
    introduction = INTRODUCTION.format(chapter=chapter, title=page.title, name=page.name)
    repository = book.config["repository"]
    colab = COLAB.format(url=repository["url"], branch=repository["branch"])
    cells = [
        new_cell("markdown", page.name, introduction, taken),
        new_cell("code", page.name, colab, taken),
    ]
    for part in page.parts:
        if isinstance(part, Prose):
            # The id comes from the page's own words: a glued number that moves is an edit to the same cell.
            cell = new_cell("markdown", page.name, part.source, taken)
            cell.source = converter.convert(part.source, part.line)
            if cell.source:
                cells.append(cell)
        elif "remove-cell" not in part.tags:
            cell = new_cell("code", page.name, part.source, taken)
            if part.tags:
                cell.metadata["tags"] = list(part.tags)
            hidden = {"hide-input": "source_hidden", "hide-output": "outputs_hidden"}
            if flags := {flag: True for tag, flag in hidden.items() if tag in part.tags}:
                cell.metadata["jupyter"] = flags
            cells.append(cell)
    if page.cited:
        cells.append(new_cell("markdown", page.name, converter.references(), taken))
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={**METADATA, "crossentropy": {"glue": glue}})
    # Which version new_notebook writes depends on nbformat's own.
    notebook.nbformat_minor = 5
    return notebook


def run(book: Book, page: Page) -> NotebookNode:
    """The page's notebook with every cell executed in one fresh kernel."""
    if importlib.util.find_spec("crossentropy") is None:
        raise ValueError("the package is not installed: `pip install -e .` first, or the first cell would fetch it")
    # The cells' code needs no glue; the text that does is made afterwards.
    repository = book.config["repository"]
    queue = [Cell((), COLAB.format(url=repository["url"], branch=repository["branch"]), 0), *page.cells]
    scratch = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.source, metadata={"tags": list(cell.tags)}) for cell in queue],
        metadata=METADATA,
    )
    client = NotebookClient(
        scratch,
        timeout=TIMEOUT_SECONDS,
        kernel_name=METADATA["kernelspec"]["name"],
        resources={"metadata": {"path": str(book.root / "chapters")}},
        record_timing=False,
        coalesce_streams=True,
    )
    glue: dict[str, str] = {}
    executed: list[NotebookNode] = []
    # Another seed than `make test` sets: what depends on the order of a set then differs, and nbval says so.
    # To stderr a kernel says only that it talks over TCP; what a cell raises or warns comes back with the cell.
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    with client.setup_kernel(env=environment, stderr=subprocess.DEVNULL):
        for index, (cell, source) in enumerate(zip(scratch.cells, queue, strict=True)):
            hidden = "remove-cell" in source.tags
            # A cell that the notebook does not show takes no number, or the reader's own count would differ.
            try:
                client.execute_cell(cell, index, store_history=not hidden)
            except CellExecutionError as error:
                raise SourceError(page.path, source.line, f"the cell fails\n{error}") from None
            if hidden:
                harvest(cell, glue, page, source)
            else:
                settle(cell, page, source)
                cell.execution_count = len(executed) + 1
                executed.append(cell)
    notebook = source_side(book, page, glue)
    for cell, done in zip((cell for cell in notebook.cells if cell.cell_type == "code"), executed, strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
    nbformat.validate(notebook)
    return notebook


def harvest(cell: NotebookNode, glue: dict[str, str], page: Page, source: Cell) -> None:
    """Take the glued values from a removed cell's outputs; such a cell shows nothing else."""
    for output in cell.outputs:
        record = output.get("metadata", {}).get("scrapbook")
        if record is None:
            raise SourceError(page.path, source.line, "a removed cell gives an output that nobody would see")
        if record["name"] in glue:
            raise SourceError(page.path, source.line, f"glue key {record['name']!r} is used twice")
        data = {key.removeprefix(GLUE_PREFIX): value for key, value in output.data.items()}
        glue[record["name"]] = steady(data["text/plain"])


def steady(text: str) -> str:
    """A glued number to twelve digits: the last ones of a double change with the machine, and no page prints them."""
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
    return repr(float(f"{value:.12g}")) if isinstance(value, float) else text


def settle(cell: NotebookNode, page: Page, source: Cell) -> None:
    """Keep of the outputs what is the same on every machine, and refuse what cannot be."""
    for output in cell.outputs:
        if output.output_type == "error":
            # The frames name this machine's files; nbval compares name and message only.
            output.traceback = [f"{output.ename}: {output.evalue}"]
        elif output.output_type == "stream" and output.name == "stderr":
            raise SourceError(page.path, source.line, f"the cell writes to stderr: {output.text.strip()}")
        elif "scrapbook" in output.get("metadata", {}):
            raise SourceError(page.path, source.line, "glue belongs into a cell tagged remove-cell")
        elif "data" in output:
            # Its model exists only in the kernel that has just ended; the HTML beside it stays.
            output.data.pop("application/vnd.jupyter.widget-view+json", None)
    text = nbformat.v4.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=cell.outputs)]))
    for pattern, what in ((ADDRESS, "a memory address"), (HOME, "a path of this machine")):
        if match := pattern.search(text):
            shown = text[max(match.start() - 40, 0) : match.end() + 40]
            raise SourceError(page.path, source.line, f"an output holds {what}: {shown!r}")


def write(notebook: NotebookNode, path: Path) -> None:
    """Write the notebook in the one form that git is to see."""
    path.write_text(nbformat.v4.writes(notebook, ensure_ascii=False) + "\n", encoding="utf8")


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """A copy of the notebook as ``source_side`` gives it."""
    bare = nbformat.from_dict({**notebook, "cells": [{**cell} for cell in notebook.cells]})
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return bare


def faults(book: Book, page: Page) -> list[str]:
    """Why the stored notebook is not what the page gives; empty where it is. Nothing is executed."""
    path = page.path.with_suffix(".ipynb")
    if not path.exists():
        return [f"{path} is missing; run `make notebooks`"]
    stored = nbformat.read(path, as_version=4)
    try:
        expected = source_side(book, page, dict(stored.metadata.get("crossentropy", {}).get("glue", {})))
    except SourceError as error:
        return [str(error)]
    found = []
    bare = without_outputs(stored)
    if bare != expected:
        known = {cell.id: cell for cell in expected.cells}
        strange = [f"{cell.id} ({cell.source[:40]!r})" for cell in bare.cells if known.get(cell.id) != cell]
        what = f"differs in {', '.join(strange)}" if strange else "lacks a cell, or differs in order or metadata"
        found.append(f"{path} is not what {page.path.name} gives: {what}; run `make notebooks`")
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append(f"{path}: not every cell was executed once and in order; run `make notebooks`")
    return found


def strays(book: Book) -> list[str]:
    """Notebooks that no page stands behind."""
    made = {page.path.with_suffix(".ipynb") for page in book.notebooks}
    found = sorted((book.root / "chapters").glob("*.ipynb"))
    return [f"{path} has no page with code cells; delete it" for path in found if path not in made]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Make or check the notebooks; the exit code is 0 if all is well."""
    options = argparse.ArgumentParser(description="Make the notebooks from the chapters.")
    options.add_argument(
        "--check", action="store_true", help="change nothing; fail unless each notebook fits its source"
    )
    options.add_argument("topic", nargs="*", help="chapters by name; all if none is named")
    chosen = options.parse_args(arguments)
    try:
        book = Book(root)
        names = chosen.topic or [page.name for page in book.notebooks]
        if unknown := set(names) - {page.name for page in book.notebooks}:
            raise ValueError(f"no page with code cells is named {', '.join(sorted(unknown))}")
        found = strays(book)
        for name in names:
            page = book.pages[name]
            if chosen.check:
                found += faults(book, page)
            else:
                write(run(book, page), page.path.with_suffix(".ipynb"))
                print(f"{name}.ipynb")
    except (SourceError, ValueError) as error:
        found = [str(error)]
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
