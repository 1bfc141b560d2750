"""InformationLab in the browser."""

import math

import torch
from labs import Case, Change

from crossentropy.widgets import InformationLab

COSTS = {"entropy", "cross-entropy", "kl-divergence", "reverse-kl-divergence"}


def expected(controls):
    p, q = (torch.tensor(controls[name], dtype=torch.float64) for name in "pq")
    unit = {"nats": 1, "bits": math.log(2)}[controls["unit"]]

    def cost(p, q):
        return -torch.xlogy(p, q).sum().item() / unit

    assert abs(p.sum() - 1) < 1e-12
    assert abs(q.sum() - 1) < 1e-12
    return {
        "p": p.tolist(),
        "q": q.tolist(),
        "entropy": cost(p, p),
        "cross-entropy": cost(p, q),
        "kl-divergence": cost(p, q) - cost(p, p),
        "reverse-kl-divergence": cost(q, p) - cost(q, q),
    }


CASE = Case(
    lab=InformationLab,
    page="/chapters/information.html",
    expected=expected,
    # From a one-hot P the reverse divergence is infinite, and stays so.
    controls={
        "p": Change(moves={"p", "entropy", "cross-entropy", "kl-divergence"}, stays={"q"}),
        "q": Change(moves={"q", "cross-entropy", "kl-divergence"}, stays={"p", "entropy"}),
        "preset": Change(moves={"p", *COSTS}, stays={"q"}),
        "unit": Change(moves={"cross-entropy", "kl-divergence"}, stays={"p", "q"}),
    },
    buttons={"swap": Change(moves={"p", "q", "entropy", "cross-entropy", "kl-divergence", "reverse-kl-divergence"})},
    states=[
        {"p": [0.6, 0.3, 0.1], "q": [0.8, 0.2, 0.0], "unit": "bits"},
        {"p": [1.0] + 7 * [0.0], "q": 8 * [0.125], "unit": "bits"},
        {"p": [0.25, 0.75], "q": [0.25, 0.75], "unit": "nats"},
    ],
)
