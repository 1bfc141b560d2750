"""LossCurveLab in the browser."""

import math

from labs import Case, Change, results

from crossentropy.widgets import LossCurveLab
from crossentropy.widgets.loss_curve import suspect, train


def read(root):
    """How the game stands."""
    shown = results(root)
    return {name: shown[name] for name in ("round", "score", "answer")}


def expected(controls):
    number = int(controls["round"])
    bug = suspect(number) if number else controls["bug"]
    curve = train(bug, number)
    hidden = number and controls["answer"] == "hidden"
    return {
        "start-loss": curve[0],
        "loss": curve[int(controls["step"])],
        "nan-steps": sum(map(math.isnan, curve)),
        "answer": "hidden" if hidden else bug,
        "round": number,
        "score": controls["score"],
    }


CASE = Case(
    lab=LossCurveLab,
    page="/chapters/interfaces.html",
    expected=expected,
    controls={
        "bug": Change(moves={"start-loss", "loss", "answer"}, stays={"round", "score"}),
        "step": Change(moves={"loss"}, stays={"start-loss", "nan-steps", "answer"}),
    },
    buttons={
        "play": Change(moves={"start-loss", "answer", "round"}, stays={"score"}),
        "answer": Change(moves={"answer"}, stays={"start-loss", "loss", "round"}),
        "next": Change(moves={"start-loss", "loss", "answer", "round"}, stays={"score"}),
    },
    states=[
        {"bug": "ignored-batches"},
        {"bug": "zero-times-log-zero", "step": 17},
        {"bug": "clamped-sigmoid", "step": 0},
        {"round": 3, "step": 12},
        {"round": 12, "guess": "sum", "score": 4},
    ],
    only_shown={"round", "score"},
    read=read,
)
