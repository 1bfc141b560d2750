"""GradientLab: let the logits walk down their own gradient. Chapter "gradient"."""

from typing import Any

import torch
from torch import Tensor
from traitlets import Bunch, validate

from crossentropy.gradient import logit_gradient
from crossentropy.likelihood import cost
from crossentropy.softmax import softmax
from crossentropy.widgets.lab import (
    STATIC,
    Lab,
    Number,
    Numbers,
    Result,
    Table,
    Whole,
    require_known_class,
    result,
    show,
)


class GradientLab(Lab):
    """Gradient descent on the logits of one sample: z becomes z - learning_rate * (p - y), ``steps`` times.

    ``walked`` are the logits after these steps. ``probability`` is their softmax, ``gradient`` p - y, and ``loss``
    -log of the true class's probability, in nats. Whoever moves a logit or the target in the page sets out anew from
    there: then ``logits`` are the new start and ``steps`` is 0.

    Args:
        logits: 2 to 10 numbers within ±1000, where the walk begins.
        target: The true class, an index into ``logits``.
        learning_rate: From 0.001 to 100.
        steps: From 0 to 1000.

    Raises:
        TypeError, ValueError: at once, for any other state.
    """

    topic = "gradient"
    title = "Gradient lab"
    _esm = STATIC / "gradient.js"

    logits = Numbers([2.0, 0.5, 0.1], low=-1000, high=1000, fewest=2, most=10)
    target = Whole(0, low=0, high=9)
    learning_rate = Number(1.0, low=0.001, high=100)
    steps = Whole(0, low=0, high=1000)

    walked = result()
    probability = result()
    gradient = result()
    loss = result()

    def __init__(self, **traits: Any) -> None:
        # The walk so far and what it began with: one more step shall cost one step.
        self._start: tuple[object, ...] = ()
        self._path: list[Tensor] = []
        super().__init__(**traits)

    @validate("logits", "target")
    def _target_is_a_class(self, proposal: Bunch) -> Any:
        return require_known_class(self, proposal)

    def compute(self) -> dict[str, Result]:
        true = torch.tensor([self.target])
        z = self._walk(true)
        return {
            "walked": z[0].tolist(),
            "probability": softmax(z)[0].tolist(),
            "gradient": logit_gradient(z, true)[0].tolist(),
            "loss": cost(z, true).item(),
        }

    def table(self) -> Table:
        caption = f"Class {self.target} is true; after {self.steps} {'step' if self.steps == 1 else 'steps'} the loss is {show(self.loss)} nats"
        columns = zip(self.walked, self.probability, self.gradient, strict=True)
        rows = [[f"class {k}", *map(show, numbers)] for k, numbers in enumerate(columns)]
        return caption, ["", "logit z", "probability p", "gradient p − y"], rows

    def _walk(self, true: Tensor) -> Tensor:
        start = (*self.logits, self.target, self.learning_rate)
        if start != self._start:
            self._start = start
            self._path = [torch.tensor([self.logits], dtype=torch.float64)]
        while len(self._path) <= self.steps:
            z = self._path[-1]
            self._path.append(z - self.learning_rate * logit_gradient(z, true))
        return self._path[self.steps]
