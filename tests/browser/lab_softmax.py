"""SoftmaxLab in the browser."""

import torch
from labs import Case, Change

from crossentropy.widgets import SoftmaxLab

EVERYTHING = {"probability", "log-probability", "odds", "log-sum-exp"}


def expected(controls):
    z = torch.tensor(controls["logit"], dtype=torch.float64)
    scores = (z + controls["shift"]) / controls["temperature"]
    return {
        "probability": torch.softmax(scores, 0).tolist(),
        "log-probability": torch.log_softmax(scores, 0).tolist(),
        "odds": (scores - scores[0]).exp().tolist(),
        "log-sum-exp": torch.logsumexp(scores, 0).item(),
    }


CASE = Case(
    lab=SoftmaxLab,
    page="/chapters/softmax.html",
    expected=expected,
    controls={
        "logit": Change(moves=EVERYTHING),
        "temperature": Change(moves=EVERYTHING),
        "shift": Change(moves={"log-sum-exp"}, stays=EVERYTHING - {"log-sum-exp"}),
    },
    buttons={
        "add-class": Change(moves=EVERYTHING - {"odds"}, stays={"odds"}),
        "remove-class": Change(moves=EVERYTHING - {"odds"}, stays={"odds"}),
    },
    states=[
        {"logits": [1000.0, -1000.0, 999.0], "temperature": 0.001},
        {"logits": [0.1 * k for k in range(10)], "shift": -1000.0},
    ],
)
