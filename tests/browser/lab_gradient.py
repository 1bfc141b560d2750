"""GradientLab in the browser."""

import torch
from labs import Case, Change

from crossentropy.widgets import GradientLab

EVERYTHING = {"probability", "gradient", "loss"}


def expected(controls):
    z = torch.tensor([controls["logit"]], dtype=torch.float64).requires_grad_()
    loss = torch.nn.functional.cross_entropy(z, torch.tensor([int(controls["target"])]))
    loss.backward()
    return {
        "probability": torch.softmax(z, 1)[0].tolist(),
        "gradient": z.grad[0].tolist(),
        "loss": loss.item(),
        "steps": None,
    }


CASE = Case(
    lab=GradientLab,
    page="/chapters/gradient.html",
    expected=expected,
    controls={
        "logit": Change(moves=EVERYTHING),
        "target": Change(moves={"gradient", "loss"}, stays={"probability"}),
        # It moves nothing before the first step.
        "learning-rate": Change(moves=set(), stays=EVERYTHING | {"steps"}),
    },
    buttons={"step": Change(moves=EVERYTHING | {"steps"}), "run": Change(moves=EVERYTHING | {"steps"})},
    states=[
        {"logits": [-1000.0, 1000.0, 999.0], "learning_rate": 100.0, "steps": 30},
        {"logits": [2.0, 0.5, 0.1], "target": 2, "steps": 1000},
        {"logits": [0.1 * k for k in range(10)], "target": 2, "steps": 7},
        {"logits": [0.0, 3.0], "target": 0},
    ],
)
