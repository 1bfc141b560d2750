"""Quiz: questions to answer before the chapter shows what happens. The questions are data: questions/<chapter>.toml."""

import html
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from traitlets import List, TraitType, Unicode

from crossentropy.validation import require_finite_number
from crossentropy.widgets.lab import STATIC, Shown, result

QUESTIONS = Path(__file__).parent / "questions"

Question = dict[str, Any]
Answer = float | list[int]

INSTRUCTIONS = {"one": "One is right.", "several": "Several may be right.", "number": "A number."}


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
    answers on the reader's device: a new quiz of the same chapter takes them up once it is shown.

    Args:
        chapter: A chapter's name, such as "softmax".
        answers: For each question's name a number, or the place of the chosen option (for "several", a list of places).

    Raises:
        ValueError: for a chapter without questions, a question that it does not have, or an option that is not there.
        TypeError: for an answer of another kind.
    """

    topic = "quiz"
    _esm = STATIC / "quiz.js"

    chapter = Unicode(read_only=True).tag(sync=True)
    questions: List[Any] = List(read_only=True).tag(sync=True)
    answers = Answers()
    right = result()

    def __init__(self, chapter: str, answers: dict[str, Any] | None = None) -> None:
        self.set_trait("questions", load_questions(chapter))
        self.set_trait("chapter", chapter)
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
        return f"Quiz({self.chapter!r}{f', answers={self.answers!r}' if self.answers else ''})"

    def to_text(self) -> str:
        """The constructor call and the questions with their options; not the answers."""
        lines = [repr(self)]
        for number, question in enumerate(self.questions, start=1):
            lines += ["", f"{number}. {question['text']} {INSTRUCTIONS[question['kind']]}"]
            lines += [f"   - {option['text']}" for option in question.get("option", [])]
        return "\n".join(lines)

    def to_html(self) -> str:
        """The same as a list, inside what ``embed`` makes."""
        items = []
        for question in self.questions:
            options = "".join(f"<li>{_rich(option['text'])}</li>" for option in question.get("option", []))
            asked = f"{_rich(question['text'])} {INSTRUCTIONS[question['kind']]}"
            items.append(f"<li>{asked}{f'<ul>{options}</ul>' if options else ''}</li>")
        # With an empty start, the page's host keeps the answers out of the address.
        state = {"chapter": self.chapter, "questions": self.questions, "answers": self.answers, "start": {}}
        return self.embed(state, f'<ol class="ce-start">{"".join(items)}</ol>')


def load_questions(chapter: str) -> list[Question]:
    """The questions of a chapter, in the order in which they are asked."""
    if chapter not in (known := sorted(path.stem for path in QUESTIONS.glob("*.toml"))):
        raise ValueError(f"chapter must be one of {', '.join(known)}; got {chapter!r}")
    questions: list[Question] = tomllib.loads((QUESTIONS / f"{chapter}.toml").read_text(encoding="utf-8"))["question"]
    return questions


def is_right(question: Question, answer: Answer) -> bool:
    """Whether the number is near enough, or just the right options were chosen."""
    if isinstance(answer, list):
        return answer == [k for k, option in enumerate(question["option"]) if option.get("right", False)]
    return bool(abs(answer - question["answer"]) <= question["tolerance"])


def _checked(question: Question, answer: Any) -> Answer:
    name = f"the answer to {question['name']}"
    if question["kind"] == "number":
        require_finite_number(answer, name)
        return float(answer)
    places = [answer] if isinstance(answer, int) else answer
    if not isinstance(places, Sequence) or not all(type(k) is int for k in places):
        raise TypeError(f"{name} must be the place of an option or a list of places, got {answer!r}")
    count, most = len(question["option"]), 1 if question["kind"] == "one" else len(question["option"])
    if not 1 <= len(set(places)) <= most or not all(0 <= k < count for k in places):
        raise ValueError(f"{name} must be 1 to {most} of the places 0 to {count - 1}, got {answer!r}")
    return sorted(set(places))


def _rich(text: str) -> str:
    """What stands between backticks is code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if k % 2 else part for k, part in enumerate(parts))
