"""Figures of chapter "softmax"."""

import torch
from torch import Tensor

from crossentropy.plots.figure import DASHES, HATCHES, INK, MARKERS, PALETTE, Figure, add_legend, new_figure
from crossentropy.softmax import softmax


def probability_bars(logits: Tensor) -> Figure:
    """Each class's logit beside its probability.

    Args:
        logits: Shape (K,), at most four classes.
    """
    probs = softmax(logits)
    figure, (left, right) = new_figure("softmax-bars", height=2.4, ncols=2, sharey=True)
    classes = range(len(logits))
    for axes, values, title in ((left, logits, "logit z"), (right, probs, "probability p")):
        bars = axes.barh(classes, values.tolist(), height=0.6, color=PALETTE[: len(logits)], edgecolor="none")
        for bar, hatch in zip(bars, HATCHES, strict=False):
            bar.set_hatch(hatch)
            bar.set_hatchcolor("white")
        axes.bar_label(bars, [f"{v:.3g}" for v in values.tolist()], padding=4, color=INK)
        axes.set_title(title, loc="left")
        axes.margins(x=0.2)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
    left.set_yticks(list(classes), [f"class {k}" for k in classes])
    left.invert_yaxis()
    pairs = "; ".join(
        f"class {k}: logit {z:.3g}, probability {p:.3f}" for k, (z, p) in enumerate(zip(logits, probs, strict=True))
    )
    figure.alt = f"Two bar charts side by side. {pairs}."
    return figure


def temperature_curves(logits: Tensor) -> Figure:
    """The probability of each class against the temperature, from 0.05 to 20.

    Args:
        logits: Shape (K,), at most four classes.
    """
    temperatures = torch.logspace(-1.3, 1.3, 101, dtype=torch.float64)
    curves = torch.stack([softmax(logits.double(), temperature=t) for t in temperatures])
    figure, axes = new_figure("softmax-temperature")
    for k in range(len(logits)):
        axes.plot(temperatures, curves[:, k], color=PALETTE[k], linestyle=DASHES[k], label=f"class {k}")
    axes.axhline(1 / len(logits), color=INK, linewidth=0.8, linestyle=":")
    axes.axvline(1, color=INK, linewidth=0.8)
    axes.set(xscale="log", xlabel="temperature T (log scale)", ylabel="probability", ylim=(-0.02, 1.05))
    axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.minorticks_off()
    add_legend(axes)
    figure.alt = (
        f"Probability of each of {len(logits)} classes against the temperature on a log scale. Near zero the largest logit "
        f"takes everything; at 1 the probabilities are {', '.join(f'{p:.3f}' for p in softmax(logits).tolist())}; "
        f"at high temperature all approach 1/{len(logits)}."
    )
    return figure


def bottles(x: Tensor, y: Tensor, features: tuple[str, str], growers: tuple[str, ...]) -> Figure:
    """Two features of the wine bottles, one marker a grower.

    Args:
        x: Shape (m, 2), standardised.
        y: Classes, shape (m,).
        features: Names of the two columns.
        growers: Names of the classes.
    """
    figure, axes = new_figure("softmax-bottles", width=5.2, height=3.8)
    for k, grower in enumerate(growers):
        rows = x[y == k]
        axes.scatter(
            rows[:, 0], rows[:, 1], s=26, color=PALETTE[k], marker=MARKERS[k], linewidth=0, alpha=0.85, label=grower
        )
    axes.set(xlabel=f"{features[0]} (standard deviations from the mean)", ylabel=features[1])
    add_legend(axes)
    counts = ", ".join(f"{int((y == k).sum())} of {grower}" for k, grower in enumerate(growers))
    figure.alt = (
        f"Scatter plot of {features[1]} against {features[0]} for {len(x)} bottles: {counts}. The three groups overlap."
    )
    return figure
