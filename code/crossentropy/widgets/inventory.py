"""The concept inventory: its key, what a class answered, and the files that learning platforms import.

One source, questions/inventory.toml. ``python -m crossentropy.widgets.inventory FOLDER`` writes the questions as QTI 1.2,
packaged for Canvas and others, and as Moodle XML.
"""

import html
import sys
import textwrap
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from crossentropy.widgets.quiz import Question, load_questions

TITLE = "Cross-entropy: a concept inventory"
LETTERS = "ABCD"
LINE = 88
QTI = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
# What stands in a zip must not change with the day on which it is made.
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Answered:
    """What a class said to one question: the share of right answers, and how often each misconception was chosen."""

    name: str
    right: float
    misconceptions: Counter[str]


def key() -> str:
    """The letters of the right options, in the order of the questions."""
    return "".join(LETTERS[_right(question)] for question in load_questions("inventory", "before"))


def explanations() -> str:
    """For each question the right letter and why, and for each wrong one its misconception and the idea behind it."""
    lines = []
    for number, question in enumerate(load_questions("inventory", "before"), start=1):
        lines += [_wrapped(f"{number:2}. {LETTERS[_right(question)]}  ", question["feedback"])]
        lines += [
            _wrapped(f"    {letter}  ", f"{option['misconception']}: {option['feedback']}")
            for letter, option in zip(LETTERS, question["option"], strict=True)
            if not option.get("right")
        ]
    return "\n".join(lines)


def tally(sheets: Sequence[str]) -> list[Answered]:
    """What a class answered, question by question.

    Args:
        sheets: One string a student, a letter from A to D for each question, "-" where there is no answer.

    Raises:
        ValueError: for no sheets, or a sheet of another length or with another letter, saying which.
    """
    questions = load_questions("inventory", "before")
    if not sheets:
        raise ValueError("sheets must hold at least one student's answers, got none")
    for number, sheet in enumerate(sheets):
        if len(sheet) != len(questions) or set(sheet) - {*LETTERS, "-"}:
            raise ValueError(f"sheets[{number}] must be {len(questions)} letters from A to D or -, got {sheet!r}")
    answered = []
    for question, letters in zip(questions, zip(*sheets, strict=True), strict=True):
        options = [question["option"][LETTERS.index(letter)] for letter in letters if letter != "-"]
        wrong = Counter(option["misconception"] for option in options if not option.get("right"))
        rights = sum(option.get("right", False) for option in options)
        answered.append(Answered(question["name"], rights / len(sheets), wrong))
    return answered


def normalised_gain(before: Sequence[str], after: Sequence[str]) -> float:
    """The share of what could still be learnt that was: (after - before) / (1 - before), of the mean shares of right answers.

    Raises:
        ValueError: as ``tally`` does, and if everything was right before.

    See: Hake (1998), "Interactive-engagement versus traditional methods", American Journal of Physics 66, 64-74.
    """
    first, second = (sum(a.right for a in tally(sheets)) / len(key()) for sheets in (before, after))
    if first == 1:
        raise ValueError("before must leave something to learn, got nothing but right answers")
    return (second - first) / (1 - first)


def to_qti() -> str:
    """The inventory as an assessment in QTI 1.2, one item a question, one point each, an explanation for each option."""
    root = ET.Element("questestinterop", xmlns=QTI)
    assessment = ET.SubElement(root, "assessment", ident="crossentropy_inventory", title=TITLE)
    section = ET.SubElement(assessment, "section", ident="root_section")
    for question in load_questions("inventory", "before"):
        _qti_item(section, question)
    return _xml(root)


def to_manifest() -> str:
    """The list of contents that makes a package of ``to_qti``."""
    root = ET.Element("manifest", xmlns=PACKAGE, identifier="crossentropy_inventory_package")
    metadata = ET.SubElement(root, "metadata")
    ET.SubElement(metadata, "schema").text = "IMS Content"
    ET.SubElement(metadata, "schemaversion").text = "1.1.3"
    ET.SubElement(root, "organizations")
    resources = ET.SubElement(root, "resources")
    resource = ET.SubElement(
        resources, "resource", identifier="crossentropy_inventory", type="imsqti_xmlv1p2", href="inventory.xml"
    )
    ET.SubElement(resource, "file", href="inventory.xml")
    return _xml(root)


def to_moodle() -> str:
    """The inventory as Moodle XML: a category of multiple-choice questions with an explanation for each option."""
    root = ET.Element("quiz")
    category = ET.SubElement(root, "question", type="category")
    _text(ET.SubElement(category, "category"), f"$course$/top/{TITLE}")
    for number, question in enumerate(load_questions("inventory", "before"), start=1):
        item = ET.SubElement(root, "question", type="multichoice")
        _text(ET.SubElement(item, "name"), f"{number:02d} {question['name']}")
        _text(ET.SubElement(item, "questiontext", format="html"), rich(question["text"]))
        _text(ET.SubElement(item, "generalfeedback", format="html"), rich(question["feedback"]))
        settings = {"defaultgrade": "1", "penalty": "0", "hidden": "0", "single": "true"}
        # In the order of the printed sheet, whose key goes by letters.
        settings |= {"shuffleanswers": "false", "answernumbering": "ABCD"}
        for name, value in settings.items():
            ET.SubElement(item, name).text = value
        for option in question["option"]:
            answer = ET.SubElement(item, "answer", fraction="100" if option.get("right") else "0", format="html")
            ET.SubElement(answer, "text").text = rich(option["text"])
            _text(ET.SubElement(answer, "feedback", format="html"), rich(_said(question, option)))
    return _xml(root)


def write_files(folder: Path) -> list[Path]:
    """Write ``inventory-qti.zip`` and ``inventory-moodle.xml``; the same bytes on every run."""
    folder.mkdir(parents=True, exist_ok=True)
    package, moodle = folder / "inventory-qti.zip", folder / "inventory-moodle.xml"
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("imsmanifest.xml", to_manifest()), ("inventory.xml", to_qti())):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text)
    moodle.write_text(to_moodle(), encoding="utf-8")
    return [package, moodle]


def rich(text: str) -> str:
    """As HTML: what stands between backticks is code."""
    parts = html.escape(text, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if k % 2 else part for k, part in enumerate(parts))


def _wrapped(head: str, text: str) -> str:
    # A misconception's name is one word.
    return textwrap.fill(text, LINE, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)


def _qti_item(section: ET.Element, question: Question) -> None:
    name = f"q_{question['name'].replace('-', '_')}"
    item = ET.SubElement(section, "item", ident=name, title=question["name"])
    metadata = ET.SubElement(ET.SubElement(item, "itemmetadata"), "qtimetadata")
    for label, entry in (("question_type", "multiple_choice_question"), ("points_possible", "1")):
        field = ET.SubElement(metadata, "qtimetadatafield")
        ET.SubElement(field, "fieldlabel").text = label
        ET.SubElement(field, "fieldentry").text = entry
    presentation = ET.SubElement(item, "presentation")
    _material(presentation, question["text"])
    response = ET.SubElement(presentation, "response_lid", ident="response1", rcardinality="Single")
    choices = ET.SubElement(response, "render_choice", shuffle="No")
    for letter, option in zip(LETTERS, question["option"], strict=True):
        _material(ET.SubElement(choices, "response_label", ident=f"{name}_{letter}"), option["text"])
    processing = ET.SubElement(item, "resprocessing")
    score = {"varname": "SCORE", "vartype": "Decimal", "defaultval": "0", "minvalue": "0", "maxvalue": "100"}
    ET.SubElement(ET.SubElement(processing, "outcomes"), "decvar", score)
    for letter, option in zip(LETTERS, question["option"], strict=True):
        condition = ET.SubElement(processing, "respcondition", {"continue": "No"})
        chosen = ET.SubElement(ET.SubElement(condition, "conditionvar"), "varequal", respident="response1")
        chosen.text = f"{name}_{letter}"
        if option.get("right"):
            ET.SubElement(condition, "setvar", action="Set", varname="SCORE").text = "100"
        ET.SubElement(condition, "displayfeedback", feedbacktype="Response", linkrefid=f"{name}_{letter}_fb")
    for letter, option in zip(LETTERS, question["option"], strict=True):
        feedback = ET.SubElement(item, "itemfeedback", ident=f"{name}_{letter}_fb")
        _material(ET.SubElement(feedback, "flow_mat"), _said(question, option))


def _material(parent: ET.Element, text: str) -> None:
    ET.SubElement(ET.SubElement(parent, "material"), "mattext", texttype="text/html").text = rich(text)


def _text(parent: ET.Element, text: str) -> None:
    ET.SubElement(parent, "text").text = text


def _said(question: Question, option: Question) -> str:
    return str(question["feedback"] if option.get("right") else option["feedback"])


def _right(question: Question) -> int:
    return next(k for k, option in enumerate(question["option"]) if option.get("right"))


def _xml(root: ET.Element) -> str:
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m crossentropy.widgets.inventory FOLDER")
    for path in write_files(Path(sys.argv[1])):
        print(path)
