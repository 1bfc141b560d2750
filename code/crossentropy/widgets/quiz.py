"""Quiz: questions to answer before the chapter shows what happens, and derivations to put in order.

The questions are data: questions/<chapter>.toml. A question belongs to one part of its chapter, "predict" unless it says
otherwise; a file may say ``parts`` for all its questions, as the concept inventory does, which is asked before and after.
"""

import html
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from traitlets import List, TraitType, Unicode

from crossentropy.validation import require_choice, require_finite_number
from crossentropy.widgets.lab import STATIC, Shown, result

QUESTIONS = Path(__file__).parent / "questions"

Question = dict[str, Any]
Answer = float | list[int]
#: "predict" before the chapter explains, "exercise" after; "before" and "after" the whole book.
Part = Literal["predict", "exercise", "before", "after"]

INSTRUCTIONS = {
    "one": "One is right.",
    "several": "Several may be right.",
    "number": "A number.",
    "order": "Put these lines in order; some may not belong.",
}


class Answers(TraitType[dict[str, Answer], Any]):
    """State: by the question's name a number, or the places of the chosen options, counted from 0."""

    def __init__(self) -> None:
        super().__init__({})
        self.tag(sync=True, state=True)

    def make_dynamic_default(self) -> dict[str, Answer]:
        return {}

    def validate(self, obj: Any, value: Any) -> dict[str, Answer]:
        if not isinstance(value, dict):
            raise TypeError(f"answers must be a dict, got {type(value).__name__}")
        questions = {question["name"]: question for question in obj.questions}
        if unknown := [name for name in value if name not in questions]:
            raise ValueError(f"answers must be to {', '.join(questions)}; got {unknown[0]!r}")
        return {name: _checked(questions[name], answer) for name, answer in value.items()}


class Quiz(Shown):
    """The questions of a chapter, what the reader has answered, and which of it is right.

    ``questions`` are as the chapter's file has them; ``right`` names those that are answered rightly. The page keeps the
    answers on the reader's device: a new quiz of the same chapter and part takes them up once it is shown.

    Args:
        chapter: A chapter's name, such as "softmax", or "inventory".
        part: Which of its questions: "predict" or "exercise"; of the inventory, which is asked twice, "before" or "after".
        answers: For each question's name a number, or the place of the chosen option (for "several", a list of places;
            for "order", the places of the lines in the order in which they were laid).

    Raises:
        ValueError: for a part of a chapter without questions, a question that it does not have, or an option that is not there.
        TypeError: for an answer of another kind.
    """

    topic = "quiz"
    _esm = STATIC / "quiz.js"

    chapter = Unicode(read_only=True).tag(sync=True)
    part = Unicode(read_only=True).tag(sync=True)
    questions: List[Any] = List(read_only=True).tag(sync=True)
    answers = Answers()
    right = result()

    def __init__(self, chapter: str, answers: dict[str, Any] | None = None, *, part: Part = "predict") -> None:
        self.set_trait("questions", load_questions(chapter, part))
        self.set_trait("chapter", chapter)
        self.set_trait("part", part)
        super().__init__(answers=answers or {})
        self.observe(self._refresh, "answers")

    def compute(self) -> dict[str, list[str]]:
        """``right``, of the present answers."""
        by_name = {question["name"]: question for question in self.questions}
        return {
            "right": [name for name in by_name if name in self.answers and is_right(by_name[name], self.answers[name])]
        }

    def open(self) -> None:
        self._refresh()
        super().open()

    def _refresh(self, change: object = None) -> None:
        self.set_trait("right", self.compute()["right"])

    def __repr__(self) -> str:
        answers = f", answers={self.answers!r}" if self.answers else ""
        part = f", part={self.part!r}" if self.part != "predict" else ""
        return f"Quiz({self.chapter!r}{answers}{part})"

    def to_text(self) -> str:
        """The constructor call and the questions with their options; not the answers."""
        lines = [repr(self)]
        for number, question in enumerate(self.questions, start=1):
            lines += ["", f"{number}. {question['text']} {INSTRUCTIONS[question['kind']]}"]
            lines += [f"   {question['start']}"] if question["kind"] == "order" else []
            lines += [f"   - {text}" for text in offered(question)]
        return "\n".join(lines)

    def to_html(self) -> str:
        """The same as a list, inside what ``embed`` makes."""
        items = []
        for question in self.questions:
            options = "".join(f"<li>{_rich(text)}</li>" for text in offered(question))
            asked = f"{_rich(question['text'])} {INSTRUCTIONS[question['kind']]}"
            asked += f"<br>{_rich(question['start'])}" if question["kind"] == "order" else ""
            items.append(f"<li>{asked}{f'<ul>{options}</ul>' if options else ''}</li>")
        # With an empty start, the page's host keeps the answers out of the address.
        part = {"part": self.part} if self.part != "predict" else {}
        state = {"chapter": self.chapter, **part, "questions": self.questions, "answers": self.answers, "start": {}}
        return self.embed(state, f'<ol class="ce-start">{"".join(items)}</ol>')


def load_questions(chapter: str, part: Part = "predict") -> list[Question]:
    """The questions of one part of a chapter, in the order in which they are asked."""
    if chapter not in (known := sorted(path.stem for path in QUESTIONS.glob("*.toml"))):
        raise ValueError(f"chapter must be one of {', '.join(known)}; got {chapter!r}")
    require_choice(part, "part", Part)
    held = tomllib.loads((QUESTIONS / f"{chapter}.toml").read_text(encoding="utf-8"))
    in_all = held.get("parts", ["predict"])
    questions = [
        question for question in held["question"] if part in ([question["part"]] if "part" in question else in_all)
    ]
    if not questions:
        parts = sorted({*in_all, *(question["part"] for question in held["question"] if "part" in question)})
        raise ValueError(f"part must be {' or '.join(parts)} for the chapter {chapter}; got {part!r}")
    return questions


def offered(question: Question) -> list[str]:
    """The options as they are shown: the lines of a derivation sorted by how they end, which tells nothing of their order."""
    if question["kind"] == "order":
        return sorted((line["text"] for line in question["line"]), key=lambda text: text.replace("`", "")[::-1])
    return [option["text"] for option in question.get("option", [])]


def is_right(question: Question, answer: Answer) -> bool:
    """Whether the number is near enough, just the right options were chosen, or the derivation stands."""
    if not isinstance(answer, list):
        return bool(abs(answer - question["answer"]) <= question["tolerance"])
    if question["kind"] == "order":
        return answer == [k for k, line in enumerate(question["line"]) if "never" not in line]
    return answer == [k for k, option in enumerate(question["option"]) if option.get("right", False)]


def _checked(question: Question, answer: Any) -> Answer:
    name = f"the answer to {question['name']}"
    if question["kind"] == "number":
        require_finite_number(answer, name)
        return float(answer)
    places = [answer] if isinstance(answer, int) else answer
    if not isinstance(places, Sequence) or not all(type(k) is int for k in places):
        raise TypeError(f"{name} must be the place of an option or a list of places, got {answer!r}")
    count = len(question["line"] if question["kind"] == "order" else question["option"])
    most = 1 if question["kind"] == "one" else count
    if not 1 <= len(set(places)) <= most or not all(0 <= k < count for k in places):
        raise ValueError(f"{name} must be 1 to {most} of the places 0 to {count - 1}, got {answer!r}")
    # Of a derivation it is the order that counts.
    return list(dict.fromkeys(places)) if question["kind"] == "order" else sorted(set(places))


def _rich(text: str) -> str:
    """What stands between backticks is code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if k % 2 else part for k, part in enumerate(parts))
