"""InformationLab: what nobody can save, and what a better Q would. Chapter "information"."""

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from traitlets import TraitError, validate

from crossentropy.information import cross_entropy, entropy, kl_divergence, surprise
from crossentropy.softmax import softmax
from crossentropy.validation import SUM_TOLERANCE, Unit
from crossentropy.widgets.lab import STATIC, Choice, Lab, Numbers, Result, Table, result, show

# Rounded, so that every machine shows the same digits; they still sum to one.
_SEED = [round(entry, 12) for entry in softmax(torch.tensor([2.0, 0.5, 0.1], dtype=torch.float64)).tolist()]
# A sum of ten float64 numbers misses one by less.
_ROUNDING = 1e-12


class OutcomesError(TraitError, ValueError):
    """P and Q speak of different outcomes. As a TraitError it rolls back what ``hold_trait_notifications`` held."""


class Distribution(Numbers):
    """State: 2 to 8 probabilities. A sum that misses one by float32's rounding is mended, any other refused."""

    def __init__(self, default: Sequence[float]) -> None:
        super().__init__(default, low=0, high=1, fewest=2, most=8)

    def validate(self, obj: Any, value: Any) -> list[float]:
        values = super().validate(obj, value)
        total = math.fsum(values)
        if abs(total - 1) > SUM_TOLERANCE[torch.float32]:
            raise ValueError(f"{self.name} must sum to one, got {total:.9g}")
        return values if abs(total - 1) < _ROUNDING else [entry / total for entry in values]


class InformationLab(Lab):
    """A true and a predicted distribution, and the entropy, cross-entropy and divergences between them.

    Set both inside ``with lab.hold_trait_notifications():`` to change the number of outcomes.

    Args:
        p: True distribution, 2 to 8 probabilities that sum to one; at first one-hot, class 0.
        q: Predicted distribution over the same outcomes; at first the softmax of the book's logits.
        unit: "nats" or "bits", of all four results.

    Raises:
        TypeError, ValueError: at once, for any other state.
    """

    topic = "information"
    title = "Information lab"
    _esm = STATIC / "information.js"

    p = Distribution([1.0, 0.0, 0.0])
    q = Distribution(_SEED)
    unit = Choice("nats", Unit)

    entropy = result()
    cross_entropy = result()
    kl_divergence = result()
    reverse_kl_divergence = result()

    @validate("p", "q")
    def _over_the_same_outcomes(self, proposal: dict[str, Any]) -> list[float]:
        name, other = ("p", self.q) if proposal["trait"].name == "p" else ("q", self.p)
        value: list[float] = proposal["value"]
        if len(value) != len(other):
            raise OutcomesError(f"{name} must hold {len(other)} numbers, as many as the other; got {len(value)}")
        return value

    def compute(self) -> dict[str, Result]:
        p, q = (torch.tensor(values, dtype=torch.float64) for values in (self.p, self.q))
        unit = cast(Unit, self.unit)
        return {
            "entropy": entropy(p, unit=unit).item(),
            "cross_entropy": cross_entropy(p, q, unit=unit).item(),
            "kl_divergence": kl_divergence(p, q, unit=unit).item(),
            "reverse_kl_divergence": kl_divergence(q, p, unit=unit).item(),
        }

    def table(self) -> Table:
        caption = (
            f"Cross-entropy {show(self.cross_entropy)} {self.unit}: entropy {show(self.entropy)} and "
            f"KL(P, Q) {show(self.kl_divergence)}; the other way round KL(Q, P) {show(self.reverse_kl_divergence)}"
        )
        costs = surprise(torch.tensor(self.q, dtype=torch.float64), unit=cast(Unit, self.unit)).tolist()
        columns = zip(self.p, self.q, costs, strict=True)
        rows = [[f"outcome {k}", *map(show, numbers)] for k, numbers in enumerate(columns)]
        return caption, ["", "P", "Q", f"surprise under Q ({self.unit})"], rows
