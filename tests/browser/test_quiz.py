"""The quiz in the built page: right and wrong, by mouse, touch and keyboard; kept on the device, and forgotten."""

import json
import re

import pytest
from playwright.sync_api import expect

from crossentropy.widgets.inventory import to_moodle
from crossentropy.widgets.quiz import is_right, load_questions, offered
from javascript import ROOT

AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
CHAPTERS = sorted(
    path.stem for path in (ROOT / "code/crossentropy/widgets/questions").glob("*.toml") if path.stem != "inventory"
)
SCHEMES = ["http", "file"]
# For our own keys alone: the theme keeps its mode there, and would complain.
NO_STORE = """
for (const name of ["getItem", "setItem", "removeItem"]) {
  const real = Storage.prototype[name];
  Storage.prototype[name] = function (key, ...rest) {
    if (key.startsWith("crossentropy.")) throw new DOMException("no", "SecurityError");
    return real.call(this, key, ...rest);
  };
}"""

every_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


@pytest.fixture
def open_quiz(visitor, origins):
    def open_quiz(chapter="softmax", scheme="http", **options):
        page = visitor.open(f"{origins[scheme]}/chapters/{chapter}.html", **options)
        root = page.locator('[data-widget="quiz"]').first
        if options.get("scripts", True):
            page.locator('[data-widget="quiz"][data-ready="true"]').first.wait_for()
        return page, root

    return open_quiz


def again(page):
    """The same page, loaded once more on the same device."""
    page.reload(wait_until="domcontentloaded")
    page.locator('[data-widget="quiz"][data-ready="true"]').first.wait_for()
    return page.locator('[data-widget="quiz"]').first


def give(root, question, answer):
    """Put in an answer, and check it."""
    inputs = root.locator(f'input[name="{question["name"]}"]')
    if question["kind"] == "number":
        inputs.fill(repr(answer))
    else:
        for k in range(inputs.count()):
            if k in answer or question["kind"] == "several":
                inputs.nth(k).set_checked(k in answer)
    check(root, question).click()


def form(root, question):
    return root.locator("form").filter(has=root.page.locator(f'input[name="{question["name"]}"]'))


def check(root, question):
    return form(root, question).locator('button[name="check"]')


def verdict(root, question):
    output = form(root, question).locator('output[data-quantity="verdict"]')
    return output.get_attribute("data-value") or "", output.text_content().strip()


def count(root):
    return int(root.locator('output[data-quantity="right"]').get_attribute("data-value"))


def right_answer(question):
    if question["kind"] == "number":
        return question["answer"]
    return [k for k, option in enumerate(question["option"]) if option.get("right")]


def plain(text):
    return text.replace("`", "")


def asked(root, kind):
    return next(question for question in load_questions("softmax") if question["kind"] == kind)


@every_chapter
def test_right_and_wrong_are_told(chapter, open_quiz):
    # What is told knows nothing of the address: every second quiz is asked from a folder.
    _, root = open_quiz(chapter, SCHEMES[CHAPTERS.index(chapter) % 2])
    questions = load_questions(chapter)
    assert count(root) == 0
    for done, question in enumerate(questions):
        if question["kind"] == "number":
            wrong = [(mistake["value"], mistake["feedback"]) for mistake in question["mistake"]]
            wrong.append((-12345.5, question["otherwise"]))
        elif question["kind"] == "one":
            wrong = [([k], o["feedback"]) for k, o in enumerate(question["option"]) if not o.get("right")]
        else:
            rights = right_answer(question)
            wrong = [
                (sorted({*rights} ^ {k}), o["feedback"]) for k, o in enumerate(question["option"]) if {*rights} ^ {k}
            ]
        for answer, feedback in wrong:
            assert not is_right(question, answer)
            give(root, question, answer)
            value, text = verdict(root, question)
            assert value == "wrong"
            assert text.startswith("✗ Not yet.")
            assert text.endswith(plain(feedback))
            assert count(root) == done
        give(root, question, right_answer(question))
        assert verdict(root, question) == ("right", f"✓ Right. {plain(question['feedback'])}")
        assert count(root) == done + 1
    assert root.locator('output[data-quantity="right"]').text_content() == f"{len(questions)} of {len(questions)} right"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_progress_is_kept_over_a_reload_and_can_be_forgotten(scheme, open_quiz):
    page, root = open_quiz(scheme=scheme)
    assert root.locator('[name="forget"]').get_attribute("aria-disabled") == "true"
    one, number, several = (asked(root, kind) for kind in ("one", "number", "several"))
    give(root, one, [0])
    give(root, number, number["answer"])
    give(root, several, [0, 3])
    before = [verdict(root, question) for question in (one, number, several)]
    address = page.url
    root = again(page)
    assert [verdict(root, question) for question in (one, number, several)] == before
    assert [value for value, _ in before] == ["wrong", "right", "wrong"]
    assert count(root) == 1
    assert root.locator(f'input[name="{number["name"]}"]').input_value() == repr(number["answer"])
    ticked = root.locator(f'input[name="{several["name"]}"]').evaluate_all("all => all.map((c) => c.checked)")
    assert ticked == [True, False, False, True]
    # Not in the address, which readers hand on.
    page.wait_for_timeout(400)
    assert page.url == address
    assert page.evaluate("Object.keys(localStorage)").count("crossentropy.quiz.softmax") == 1

    root.locator('[name="forget"]').click()
    assert root.locator("[role=status]").text_content() == "Your answers are forgotten."
    for reloaded in (False, True):
        fresh = again(page) if reloaded else root
        assert count(fresh) == 0
        assert [verdict(fresh, question) for question in (one, number, several)] == [("", "")] * 3
        assert fresh.locator("input:checked").count() == 0
        assert fresh.locator(f'input[name="{number["name"]}"]').input_value() == ""
    assert "crossentropy.quiz.softmax" not in page.evaluate("Object.keys(localStorage)")


def test_each_chapter_keeps_its_own(open_quiz, origins):
    page, root = open_quiz()
    number = asked(root, "number")
    give(root, number, number["answer"])
    page.goto(f"{origins['http']}/chapters/stability.html", wait_until="domcontentloaded")
    other = page.locator('[data-widget="quiz"][data-ready="true"]').first
    other.wait_for()
    assert count(other) == 0
    other.locator('[name="forget"]').click(force=True)
    page.go_back(wait_until="domcontentloaded")
    assert count(again(page)) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_browser_that_keeps_nothing_is_told_so_and_served(scheme, open_quiz):
    page, root = open_quiz(scheme=scheme, before=NO_STORE)
    assert root.locator(".ce-kept").text_content().endswith("Not kept: this browser lets the page keep nothing.")
    number = asked(root, "number")
    give(root, number, number["answer"])
    assert count(root) == 1
    root.locator('[name="forget"]').click()
    assert count(root) == 0
    assert count(again(page)) == 0


@pytest.mark.parametrize("kept", ["", "{", "null", "3", '"x"', '{"odds": "4", "newcomer": [9], "other": 1}'])
def test_nonsense_on_the_device_breaks_nothing(kept, open_quiz):
    before = f"try {{ localStorage.setItem('crossentropy.quiz.softmax', {json.dumps(kept)}) }} catch {{}}"
    _, root = open_quiz(before=before)
    assert count(root) == 0
    number = asked(root, "number")
    give(root, number, number["answer"])
    assert count(root) == 1


def test_nothing_is_judged_before_an_answer_is_given(open_quiz):
    _, root = open_quiz()
    for question in load_questions("softmax"):
        check(root, question).click()
        assert verdict(root, question) == ("", "Give an answer first.")
    assert count(root) == 0


def test_a_verdict_goes_when_the_choice_changes(open_quiz):
    _, root = open_quiz()
    one, number = asked(root, "one"), asked(root, "number")
    give(root, one, [0])
    root.locator(f'input[name="{one["name"]}"]').nth(2).check()
    assert verdict(root, one) == ("", "")
    # A question that is being answered is left alone when another one is checked.
    root.locator(f'input[name="{number["name"]}"]').fill("1.5")
    give(root, one, [1])
    assert root.locator(f'input[name="{number["name"]}"]').input_value() == "1.5"


def test_the_keyboard_is_enough(open_quiz):
    page, root = open_quiz()
    one, number, several = (asked(root, kind) for kind in ("one", "number", "several"))
    root.locator(f'input[name="{one["name"]}"]').first.focus()
    for key in ("Space", "ArrowDown", "Tab", "Enter"):
        page.keyboard.press(key)
    assert verdict(root, one)[0] == "right"
    page.keyboard.press("Tab")
    page.keyboard.type("4.48")
    page.keyboard.press("Enter")
    assert verdict(root, number)[0] == "right"
    for key in ("Tab", "Tab", "Tab", "Space", "Tab", "Tab", "Space", "Tab", "Space"):
        page.keyboard.press(key)
    assert verdict(root, several)[0] == "right"
    assert count(root) == 3
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert count(root) == 0
    assert root.locator('[name="forget"]').evaluate("button => button === document.activeElement")


def test_a_finger_is_enough(open_quiz):
    _, root = open_quiz(touch=True, width=360)
    one = asked(root, "one")
    # The words of an option belong to its control.
    root.get_by_text(one["option"][1]["text"], exact=True).last.tap()
    check(root, one).tap()
    assert verdict(root, one)[0] == "right"
    root.locator('[name="forget"]').tap()
    assert count(root) == 0


def test_a_verdict_is_announced_once(open_quiz):
    page, root = open_quiz()
    root.evaluate(
        """root => {
          globalThis.said = [];
          for (const region of root.querySelectorAll("[role=status], [aria-live=polite], output")) {
            if (region.getAttribute("aria-live") === "off") continue;
            new MutationObserver(() => region.textContent && said.push(region.textContent.trim()))
              .observe(region, { childList: true, characterData: true, subtree: true });
          }
        }"""
    )
    number = asked(root, "number")
    give(root, number, number["answer"])
    page.wait_for_timeout(300)
    assert page.evaluate("said") == [verdict(root, number)[1]]


@every_chapter
def test_every_control_has_a_name_and_a_label(chapter, open_quiz):
    _, root = open_quiz(chapter)
    keys = root.evaluate(
        """root => [...root.querySelectorAll("input, button")].map((c) =>
             [c.name, c.dataset.index ?? "", c.labels?.[0]?.textContent || c.textContent, Boolean(c.closest("fieldset"))])"""
    )
    assert all(name and label.strip() for name, _, label, _ in keys)
    assert len({(name, index) for name, index, _, _ in keys}) == len(keys)
    assert [name for name, _, _, inside in keys if not inside] == ["forget"]
    legends = root.locator("legend").all_text_contents()
    assert legends == [f"{k}. {plain(q['text'])}" for k, q in enumerate(load_questions(chapter), start=1)]
    assert root.locator("[id]").count() == 0


@every_chapter
def test_axe_finds_nothing_and_nothing_scrolls_sideways(chapter, open_quiz):
    page, root = open_quiz(chapter)
    page.evaluate(AXE)
    # The rest of the page is not looked at, but would be walked through each time.
    page.evaluate("document.querySelectorAll('.katex, .ce-figure').forEach((element) => element.remove())")
    wrong = {"number": -12345.5, "one": [0], "several": [0]}
    for state in ("empty", "wrong", "right"):
        for question in load_questions(chapter):
            if state != "empty":
                give(root, question, wrong[question["kind"]] if state == "wrong" else right_answer(question))
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            page.wait_for_timeout(300)
            report = page.evaluate("root => axe.run(root, { resultTypes: ['violations'] })", root.element_handle())
            assert [f"{v['id']}: {v['nodes'][0]['html']}" for v in report["violations"]] == [], f"{theme}, {state}"
            assert report["passes"]
        for width in (600, 360, 320, 1200):
            page.set_viewport_size({"width": width, "height": 900})
            over = root.evaluate(
                """root => [...root.querySelectorAll("*")]
                     .filter((e) => e.getClientRects().length && !e.closest(".ce-live"))
                     .filter((e) => e.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
                     .map((e) => e.outerHTML.slice(0, 80))"""
            )
            assert over == [], f"{width}, {state}"
            small = root.evaluate(
                """root => [...root.querySelectorAll("input, button")].map((e) => [e.name, e.getBoundingClientRect()])
                     .filter(([, r]) => r.width < 24 || r.height < 24).map(([name]) => name)"""
            )
            assert small == []


@pytest.mark.parametrize("scripts", [True, False])
@every_chapter
def test_paper_and_readers_without_script_get_the_questions(chapter, scripts, open_quiz):
    page, root = open_quiz(chapter, scripts=scripts)
    if scripts:
        assert not root.locator("ol.ce-start").is_visible()
        page.emulate_media(media="print")
    assert root.locator("ol.ce-start").is_visible()
    assert not root.locator("input, button").first.is_visible()
    questions = load_questions(chapter)
    items = root.locator("ol.ce-start > li").all_inner_texts()
    assert len(items) == len(questions)
    for item, question in zip(items, questions, strict=True):
        assert plain(question["text"]) in item
        assert plain(question["feedback"]) not in item
        for option in question.get("option", []):
            assert re.search(rf"^{re.escape(plain(option['text']))}$", item, re.MULTILINE)


# The derivations, among the exercises: the second quiz of a chapter.


@pytest.fixture
def open_derivation(visitor, origins):
    def open_derivation(chapter="softmax", **options):
        page = visitor.open(f"{origins['http']}/chapters/{chapter}.html", **options)
        page.locator('[data-widget="quiz"][data-ready="true"]').nth(1).wait_for()
        return page, page.locator('[data-widget="quiz"]').nth(1)

    return open_derivation


def derivation(chapter="softmax"):
    """The derivation, and the places of the lines that stand and of those that never do."""
    question = next(question for question in load_questions(chapter, "exercise") if question["kind"] == "order")
    chain = [k for k, line in enumerate(question["line"]) if "never" not in line]
    return question, chain, [k for k in range(len(question["line"])) if k not in chain]


def lay(root, question, k):
    root.locator(f'input[name="{question["name"]}"][data-index="{k}"]').check()
    check(root, question).click()


def standing(root):
    return root.locator(".ce-derivation > li > span:first-child").all_text_contents()


@every_chapter
def test_a_derivation_is_laid_line_by_line(chapter, open_derivation):
    page, root = open_derivation(chapter, light=True)
    question, chain, never = derivation(chapter)
    lines = question["line"]
    inputs = root.locator(f'input[name="{question["name"]}"]')
    assert root.locator(".ce-option:not([hidden])").all_text_contents() == [plain(text) for text in offered(question)]
    for done, k in enumerate(chain):
        # What cannot stand yet, and what never can, is told why, and stays to be chosen.
        for early in [*chain[done + 1 :], *never]:
            lay(root, question, early)
            said = lines[early].get("never") or lines[early]["early"]
            assert verdict(root, question) == ("wrong", f"✗ Not yet. {plain(said)}")
            assert len(standing(root)) == done + 1
        lay(root, question, k)
        assert standing(root) == [
            plain(text) for text in (question["start"], *(lines[j]["text"] for j in chain[: done + 1]))
        ]
        assert inputs.and_(page.locator(f'[data-index="{k}"]')).is_hidden()
        if k != chain[-1]:
            assert verdict(root, question) == ("partly", f"✓ It follows. {plain(lines[k]['because'])}")
            assert count(root) == 0
    assert verdict(root, question) == ("right", f"✓ Right. {plain(question['feedback'])}")
    assert count(root) == 1
    assert root.locator(".ce-derivation .ce-hint").all_text_contents() == [plain(lines[k]["because"]) for k in chain]
    # A proof that stands asks for nothing more.
    assert not root.locator(".ce-option").or_(form(root, question).locator("button")).locator("visible=true").count()


def test_a_derivation_is_kept_and_begun_anew(open_derivation):
    page, root = open_derivation()
    question, chain, never = derivation()
    for k in (chain[0], chain[1], never[0]):
        lay(root, question, k)
    before, lines = verdict(root, question), standing(root)
    again(page)
    assert (verdict(root, question), standing(root)) == (before, lines)
    assert root.locator("input:checked").get_attribute("data-index") == str(never[0])
    check(root, question).click()
    assert verdict(root, question) == before
    # The other quiz of the chapter knows nothing of it.
    assert page.evaluate("Object.keys(localStorage)").count("crossentropy.quiz.softmax") == 0
    root.locator('[name="forget"]').click()
    assert (verdict(root, question), len(standing(root))) == (("", ""), 1)
    assert root.locator(".ce-option:not([hidden])").count() == len(question["line"])


def test_a_derivation_needs_no_mouse(open_derivation):
    page, root = open_derivation(light=True)
    question, chain, _ = derivation()
    places = [plain(text) for text in offered(question)]
    for k in chain:
        shown = [text for text in places if text not in standing(root)]
        root.locator(".ce-option:not([hidden]) input").first.focus()
        page.keyboard.press("Space")
        for _ in range(shown.index(plain(question["line"][k]["text"]))):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        # Nothing is lost when a line moves up: the button keeps the focus, and gives it to the verdict when it goes.
        expected = "verdict" if k == chain[-1] else "check"
        assert page.evaluate("document.activeElement.name || document.activeElement.dataset.quantity") == expected
    assert verdict(root, question)[0] == "right"


@every_chapter
def test_axe_finds_nothing_in_a_derivation_and_nothing_scrolls(chapter, open_derivation):
    page, root = open_derivation(chapter, light=True)
    page.evaluate(AXE)
    question, chain, never = derivation(chapter)
    for k in (chain[0], never[0]):
        lay(root, question, k)
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        report = page.evaluate("root => axe.run(root, { resultTypes: ['violations'] })", root.element_handle())
        assert [f"{v['id']}: {v['nodes'][0]['html']}" for v in report["violations"]] == []
    page.set_viewport_size({"width": 320, "height": 900})
    assert (
        root.evaluate(
            """root => [...root.querySelectorAll("*")]
                 .filter((e) => e.getClientRects().length && !e.closest(".ce-live"))
                 .filter((e) => e.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
                 .map((e) => e.outerHTML.slice(0, 80))"""
        )
        == []
    )


# The concept inventory: the first round is kept without a word, the second is judged.


def test_the_inventory_tells_nothing_before_and_everything_after(visitor, origins):
    page = visitor.open(f"{origins['http']}/chapters/inventory.html")
    root = page.locator('[data-widget="quiz"][data-ready="true"]')
    root.wait_for()
    questions = load_questions("inventory", "before")
    rights = [right_answer(question) for question in questions]
    # The first is answered wrongly, the last not at all.
    for question, (right,) in zip(questions[:-1], rights, strict=False):
        wrong = question is questions[0]
        give(root, question, [(right + wrong) % 4])
        assert verdict(root, question) == ("kept", "Kept.")
    assert root.locator('output[data-quantity="answered"]').text_content() == "14 of 15 answered"
    assert root.locator('output[data-quantity="right"]').count() == 0
    said = [
        plain(text)
        for q in questions
        for text in [q["feedback"], *(o.get("feedback", q["feedback"]) for o in q["option"])]
    ]
    assert not [sentence for sentence in said if sentence in root.inner_text()]
    page.emulate_media(media="print")
    sheet = root.locator("ol.ce-start")
    assert sheet.is_visible()
    assert not [sentence for sentence in said if sentence in page.locator("body").inner_text()]
    assert all(plain(o["text"]) in sheet.inner_text() for q in questions for o in q["option"])

    page.emulate_media(media="screen")
    page.goto(f"{origins['http']}/chapters/answers.html", wait_until="domcontentloaded")
    root.wait_for()
    assert count(root) == 0
    for done, (question, right) in enumerate(zip(questions, rights, strict=True), start=1):
        give(root, question, right)
        assert verdict(root, question) == ("right", f"✓ Right. {plain(question['feedback'])}")
        assert count(root) == done
    assert root.locator('output[data-quantity="right"]').text_content() == "15 of 15 right; before the book 13"


def test_the_files_for_learning_platforms_are_there(visitor, origins):
    page = visitor.open(f"{origins['http']}/chapters/answers.html")
    links = [
        link
        for link in page.locator("article a").evaluate_all("all => all.map((a) => a.href)")
        if "/inventory/" in link
    ]
    assert [link.rpartition("/")[2] for link in links] == ["inventory-qti.zip", "inventory-moodle.xml"]
    bodies = [page.request.get(link).body() for link in links]
    assert bodies[0].startswith(b"PK")
    assert bodies[1].decode() == to_moodle()


def test_two_tabs_keep_what_both_were_told(open_quiz):
    page, root = open_quiz()
    other = page.context.new_page()
    other.goto(page.url)
    other.locator('[data-widget="quiz"][data-ready="true"]').first.wait_for()
    second = other.locator('[data-widget="quiz"]').first
    one, number = asked(root, "one"), asked(root, "number")
    give(root, one, right_answer(one))
    give(second, number, number["answer"])
    for tab in (page, other):
        tab.wait_for_function("Object.keys(JSON.parse(localStorage['crossentropy.quiz.softmax'])).length === 2")
        expect(tab.locator('output[data-quantity="right"]').first).to_have_attribute("data-value", "2")
    root.locator('[name="forget"]').click()
    expect(second.locator('output[data-quantity="right"]')).to_have_attribute("data-value", "0")
    give(second, number, number["answer"])
    assert page.evaluate("Object.keys(JSON.parse(localStorage['crossentropy.quiz.softmax']))") == [number["name"]]
