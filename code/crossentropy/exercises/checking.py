"""``check``: run a learner's function on an exercise, and say at once what is right, what is not, and why."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, overload

from crossentropy.exercises import progress
from crossentropy.exercises.data import Exercise, load, names
from crossentropy.exercises.judging import Failure, Verdict
from crossentropy.exercises.running import SECONDS, run

# Any seed serves; the same one each time, so that the same function gets the same answer.
SEED = 20
# Ink and ground are the page's own: these colours only mark, and are told apart by words as well.
GOOD, BAD = "var(--ce-third, #2a9d74)", "var(--ce-wrong, #d9534f)"
BLANK = "Nothing to judge yet: the function returns None. Write its body, end it with return, and run the cell again."


@dataclass(frozen=True, repr=False)
class Result:
    """What ``check`` found; shows itself in a notebook, in colour and in words."""

    exercise: Exercise
    verdict: Verdict

    @property
    def passed(self) -> bool:
        return self.verdict.passed

    @property
    def misconceptions(self) -> tuple[str, ...]:
        """The codes of the misconceptions that were recognised."""
        return self.verdict.codes

    @property
    def blank(self) -> bool:
        """Whether nothing has been written yet."""
        return bool(self.verdict.failures) and all(failure.property == "none" for failure in self.verdict.failures)

    @property
    def heading(self) -> str:
        state = "right" if self.passed else "not written yet" if self.blank else "not yet"
        return f"{self.exercise.title}: {state}"

    def _parts(self) -> list[tuple[str, list[str]]]:
        """Paragraphs: a heading each and its lines."""
        if self.blank:
            return [(BLANK, []), ("Asked for", [f"{self.exercise.signature}. {self.exercise.statement}"])]
        parts: list[tuple[str, list[str]]] = []
        if self.passed:
            parts.append((self.verdict.message, []))
        for misconception in self.verdict.misconceptions:
            lines = [misconception.explanation, f"Read on: chapter {misconception.read}. [{misconception.code}]"]
            parts.append((misconception.title, lines))
        for failure in self.verdict.failures:
            parts.append((_says(failure), _lines(failure)))
        if self.verdict.right:
            parts.append(("What was right: your answer", [*self.verdict.right]))
        return parts

    def __repr__(self) -> str:
        lines = [self.heading]
        for heading, body in self._parts():
            lines += [f"- {heading}", *(f"    {line}" for line in body)]
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        lines = [f"**{_escaped(self.heading)}**", ""]
        for heading, body in self._parts():
            lines += [f"- {_escaped(heading)}", *(f"    - {_escaped(line)}" for line in body)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        colour = GOOD if self.passed else "currentColor" if self.blank else BAD
        rows = "".join(
            f"<li>{html.escape(heading)}{''.join(f'<br>{_linked(line)}' for line in body)}</li>"
            for heading, body in self._parts()
        )
        return (
            f'<div class="ce-check" role="status" style="border-left: 0.4em solid {colour}; padding: 0.2em 0 0.2em 1em">'
            f"<strong>{html.escape(self.heading)}</strong><ul>{rows}</ul></div>"
        )


class Progress:
    """All exercises, and which of them are solved on this device."""

    def __init__(self) -> None:
        known = progress.recall()
        states = {None: "not tried yet", False: "tried", True: "solved"}
        self.rows = [(name, load(name), states[known.get(name)]) for name in names()]

    @property
    def solved(self) -> int:
        return sum(state == "solved" for _, _, state in self.rows)

    @property
    def heading(self) -> str:
        return f"{self.solved} of {len(self.rows)} exercises solved on this device"

    def __repr__(self) -> str:
        width = max(len(name) for name, _, _ in self.rows)
        rows = [f"{name:{width}}  {state:13}  chapter {exercise.chapter}" for name, exercise, state in self.rows]
        return "\n".join([self.heading, *rows])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td><code>check("{name}", {name})</code></td><td>{html.escape(exercise.title)}</td>'
            f"<td>chapter {exercise.chapter}</td>"
            f'<td style="border-left: 0.4em solid {GOOD if state == "solved" else "transparent"}">{state}</td></tr>'
            for name, exercise, state in self.rows
        )
        head = "<tr><th>To check it</th><th>Exercise</th><th>Where</th><th>State</th></tr>"
        return f"<p><strong>{self.heading}</strong></p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


@overload
def check() -> Progress: ...
@overload
def check(name: str, function: Callable[..., Any], *, seconds: float = SECONDS) -> Result: ...
def check(
    name: str | None = None, function: Callable[..., Any] | None = None, *, seconds: float = SECONDS
) -> Result | Progress:
    """Try a function on an exercise; without arguments, list the exercises and what is solved.

    Args:
        name: An exercise's name, such as "log_softmax".
        function: What you wrote for it; it is called with the tensors that the exercise's signature names.
        seconds: When to give up waiting for it.

    Returns:
        A :class:`Result` with ``passed`` and ``misconceptions`` (codes), or a :class:`Progress`. Both show themselves.

    Raises:
        ValueError: for the name of no exercise, listing all.
        TypeError: if ``function`` is none.
    """
    if name is None and function is None:
        return Progress()
    if not isinstance(name, str):
        raise TypeError(f"name must be an exercise's name, such as {names()[0]!r}; got {type(name).__name__}")
    exercise = load(name)
    if not callable(function):
        raise TypeError(f"function must be a function, {exercise.signature}; got {type(function).__name__}")
    calls = [*exercise.calls(), *exercise.calls(seed=SEED)]
    result = Result(exercise, exercise.judge(calls, run(function, calls, seconds=seconds)))
    # A stub is no attempt: the book's own run of its chapters leaves no trace.
    if not result.blank:
        progress.note(name, result.passed)
    return result


def _says(failure: Failure) -> str:
    if failure.property in {"none", "raised", "type", "timeout"}:
        return f"Your function {failure.text}"
    return f"It must hold that the answer {failure.text}"


def _lines(failure: Failure) -> list[str]:
    if failure.property == "arguments":
        return [f"called with {failure.call}", failure.got]
    kinds = {"raised": "it said", "timeout": "stopped after", "none": "came"}
    return [
        f"smallest input that fails: {failure.call}",
        f"{kinds.get(failure.property, 'came')}: {failure.got}",
        f"expected: {failure.expected}",
    ]


def _linked(line: str) -> str:
    """A line as HTML; a chapter that it sends the reader to is a link to the notebook beside this one."""
    return re.sub(r"^Read on: chapter (\w+)", r'Read on: <a href="\1.ipynb">chapter \1</a>', html.escape(line))


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|$" else letter for letter in text)
