"""LossCurveLab: nine bugs and a healthy run, each by its loss curve; then the reverse, as a game. Chapter "interfaces"."""

import math
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossentropy.datasets import load_wine
from crossentropy.widgets.lab import STATIC, Choice, Lab, Result, Table, Whole, result, show

Bug = Literal[
    "none",
    "one-column",
    "softmax-twice",
    "epsilon",
    "probabilities-to-nll",
    "zero-times-log-zero",
    "sum",
    "clamped-sigmoid",
    "logits-to-nll",
    "ignored-batches",
]
BUGS: tuple[Bug, ...] = get_args(Bug)
# As the page has them.
NAMES: dict[Bug, str] = {
    "none": "no bug",
    "one-column": "one output column",
    "softmax-twice": "softmax before cross-entropy",
    "epsilon": "an epsilon in the logarithm",
    "probabilities-to-nll": "probabilities for nll_loss",
    "zero-times-log-zero": "0 · log 0 by hand",
    "sum": 'reduction="sum"',
    "clamped-sigmoid": "a sigmoid before BCELoss",
    "logits-to-nll": "raw logits for nll_loss",
    "ignored-batches": "batches with no label left",
}
STEPS = 300
IGNORED = -100


class LossCurveLab(Lab):
    """A linear model on the wine, trained by gradient descent for 300 steps with one bug in it: real runs, in float64.

    In round 0 the curve of ``bug`` is shown. From round 1 on the curve of another one is, and ``bug`` is the reader's
    answer until it is given as ``guess``; ``score`` is what the page has counted. ``answer`` is the bug of the curve shown,
    or "hidden". ``start_loss`` is the first loss, ``loss`` the one at ``step``, ``nan_steps`` the number of steps without one.

    Args:
        bug: "none", or one of the nine bugs of ``crossentropy.widgets.loss_curve.BUGS``.
        step: The step to read, 0 to 299.
        round: 0 to look, from 1 to 1000 to play; every ten rounds are a game.
        guess: "open", or one of the ten.
        score: 0 to 1000.

    Raises:
        TypeError, ValueError: at once, for any other state.
    """

    topic = "loss-curve"
    title = "Loss-curve detective"
    _esm = STATIC / "loss-curve.js"

    bug = Choice("softmax-twice", Bug)
    step = Whole(100, low=0, high=STEPS - 1)
    round = Whole(0, low=0, high=1000)
    guess = Choice("open", Literal["open", Bug])
    score = Whole(0, low=0, high=1000)

    start_loss = result()
    loss = result()
    nan_steps = result()
    answer = result()

    @property
    def curve(self) -> list[float]:
        """The loss at each step of the run shown; NaN where there is none."""
        return train(suspect(self.round) if self.round else self.bug, self.round)

    def compute(self) -> dict[str, Result]:
        curve = self.curve
        hidden = self.round and self.guess == "open"
        return {
            "start_loss": curve[0],
            "loss": curve[self.step],
            "nan_steps": float(sum(map(math.isnan, curve))),
            "answer": "hidden" if hidden else suspect(self.round) if self.round else self.bug,
        }

    def table(self) -> Table:
        caption = f"The loss of each run, from its first step to its last; log 3 is {math.log(3):.3f}"
        steps = (0, 10, 100, STEPS - 1)
        rows = [[NAMES[bug], *(show(train(bug, 0)[step]) for step in steps)] for bug in BUGS]
        return caption, ["bug", *(f"step {step}" for step in steps)], rows


def random(seed: int) -> Iterator[float]:
    """Numbers in [0, 1) that a page can draw as well: Knuth's linear congruential generator modulo 2^32."""
    state = seed * 2654435761 % 2**32
    while True:
        state = (1664525 * state + 1013904223) % 2**32
        yield state / 2**32


def suspect(number: int) -> Bug:
    """The bug of a round of the game: every ten rounds each of the ten once, in another order."""
    block, place = divmod(number - 1, len(BUGS))
    drawn = list(islice(random(block + 1), len(BUGS)))
    return BUGS[sorted(range(len(BUGS)), key=drawn.__getitem__)[place]]


def _by_hand(z: Tensor, y: Tensor) -> Tensor:
    return -(F.one_hot(y, 3) * z.softmax(1).log()).sum(1).mean()


def _with_epsilon(z: Tensor, y: Tensor) -> Tensor:
    return -(z.softmax(1).gather(1, y.unsqueeze(1)) + 1e-8).log()


def _clamped(z: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy(z.sigmoid()[:, 0], (y == 1).double(), reduction="none")


# The call, and what else is wrong with the run: outputs of the model, learning rate, scale of the features, batch.
_RUNS: dict[Bug, tuple[Callable[[Tensor, Tensor], Tensor], dict[str, float]]] = {
    "none": (F.cross_entropy, {}),
    "one-column": (lambda z, y: F.cross_entropy(z, torch.zeros_like(y)), {"outputs": 1}),
    "softmax-twice": (lambda z, y: F.cross_entropy(z.softmax(1), y), {}),
    "epsilon": (_with_epsilon, {"scale": 1000}),
    "probabilities-to-nll": (lambda z, y: F.nll_loss(z.softmax(1), y), {}),
    "zero-times-log-zero": (_by_hand, {"rate": 3000}),
    "sum": (partial(F.cross_entropy, reduction="sum"), {"rate": 0.5 / 178}),
    "clamped-sigmoid": (_clamped, {"outputs": 1, "scale": 1000}),
    "logits-to-nll": (F.nll_loss, {}),
    "ignored-batches": (F.cross_entropy, {"batch": 4}),
}


@cache
def train(bug: Bug, seed: int) -> list[float]:
    """The largest loss that the call returns, at each step of the run; the caller must not change the list."""
    loss, odd = _RUNS[bug]
    options = {"outputs": 3, "rate": 0.5, "scale": 1, "batch": 0, **odd}
    outputs, batch = int(options["outputs"]), int(options["batch"])
    draw, wine = random(seed), load_wine()
    x, y = options["scale"] * wine.x, wine.y
    model = nn.Linear(2, outputs, dtype=torch.float64)
    with torch.no_grad():
        first = torch.tensor([*islice(draw, 2 * outputs)], dtype=torch.float64)
        model.weight.copy_(0.035 * (first.reshape(2, -1).T - 0.5))
        model.bias.zero_()
    if batch:
        y = torch.where(torch.tensor([u < 0.75 for u in islice(draw, len(y))]), IGNORED, y)
    optimizer = torch.optim.SGD(model.parameters(), lr=options["rate"])
    curve = []
    for _ in range(STEPS):
        rows = [math.floor(u * len(y)) for u in islice(draw, batch)] if batch else slice(None)
        value = loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        torch.autograd.backward(value.mean())
        optimizer.step()
        curve.append(value.max().item())
    return curve
