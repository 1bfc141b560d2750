"""Figures of chapter "ngram"."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from crossentropy.plots.figure import BLUE, DASHES, INK, MARKERS, ORANGE, PALETTE, Figure, add_legend, new_figure


def losses_above_floor(per_sample: Sequence[float], batched: Sequence[float], floor: float) -> Figure:
    """Two training curves on logarithmic axes, and the floor that neither can cross.

    Args:
        per_sample: Mean loss of each pass, one step a word, in nats.
        batched: Mean loss of each pass, one step a pass, in nats.
        floor: The least mean loss of any model, in nats.
    """
    figure, axes = new_figure("ngram-losses", height=3.8)
    curves = (("one step a word", per_sample, BLUE, DASHES[0]), ("one step a pass", batched, ORANGE, DASHES[1]))
    for label, losses, colour, dash in curves:
        axes.plot(range(1, len(losses) + 1), losses, color=colour, linestyle=dash, label=label)
    passes = range(1, len(per_sample) + 1)
    axes.fill_between(passes, per_sample, floor, color=BLUE, alpha=0.15, linewidth=0, label="divergence")
    axes.axhline(floor, color=INK, linestyle=DASHES[3], label=f"floor: {floor:.4f}")
    axes.set(
        xscale="log", yscale="log", xlabel="pass over the text (log scale)", ylabel="loss (nats a word, log scale)"
    )
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    axes.set_yticks([0.02, 0.1, 1, 5], ["0.02", "0.1", "1", "5"])
    axes.minorticks_off()
    add_legend(axes, loc="lower left", bbox_to_anchor=(0, 0.08))
    figure.alt = (
        f"Loss against the pass over the text, both on log scales, above a floor of {floor:.4f} nats. With one step a word it "
        f"goes from {per_sample[0]:.2f} to {per_sample[-1]:.3f} in {len(per_sample)} passes; with one step a pass from "
        f"{batched[0]:.2f} to {batched[-1]:.3f} in {len(batched)}. What lies between a curve and the floor is divergence."
    )
    return figure


def seen_and_held_out(seen: Sequence[float], held_out: Sequence[float], floor: float, uniform: float) -> Figure:
    """The loss on the lines that are trained on, and on the others, after each step.

    Args:
        seen: Mean loss on the training lines after 0, 1, ... steps, in nats.
        held_out: The same on the held-out lines.
        floor: The least mean loss on the training lines.
        uniform: Loss of the uniform guess.
    """
    figure, axes = new_figure("ngram-held-out", height=3.6)
    curves = (("held-out lines", held_out, ORANGE, 1), ("training lines", seen, BLUE, 0))
    for label, losses, colour, k in curves:
        axes.plot(losses, color=colour, linestyle=DASHES[k], marker=MARKERS[k], markersize=5, markevery=10, label=label)
    axes.axhline(uniform, color=INK, linewidth=1.2, linestyle=DASHES[2], label=f"uniform guess: {uniform:.2f}")
    axes.axhline(floor, color=INK, linewidth=1.2, linestyle=DASHES[3], label=f"training floor: {floor:.3f}")
    axes.set(xlabel="step", ylabel="loss (nats a word)", ylim=(-1, None))
    add_legend(axes, loc="center right", bbox_to_anchor=(1, 0.45))
    figure.alt = (
        f"Loss against the step. On the training lines it falls from {seen[0]:.2f} to {seen[-1]:.3f} nats, on its floor of "
        f"{floor:.3f}. On the held-out lines it rises from {held_out[0]:.2f} to {held_out[-1]:.1f}, far above the uniform "
        f"guess, which stays at {uniform:.2f}."
    )
    return figure


def pair_similarities(
    panels: Sequence[tuple[str, Sequence[Tensor]]], pairs: Sequence[tuple[str, tuple[int, int]]]
) -> Figure:
    """The cosine of a few pairs of vectors among that of all pairs, one column a trained model.

    Args:
        panels: Title of each panel, and the vectors of each model, shape (n, size).
        pairs: Label and two rows of each pair to mark, at most four.
    """
    figure, axes_row = new_figure("ngram-vectors", height=3.6, ncols=len(panels), sharey=True, squeeze=False)
    said = []
    for axes, (title, models) in zip(axes_row[0], panels, strict=True):
        cosines = [_cosines(vectors) for vectors in models]
        for column, cosine in enumerate(cosines):
            every = cosine[torch.ones_like(cosine, dtype=torch.bool).triu(1)]
            axes.vlines(column, every.min(), every.max(), color=INK, linewidth=1, alpha=0.7)
            middle = every.quantile(torch.tensor([0.05, 0.95], dtype=every.dtype)).tolist()
            axes.vlines(column, *middle, color=INK, linewidth=9, alpha=0.35)
        for k, (label, (a, b)) in enumerate(pairs):
            values = [cosine[a, b].item() for cosine in cosines]
            # Side by side, because equal values would hide each other.
            columns = [column + 0.16 * (k - (len(pairs) - 1) / 2) for column in range(len(cosines))]
            axes.scatter(columns, values, s=36, color=PALETTE[k], marker=MARKERS[k], zorder=3, label=label)
            said.append(f"{title}, {label}: {', '.join(f'{v:.2f}' for v in values)}")
        axes.set(xlabel="seed", ylim=(-1.05, 1.05), xlim=(-0.6, len(cosines) - 0.4))
        axes.set_xticks(range(len(cosines)))
        axes.set_title(title, loc="left")
    axes_row[0][0].set_ylabel("cosine of two words' vectors")
    handles, labels = axes_row[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, labelcolor=INK)
    figure.alt = (
        "Cosines of pairs of word vectors, one column a trained model; a thin line spans all pairs, a thick one the middle nine "
        f"tenths, and markers stand for single pairs. {'; '.join(said)}."
    )
    return figure


def _cosines(vectors: Tensor) -> Tensor:
    unit = F.normalize(vectors.detach().double(), dim=1)
    return unit @ unit.T
