"""Every chapter keeps the rules, every notebook is what its chapter gives; and the converter itself, on small pages.

Nothing of the book is executed here: nbval runs the notebooks and compares their outputs, and tests/test_site.py
compares them with the built pages.
"""

import ast
import re
import shutil
from collections.abc import Iterator

import nbformat
import pytest
from myst_nb.core.read import read_myst_markdown_notebook

import notebooks
from notebooks import Book, Cell, Converter, Page, SourceError

BOOK = Book()
PAGES = BOOK.notebooks
STORED = {page.name: nbformat.read(page.path.with_suffix(".ipynb"), as_version=4) for page in PAGES}
each_chapter = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

MOST_LINES = 25
FEWEST_ASSERTS = 8
MOST_IGNORED = 1 / 20


# The rules that a chapter's cells keep. Each gives the faults that it finds, so that it can be shown to find them.


def visible(page: Page) -> list[Cell]:
    return [cell for cell in page.cells if "remove-cell" not in cell.tags]


def where(page: Page, cell: Cell, node: ast.AST | None = None) -> str:
    return f"{page.path.name}:{cell.line + (node.lineno - 1 if node else 0)}"


def long_cells(page: Page) -> list[str]:
    return [
        where(page, cell)
        for cell in visible(page)
        if "seed" not in cell.tags and len(cell.source.splitlines()) > MOST_LINES
    ]


def late_imports(page: Page) -> list[str]:
    """Imports belong into the chapter's first cell; the seed's blocks stand verbatim, and only glue needs myst_nb."""
    found = []
    for cell in page.cells:
        if "seed" in cell.tags or cell is visible(page)[0]:
            continue
        for node in ast.walk(ast.parse(cell.source)):
            glue = "remove-cell" in cell.tags and isinstance(node, ast.ImportFrom) and node.module == "myst_nb"
            if isinstance(node, ast.Import | ast.ImportFrom) and not glue:
                found.append(where(page, cell, node))
    return found


def count_asserts(page: Page) -> int:
    return sum(isinstance(node, ast.Assert) for cell in visible(page) for node in ast.walk(ast.parse(cell.source)))


TORCH_DRAWS = re.compile(
    r"torch\.(rand|randn|randint|randperm|multinomial|bernoulli|normal|poisson|rand_like|randn_like|randint_like)"
    r"|.*\.(normal_|uniform_|random_|bernoulli_|exponential_|multinomial|sample|rsample)"
    r"|(torch\.)?nn\.(init\..*|Linear|Bilinear|Embedding|EmbeddingBag|RNN|LSTM|GRU|Conv\dd|Dropout|Transformer\w*)"
    r"|(.*\.)?DataLoader"
)
NUMPY_DRAWS = re.compile(r"(np|numpy)\.random\.\w+")
PYTHON_DRAWS = re.compile(r"random\.\w+")


def dotted(node: ast.expr) -> str:
    """The name that is called: "torch.rand"; for a method of an expression, "?.normal_"."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def unseeded(page: Page) -> list[str]:
    """Calls that draw random numbers which nobody seeded: torch's need manual_seed before, or a generator."""
    found = []
    seeded = False
    for cell in page.cells:
        calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
        for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
            name = dotted(call.func)
            if name == "torch.manual_seed":
                seeded = True
            elif NUMPY_DRAWS.fullmatch(name) or PYTHON_DRAWS.fullmatch(name):
                own = name.endswith((".default_rng", ".Generator", "random.Random")) and call.args
                if not own:
                    found.append(f"{where(page, cell, call)}: {name}")
            elif TORCH_DRAWS.fullmatch(name):
                own = any(word.arg == "generator" for word in call.keywords)
                if not (own or seeded):
                    found.append(f"{where(page, cell, call)}: {name}")
    return found


def loosely_compared(page: Page) -> list[str]:
    """Cells whose output nbval is told not to compare: few, and each says why."""
    ignored = [cell for cell in visible(page) if {"nbval-ignore-output", "nbval-skip"} & set(cell.tags)]
    found = [where(page, cell) for cell in ignored if not re.search(r"^\s*#", cell.source, re.MULTILINE)]
    if len(ignored) > max(1, MOST_IGNORED * len(visible(page))):
        found += [where(page, cell) for cell in ignored]
    return found


def figures_without_words(notebook: nbformat.NotebookNode) -> list[str]:
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            page = data.get("text/html", "")
            if any(mime.startswith("image/") for mime in data) or "<svg" in page or "<img" in page:
                words = data.get("text/plain", "").strip()
                # "<Figure size 640x480 with 1 Axes>" describes nothing.
                if not words or words.startswith("<") or re.search(r'<img\b(?![^>]*alt="[^"]+")', page):
                    found.append(cell.id)
    return found


def wrong_errors(notebook: nbformat.NotebookNode) -> list[str]:
    """Cells that raise and should not, or should and do not."""
    return [
        cell.id
        for cell in notebook.cells
        if cell.cell_type == "code"
        and any(output.output_type == "error" for output in cell.outputs)
        != ("raises-exception" in cell.metadata.get("tags", []))
    ]


def test_the_book_has_chapters():
    assert PAGES


@each_chapter
def test_the_notebook_is_what_its_chapter_gives(page):
    assert notebooks.faults(BOOK, page) == []


def test_no_notebook_is_left_over():
    assert notebooks.strays(BOOK) == []


@each_chapter
def test_the_notebook_is_valid(page):
    nbformat.validate(STORED[page.name])
    assert len({cell.id for cell in STORED[page.name].cells}) == len(STORED[page.name].cells)


@each_chapter
def test_only_cells_that_say_so_raise(page):
    assert wrong_errors(STORED[page.name]) == []


@each_chapter
def test_outputs_name_no_address_and_no_machine(page):
    text = page.path.with_suffix(".ipynb").read_text(encoding="utf8")
    assert not notebooks.ADDRESS.search(text)
    assert not notebooks.HOME.search(text)


@each_chapter
def test_every_figure_says_what_it_shows(page):
    assert figures_without_words(STORED[page.name]) == []


@each_chapter
def test_imports_stand_in_the_first_cell(page):
    assert late_imports(page) == []


@each_chapter
def test_cells_are_short(page):
    assert long_cells(page) == []


@each_chapter
def test_claims_are_asserted_where_the_reader_sees_it(page):
    # The inventory asks, and claims nothing: what it takes for right is asserted beside its key.
    assert count_asserts(page) >= FEWEST_ASSERTS or page.name == "inventory"


@each_chapter
def test_randomness_is_seeded(page):
    assert unseeded(page) == []


@each_chapter
def test_outputs_are_compared_but_for_a_few_with_a_reason(page):
    assert loosely_compared(page) == []


# The rules find what they are there to find.


def page_of(*cells: tuple[str, ...], tmp_path=notebooks.ROOT) -> Page:
    """A page of code cells alone, each its source and its tags."""
    return Page("sample", tmp_path / "sample.md", 1, parts=[Cell(tags, source, 1) for source, *tags in cells])


def test_a_cell_of_26_lines_is_too_long():
    assert long_cells(page_of(("x = 1\n" * 26,), ("x = 1\n" * 26, "seed"), ("x = 1\n" * 25,))) == ["sample.md:1"]


def test_an_import_after_the_first_cell_is_found():
    first = ("import torch",)
    allowed = page_of(first, ("import torch.nn", "seed"), ("from myst_nb import glue", "remove-cell"))
    assert late_imports(allowed) == []
    assert late_imports(page_of(first, ("x = 1\nimport math",))) == ["sample.md:2"]
    assert late_imports(page_of(first, ("def f():\n    from math import log",))) == ["sample.md:2"]
    assert late_imports(page_of(first, ("import math", "remove-cell"))) == ["sample.md:1"]
    assert late_imports(page_of(first, ("from myst_nb import glue",))) == ["sample.md:1"]


def test_an_assert_that_the_reader_does_not_see_does_not_count():
    assert count_asserts(page_of(("assert 1\nassert 2",), ("assert 3", "remove-cell"))) == 2


@pytest.mark.parametrize(
    "source",
    [
        "torch.rand(3)",
        "x.normal_()",
        "torch.rand(2).multinomial(1)",
        "nn.Linear(2, 3)",
        "torch.nn.init.zeros_(w)",
        "DataLoader(data, shuffle=True)",
        "torch.rand(2)\ntorch.manual_seed(0)",
        "torch.manual_seed(0)\nnp.random.rand(3)",
        "np.random.default_rng()",
        "random.random()",
        "random.seed(0)",
    ],
)
def test_a_draw_without_a_seed_is_found(source):
    assert unseeded(page_of((source,)))


@pytest.mark.parametrize(
    "source",
    [
        "torch.manual_seed(0)\ntorch.rand(3)",
        "torch.rand(3, generator=g)",
        "np.random.default_rng(0).normal()",
        "random.Random(0).random()",
        "normal = torch.tensor([1.0])\nnormal.sum()",
    ],
)
def test_a_draw_with_a_seed_is_not(source):
    assert unseeded(page_of((source,))) == []


def test_a_seed_holds_for_the_cells_after_it():
    assert unseeded(page_of(("torch.manual_seed(0)",), ("torch.rand(3)",))) == []
    assert unseeded(page_of(("torch.rand(3)",), ("torch.manual_seed(0)",))) == ["sample.md:1: torch.rand"]


def test_an_ignored_output_needs_a_reason_and_is_rare():
    plain = [("x = 1",)] * 19
    reasoned = ("# A duration: no two are the same.\ntime()", "nbval-ignore-output")
    assert loosely_compared(page_of(*plain, reasoned)) == []
    assert loosely_compared(page_of(*plain, ("time()", "nbval-ignore-output")))
    assert loosely_compared(page_of(*plain, reasoned, ("# Twice.\ntime()", "nbval-skip")))


def output_cell(data: dict[str, str], **kind: str) -> nbformat.NotebookNode:
    output = nbformat.v4.new_output(**(kind or {"output_type": "display_data", "data": data}))
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("f()", outputs=[output])])


@pytest.mark.parametrize(
    ("data", "mute"),
    [
        ({"text/html": "<svg></svg>", "text/plain": "Two bars."}, False),
        ({"text/html": "<svg></svg>"}, True),
        ({"text/html": '<img alt="Two bars." src="">', "text/plain": "Two bars."}, False),
        ({"text/html": '<img alt="" src="">', "text/plain": "Two bars."}, True),
        ({"text/html": "<img>", "text/plain": "Two bars."}, True),
        ({"image/png": "iVBOR", "text/plain": "<Figure size 640x480 with 1 Axes>"}, True),
        ({"image/png": "iVBOR", "text/plain": "  "}, True),
        ({"text/html": "<table></table>"}, False),
    ],
)
def test_a_figure_without_words_is_found(data, mute):
    assert bool(figures_without_words(output_cell(data))) == mute


def test_an_error_must_be_announced_and_must_come():
    raised = output_cell({}, output_type="error", ename="ValueError", evalue="no")
    assert wrong_errors(raised)
    raised.cells[0].metadata["tags"] = ["raises-exception"]
    assert not wrong_errors(raised)
    raised.cells[0].outputs = []
    assert wrong_errors(raised)


# The converter, on a book of two chapters and a page to look things up.

CONFIG = "repository:\n  url: https://example.org/book\n  branch: main\n"
CONTENTS = """\
format: jb-book
root: chapters/index
parts:
  - numbered: 1
    chapters:
      - file: chapters/one
      - file: chapters/two
  - chapters:
      - file: chapters/notation
"""
REFERENCES = """\
@book{cover2006, title={Elements of {I}nformation}, author={Cover, Thomas M. and Thomas, Joy A.}, publisher={Wiley}, year=2006}
@article{shannon1948, title={A {M}athematical Theory}, author={Shannon, Claude E.}, journal={BSTJ}, year=1948}
@inproceedings{godel, title={X}, author={G{\\"o}del, K. and van der Aa, B. and C, D.}, booktitle={Y_1}, year=1931}
"""
FRONT = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n"
TWO = """\
(two)=
# Two

$$
b
$$ (eq-two)

:::{prf:lemma}
:label: lem-two
Short.
:::

## A section of two

```{code-cell} ipython3
1
```
"""
TAIL = "\n\n```{code-cell} ipython3\n1\n```\n"


def make_book(root, one: str, two: str = TWO) -> Book:
    chapters = root / "chapters"
    chapters.mkdir(exist_ok=True)
    (root / "_config.yml").write_text(CONFIG)
    (root / "_toc.yml").write_text(CONTENTS)
    (chapters / "references.bib").write_text(REFERENCES)
    (chapters / "index.md").write_text("# Home\n\n$$a$$ (eq-home)\n\n```{tableofcontents}\n```\n")
    (chapters / "notation.md").write_text("# Notation\n\n$$a$$ (eq-notation)\n")
    (chapters / "one.md").write_text(f"{FRONT}# One\n\n{one}{TAIL}")
    (chapters / "two.md").write_text(FRONT + two)
    return Book(root)


@pytest.fixture
def convert(tmp_path):
    """The text of the first chapter's prose as plain Markdown, without its title."""

    def run(text: str, **glue: str) -> str:
        book = make_book(tmp_path, text)
        page = book.pages["one"]
        prose = page.parts[0]
        return Converter(book, page, glue).convert(prose.source, prose.line).removeprefix("# One").strip("\n")

    return run


def prose_of(notebook: nbformat.NotebookNode) -> Iterator[str]:
    return (cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@pytest.mark.parametrize(
    "text",
    [
        "Plain *words*, `code`, $p[k](x)$, a [link](https://example.org) and ![an image](https://example.org/a.png).",
        "1. one\n2. two\n   - nested $z_k$\n\n> quoted\n\n| a | b |\n|---|---|\n| $x$ | `y` |",
        '```python\nx = "{eq}`nothing` [a](b.md)"\n\n\n# (label)=\n```',
        "The code `{eq}` and ``{ref}`x` `` show roles; so does \\{eq}.",
        "$\\{eq\\}$ is maths, as is $$\\text{a}$$ within a line.",
        '<div align="center">\n\n[kept](https://example.org)\n\n</div>',
    ],
)
def test_plain_markdown_stays_as_it_is(convert, text):
    assert convert(text) == text


def test_equations_carry_the_number_of_their_chapter(convert):
    text = "$$\na\n$$\n\n$$\nb\n$$ (eq-b)\n\n```{math}\n:label: eq-c\nc\n```\n\nBy {eq}`eq-b`, {eq}`eq-c`, [](#eq-b)."
    assert convert(text) == ("$$\na\n$$\n\n$$\nb\n\\tag{1.1}\n$$\n\n$$\nc\n\\tag{1.2}\n$$\n\nBy (1.1), (1.2), (1.1).")


def test_lines_of_maths_are_aligned_as_sphinx_does_it(convert):
    assert convert("$$\na &= b \\\\\n&= c\n$$") == "$$\n\\begin{aligned}\na &= b \\\\\n&= c\n\\end{aligned}\n$$"
    aligned = "$$\n\\begin{aligned}\na \\\\\nb\n\\end{aligned}\n$$"
    assert convert(aligned) == aligned


def test_each_kind_of_statement_has_its_own_count(convert):
    text = "\n\n".join(
        f":::{{prf:{kind}}} {title}\n:label: {label}\nBody of {label}.\n:::"
        for kind, title, label in [
            ("definition", "First", "d1"),
            ("theorem", "With $x_k$", "t1"),
            ("definition", "", "d2"),
            ("theorem", "", "t2"),
        ]
    )
    result = convert(text + "\n\n{prf:ref}`d2`, {prf:ref}`that <t1>`, {prf:ref}`lem-two`")
    assert re.findall(r"\*\*(.+)\*\*\n\n(.+)\n", result) == [
        ("Definition 1.1 (First).", "Body of d1."),
        ("Theorem 1.1 (With $x_k$).", "Body of t1."),
        ("Definition 1.2.", "Body of d2."),
        ("Theorem 1.2.", "Body of t2."),
    ]
    assert result.endswith("Definition 1.2, that, [Lemma 2.1](two.ipynb)")


def test_a_statement_without_label_counts_and_one_without_number_does_not(convert):
    text = ":::{prf:remark}\nA.\n:::\n\n:::{prf:remark}\n:nonumber:\nB.\n:::\n\n:::{prf:remark}\n:label: r\nC.\n:::\n"
    assert re.findall(r"\*\*(.+)\*\*", convert(text)) == ["Remark 1.1.", "Remark.", "Remark 1.2."]


def test_statements_inside_others_are_counted_in_the_order_of_the_page(convert):
    text = "::::{admonition} Frame\nIn:\n:::{prf:example}\n:label: a\nA.\n:::\n::::\n\n:::{prf:example}\n:label: b\nB.\n:::\n\n{prf:ref}`b`"
    assert convert(text).endswith("Example 1.2")


def test_a_directive_stands_between_blank_lines_whatever_its_fence(convert):
    expected = "Before\n\n<blockquote>\n\n**Note**\n\nInside.\n\n</blockquote>\n\nafter."
    assert convert("Before\n:::{note}\nInside.\n:::\nafter.") == expected
    assert convert("Before\n```{note}\nInside.\n```\nafter.") == expected
    assert convert("Before\n\n```{note} Inside.\n```\n\nafter.") == expected


def test_a_directive_in_a_list_item_stays_in_it(convert):
    assert convert("- item\n\n  ```{note}\n  Inside.\n\n  $$\n  a\n  $$ (eq-a)\n  ```\n- next") == (
        "- item\n\n  <blockquote>\n\n  **Note**\n\n  Inside.\n\n  $$\n  a\n  \\tag{1.1}\n  $$\n\n  </blockquote>\n\n- next"
    )


@pytest.mark.parametrize(("first", "rest"), [("- ", "  "), ("1. ", "   "), ("> ", "> ")])
def test_a_directive_that_opens_an_item_or_a_quotation_stays_in_it(convert, first, rest):
    lines = ["<blockquote>", "", "**Note**", "", "Inside.", "", "</blockquote>"]
    expected = "\n".join((rest + line).rstrip() for line in lines).replace(rest, first, 1)
    assert convert(f"{first}:::{{note}}\n{rest}Inside.\n{rest}:::") == expected


def test_admonitions_keep_their_titles_and_options_vanish(convert):
    text = ":::{admonition} You will *do*\n:class: tip\n- a\n:::\n\n:::{seealso}\nB.\n:::"
    assert re.findall(r"\*\*(.+)\*\*", convert(text)) == ["You will *do*", "See also"]
    assert "class" not in convert(text)


def test_a_dropdown_becomes_details_with_maths_left_alone(convert):
    text = ":::{dropdown} A *hint* on `a*b` and $a_1 * b_1 < c$\nTry $x$.\n:::"
    assert convert(text) == (
        "<details>\n<summary>A <em>hint</em> on <code>a*b</code> and $a_1 * b_1 &lt; c$</summary>\n\nTry $x$.\n\n</details>"
    )
    assert convert(":::{note}\n:class: dropdown\nB.\n:::").startswith("<details>\n<summary>Note</summary>")


def test_a_dropdown_in_an_exercise_in_another_fence(convert):
    text = "::::{exercise} By hand\n:label: ex-a\nDo.\n\n:::{dropdown} Hint\nSee {eq}`eq-two`.\n:::\n::::\n\n{ref}`ex-a`, {numref}`ex-a`, {numref}`task %s <ex-a>`"
    assert convert(text) == (
        "<blockquote>\n\n**Exercise 1.1 (By hand).**\n\nDo.\n\n<details>\n<summary>Hint</summary>\n\nSee [(2.1)](two.ipynb).\n\n"
        "</details>\n\n</blockquote>\n\nExercise 1.1, Exercise 1.1, task 1.1"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Plain.", "*Proof.* Plain. ∎"),
        ("Then\n\n$$\na\n$$", "*Proof.* Then\n\n$$\na\n$$\n\n∎"),
        ("- a\n- b", "*Proof.* - a\n- b\n\n∎"),
    ],
)
def test_the_mark_that_ends_a_proof_never_joins_maths_or_a_list(convert, body, expected):
    assert convert(f":::{{prf:proof}}\n{body}\n:::") == expected


def test_a_code_block_is_a_plain_listing(convert):
    assert convert("```{code-block} python\nx = 1  # {eq}`a`\n```") == "```python\nx = 1  # {eq}`a`\n```"


def test_labels_and_comments_vanish(convert):
    assert convert("(a)=\n## Title\n\nText\n\n% a comment\n\nmore {ref}`a`, {ref}`this <a>`.") == (
        "## Title\n\nText\n\nmore Title, this."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[there](two.md)", "[there](two.ipynb)"),
        ("[](two.md)", "[Two](two.ipynb)"),
        ("{doc}`two`", "[Two](two.ipynb)"),
        ("{doc}`the second <two>`", "[the second](two.ipynb)"),
        ("[$p[k]$ and `[a]`](two.md#two)", "[$p[k]$ and `[a]`](two.ipynb)"),
        ("[](two.md#a-section-of-two)", "[A section of two](two.ipynb)"),
        ("{ref}`two`", "[Two](two.ipynb)"),
        ("[](#eq-two)", "[(2.1)](two.ipynb)"),
        ("{eq}`eq-two`", "[(2.1)](two.ipynb)"),
        ("[symbols](notation.md)", "symbols"),
        ("{eq}`eq-home` {eq}`eq-notation`", "(1) (2)"),
        ("{term}`entropy` and {term}`its unit <nat>`", "entropy and its unit"),
        ("| a |\n|---|\n| {eq}`eq-two` |", "| a |\n|---|\n| [(2.1)](two.ipynb) |"),
        ("## On {eq}`eq-two`", "## On [(2.1)](two.ipynb)"),
        ("a {ref}`long\ntext <two>` b", "a [long text](two.ipynb) b"),
    ],
)
def test_references_read_as_on_the_page(convert, text, expected):
    assert convert(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{cite:t}`shannon1948`", "Shannon (1948)"),
        ("{cite:t}`cover2006,shannon1948`", "Cover and Thomas (2006), Shannon (1948)"),
        ("{cite:p}`cover2006, shannon1948`", "(Cover and Thomas, 2006; Shannon, 1948)"),
        ("{cite:p}`godel`", "(Gödel et al., 1931)"),
    ],
)
def test_citations_name_authors_and_year(convert, text, expected):
    assert convert(text) == expected


@pytest.mark.parametrize(
    ("role", "value", "expected"),
    [
        ("loss:.3f", "0.31678", "0.317"),
        ("loss", "0.31678", "0.31678"),
        ("loss:.1%", "0.31678", "31.7%"),
        ("loss", "'words'", "words"),
        ("loss:d", "178", "178"),
        ("loss:.2f", "inf", "inf"),
    ],
)
def test_glued_values_are_formatted_as_myst_nb_does(convert, role, value, expected):
    assert convert(f"It is {{glue:text}}`{role}`.", loss=value) == f"It is {expected}."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (":::{figure} a.png\n:::", "unknown directive {figure}"),
        ("> :::{list-table}\n> - a\n> :::", "unknown directive {list-table}"),
        (":::{note}\n```{mermaid}\n```\n:::", "unknown directive {mermaid}"),
        ("- a\n\n  ```{code-cell}\n  1\n  ```", "unknown directive {code-cell}"),
        (":::{note}\n:colour: red\nA.\n:::", "unknown option colour"),
        ("::: note\nA.\n:::", "a ::: fence must name a directive"),
        ("{download}`a.zip`", "unknown role {download}"),
        (":::{note}\n{abbr}`a`\n:::", "unknown role {abbr}"),
        ("{eq}`nowhere`", "no equation is labelled 'nowhere'"),
        ("{eq}`two`", "no equation is labelled 'two'"),
        ("{prf:ref}`eq-two`", "or theorem is labelled 'eq-two'"),
        ("{ref}`nowhere`", "no exercise or section is labelled 'nowhere'"),
        ("[a](#nowhere)", "no place is labelled 'nowhere'"),
        ("[a](nowhere.md)", "no page 'nowhere'"),
        ("[a](../code/a.py)", "only pages of the book"),
        ("[a][b]\n\n[b]: two.md", "not written in a form"),
        ("{cite:t}`nobody1900`", "no entry 'nobody1900'"),
        ("{glue:text}`nothing:.3f`", "nothing was glued under the key 'nothing'"),
        ("{glue:text}`word:.3f`", "glued value 'word' is 'a'"),
        ("Term\n: its definition", "only the site understands this: dl_open"),
        ("Text[^1].\n\n[^1]: foot", "only the site understands this: footnote"),
        ("\\begin{align}\na\n\\end{align}", "only the site understands this: amsmath"),
        ("A {{ substitution }}.", "only the site understands this: substitution"),
        ("[words]{.class}", "only the site understands this: span"),
        ("a\n\n+++\n\nb", "only the site understands this: myst_block_break"),
    ],
)
def test_what_the_notebook_cannot_show_stops_the_run(convert, text, message):
    with pytest.raises(SourceError, match=re.escape(message)):
        convert(text, word="'a'")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{abbr}`a`", 8),
        ("a\n\nb\nc {abbr}`a`", 11),
        (":::{note}\n:class: tip\n\na\n\n{abbr}`a`\n:::", 13),
        ("::::{note}\n\n:::{tip}\n{abbr}`a`\n:::\n::::", 11),
        ("a\n\n:::{figure} b\n:::", 10),
    ],
)
def test_an_error_names_file_and_line(convert, text, line):
    with pytest.raises(SourceError, match=rf"one\.md:{line}: "):
        convert(text)


def test_a_label_stands_for_one_thing(tmp_path):
    with pytest.raises(SourceError, match=r"two\.md:\d+: label 'eq-two' is already used on page one"):
        make_book(tmp_path, "$$\na\n$$ (eq-two)")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (":tags: [remove-input]\n1", "unknown cell tag remove-input"),
        (":tags: [seed, hide_input]\n1", "unknown cell tag hide_input"),
        (":tags: seed\n1", "a code cell takes one option"),
        (":load: a.py\n", "a code cell takes one option"),
    ],
)
def test_a_tag_outside_the_list_is_refused(tmp_path, cell, message):
    with pytest.raises(SourceError, match=rf"one\.md:10: {message}"):
        make_book(tmp_path, f"Text\n\n```{{code-cell}} ipython3\n{cell}\n```")


def test_pages_are_parted_into_cells_as_the_site_does_it(tmp_path):
    text = (
        "Text\n\n```{code-cell}\n:tags: [seed]\nx = 1\n\n\ny = 2\n```\n\n````{code-cell} ipython3\n---\ntags: [hide-input]\n---\nz = '''\n```\n'''\n````\n\n"
        ":::{note}\n```python\nno cell\n```\n:::\n"
    )
    page = make_book(tmp_path, text).pages["one"]
    site = read_myst_markdown_notebook(page.path.read_text())
    code = [cell for cell in site.cells if cell.cell_type == "code"]
    assert [cell.source for cell in page.cells] == [cell.source for cell in code]
    assert [list(cell.tags) for cell in page.cells] == [cell.metadata.get("tags", []) for cell in code]
    assert len(page.parts) == len(site.cells)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_chapters_are_parted_into_cells_as_the_site_does_it(page):
    site = read_myst_markdown_notebook(page.path.read_text(encoding="utf8"))
    assert [cell.source for cell in site.cells if cell.cell_type == "code"] == [cell.source for cell in page.cells]


def test_ids_are_unique_and_an_edit_changes_only_its_own(tmp_path):
    before = notebooks.source_side(book := make_book(tmp_path, "A" + TAIL + "B" + TAIL), book.pages["one"], {})
    after = notebooks.source_side(book := make_book(tmp_path, "A" + TAIL + "C" + TAIL), book.pages["one"], {})
    nbformat.validate(before)
    ids = [cell.id for cell in before.cells]
    assert len(set(ids)) == len(ids)
    changed = [old for old, new in zip(ids, (cell.id for cell in after.cells), strict=True) if old != new]
    assert [cell.source for cell in before.cells if cell.id in changed] == ["B"]


def test_cited_works_are_listed_at_the_end(tmp_path):
    book = make_book(tmp_path, ":::{note}\n{cite:t}`godel` {cite:p}`cover2006,godel`\n:::")
    last = list(prose_of(notebooks.source_side(book, book.pages["one"], {})))[-1]
    assert last.startswith(
        "## References\n\n- Thomas M. Cover and Joy A. Thomas. *Elements of Information*. Wiley, 2006."
    )
    assert "- K. Gödel, B. van der Aa, and D. C. X. In *Y\\_1*. 1931." in last
    assert "Shannon" not in last
    two = notebooks.source_side(book, book.pages["two"], {})
    assert not any("References" in text for text in prose_of(two))


# One small chapter, run.

RUN = """\
$$
a
$$ (eq-a)

```{code-cell} ipython3
import os

print(os.environ["PYTHONHASHSEED"])
```

```{code-cell} ipython3
:tags: [remove-cell]
from myst_nb import glue

glue("third", 1 / 3, display=False)
glue("word", "seven", display=False)
```

A third is {glue:text}`third:.3f`, in words {glue:text}`word`.

```{code-cell} ipython3
:tags: [hide-input]
print("a", flush=True)
print("b")
sum([1, 2])
```

```{code-cell} ipython3
:tags: [raises-exception]
import json

json.loads("[")
```
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A book of two chapters with the notebooks that the command wrote."""
    root = tmp_path_factory.mktemp("book")
    make_book(root, RUN)
    assert notebooks.main([], root) == 0
    return root


@pytest.fixture
def copy(ran, tmp_path):
    """A copy of that book, to break."""
    return shutil.copytree(ran, tmp_path / "copy")


def read(root, name="one") -> nbformat.NotebookNode:
    return nbformat.read(root / "chapters" / f"{name}.ipynb", as_version=4)


def test_the_command_says_that_its_notebooks_are_fresh(ran, capsys):
    assert notebooks.main(["--check"], ran) == 0
    assert notebooks.main(["--check", "one"], ran) == 0
    assert capsys.readouterr().err == ""


def test_running_twice_gives_the_same_file(copy):
    before = (copy / "chapters" / "one.ipynb").read_bytes()
    assert notebooks.main(["one"], copy) == 0
    assert (copy / "chapters" / "one.ipynb").read_bytes() == before


def test_the_notebook_holds_what_ran(ran):
    notebook = read(ran)
    first, setup, *rest = notebook.cells
    assert "runnable copy of chapter 1, “One”" in first.source
    assert "one.md" in first.source
    assert 'git+https://example.org/book@main"' in setup.source
    assert (setup.execution_count, setup.outputs) == (1, [])
    code = [cell for cell in rest if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [2, 3, 4, 5]
    # Not the seed that the tests run under: see `run`.
    assert [output.text for output in code[0].outputs] == ["1\n"]
    assert not any("glue" in cell.source for cell in notebook.cells)
    assert [output.get("text") or output.data["text/plain"] for output in code[1].outputs] == ["a\nb\n", "3"]
    assert code[1].outputs[1].execution_count == 3
    assert code[1].metadata == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}}
    assert code[2].outputs[0].traceback == ["JSONDecodeError: Expecting value: line 1 column 2 (char 1)"]
    assert any("A third is 0.333, in words seven." in text for text in prose_of(notebook))
    assert notebook.metadata.crossentropy == {"glue": {"third": "0.333333333333", "word": "'seven'"}}
    assert notebook.metadata.language_info == {"name": "python"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda notebook: notebook.cells[2].update(source="# Edited"), "differs in"),
        (lambda notebook: notebook.cells.pop(), "lacks a cell"),
        (lambda notebook: notebook.cells[-1].metadata.update(tags=["seed"]), "differs in"),
        (lambda notebook: notebook.cells[-1].update(id="another"), "differs in"),
        (lambda notebook: notebook.metadata.kernelspec.update(name="other"), "metadata"),
        (lambda notebook: notebook.metadata.update(widgets={}), "metadata"),
        (lambda notebook: notebook.metadata.crossentropy.glue.update(third="0.5"), "differs in"),
        (lambda notebook: notebook.metadata.pop("crossentropy"), "nothing was glued"),
        (lambda notebook: notebook.cells[-1].update(execution_count=None), "not every cell was executed"),
        (lambda notebook: notebook.cells[-1].update(execution_count=9), "not every cell was executed"),
    ],
)
def test_a_notebook_that_was_touched_is_found(copy, capsys, damage, message):
    notebook = read(copy)
    damage(notebook)
    nbformat.write(notebook, copy / "chapters" / "one.ipynb")
    assert notebooks.main(["--check"], copy) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("old", "new"), [("sum([1, 2])", "sum([1, 3])"), ("A third", "One third"), ("(eq-a)", "")])
def test_a_source_that_was_edited_is_found(copy, capsys, old, new):
    source = copy / "chapters" / "one.md"
    source.write_text(source.read_text().replace(old, new))
    assert notebooks.main(["--check"], copy) == 1
    assert "one.ipynb is not what one.md gives" in capsys.readouterr().err


def test_a_notebook_that_is_missing_or_left_over_is_found(copy, capsys):
    chapters = copy / "chapters"
    (chapters / "two.ipynb").rename(chapters / "three.ipynb")
    assert notebooks.main(["--check"], copy) == 1
    error = capsys.readouterr().err
    assert "two.ipynb is missing" in error
    assert "three.ipynb has no page" in error


def test_an_unknown_chapter_is_refused(ran, capsys):
    assert notebooks.main(["three"], ran) == 1
    assert "no page with code cells is named three" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("object()", "an output holds a memory address"),
        ("import sys\n\nprint(sys.executable, '/home/me')", "an output holds a path of this machine"),
        ("import warnings\n\nwarnings.warn('careful')", "the cell writes to stderr"),
        ("from myst_nb import glue\n\nglue('a', 1, display=False)", "glue belongs into a cell tagged remove-cell"),
        (":tags: [remove-cell]\nprint('unseen')", "a removed cell gives an output that nobody would see"),
        (
            ":tags: [remove-cell]\nfrom myst_nb import glue\n\nglue('a', 1, display=False)\nglue('a', 2, display=False)",
            "glue key 'a' is used twice",
        ),
    ],
)
def test_what_may_not_reach_a_reader_stops_the_run(tmp_path, capsys, cell, message):
    make_book(tmp_path, f"```{{code-cell}} ipython3\n{cell}\n```")
    assert notebooks.main(["one"], tmp_path) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "chapters" / "one.ipynb").exists()


def test_without_the_package_nothing_runs(tmp_path, capsys, monkeypatch):
    make_book(tmp_path, "Text.")
    monkeypatch.setattr(notebooks.importlib.util, "find_spec", lambda name: None)
    assert notebooks.main([], tmp_path) == 1
    assert "the package is not installed" in capsys.readouterr().err


def test_two_pages_of_one_name_are_refused(tmp_path):
    make_book(tmp_path, "Text.")
    (tmp_path / "one.md").write_text("# Another\n")
    (tmp_path / "_toc.yml").write_text(CONTENTS + "      - file: one\n")
    with pytest.raises(ValueError, match="two pages are named one"):
        Book(tmp_path)


def test_the_first_cell_fetches_nothing_where_the_package_is_installed(ran):
    source = read(ran).cells[1].source
    assert 'find_spec("crossentropy") is None' in source
    assert source.splitlines()[-1].startswith("    %pip install")
