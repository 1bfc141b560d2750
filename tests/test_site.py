"""The built site against the notebooks: one source, so the same code, outputs, numbers and references in both.

Reads _build/html, which `make test` builds first.
"""

import itertools
import re
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from docutils.nodes import make_id

from crossentropy.plots.figure import new_figure
from extension import digest, inline_figures, join_streams
from fonts import letters_by_font
from notebooks import ROOT, STATEMENTS, Book, Converter, Page, Prose
from pages import mend
from paper import assemble

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
    # The inventory shows nothing but its questions.
    assert pairs or page.name == "inventory"
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


PAGES = sorted(path for path in SITE.rglob("*.html") if "_static" not in path.parts)
ADDRESS = str(BOOK.config["html"]["baseurl"])
# What makes a browser load something; a link that the reader follows does not.
LOADING = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed|object|image|use)\b[^>]*?\b(?:src|href|data|srcset|poster)=\"([^\"]+)\""
    r"|<link\b(?![^>]*rel=\"(?:canonical|prev|next|search)\")[^>]*?\bhref=\"([^\"]+)\""
    r"|url\(\s*[\"']?([^\"')]+)"
    r"|@import\s+[\"']([^\"']+)"
)


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf8")


@cache
def anchors_of(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r'\bid="([^"]+)"', text_of(path)))


def test_no_page_and_no_stylesheet_names_anything_foreign_to_load():
    named = [
        (path.name, target)
        for path in [*PAGES, *SITE.rglob("*.css")]
        for groups in LOADING.findall(text_of(path))
        if re.match(r"(?:[a-z]+:)?//", target := "".join(groups)) and "www.w3.org" not in target
    ]
    assert named == []
    scripts = "".join(text_of(path) for path in SITE.rglob("*.js") if path.name != "searchindex.js")
    assert re.findall(r"\b(?:fetch|importScripts|XMLHttpRequest|eval)\(\s*[\"'`]?(?:https?:)?//", scripts) == []


def test_the_site_holds_no_script_that_no_page_names():
    names = {path.name for path in (SITE / "_static").rglob("*.js") if path.parent.name != "previews"}
    pages = "".join(map(text_of, PAGES))
    assert {name for name in names if name not in pages} == set()
    assert not any(word in pages for word in ("thebe", "require.js", "mathjax", "fontawesome"))


def test_every_inner_link_leads_somewhere():
    broken = []
    for page in PAGES:
        for href in re.findall(r'<a\b[^>]*?\bhref="([^"]+)"', text_of(page)):
            if re.match(r"[a-z]+:", href):
                continue
            path, _, anchor = href.partition("#")
            target = (page.parent / path).resolve() if path else page
            if re.match(r"[\w-]+\.[\w-]+=", anchor):
                # A lab's state; that the lab takes it is tested where the plans are.
                lab, anchor = anchor.split(".")[0], ""
                if f'data-widget="{lab}"' not in text_of(target):
                    broken.append((page.name, href))
            if not target.is_file() or (anchor and target.suffix == ".html" and anchor not in anchors_of(target)):
                broken.append((page.name, href))
    assert broken == []


def test_canonical_links_and_the_sitemap_name_the_same_pages_under_one_address():
    canonical = {link for page in PAGES for link in re.findall(r'<link rel="canonical" href="([^"]+)"', text_of(page))}
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    listed = [str(place.text) for place in ElementTree.parse(SITE / "sitemap.xml").iter(f"{space}loc")]
    assert canonical == set(listed)
    assert len(listed) == len(set(listed))
    assert {f"{ADDRESS}chapters/{page}.html" for page in BOOK.pages} == canonical
    assert f'<a href="{ADDRESS}">' in text_of(SITE / "404.html")
    # It is served at any depth: nothing in it may be relative.
    assert re.findall(r'\b(?:src|href)="(?!https:)[^"]*"', text_of(SITE / "404.html")) == []


def test_descriptions_and_titles_are_each_pages_own():
    shown = [page for page in PAGES if page.name not in {"index.html"} or page.parent != SITE]
    for pattern in (r"<title>([^<]+)</title>", r'<meta name="description" content="([^"]+)"'):
        found = [match for page in shown for match in re.findall(pattern, text_of(page))]
        assert len(found) == len(set(found)) == len(shown)


def test_chapters_can_be_turned_one_after_the_other():
    names = list(BOOK.pages)
    for name, following in itertools.pairwise(names):
        assert f'rel="next" href="{following}.html"' in text_of(SITE / "chapters" / f"{name}.html")
        assert f'rel="prev" href="{name}.html"' in text_of(SITE / "chapters" / f"{following}.html")


def test_every_word_of_the_glossary_leads_on_and_is_linked_from_the_text():
    terms = article_of(SITE / "chapters" / "glossary.html").select("dl.glossary > dt")
    assert len(terms) > 30
    explained = [term.find_next_sibling("dd") for term in terms]
    assert sum(dd.select_one("a.reference.internal") is not None for dd in explained) > 0.9 * len(explained)
    linked = {
        href
        for page in PAGES
        for href in re.findall(r'class="reference internal term" href="glossary.html#([^"]+)"', text_of(page))
    }
    assert len(linked) > 15


MATHS = (
    '<span class="katex"><span class="katex-mathml"><math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mrow><mi>p</mi></mrow>'
    '<annotation encoding="application/x-tex">p &lt; 1</annotation></semantics></math></span><span class="katex-html" aria-hidden="true">'
    '<span class="base"><span class="strut" style="height:0.625em;vertical-align:-0.1944em;"></span><span class="mord"><span class="mord mathnormal">p</span>'
    '<span class="vlist"><span style="top:-2.5512em;"><span class="pstrut" style="height:2.7em;"></span><span class="mord">1</span></span></span></span></span></span></span>'
)


def test_a_formula_keeps_both_its_forms_and_loses_only_names():
    html = mend(f"<p>If {MATHS}, then.</p>", {}).html
    formula = BeautifulSoup(html, "html.parser").select_one(".katex")
    assert str(formula.math) == "<math><mi>p</mi></math>"
    seen = formula.select_one('.katex-html[aria-hidden="true"]')
    assert seen.get_text() == "p1"
    assert [span.get("class", [""])[0] for span in seen.find_all("span")] == [
        "bs",
        "v",
        "",
        "ps",
        "mord",
    ]
    assert [letter.get_text() for letter in seen.find_all("i")] == ["p"]
    assert "x-tex" not in html
    assert 'class="ps p2"' in html
    assert 'style="top:-2.55em"' in html


def script_of(places, text):
    """A lone subscript or superscript as KaTeX writes it."""
    return (
        '<span class="katex"><span class="katex-mathml"></span><span class="katex-html" aria-hidden="true"><span class="msupsub">'
        '<span class="vlist-t"><span class="vlist-r"><span class="vlist" style="height:0.1514em;">'
        f'<span style="{places}margin-right:0.05em;"><span class="pstrut" style="height:2.7em;"></span>'
        f'<span class="sizing reset-size6 size3 mtight"><span class="mord mathnormal mtight">{text}</span></span></span></span></span></span></span></span></span>'
    )


@pytest.mark.parametrize(
    ("places", "written"),
    [
        ("top:-2.55em;margin-left:0em;", "<sub><i>c</i></sub>"),
        ("top:-2.55em;margin-left:-0.0359em;", '<sub style="margin-left:-.05em"><i>c</i></sub>'),
        ("top:-3.063em;", "<sup><i>c</i></sup>"),
        # (2.7 - 2.4) / 0.7 of its own, smaller, em.
        ("top:-2.4em;", '<sub style="vertical-align:-.42em"><i>c</i></sub>'),
    ],
)
def test_a_lone_script_is_what_html_has_an_element_for(places, written):
    html = mend(script_of(places, "c"), {}).html
    assert written in html
    assert "vlist" not in html


def test_the_font_of_the_variables_holds_every_variable():
    html = mend(script_of("top:-2.55em;", "c"), {}).html + '<i style="margin-right:.04em">z</i>'
    assert letters_by_font(html)["KaTeX_Math-Italic"] >= {"c", "z"}


def test_whatever_changes_in_the_theme_changes_its_digest(tmp_path):
    (tmp_path / "static").mkdir()
    style = tmp_path / "static" / "book.css"
    style.write_text("a {}")
    before = digest(tmp_path)
    assert digest(tmp_path) == before
    style.write_text("b {}")
    assert digest(tmp_path) != before


def test_code_keeps_its_text_and_three_colours():
    code = '<pre><span></span><span class="kn">import</span><span class="w"> </span><span class="nn">a</span> <span class="c1"># 1 &lt; 2</span></pre>'
    assert mend(code, {}).html == '<pre><span class="k">import</span> a <span class="c"># 1 &lt; 2</span></pre>'


def test_only_data_of_scripts_stays_in_a_page():
    body = '<p>a</p><script>alert(1)</script><script type="application/json">{"a": 1}</script>'
    assert mend(body, {}).html == '<p>a</p><script type="application/json">{"a": 1}</script>'


def test_a_number_keeps_its_per_cent_sign_on_the_line():
    body = '<p>77 %; <span class="pasted-text">73</span> % sure, <code>5 % 3</code></p>'
    assert (
        mend(body, {}).html == '<p>77\u00a0%; <span class="pasted-text">73</span>\u00a0% sure, <code>5 % 3</code></p>'
    )


def test_what_is_folded_needs_no_script_and_says_what_it_holds():
    body = (
        '<details class="hide above-input"><summary aria-label="Toggle hidden content"><p>Show</p><p>Hide</p></summary><pre>x</pre></details>'
        '<div class="admonition dropdown tip"><p class="admonition-title">Hint</p><p>Try.</p></div>'
    )
    soup = BeautifulSoup(mend(body, {}).html, "html.parser")
    assert [summary.get_text() for summary in soup.select("details > summary")] == ["Code", "Hint"]
    assert soup.select("[aria-label]") == []


def test_a_term_in_italics_leads_to_the_glossary_and_a_preview_holds_no_link():
    body = '<section><h1>T</h1><p>The <em>Logits</em> are <em>not</em> scores of people, as we shall see.</p><div class="proof" id="def-a"><p id="b"><a href="#c">C</a></p></div></section>'
    article = mend(body, {"logits": "glossary.html#term-logits"})
    assert '<a class="reference internal term" href="glossary.html#term-logits"><em>Logits</em></a>' in article.html
    assert article.html.count("<a ") == 2
    assert article.previews == {"def-a": '<div class="proof"><p>C</p></div>'}
    assert article.description == "The Logits are not scores of people, as we shall see."


def test_on_paper_each_anchor_is_unique_and_each_link_stays_inside():
    names = ("softmax", "glossary")
    book = SimpleNamespace(pages={name: BOOK.pages[name] for name in names}, config=BOOK.config)
    html = assemble(book)
    anchors = re.findall(r'\bid="([^"]+)"', html)
    assert len(anchors) == len(set(anchors)) > 50
    inner = re.findall(r'href="#([^"]+)"', html)
    assert {target for target in inner if target not in anchors} == set()
    assert "glossary--term-logits" in inner
    assert "softmax--def-softmax" in inner
    assert "<script" not in html
    assert 'class="headerlink"' not in html
    assert "<details" in html
    assert "<details>" not in html
