"""Figures of chapter "gradient"."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from crossentropy.gradient import logit_gradient, softmax_jacobian
from crossentropy.plots.figure import (
    BLUE,
    DASHES,
    GREEN,
    HATCHES,
    INK,
    MARKERS,
    ORANGE,
    PALETTE,
    Figure,
    add_legend,
    new_figure,
)
from crossentropy.softmax import log_softmax, softmax

# Where the classes 0, 1 and 2 stand in the triangle of all distributions, in the lab as well.
CORNERS = torch.tensor([[0.5, math.sqrt(3) / 2], [0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
# Nats above the lowest loss at which a contour is drawn.
CONTOURS = torch.tensor([0.02, 0.1, 0.25, 0.5, 0.8, 1.2, 1.7, 2.3, 3.0], dtype=torch.float64)
# After these steps a path gets a mark: doubling, since the steps become shorter and shorter.
MARKED = (0, 1, 2, 4, 8, 16, 32, 64, 128)


def push_bars(logits: Tensor, target: int) -> Figure:
    """What the model says, what the label says, and the difference: the gradient of one sample's loss.

    Args:
        logits: Shape (K,), at most four classes.
        target: The true class.
    """
    probs = softmax(logits)
    label = (torch.arange(len(logits)) == target).to(probs)
    gradient = logit_gradient(logits.unsqueeze(0), torch.tensor([target]))[0]
    figure, panels = new_figure("gradient-bars", height=2.4, ncols=3, sharey=True, width_ratios=(1, 1, 2))
    classes = range(len(logits))
    titles = ("model: p", "label: y", "gradient: p − y")
    for axes, values, title in zip(panels, (probs, label, gradient), titles, strict=True):
        bars = axes.barh(classes, values.tolist(), height=0.6, color=PALETTE[: len(logits)], edgecolor="none")
        for bar, hatch in zip(bars, HATCHES, strict=False):
            bar.set_hatch(hatch)
            bar.set_hatchcolor("white")
        axes.bar_label(bars, [f"{v:.3g}" for v in values.tolist()], padding=4, color=INK)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_title(title, loc="left")
        # One scale in all three: a bar's length may be compared across panels.
        axes.set_xlim(-1.3 if title == titles[2] else 0, 1.3)
        axes.set_xticks([])
        axes.spines[["bottom", "left"]].set_visible(False)
        axes.tick_params(left=False)
    panels[0].set_yticks(list(classes), [f"class {k}" for k in classes])
    panels[0].invert_yaxis()
    rows = "; ".join(
        f"class {k}: {p:.3f} less {y:.0f} is {g:.3f}"
        for k, (p, y, g) in enumerate(zip(probs.tolist(), label.tolist(), gradient.tolist(), strict=True))
    )
    figure.alt = (
        f"Three bar charts side by side: probability, one-hot label and their difference, the gradient. {rows}. "
        f"Only the bar of the true class, {target}, points to the left."
    )
    return figure


def simplex_paths(logits: Tensor, targets: Tensor, *, step: float = 1.0, steps: int = 128) -> Figure:
    """Gradient descent on the logits of one sample, drawn in the triangle of all distributions over three classes.

    Args:
        logits: Where the descent begins, shape (3,).
        targets: One row a panel, shape (n, 3).
        step: Step size.
        steps: Number of steps.
    """
    figure, panels = new_figure("gradient-simplex", height=3.0, ncols=len(targets), squeeze=False)
    grid = _simplex_grid(60)
    x, y = (grid @ CORNERS).T
    ends = []
    for axes, target in zip(panels[0], targets.double(), strict=True):
        path = _descend(logits.double(), target, step, steps)
        # The logits of the grid points are their logarithms, so the loss needs no second formula.
        loss = -(target * log_softmax(grid.log())).sum(-1)
        lowest = torch.special.entr(target).sum()
        axes.tricontour(x, y, loss, levels=lowest + CONTOURS, colors=INK, linewidths=0.7, alpha=0.6)
        axes.plot(*CORNERS[[0, 1, 2, 0]].T, color=INK, linewidth=1)
        drawn = path @ CORNERS
        axes.plot(*drawn.T, color=BLUE)
        marked = [n for n in MARKED if n <= steps]
        axes.scatter(*drawn[marked].T, s=22, color=BLUE, marker=MARKERS[0], linewidth=0, zorder=3)
        axes.scatter(*(target @ CORNERS), s=70, color=ORANGE, marker=MARKERS[3], linewidth=0, zorder=2)
        for k, (across, up) in enumerate(CORNERS.tolist()):
            place = {"va": "bottom"} if up else {"va": "top"}
            axes.annotate(
                f"class {k}",
                (across, up),
                (0, 4 if up else -6),
                textcoords="offset points",
                ha="center",
                color=INK,
                **place,
            )
        axes.set_title(f"y = [{_row(target)}]", loc="center", pad=16)
        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.margins(0.06)
        final = -(target * path[-1].log()).sum().item()
        ends.append(f"for target {_row(target)} after {steps} steps at {_row(path[-1])} with loss {final:.3f}")
    start = _row(softmax(logits))
    figure.alt = (
        f"The triangle of all distributions over three classes, {len(targets)} times, with contours of the loss. "
        f"A path of gradient descent begins at {start} and walks towards the target, marked by a diamond: {'; '.join(ends)}. "
        "Its steps become shorter and shorter."
    )
    return figure


def push_on_true_class(widest: float = 10.0) -> Figure:
    """How hard two losses push the true class's logit, against the lead of a wrong class over it.

    The logits are [-t/2, t/2, 0] for a lead t, and class 0 is true: t > 0 is sure and wrong, t < 0 sure and right.

    Args:
        widest: The lead runs from -widest to widest.
    """
    lead = torch.arange(-100, 101, dtype=torch.float64) * (widest / 100)
    logits = torch.stack([-lead / 2, lead / 2, torch.zeros_like(lead)], dim=-1)
    target = torch.zeros(len(lead), dtype=torch.int64)
    gradient = logit_gradient(logits, target, reduction="sum")
    # Half the squared distance of p from y: its gradient in p is p - y, which the chain rule sends through softmax.
    squared = (softmax_jacobian(softmax(logits)) @ gradient.unsqueeze(-1)).squeeze(-1)
    figure, axes = new_figure("gradient-squared-error")
    for k, (values, label) in enumerate(((gradient, "cross-entropy"), (squared, "squared error"))):
        axes.plot(lead, values[:, 0].abs(), color=(BLUE, ORANGE)[k], linestyle=DASHES[k], label=label)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set(
        xlabel="lead of the wrong class over the true one (logits)",
        ylabel="push on the true class",
        ylim=(-0.02, 1.05),
    )
    axes.text(-widest, 1.0, "sure and right", ha="left", va="center", color=INK)
    axes.text(widest, 0.5, "sure and wrong", ha="right", va="center", color=INK)
    add_legend(axes)
    peak = int(squared[:, 0].abs().argmax())
    figure.alt = (
        f"Size of the gradient at the true class's logit against the lead of a wrong class, from {-widest:g} to {widest:g}. "
        f"Cross-entropy rises from {abs(gradient[0, 0].item()):.3f} to {abs(gradient[-1, 0].item()):.3f}. Squared error rises to "
        f"{abs(squared[peak, 0].item()):.3f} at a lead of {lead[peak].item():.2g} and falls again, to {abs(squared[-1, 0].item()):.5f}."
    )
    return figure


def training_curves(descent: Sequence[float], newton: Sequence[float], minimum: float) -> Figure:
    """The cost after each step of gradient descent and of Newton's method, and the lowest cost there is.

    Args:
        descent, newton: Cost after 0, 1, 2, ... steps.
        minimum: The lowest cost that any weights reach.
    """
    figure, axes = new_figure("gradient-training")
    axes.plot(range(len(descent)), descent, color=BLUE, linestyle=DASHES[0], label="gradient descent")
    axes.plot(range(len(newton)), newton, color=GREEN, linestyle="", marker=MARKERS[2], label="Newton's method")
    axes.axhline(minimum, color=ORANGE, linestyle=DASHES[1], linewidth=1.5, label="minimum")
    axes.set_xscale("symlog", linthresh=1)
    ticks = [0, *(10**n for n in range(len(str(len(descent)))) if 10**n < len(descent))]
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axes.minorticks_off()
    axes.set(xlabel="steps (log scale from 1 on)", ylabel="cost J (nats)", xlim=(-0.1, None), ylim=(0, None))
    add_legend(axes)
    figure.alt = (
        f"Cost against steps. Both methods begin at {descent[0]:.4f} nats. Gradient descent is at {descent[min(10, len(descent) - 1)]:.4f} "
        f"after {min(10, len(descent) - 1)} steps and at {descent[-1]:.4f} after {len(descent) - 1:,}; Newton's method is at "
        f"{newton[-1]:.4f} after {len(newton) - 1}. The minimum, {minimum:.4f}, is a horizontal line that neither crosses."
    )
    return figure


def _descend(logits: Tensor, target: Tensor, step: float, steps: int) -> Tensor:
    """The probabilities after 0, 1, ..., ``steps`` steps, shape (steps + 1, 3)."""
    visited = [logits]
    for _ in range(steps):
        push = logit_gradient(visited[-1].unsqueeze(0), target.unsqueeze(0))[0]
        visited.append(visited[-1] - step * push)
    return softmax(torch.stack(visited))


def _simplex_grid(n: int) -> Tensor:
    """Distributions over three classes on a triangular grid, a little inside the edges, where the loss is finite."""
    points = [(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)]
    grid = torch.tensor(points, dtype=torch.float64) + 0.05
    return grid / grid.sum(-1, keepdim=True)


def _row(values: Tensor) -> str:
    return ", ".join(f"{v:.3g}" if v >= 0.001 else f"{v:.1g}" for v in values.tolist())
