"""The concept inventory: its questions, its key, what a class answered, and its files, by a definition that is not ours."""

import importlib.util
import io
import itertools
import math
import re
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from crossentropy.widgets import inventory
from crossentropy.widgets.quiz import Quiz, load_questions
from javascript import ROOT
from notebooks import Book

QUESTIONS = load_questions("inventory", "before")
each_question = pytest.mark.parametrize("question", QUESTIONS, ids=[question["name"] for question in QUESTIONS])


def test_both_rounds_ask_the_same_fifteen():
    assert len(QUESTIONS) == 15
    assert load_questions("inventory", "after") == QUESTIONS
    assert len({question["name"] for question in QUESTIONS}) == 15


@each_question
def test_a_question_has_four_options_and_each_wrong_one_is_a_misconception(question):
    assert question.keys() == {"name", "about", "kind", "text", "feedback", "option"}
    assert question["kind"] == "one"
    assert Book(ROOT).pages[question["about"]].number
    assert len({option["text"] for option in question["option"]}) == len(inventory.LETTERS) == 4
    (right,) = [option for option in question["option"] if option.get("right")]
    assert right.keys() == {"text", "right"}
    wrong = [option for option in question["option"] if option is not right]
    assert all(option.keys() == {"text", "misconception", "feedback"} for option in wrong)
    assert len({option["misconception"] for option in wrong}) == 3
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", option["misconception"]) for option in wrong)
    assert all(
        re.fullmatch(r"[A-Z`].{15,}[.?]", said) for said in [question["feedback"], *(o["feedback"] for o in wrong)]
    )


def test_neither_place_nor_length_gives_the_answer_away():
    places = Counter(inventory.key())
    assert set(places) == set(inventory.LETTERS)
    assert max(places.values()) <= 5
    longest = [max(q["option"], key=lambda option: len(option["text"])).get("right", False) for q in QUESTIONS]
    assert sum(longest) <= 5


def test_every_chapter_is_asked_about():
    assert {question["about"] for question in QUESTIONS} == {page.name for page in Book(ROOT).notebooks if page.number}


def test_the_key_answers_everything_rightly():
    answers = {q["name"]: inventory.LETTERS.index(letter) for q, letter in zip(QUESTIONS, inventory.key(), strict=True)}
    assert len(Quiz("inventory", answers, part="after").right) == 15


def test_the_explanations_say_why_of_every_option():
    told = " ".join(inventory.explanations().split())
    for question in QUESTIONS:
        assert question["feedback"] in told
        for option in question["option"]:
            assert option.get("right") or f"{option['misconception']}: {option['feedback']}" in told
    assert max(map(len, inventory.explanations().splitlines())) <= 88


def test_a_class_is_read_question_by_question():
    key, blank = inventory.key(), "-" * 15
    first = next(letter for letter in inventory.LETTERS if letter != key[0])
    answered = inventory.tally([key, first + key[1:], blank])
    assert [a.name for a in answered] == [question["name"] for question in QUESTIONS]
    assert answered[0].right == 1 / 3
    assert [a.right for a in answered[1:]] == [2 / 3] * 14
    option = QUESTIONS[0]["option"][inventory.LETTERS.index(first)]
    assert answered[0].misconceptions == Counter([option["misconception"]])
    assert not any(a.misconceptions for a in answered[1:])


def test_the_normalised_gain_is_the_share_of_what_was_left_to_learn():
    key, blank = inventory.key(), "-" * 15
    assert inventory.normalised_gain([blank], [key]) == 1
    assert inventory.normalised_gain([blank, key], [blank, key]) == 0
    # From 3 of 15 to 9 of 15: 6 of the 12 that were left.
    assert math.isclose(inventory.normalised_gain([key[:3] + blank[3:]], [key[:9] + blank[9:]]), 1 / 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: inventory.tally([]), "sheets must hold at least one"),
        (lambda: inventory.tally([inventory.key(), "ABC"]), "sheets[1] must be 15 letters from A to D or -, got 'ABC'"),
        (lambda: inventory.tally(["abcd" * 4]), "sheets[0] must be 15 letters"),
        (lambda: inventory.normalised_gain([inventory.key()], ["-" * 15]), "before must leave something to learn"),
    ],
)
def test_sheets_that_cannot_be_read_are_refused(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


# The files for learning platforms.


@pytest.fixture(scope="module")
def definition():
    """The document type definition of QTI 1.2, which pyslet quotes, rule by rule, in what it says of each element."""
    (folder,) = importlib.util.find_spec("pyslet").submodule_search_locations
    quoted = "\n".join(path.read_text(encoding="utf8") for path in sorted((Path(folder) / "qtiv1").glob("*.py")))
    rules = {}
    for rule in re.findall(r"<!(?:ELEMENT|ATTLIST)\s[^>]*>", quoted):
        # The quotations' slips: an entity, a stray mark, one rule for elements of one family.
        for slip, meant in [("%I_Title;", "title CDATA #IMPLIED"), ("::", " "), ('#REQUIRED"', "#REQUIRED")]:
            rule = rule.replace(slip, meant)
        rule = " ".join(rule.split()).replace("response_*", "response_lid").replace("render_*", "render_choice")
        if "XXX" in rule or rule.split()[1].startswith("*"):
            continue
        if rule.startswith("<!ELEMENT"):
            # They leave out the commas of a sequence.
            head, bracket, content = re.sub(r"\s*([(),|])\s*", r"\1", rule).partition("(")
            content = re.sub(r"(?<=[\w?*+)])(\s(?=[\w(])|(?=\())", ",", content)
            rule = f"{head} {bracket}{content}"
        rules.setdefault(tuple(rule.split()[:2]), rule)
    return etree.DTD(io.StringIO("\n".join(rules.values())))


def validate(definition, text):
    # A DTD knows no namespaces.
    return definition.validate(etree.fromstring(re.sub(r' xmlns="[^"]+"', "", text).encode()))


def test_the_qti_file_is_valid_by_the_published_definition(definition):
    assert validate(definition, inventory.to_qti()), definition.error_log


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("<conditionvar>", "<conditionvar><material/>"),
        (' respident="response1"', ""),
        ('rcardinality="Single"', 'rcardinality="Alone"'),
        ("<resprocessing>", "<nonsense/><resprocessing>"),
        ("<outcomes>", "<setvar/><outcomes>"),
    ],
)
def test_the_definition_finds_what_is_wrong(definition, good, bad):
    text = inventory.to_qti()
    assert good in text
    assert not validate(definition, text.replace(good, bad, 1))


def test_every_identifier_of_the_qti_file_leads_somewhere():
    root = etree.fromstring(inventory.to_qti().encode())
    find = etree.XPath(".//q:*[local-name() = $name]", namespaces={"q": inventory.QTI})
    items = find(root, name="item")
    assert len(items) == 15
    idents = [
        element.get("ident") for element in root.iter() if element.get("ident") and element.get("ident") != "response1"
    ]
    assert len(set(idents)) == len(idents)
    for item, question, letter in zip(items, QUESTIONS, inventory.key(), strict=True):
        labels = [label.get("ident") for label in find(item, name="response_label")]
        conditions = find(item, name="respcondition")
        assert [find(c, name="varequal")[0].text for c in conditions] == labels
        feedback = {f.get("ident"): "".join(f.itertext()).strip() for f in find(item, name="itemfeedback")}
        scored = []
        for k, condition in enumerate(conditions):
            said = feedback[find(condition, name="displayfeedback")[0].get("linkrefid")]
            option = question["option"][k]
            assert said == inventory.rich(option.get("feedback", question["feedback"]))
            scored += [k for setvar in find(condition, name="setvar") if setvar.text == "100"]
        assert scored == [inventory.LETTERS.index(letter)]


def test_the_package_holds_what_its_manifest_lists(tmp_path):
    package, _ = inventory.write_files(tmp_path)
    with zipfile.ZipFile(package) as archive:
        manifest = etree.fromstring(archive.read("imsmanifest.xml"))
        listed = [element.get("href") for element in manifest.iter("{*}file")]
        assert sorted([*listed, "imsmanifest.xml"]) == sorted(archive.namelist())
        assert archive.read("inventory.xml").decode() == inventory.to_qti()
    resource = next(manifest.iter("{*}resource"))
    assert (resource.get("type"), resource.get("href")) == ("imsqti_xmlv1p2", "inventory.xml")


def test_the_files_are_the_same_bytes_each_time(tmp_path):
    runs = [[path.read_bytes() for path in inventory.write_files(tmp_path / name)] for name in ("a", "b")]
    assert runs[0] == runs[1]


def test_the_moodle_file_has_what_moodle_documents():
    root = ET.fromstring(inventory.to_moodle())
    category, *questions = root
    assert (category.get("type"), root.tag, len(questions)) == ("category", "quiz", 15)
    for element, question, letter in zip(questions, QUESTIONS, inventory.key(), strict=True):
        assert element.get("type") == "multichoice"
        assert element.findtext("questiontext/text") == inventory.rich(question["text"])
        assert element.findtext("single") == "true"
        assert element.findtext("shuffleanswers") == "false"
        answers = element.findall("answer")
        assert [a.findtext("text") for a in answers] == [inventory.rich(o["text"]) for o in question["option"]]
        fractions = [a.get("fraction") for a in answers]
        assert fractions == ["100" if k == inventory.LETTERS.index(letter) else "0" for k in range(4)]
        assert all(a.findtext("feedback/text") for a in answers)


def test_code_and_signs_survive_as_html():
    assert inventory.rich("a < b & `c < d`") == "a &lt; b &amp; <code>c &lt; d</code>"


def test_the_page_of_questions_holds_no_answer():
    page = (ROOT / "chapters" / "inventory.md").read_text()
    assert 'part="before"' in page
    shown = Quiz("inventory", part="before").to_text()
    said = [o["feedback"] for q in QUESTIONS for o in q["option"] if "feedback" in o]
    for sentence in itertools.chain(said, (q["feedback"] for q in QUESTIONS)):
        assert sentence not in page
        assert sentence not in shown
