"""Exercises that check themselves: ``check("log_softmax", my_log_softmax)`` in a notebook, and the same data for a grader.

An exercise is one TOML file in this folder. ``run`` is the only thing that calls a learner's function; judging what came
is ``Exercise.judge``, which is pure and can be done in another process.
"""

from crossentropy.exercises.checking import Progress, Result, check
from crossentropy.exercises.data import Call, Exercise, Misconception, Mistake, Outcome, Problem, load, names, read
from crossentropy.exercises.judging import Failure, Verdict
from crossentropy.exercises.running import run

__all__ = [
    "Call",
    "Exercise",
    "Failure",
    "Misconception",
    "Mistake",
    "Outcome",
    "Problem",
    "Progress",
    "Result",
    "Verdict",
    "check",
    "load",
    "names",
    "read",
    "run",
]
