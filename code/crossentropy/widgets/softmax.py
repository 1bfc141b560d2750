"""SoftmaxLab: hold the logits, and see what moves and what does not. Chapter "softmax"."""

import torch

from crossentropy.softmax import log_softmax, logsumexp, softmax
from crossentropy.widgets.lab import STATIC, Lab, Number, Numbers, Result, Table, result, show


class SoftmaxLab(Lab):
    """Logits, a temperature and a shift, and the probabilities that follow from them.

    With s = (logits + shift) / temperature, ``probability`` is softmax(s), ``log_probability`` its logarithm,
    ``odds`` those of each class against class 0, and ``log_sum_exp`` the normaliser of s.

    Args:
        logits: 2 to 10 numbers within ±1000.
        temperature: From 0.001 to 1000.
        shift: Within ±1000.

    Raises:
        TypeError, ValueError: at once, for any other state.
    """

    topic = "softmax"
    title = "Softmax lab"
    _esm = STATIC / "softmax.js"

    logits = Numbers([2.0, 0.5, 0.1], low=-1000, high=1000, fewest=2, most=10)
    temperature = Number(1.0, low=0.001, high=1000)
    shift = Number(0.0, low=-1000, high=1000)

    probability = result()
    log_probability = result()
    odds = result()
    log_sum_exp = result()

    def compute(self) -> dict[str, Result]:
        scores = (torch.tensor(self.logits, dtype=torch.float64) + self.shift) / self.temperature
        return {
            "probability": softmax(scores).tolist(),
            "log_probability": log_softmax(scores).tolist(),
            "odds": (scores - scores[0]).exp().tolist(),
            "log_sum_exp": logsumexp(scores).item(),
        }

    def table(self) -> Table:
        caption = f"Softmax at temperature {self.temperature:g} and shift {self.shift:g}; log-sum-exp {show(self.log_sum_exp)}"
        columns = zip(self.logits, self.probability, self.log_probability, self.odds, strict=True)
        rows = [[f"class {k}", *map(show, numbers)] for k, numbers in enumerate(columns)]
        return caption, ["", "logit", "probability", "log-probability", "odds to class 0"], rows
