"""BinaryLab in the browser."""

import torch
import torch.nn.functional as F
from labs import Case, Change

from crossentropy.widgets import BinaryLab

PROBABILITIES = {"probability", "softmax-probability", "tempting-probability"}


def expected(controls):
    z = torch.tensor(controls["logit"], dtype=torch.float64, requires_grad=True)
    y = torch.tensor(controls["label"], dtype=torch.float64)
    loss = F.binary_cross_entropy_with_logits(z, y)
    (gradient,) = torch.autograd.grad(loss, z)
    return {
        "probability": torch.sigmoid(z).item(),
        "loss": loss.item(),
        "gradient": gradient.item(),
        "softmax-probability": torch.softmax(torch.stack([torch.zeros_like(z), z]), 0)[1].item(),
        "tempting-probability": torch.softmax(torch.stack([-z, z]), 0)[1].item(),
    }


CASE = Case(
    lab=BinaryLab,
    page="/chapters/binary.html",
    expected=expected,
    controls={
        "logit": Change(moves=PROBABILITIES | {"loss", "gradient"}),
        "label": Change(moves={"loss", "gradient"}, stays=PROBABILITIES),
    },
    states=[{"logit": -2.0, "label": 0.8}, {"logit": 1000.0, "label": 0.0}, {"logit": -40.0, "label": 1.0}],
)
