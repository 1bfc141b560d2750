"""StabilityLab in the browser."""

import torch
from labs import Case, Change

from crossentropy.stability import survey, trace
from crossentropy.widgets import StabilityLab

STEPS = {
    "score",
    "exponential",
    "total",
    "probability",
    "naive-loss",
    "naive-gradient",
    "shifted-score",
    "shifted-exponential",
    "shifted-total",
    "stable-loss",
    "stable-gradient",
}


def expected(controls):
    dtype = getattr(torch, controls["dtype"])
    scaled = controls["scale"] * torch.tensor(controls["logit"], dtype=torch.float64)
    steps = trace(scaled, 0, dtype)
    (row,) = survey(scaled, 0, [dtype])
    numbers = {name: getattr(steps, name.replace("-", "_")).tolist() for name in STEPS}
    return {**numbers, "breaks-at": row.naive_breaks_at or "nowhere"}


def tolerance(controls):
    """torch rounds a float32 exponential the other way once in a hundred, by the processor it runs on."""
    eps = torch.finfo(getattr(torch, controls["dtype"])).eps
    return max(16 * eps, 1e-10) if controls["dtype"] == "float32" else 1e-10


CASE = Case(
    lab=StabilityLab,
    page="/chapters/stability.html",
    expected=expected,
    controls={
        "logit": Change(moves={"score", "shifted-score"}),
        "scale": Change(moves={"score", "shifted-score"}),
        "dtype": Change(moves=STEPS - {"shifted-total"}),
    },
    states=[
        {"logits": [0.0, 200.0], "dtype": "float32"},
        {"logits": [-1.0, 11.0, -3.0], "dtype": "float16"},
        {"logits": [0.0, 60.0], "dtype": "float32"},
        {"logits": [1000.0, 0.0, 2.0], "scale": 70.0},
        {"logits": [float(k) for k in range(10)], "dtype": "bfloat16"},
    ],
    only_shown={"breaks-at"},
    tolerance=tolerance,
)
