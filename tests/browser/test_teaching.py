"""The links of the plans: each opens its lab in the state that it names."""

import re

import labs
import pytest
from labs import controls, plain, results

from javascript import ROOT

CASES = {case.lab.topic: case for case in labs.cases()}
LINKS = [
    link
    for name in ("teaching", "plans")
    for link in re.findall(r"\]\(lab:(\w+)#([^)\s]+)\)", (ROOT / "chapters" / f"{name}.md").read_text())
]
PAGES = list(dict.fromkeys(page for page, _ in LINKS))


def state(fragment):
    """The topic that the fragment speaks of, and what it sets."""
    parts = [re.fullmatch(r"([\w-]+)\.(\w+)=(.+)", part).groups() for part in fragment.replace("%20", " ").split("&")]
    (topic,) = {topic for topic, _, _ in parts}
    return topic, {name: plain(text.split(",")) if "," in text else plain(text) for _, name, text in parts}


def shown(root, name):
    """What the page shows of a trait: one value, or a list. A count of steps is a result, not a control."""
    given, found = (
        {key.replace("-", "_"): value for key, value in part.items()} for part in (controls(root), results(root))
    )
    return next(part[key] for part in (given, found) for key in (name, name.removesuffix("s")) if key in part)


def test_every_lab_is_linked_to():
    assert {state(fragment)[0] for _, fragment in LINKS} == set(CASES)


@pytest.mark.parametrize("page", PAGES)
def test_each_link_opens_the_lab_in_its_state(page, visitor, origins):
    fragments = list(dict.fromkeys(fragment for name, fragment in LINKS if name == page))
    site = visitor.open(f"{origins['http']}/chapters/{page}.html#{fragments[0]}", light=True)
    site.locator(".ce-lab[data-ready]").first.wait_for()
    for fragment in fragments:
        topic, wanted = state(fragment)
        # Python refuses what lies outside a lab's bounds, or has no such name.
        lab = CASES[topic].lab(**{n: int(v) if isinstance(v, float) and v == int(v) else v for n, v in wanted.items()})
        assert {name: lab.state[name] for name in wanted} == wanted
        root = site.locator(f'[data-widget="{topic}"][data-ready="true"]').first
        if fragment is not fragments[0]:
            site.evaluate("fragment => { location.hash = fragment }", fragment)
        root.wait_for()
        # A link to a trained network has it trained first.
        root.locator('[aria-busy="true"]').wait_for(state="detached")
        assert {name: shown(root, name) for name in wanted} == wanted, fragment
        # A score is the game's; after steps the controls show where the logits have come to.
        moving = {"draw", "guess", "score", *(["logits"] if "steps" in wanted else [])}
        others = {name: value for name, value in lab.state.items() if name not in {*wanted, *moving}}
        assert {name: shown(root, name) for name in others} == others


def test_the_page_leads_to_those_states(visitor, origins):
    for name in ("teaching", "plans"):
        site = visitor.open(f"{origins['http']}/chapters/{name}.html", light=True)
        found = site.locator("a.ce-state").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
        text = (ROOT / "chapters" / f"{name}.md").read_text()
        assert found == [f"{page}.html#{fragment}" for page, fragment in re.findall(r"\]\(lab:(\w+)#([^)\s]+)\)", text)]
