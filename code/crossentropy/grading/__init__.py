"""From assigning to grades: assignments from one source each, and a grader whose judge no submission can reach.

``python -m crossentropy.grading SUBMISSIONS --assignment NAME --out grades/``; the book's page "grading" shows the whole way.
Optional: no chapter imports it. ``mark`` is what a test cell calls under nbgrader; our own grader reads the same call as data.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crossentropy.grading.assignment import SAMPLE_SEED, marks_from

SEED_VARIABLE = "CROSSENTROPY_GRADING_SEED"

__all__ = ["mark"]


def mark(
    exercise: str,
    function: Callable[..., Any],
    *,
    points: Mapping[str, int],
    partial: Mapping[str, int] | None = None,
    forbid: Sequence[str] = (),
    wrong: Sequence[tuple[str, int]] = (),
    seconds: float | None = None,
) -> int:
    """Points for a function, as the last line of a test cell: nbgrader takes the number as partial credit.

    Runs in the student's own process, as all of nbgrader's tests do: it can be fooled there, and ``forbid`` is not looked at.
    ``python -m crossentropy.grading`` reads the same arguments and trusts nothing of the notebook.

    Args:
        exercise: An exercise's name, such as "log_softmax".
        function: The student's function.
        points: Points of each property; the definition is the gate to all others.
        partial: Points for an answer that is wrong by the misconception of this code.
        forbid: Names that may not be used, such as "log_softmax".
        wrong: Wrong solutions (a function's body) and their points, for the test of the assignment.
        seconds: Processor seconds that the question may take.

    Returns:
        A number from 0 to the sum of ``points``.

    Raises:
        ValueError: if there is no such exercise, or the points contradict it.
    """
    from crossentropy.exercises import load, run

    known = load(exercise)
    marks = marks_from(known, points=points, partial=partial, forbid=forbid, wrong=wrong, seconds=seconds)
    secret = os.environ.get(SEED_VARIABLE, SAMPLE_SEED)
    seed = int.from_bytes(hashlib.sha256(f"{secret}\0{exercise}".encode()).digest()[:6], "big")
    calls = [*known.calls(), *known.calls(seed=seed)]
    outcomes = run(function, calls)
    return marks.score(calls, outcomes, known.judge(calls, outcomes))
