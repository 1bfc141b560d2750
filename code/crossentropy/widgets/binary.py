"""BinaryLab: one number instead of two, and the pair that looks right. Chapter "binary"."""

import torch

from crossentropy.binary import binary_cross_entropy_with_logits, sigmoid, two_class_logits
from crossentropy.softmax import softmax
from crossentropy.widgets.lab import STATIC, Lab, Number, Result, Table, result, show


class BinaryLab(Lab):
    """A logit and a label, hard or soft, and what the binary cross-entropy makes of them.

    ``probability`` is σ(z); ``softmax_probability`` the second entry of softmax([0, z]), always the same;
    ``tempting_probability`` that of softmax([-z, z]), which is σ(2z). ``loss`` is in nats, ``gradient`` its derivative in z.

    Args:
        logit: The lead of class 1 over class 0, within ±1000; at first the 1.5 of the book's scores 2.0 and 0.5.
        label: Probability that the label is class 1, in [0, 1].

    Raises:
        TypeError, ValueError: at once, for any other state.
    """

    topic = "binary"
    title = "Binary lab"
    _esm = STATIC / "binary.js"

    logit = Number(1.5, low=-1000, high=1000)
    label = Number(1.0, low=0, high=1)

    probability = result()
    loss = result()
    gradient = result()
    softmax_probability = result()
    tempting_probability = result()

    def compute(self) -> dict[str, Result]:
        z = torch.tensor(self.logit, dtype=torch.float64)
        y = torch.tensor(self.label, dtype=torch.float64)
        return {
            "probability": sigmoid(z).item(),
            "loss": binary_cross_entropy_with_logits(z, y).item(),
            # σ(z) - y, without the difference that would cancel.
            "gradient": ((1 - y) * sigmoid(z) - y * sigmoid(-z)).item(),
            "softmax_probability": softmax(two_class_logits(z))[1].item(),
            "tempting_probability": softmax(torch.stack([-z, z]))[1].item(),
        }

    def table(self) -> Table:
        caption = (
            f"Logit {self.logit:g}, label {self.label:g}: loss {show(self.loss)} nats, gradient {show(self.gradient)}"
        )
        rows = [
            ["sigmoid of z", show(self.probability)],
            ["softmax of [0, z]", show(self.softmax_probability)],
            ["softmax of [−z, z]", show(self.tempting_probability)],
        ]
        return caption, ["", "probability of class 1"], rows
