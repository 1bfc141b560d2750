"""InterfaceLab in the browser."""

import math

import torch
import torch.nn.functional as F
from labs import Case, Change

from crossentropy.widgets import InterfaceLab

EVERYTHING = {"input", "loss", "gradient", "right-loss", "right-gradient"}
LEAST = {("cross", "probabilities"): None, ("nll", "probabilities"): -1.0, ("nll", "logits"): -math.inf}
VERDICTS = {
    ("cross", "logits"): "right",
    ("cross", "probabilities"): "wrong: softmax twice",
    ("cross", "log-probabilities"): "right: the second log-softmax changes nothing",
    ("nll", "logits"): "wrong: no softmax",
    ("nll", "probabilities"): "wrong: no logarithm",
    ("nll", "log-probabilities"): "right",
}


def expected(controls):
    z = torch.tensor(controls["logit"], dtype=torch.float64, requires_grad=True)
    target = torch.tensor(int(controls["target"]))
    kind = controls["input-kind"]
    call = "nll" if controls["interface"] == "NLLLoss" else "cross"
    given = {"logits": z, "probabilities": z.softmax(0), "log-probabilities": z.log_softmax(0)}[kind]
    loss = (F.nll_loss if call == "nll" else F.cross_entropy)(given, target)
    right = F.cross_entropy(z, target)
    least = LEAST.get((call, kind), 0.0)
    if least is None:
        least = math.log(1 + (len(z) - 1) / math.e)
    return {
        "input": given.tolist(),
        "loss": loss.item(),
        "gradient": torch.autograd.grad(loss, z, retain_graph=True)[0].tolist(),
        "right-loss": right.item(),
        "right-gradient": torch.autograd.grad(right, z)[0].tolist(),
        "least": least,
        "greatest": least + 1 if kind == "probabilities" else math.inf,
        "verdict": VERDICTS[call, kind],
    }


CASE = Case(
    lab=InterfaceLab,
    page="/chapters/interfaces.html",
    expected=expected,
    controls={
        "logit": Change(moves=EVERYTHING),
        "target": Change(moves=EVERYTHING - {"input"}, stays={"input"}),
        "input-kind": Change(
            moves={"input", "loss", "gradient", "least", "verdict"}, stays={"right-loss", "right-gradient"}
        ),
        # The first two are one function under two names.
        "interface": Change(moves=set(), stays=EVERYTHING),
    },
    states=[
        {"interface": "NLLLoss"},
        {"interface": "NLLLoss", "input_kind": "probabilities"},
        {"input_kind": "probabilities", "logits": [-10.0, 10.0, 0.0]},
        {"input_kind": "log-probabilities", "logits": [0.1 * k for k in range(10)], "target": 1},
        {"interface": "NLLLoss", "input_kind": "log-probabilities", "logits": [1000.0, -1000.0], "target": 1},
    ],
)
