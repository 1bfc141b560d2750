"""LikelihoodLab: turn the weights, and see how probable the labels become. Chapter "likelihood"."""

import numpy as np
import torch
from torch import Tensor

from crossentropy.datasets import load_wine
from crossentropy.likelihood import cost, log_likelihood
from crossentropy.softmax import log_softmax
from crossentropy.widgets.lab import STATIC, Lab, Numbers, Result, Table, Whole, result, show

# The list is sorted by grower. In steps of this length, round and round, every grower comes early and each bottle once.
STRIDE = 71


class LikelihoodLab(Lab):
    """The softmax model of real bottles of wine, their labels' likelihood on three scales, and the regions it draws.

    The data are :func:`crossentropy.datasets.load_wine`, sample i being bottle 71 i mod 178; beyond 178 samples the list
    begins again. ``sample_probability`` is what the model gives to the true grower of each distinct bottle in use, in
    that order. ``likelihood_float64`` is the product of these over all samples, one after another, and
    ``likelihood_float32`` the same with each factor and each product rounded to float32. ``log_likelihood`` is in
    nats, ``cost`` in nats a sample.

    Args:
        weight: W of shape (2, 3) row by row, 6 numbers within ±100: alcohol to each grower, then flavanoids to each.
        bias: b, 3 numbers within ±100.
        samples: From 1 to 5000.

    Raises:
        TypeError, ValueError: at once, for any other state.
    """

    topic = "likelihood"
    title = "Likelihood lab"
    _esm = STATIC / "likelihood.js"

    # Each grower's mean bottle as a column of W, and -|mean|²/2 as bias, to one decimal: chapter "softmax".
    weight = Numbers([0.9, -0.9, 0.2, 1.0, 0.1, -1.3], low=-100, high=100, fewest=6, most=6)
    bias = Numbers([-0.9, -0.4, -0.8], low=-100, high=100, fewest=3, most=3)
    samples = Whole(178, low=1, high=5000)

    sample_probability = result()
    likelihood_float32 = result()
    likelihood_float64 = result()
    log_likelihood = result()
    cost = result()

    def compute(self) -> dict[str, Result]:
        wine = load_wine()
        bottles = STRIDE * torch.arange(self.samples) % len(wine.y)
        x, y = wine.x[bottles], wine.y[bottles]
        weight, bias = (torch.tensor(values, dtype=torch.float64) for values in (self.weight, self.bias))
        logits = x @ weight.reshape(2, 3) + bias
        factors = log_softmax(logits).gather(1, y.unsqueeze(1)).squeeze(1).exp()
        return {
            "sample_probability": factors[: len(wine.y)].tolist(),
            "likelihood_float32": _product(factors.float()),
            "likelihood_float64": _product(factors),
            "log_likelihood": log_likelihood(logits, y).item(),
            "cost": cost(logits, y).item(),
        }

    def table(self) -> Table:
        caption = (
            f"The softmax model of {self.samples} bottles of wine: likelihood {show(self.likelihood_float32)} in float32 "
            f"and {show(self.likelihood_float64)} in float64, log-likelihood {show(self.log_likelihood)} nats, "
            f"cost {show(self.cost)} nats a bottle"
        )
        rows = zip(
            ("weight of alcohol", "weight of flavanoids", "bias"),
            (self.weight[:3], self.weight[3:], self.bias),
            strict=True,
        )
        return caption, ["", "grower 0", "grower 1", "grower 2"], [[name, *map(show, row)] for name, row in rows]


def _product(factors: Tensor) -> float:
    """Multiplied one after another, each product rounded to the dtype: ``prod`` would choose an order of its own."""
    return float(np.multiply.accumulate(factors.numpy())[-1])
