"""InterfaceLab: nine ways to call PyTorch, and which of them lie. Chapter "interfaces"."""

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from traitlets import validate

from crossentropy.interfaces import trapped_range
from crossentropy.widgets.lab import (
    STATIC,
    Choice,
    Lab,
    Numbers,
    Result,
    Table,
    Whole,
    require_known_class,
    result,
    show,
)

InputKind = Literal["logits", "probabilities", "log-probabilities"]
Interface = Literal["CrossEntropyLoss", "cross_entropy", "NLLLoss"]


class InterfaceLab(Lab):
    """Logits, what is made of them, and the call that it is given to: one sample's loss in nats.

    ``input`` is what the call is given, ``gradient`` that of its loss on the logits, [``least``, ``greatest``] where the
    loss of any sample with as many classes lies. ``right_loss`` and ``right_gradient`` are those of the cross-entropy.

    Args:
        logits: 2 to 10 numbers within ±1000.
        target: The true class, one of the logits'.
        input_kind: "logits", "probabilities" (their softmax) or "log-probabilities" (their log-softmax).
        interface: "CrossEntropyLoss", "cross_entropy" or "NLLLoss".

    Raises:
        TypeError, ValueError: at once, for any other state.
    """

    topic = "interfaces"
    title = "Interface lab"
    _esm = STATIC / "interfaces.js"

    logits = Numbers([2.0, 0.5, 0.1], low=-1000, high=1000, fewest=2, most=10)
    target = Whole(0, low=0, high=9)
    input_kind = Choice("logits", InputKind)
    interface = Choice("CrossEntropyLoss", Interface)

    input = result()
    loss = result()
    gradient = result()
    right_loss = result()
    right_gradient = result()
    least = result()
    greatest = result()
    verdict = result()

    @validate("logits", "target")
    def _known_class(self, proposal: Any) -> Any:
        return require_known_class(self, proposal)

    def compute(self) -> dict[str, Result]:
        z = torch.tensor(self.logits, dtype=torch.float64, requires_grad=True)
        target = torch.tensor(self.target)
        given = {
            "logits": lambda: z,
            "probabilities": lambda: z.softmax(-1),
            "log-probabilities": lambda: z.log_softmax(-1),
        }
        value = given[self.input_kind]()
        loss = self._call(value, target)
        right = F.cross_entropy(z, target)
        least, greatest, verdict = self._judge()
        return {
            "input": value.tolist(),
            "loss": loss.item(),
            "gradient": torch.autograd.grad(loss, z, retain_graph=True)[0].tolist(),
            "right_loss": right.item(),
            "right_gradient": torch.autograd.grad(right, z)[0].tolist(),
            "least": least,
            "greatest": greatest,
            "verdict": verdict,
        }

    def table(self) -> Table:
        caption = (
            f"{self.interface}, given {self.input_kind}, class {self.target}: loss {show(self.loss)}, "
            f"cross-entropy {show(self.right_loss)}; {self.verdict}"
        )
        columns = zip(self.logits, self.input, self.gradient, self.right_gradient, strict=True)
        rows = [[f"class {k}", *map(show, numbers)] for k, numbers in enumerate(columns)]
        return caption, ["", "logit", "input", "gradient", "p − y"], rows

    def _call(self, value: Tensor, target: Tensor) -> Tensor:
        if self.interface == "cross_entropy":
            return F.cross_entropy(value, target)
        loss: Tensor = (nn.NLLLoss if self.interface == "NLLLoss" else nn.CrossEntropyLoss)()(value, target)
        return loss

    def _judge(self) -> tuple[float, float, str]:
        """The least and the greatest loss, and the verdict."""
        fused, kind = self.interface != "NLLLoss", self.input_kind
        if fused and kind == "probabilities":
            return *trapped_range(len(self.logits)), "wrong: softmax twice"
        if kind == "probabilities":
            return -1.0, 0.0, "wrong: no logarithm"
        if not fused and kind == "logits":
            return -math.inf, math.inf, "wrong: no softmax"
        return 0.0, math.inf, "right: the second log-softmax changes nothing" if fused and kind != "logits" else "right"
