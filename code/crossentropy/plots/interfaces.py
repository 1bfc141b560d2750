"""Figures of chapter "interfaces"."""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from crossentropy.interfaces import trapped_range
from crossentropy.plots.figure import BLUE, DASHES, GREEN, INK, ORANGE, Figure, add_legend, new_figure


def trapped_loss(num_classes: int) -> Figure:
    """Loss and push of one sample against the true class's lead, with one softmax and with two.

    Args:
        num_classes: Number of classes, at least two; all but the true one have the logit 0.
    """
    leads = torch.linspace(-10, 10, 201, dtype=torch.float64)
    once, push = _loss_and_push(leads, num_classes, twice=False)
    twice, weak_push = _loss_and_push(leads, num_classes, twice=True)
    least, most = trapped_range(num_classes)
    figure, (left, right) = new_figure("interfaces-trapped", height=3.4, ncols=2)
    left.axhspan(least, most, color=ORANGE, alpha=0.15, linewidth=0)
    for axes, honest, lame in ((left, once, twice), (right, push, weak_push)):
        axes.plot(leads, honest, color=BLUE, linestyle=DASHES[0], label="one softmax")
        axes.plot(leads, lame, color=ORANGE, linestyle=DASHES[1], label="two softmaxes")
        axes.set_xlabel("lead of the true class")
    left.set_title("loss (nats)", loc="left")
    left.set_ylim(-0.1, 4)
    right.set_title("slope at the true class", loc="left")
    add_legend(right, loc="lower right", bbox_to_anchor=None)
    figure.alt = (
        f"Two panels for {num_classes} classes, against the lead of the true class from -10 to 10. Left, the loss: fed logits it "
        f"falls from {once[0]:.2f} to {once[-1]:.5f}; fed their softmax it never leaves a shaded band from {least:.3f} to {most:.3f}. "
        f"Right, the slope at the true class's logit: fed logits it goes from {push[0]:.2f} to {push[-1]:.5f}; "
        f"fed their softmax it is near 0 at both ends ({weak_push[0]:.5f} and {weak_push[-1]:.5f}), "
        f"and at its strongest {weak_push.min():.3f}."
    )
    return figure


def detective(curves: Mapping[str, Sequence[float]], num_classes: int) -> Figure:
    """One small panel a training run: its loss at each step, and the loss of a uniform guess.

    Args:
        curves: Loss after 0, 1, 2, ... steps, by the name of the run; NaN is marked at the foot of the panel.
        num_classes: Number of classes K; a dashed line stands at log K wherever the panel shows that height.
    """
    rows = math.ceil(len(curves) / 2)
    figure, grid = new_figure(
        "interfaces-detective", width=5.8, height=1.75 * rows, nrows=rows, ncols=2, sharex=True, squeeze=False
    )
    uniform, stories = math.log(num_classes), []
    for axes in grid.flat[len(curves) :]:
        axes.remove()
    for axes, (name, curve) in zip(grid.flat, curves.items(), strict=False):
        values = torch.tensor(curve, dtype=torch.float64)
        lost = values.isnan().nonzero().flatten().tolist()
        axes.plot(range(len(values)), values, color=BLUE, linewidth=1.5)
        axes.plot(0, values[0], color=GREEN, marker="o", markersize=5, clip_on=False, label="_start")
        # Fractions of the panel's height: wherever the curve is, the marks stand at its foot.
        at_foot = axes.get_xaxis_transform()
        axes.plot(lost, [0.03] * len(lost), color=ORANGE, marker="x", linestyle="", transform=at_foot, label="_nan")
        finite = values[values.isfinite()]
        low, high = min(finite.min().item(), 0.0), max(finite.max().item(), 0.0)
        if high < 2 * uniform and low > -2 * uniform:
            high = max(high, uniform)
        if high < 10 * uniform and low > -10 * uniform:
            axes.axhline(uniform, color=INK, linestyle=DASHES[1], linewidth=1, label="_uniform")
        margin = 0.08 * (high - low)
        axes.set_ylim(low - margin, high + margin)
        axes.set_title(name, loc="left", fontweight="bold")
        stories.append(f"{name} {_story(values, len(lost))}")
    for axes in grid[-1]:
        axes.set_xlabel("step")
    figure.alt = (
        f"{len(curves)} small panels, the loss of a training run against its steps; a dashed line at {uniform:.3f}, the log of "
        f"{num_classes}, where the panel reaches that height. " + " ".join(stories)
    )
    return figure


def _loss_and_push(leads: Tensor, num_classes: int, *, twice: bool) -> tuple[Tensor, Tensor]:
    """Losses and their slopes along the true class's logit, each of the shape of ``leads``."""
    lead = leads.clone().requires_grad_()
    logits = F.pad(lead.unsqueeze(1), (0, num_classes - 1))
    target = torch.zeros(len(leads), dtype=torch.int64)
    loss = F.cross_entropy(logits.softmax(1) if twice else logits, target, reduction="none")
    (slope,) = torch.autograd.grad(loss.sum(), lead)
    return loss.detach(), slope


def _story(values: Tensor, lost: int) -> str:
    """What a reader of the curve sees, in one sentence."""
    first, last = values[0].item(), values[-1].item()
    if lost == len(values) - 1:
        return f"starts at {first:.3f} and is NaN from then on."
    gaps = f", with NaN at {lost} of {len(values)} steps" if lost else ""
    if not lost and bool((values == values[0]).all()):
        return f"is {first:.2f} at every step."
    return f"starts at {first:.3f} and ends at {last:.3f}{gaps}."
