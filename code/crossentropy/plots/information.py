"""Figures of chapter "information"."""

import torch
from torch import Tensor

from crossentropy.information import cross_entropy, entropy, surprise
from crossentropy.plots.figure import (
    BLUE,
    DASHES,
    HATCHES,
    INK,
    MARKERS,
    ORANGE,
    PALETTE,
    Figure,
    add_legend,
    new_figure,
)


def surprise_curve(probs: Tensor) -> Figure:
    """Surprise in bits against probability, with one marker a class.

    Args:
        probs: Probabilities of the classes, shape (K,), at most four, each at least 0.02.
    """
    grid = torch.linspace(0.02, 1, 197, dtype=torch.float64)
    bits = surprise(probs.double(), unit="bits")
    figure, axes = new_figure("information-surprise", width=5.6)
    axes.plot(grid, surprise(grid, unit="bits"), color=INK)
    for k, (p, b) in enumerate(zip(probs.tolist(), bits.tolist(), strict=True)):
        axes.plot(p, b, color=PALETTE[k], marker=MARKERS[k], markersize=9, linestyle="", label=f"class {k}")
        axes.annotate(f"{b:.2f} bits", (p, b), (9, 5), textcoords="offset points", color=INK)
    axes.set(
        xlabel="probability that the model gave to the label", ylabel="surprise (bits)", xlim=(0, 1.08), ylim=(0, 6)
    )
    axes.set_xticks([0.125, 0.25, 0.5, 1], ["1/8", "1/4", "1/2", "1"])
    axes.grid(True)
    add_legend(axes, loc="upper right", bbox_to_anchor=(1, 1))
    marked = "; ".join(f"class {k}: {p:.3f}, {b:.2f} bits" for k, (p, b) in enumerate(zip(probs, bits, strict=True)))
    figure.alt = (
        "Surprise in bits against probability: a curve that falls from above 5 near zero through 3 at 1/8, 2 at 1/4 "
        f"and 1 at 1/2 to 0 at 1. Marked are {marked}."
    )
    return figure


def floor_and_excess(p: Tensor, q: Tensor, names: list[str]) -> Figure:
    """Each cross-entropy H(p, q) in bits as a stacked bar: the entropy that nobody can save, then the divergence.

    Args:
        p: True distributions, one a row, shape (n, K).
        q: Predicted distribution, shape (K,), positive wherever a row of ``p`` is.
        names: What stands beside each row.
    """
    floor = entropy(p, unit="bits")
    total = cross_entropy(p, q, unit="bits")
    figure, axes = new_figure("information-excess", width=5.6, height=0.9 + 0.42 * len(names))
    rows = range(len(names))
    axes.barh(rows, floor.tolist(), height=0.6, color=BLUE, label="H(P)")
    excess = axes.barh(rows, (total - floor).tolist(), height=0.6, left=floor.tolist(), color=ORANGE, label="KL(P ‖ Q)")
    for bar in excess:
        bar.set_hatch(HATCHES[1])
        bar.set_hatchcolor("white")
    for row, value in zip(rows, total.tolist(), strict=True):
        axes.annotate(f"{value:.2f}", (value, row), (5, 0), textcoords="offset points", va="center", color=INK)
    axes.set_yticks(list(rows), names)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel("cross-entropy H(P, Q) (bits)")
    add_legend(axes, loc="upper right", bbox_to_anchor=(1, 1))
    said = "; ".join(
        f"{name}: {f:.2f} + {t - f:.2f} = {t:.2f}"
        for name, f, t in zip(names, floor.tolist(), total.tolist(), strict=True)
    )
    figure.alt = f"Stacked bars of entropy plus divergence, in bits, for one Q and several P. {said}."
    return figure


def block_lengths(lengths: Tensor, bound: float) -> Figure:
    """Questions a label against the number of labels that one code word covers, above the entropy.

    Args:
        lengths: Bits a label for blocks of 1, 2, ... labels, shape (n,).
        bound: The entropy in bits, which no code can undercut.
    """
    sizes = list(range(1, len(lengths) + 1))
    figure, axes = new_figure("information-blocks", width=5.6)
    axes.plot(
        sizes, [bound + 1 / m for m in sizes], color=ORANGE, linestyle=DASHES[1], marker=MARKERS[1], label="H + 1/m"
    )
    axes.plot(sizes, lengths.tolist(), color=BLUE, linestyle=DASHES[0], marker=MARKERS[0], label="Huffman code")
    axes.axhline(bound, color=INK, linestyle=DASHES[3], label="H, the floor")
    axes.set(xlabel="labels in a block, m", ylabel="questions a label (bits)")
    axes.set_xticks(sizes)
    add_legend(axes, loc="upper right", bbox_to_anchor=(1, 1))
    figure.alt = (
        f"Bits a label of a Huffman code for blocks of 1 to {len(sizes)} labels: "
        f"{', '.join(f'{v:.3f}' for v in lengths.tolist())}. All lie between the entropy, {bound:.3f}, "
        "and the entropy plus one over the number of labels."
    )
    return figure


def loss_and_floor(smoothed: Tensor, one_hot: Tensor, floor: float) -> Figure:
    """Two training curves: one falls to the entropy of its targets and stays, the other falls to nothing.

    Args:
        smoothed: Loss at each step with smoothed targets, in nats, shape (n,).
        one_hot: Loss at each step with one-hot targets, in nats, shape (n,).
        floor: Entropy of a smoothed target, in nats.
    """
    figure, axes = new_figure("information-floor", width=5.6)
    steps = range(len(smoothed))
    axes.fill_between(steps, smoothed.tolist(), floor, color=BLUE, alpha=0.2, linewidth=0, label="KL(P ‖ Q), smoothed")
    axes.plot(steps, smoothed.tolist(), color=BLUE, linestyle=DASHES[0], label="loss, smoothed target")
    axes.plot(range(len(one_hot)), one_hot.tolist(), color=ORANGE, linestyle=DASHES[1], label="loss, one-hot target")
    axes.axhline(floor, color=INK, linestyle=DASHES[3], label=f"H(P), smoothed: {floor:.3f}")
    axes.set(xlabel="step", ylabel="loss (nats)", ylim=(0, None))
    add_legend(axes, loc="upper right", bbox_to_anchor=(1, 1))
    figure.alt = (
        f"Loss against the step, both from {smoothed[0]:.3f} nats. With a smoothed target it falls to {smoothed[-1]:.3f} "
        f"and stays on its floor of {floor:.3f}; with a one-hot target it goes on towards 0 and ends at {one_hot[-1]:.3f}."
    )
    return figure
