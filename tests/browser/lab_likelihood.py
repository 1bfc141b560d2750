"""LikelihoodLab in the browser."""

import torch
from labs import Case, Change

from crossentropy.datasets import load_wine
from crossentropy.widgets import LikelihoodLab

SUMS = {"log-likelihood", "cost"}
EVERYTHING = SUMS | {"sample-probability", "likelihood-float32", "likelihood-float64"}


def product(factors):
    value = torch.ones((), dtype=factors.dtype)
    for factor in factors:
        value = value * factor
    return value.item()


def expected(controls):
    wine = load_wine()
    bottles = 71 * torch.arange(int(controls["samples"])) % 178
    weight = torch.tensor(controls["weight"], dtype=torch.float64).reshape(2, 3)
    logits = wine.x[bottles] @ weight + torch.tensor(controls["bias"], dtype=torch.float64)
    y = wine.y[bottles]
    chosen = torch.log_softmax(logits, 1).gather(1, y[:, None])[:, 0]
    return {
        "sample-probability": chosen[:178].exp().tolist(),
        "likelihood-float32": product(chosen.exp().float()),
        "likelihood-float64": product(chosen.exp()),
        "log-likelihood": chosen.sum().item(),
        "cost": torch.nn.functional.cross_entropy(logits, y).item(),
    }


CASE = Case(
    lab=LikelihoodLab,
    page="/chapters/likelihood.html",
    expected=expected,
    # L is too small to be told from 0 by a difference: tests/test_widgets_likelihood.py looks at its logarithm.
    controls={
        "weight": Change(moves=SUMS | {"sample-probability"}),
        "bias": Change(moves=SUMS | {"sample-probability"}),
        "samples": Change(moves=SUMS, stays={"sample-probability"}),
    },
    buttons={"fit": Change(moves=SUMS | {"sample-probability"})},
    states=[
        {"weight": [100.0, -100.0, 0.0, 50.0, 0.0, -100.0], "bias": [0.0, 100.0, -100.0], "samples": 5000},
        {"weight": [0.0] * 6, "bias": [0.0] * 3, "samples": 95},
        {"samples": 3},
        {"weight": [0.0] * 6, "bias": [0.0, 0.0, 2.0], "samples": 47},
    ],
)
