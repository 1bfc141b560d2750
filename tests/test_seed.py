"""Each statement of the seed text has a place in the book that teaches it, and a visible cell that asserts it."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FACTS = tomllib.loads((ROOT / "tests" / "seed_facts.toml").read_text())["fact"]
KINDS = {"equation", "fact", "table-row", "code"}


def cells(page: str) -> list[tuple[str, str]]:
    """(options, code) of the page's code cells, those that a reader sees."""
    text = (ROOT / "chapters" / f"{page}.md").read_text()
    found = re.findall(r"^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1$", text, flags=re.DOTALL | re.MULTILINE)
    split = [re.match(r"((?::[^\n]*\n)*)(.*)", body, flags=re.DOTALL).groups() for _, body in found]
    return [(options, code) for options, code in split if "remove-cell" not in options]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["id"])
def test_the_book_teaches_it_at_its_anchor(fact):
    text = (ROOT / "chapters" / f"{fact['page']}.md").read_text()
    anchor = re.escape(fact["anchor"])
    places = rf"^\({anchor}\)=$|^:label: {anchor}$|^\$\$ \({anchor}\)$"
    assert re.search(places, text, flags=re.MULTILINE), f"{fact['page']}.md has no label {fact['anchor']}"


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["id"])
def test_a_visible_cell_asserts_it(fact):
    assert re.match(r"assert\b", fact["assert"])
    assert any(squeezed(fact["assert"]) in squeezed(code) for _, code in cells(fact["page"]))


@pytest.mark.parametrize("fact", [f for f in FACTS if f["kind"] == "code"], ids=lambda fact: fact["id"])
def test_the_seeds_code_stands_verbatim(fact):
    marked = [code.strip() for options, code in cells(fact["page"]) if "seed" in options]
    assert fact["code"].strip() in marked


def test_each_fact_is_complete_and_has_a_name_of_its_own():
    assert len({fact["id"] for fact in FACTS}) == len(FACTS)
    for fact in FACTS:
        assert set(fact) == {"id", "kind", "quote", "page", "anchor", "assert"} | (
            {"code"} if fact["kind"] == "code" else set()
        )
        assert fact["kind"] in KINDS
        assert fact["quote"].strip()
