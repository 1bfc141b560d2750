"""Figures of chapter "binary"."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from crossentropy.binary import binary_cross_entropy_with_logits, sigmoid, two_class_logits
from crossentropy.plots.figure import DASHES, INK, MARKERS, PALETTE, Figure, add_legend, new_figure
from crossentropy.softmax import softmax


def sigmoid_curves(z: float) -> Figure:
    """The two candidates, softmax([0, t]) and softmax([-t, t]), with their values at ``z`` marked."""
    t = torch.linspace(-6, 6, 241, dtype=torch.float64)
    at = torch.tensor(z, dtype=torch.float64)
    figure, axes = new_figure("binary-sigmoid")
    axes.axhline(0.5, color=INK, linewidth=0.8, linestyle=":")
    axes.axvline(0, color=INK, linewidth=0.8)
    values = []
    for k, (label, pair) in enumerate((("softmax([0, z])", two_class_logits), ("softmax([−z, z])", _symmetric))):
        axes.plot(t, softmax(pair(t))[:, 1], color=PALETTE[k], linestyle=DASHES[k], label=label)
        values.append(softmax(pair(at))[1].item())
        axes.plot([z], [values[-1]], color=PALETTE[k], marker=MARKERS[k], markersize=8, linestyle="", label="_at z")
    axes.set(xlabel="logit z", ylabel="probability of class 1", ylim=(-0.03, 1.05))
    add_legend(axes)
    figure.alt = (
        f"Probability of class 1 against the logit z, from {t[0]:g} to {t[-1]:g}. Two S-shaped curves cross at z = 0, probability "
        f"one half. At z = {z:g}, softmax([0, z]) gives {values[0]:.3f} and softmax([-z, z]), the steeper one, gives {values[1]:.3f}."
    )
    return figure


def loss_curves(soft: float) -> Figure:
    """The loss against the logit for the labels 1 and 0 and for the label ``soft`` between them, with its minimum."""
    t = torch.linspace(-6, 6, 241, dtype=torch.float64)
    figure, axes = new_figure("binary-loss")
    for k, y in enumerate((1.0, 0.0, soft)):
        axes.plot(t, _losses(t, y), color=PALETTE[k], linestyle=DASHES[k], label=f"y = {y:g}")
    best = math.log(soft / (1 - soft))
    least = _losses(torch.tensor([best], dtype=torch.float64), soft).item()
    axes.plot([best], [least], color=PALETTE[2], marker=MARKERS[2], markersize=8, linestyle="", label="_minimum")
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set(xlabel="logit z", ylabel="loss (nats)", ylim=(-0.2, 6.2))
    add_legend(axes)
    figure.alt = (
        f"Loss in nats against the logit z, from {t[0]:g} to {t[-1]:g}. For y = 1 the curve falls to 0 on the right, for y = 0 on the "
        f"left; each rises towards slope 1 on its wrong side. For y = {soft:g} the curve has its minimum, {least:.3f}, at z = {best:.3f}."
    )
    return figure


def boundary(
    x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, features: tuple[str, str], names: tuple[str, str]
) -> Figure:
    """Two classes of samples, and the lines on which the model gives class 1 the probabilities 0.1, 0.5 and 0.9.

    Args:
        x: Shape (m, 2), standardised.
        y: Labels 0 or 1, shape (m,).
        weight: Shape (2,); the second entry must not be zero.
        bias: A single number.
        features: Names of the two columns.
        names: Of class 0 and class 1.
    """
    figure, axes = new_figure("binary-boundary", width=5.6, height=3.8)
    for k, name in enumerate(names):
        rows = x[y == k]
        axes.scatter(
            rows[:, 0], rows[:, 1], s=26, color=PALETTE[k], marker=MARKERS[k], linewidth=0, alpha=0.85, label=name
        )
    low, high = x.amin(0) - 0.2, x.amax(0) + 0.2
    ends = torch.stack([low[0], high[0]])
    for style, p in zip((":", "-", "--"), (0.1, 0.5, 0.9), strict=True):
        z = math.log(p / (1 - p))
        across = (z - bias - weight[0] * ends) / weight[1]
        axes.plot(ends, across, color=INK, linestyle=style, linewidth=1.4, label=f"p = {p}")
    axes.set(xlim=(low[0].item(), high[0].item()), ylim=(low[1].item(), high[1].item()))
    axes.set(xlabel=f"{features[0]} (standard deviations from the mean)", ylabel=features[1])
    add_legend(axes)
    wrong = int(((x @ weight + bias > 0) != (y == 1)).sum())
    figure.alt = (
        f"Scatter plot of {features[1]} against {features[0]} for {len(x)} bottles, {int((y == 0).sum())} of {names[0]} and "
        f"{int((y == 1).sum())} of {names[1]}. Three parallel straight lines show where the probability of {names[1]} is 0.1, 0.5 and "
        f"0.9; {wrong} bottles lie on the wrong side of the middle one."
    )
    return figure


def clamp_curves() -> Figure:
    """What torch's two losses, and their gradients, say of the label 0 as the logit goes from 0 to 120."""
    t = torch.linspace(0, 120, 481)
    figure, (left, right) = new_figure("binary-clamp", height=3.4, ncols=2)
    cases: tuple[tuple[str, torch.dtype, Callable[..., Tensor]], ...] = (
        ("with logits", torch.float32, F.binary_cross_entropy_with_logits),
        ("BCELoss, float32", torch.float32, _from_probability),
        ("BCELoss, float64", torch.float64, _from_probability),
    )
    jumps = []
    for k, (label, dtype, loss) in enumerate(cases):
        z = t.to(dtype, copy=True).requires_grad_()
        values = loss(z, torch.zeros_like(z), reduction="none")
        (slope,) = torch.autograd.grad(values.sum(), z)
        for axes, drawn in ((left, values.detach()), (right, slope)):
            axes.plot(t, drawn, color=PALETTE[k], linestyle=DASHES[k], label=label)
        jumps.append(t[(values.detach() - t).abs() > 1].min().item() if k else math.nan)
    left.set(xlabel="logit z, label 0", title="loss (nats)", ylim=(-4, 124))
    right.set(xlabel="logit z, label 0", title="gradient", ylim=(-0.05, 1.08))
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, labelcolor=INK)
    figure.alt = (
        f"Two panels against the logit z from {t[0]:g} to {t[-1]:g}, for the label 0. Left, the loss: from logits it follows the "
        f"line z; BCELoss jumps to 100 near z = {jumps[1]:.0f} in float32 and near z = {jumps[2]:.0f} in float64, and stays there. Right, "
        "the gradient: from logits it is 1; BCELoss's falls to 0 and stays there."
    )
    return figure


def _symmetric(z: Tensor) -> Tensor:
    return torch.stack([-z, z], dim=-1)


def _losses(z: Tensor, y: float) -> Tensor:
    """One loss for each logit, for the same label."""
    return torch.stack([binary_cross_entropy_with_logits(v, torch.full_like(v, y)) for v in z])


def _from_probability(z: Tensor, target: Tensor, *, reduction: str) -> Tensor:
    return F.binary_cross_entropy(sigmoid(z), target, reduction=reduction)
