"""StabilityLab: the textbook's route and the shifted one, step by step, in four dtypes. Chapter "stability"."""

from typing import Literal

import torch

from crossentropy.stability import survey, trace
from crossentropy.widgets.lab import STATIC, Choice, Lab, Number, Numbers, Result, Table, result, show

Dtype = Literal["float16", "bfloat16", "float32", "float64"]


class StabilityLab(Lab):
    """Logits times a scale, and every step on two ways to their loss; class 0 is true.

    The arithmetic is that of ``dtype``, rounded after each operation. The naive route is -log(exp(z) / sum exp(z)),
    the shifted one takes the largest logit off first. ``breaks_at`` is the first step of the naive
    route that is not finite, or "nowhere". Each step is a trait, named as in ``crossentropy.stability.Trace``.

    Args:
        logits: 2 to 10 numbers within ±1000.
        scale: From 0.01 to 1000.
        dtype: "float16", "bfloat16", "float32" or "float64".

    Raises:
        TypeError, ValueError: at once, for any other state.
    """

    topic = "stability"
    title = "Stability lab"
    _esm = STATIC / "stability.js"

    logits = Numbers([2.0, 0.5, 0.1], low=-1000, high=1000, fewest=2, most=10)
    scale = Number(1.0, low=0.01, high=1000)
    dtype = Choice("float16", Dtype)

    score = result()
    exponential = result()
    total = result()
    probability = result()
    naive_loss = result()
    naive_gradient = result()
    shifted_score = result()
    shifted_exponential = result()
    shifted_total = result()
    stable_loss = result()
    stable_gradient = result()
    breaks_at = result()

    def compute(self) -> dict[str, Result]:
        dtype = getattr(torch, self.dtype)
        scaled = self.scale * torch.tensor(self.logits, dtype=torch.float64)
        steps: dict[str, Result] = {name: value.tolist() for name, value in vars(trace(scaled, 0, dtype)).items()}
        (row,) = survey(scaled, 0, [dtype])
        return {**steps, "breaks_at": row.naive_breaks_at or "nowhere"}

    def table(self) -> Table:
        caption = (
            f"In {self.dtype}, at scale {self.scale:g}: naive loss {show(self.naive_loss)}, shifted {show(self.stable_loss)}; "
            f"the naive route breaks at: {self.breaks_at}"
        )
        columns = (self.score, self.exponential, self.naive_gradient, self.shifted_exponential, self.stable_gradient)
        rows = [[f"class {k}", *map(show, numbers)] for k, numbers in enumerate(zip(*columns, strict=True))]
        return caption, ["", "z", "exp z", "naive gradient", "exp(z − M)", "shifted gradient"], rows
