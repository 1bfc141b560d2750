"""Figures of chapter "likelihood"."""

import math
from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from crossentropy.likelihood import cost, likelihood, log_likelihood
from crossentropy.plots.figure import DASHES, INK, MARKERS, PALETTE, Figure, add_legend, new_figure
from crossentropy.softmax import log_softmax

DASH_NAMES = ("solid", "dashed", "dash-dotted", "dotted")


def likelihood_along_line(logits: Tensor, target: Tensor, *, low: float = -3.0, high: float = 8.0) -> Figure:
    """L on two scales and in two dtypes, its logarithm and the cost of the logits times t, from ``low`` to ``high``.

    Args:
        logits: Shape (m, K).
        target: Classes, shape (m,).
        low, high: The ends of the line; t runs over 221 equal steps between them.
    """
    scales = torch.linspace(low, high, 221, dtype=torch.float64)
    family = [t * logits.double() for t in scales]
    double = [likelihood(z, target).item() for z in family]
    single = [likelihood(z.float(), target).item() for z in family]
    logs = [log_likelihood(z, target).item() for z in family]
    costs = [cost(z, target).item() for z in family]
    best = max(range(len(logs)), key=logs.__getitem__)

    figure, panels = new_figure("likelihood-line", height=4.8, nrows=2, ncols=2, sharex=True)
    (linear, powers), (log_panel, cost_panel) = panels
    for values, k in ((double, 0), (single, 1)):
        name = ("float64", "float32")[k]
        style = {"color": PALETTE[k], "linestyle": DASHES[k], "linewidth": 3.5 - 1.5 * k, "zorder": 2 + k}
        linear.plot(scales, values, **style)
        seen = [v if v > 0 else math.nan for v in values]
        powers.plot(scales, seen, label=name, **style)
        if min(values) == 0:
            end = next(n for n, v in enumerate(values) if v > 0)
            powers.plot(scales[end], values[end], color=PALETTE[k], marker="x", markersize=9, linestyle="")
    log_panel.plot(scales, logs, color=PALETTE[2])
    cost_panel.plot(scales, costs, color=PALETTE[2])
    # The smallest float64 lies at 5e-324; limits that round to 0 would be refused.
    powers.set(yscale="log", ylim=(1e-320, 1e10))
    _plain_powers(powers, (-300, -200, -100, 0))
    linear.set_yticks([0, double[best]], ["0", f"{double[best]:.1e}"])
    add_legend(powers, loc="lower right", bbox_to_anchor=None)
    titles = ("L", "L, log scale (× where it ends)", "ℓ, in nats", "J, in nats")
    for axes, title, top in zip(panels.flat, titles, (double, double, logs, costs), strict=True):
        axes.set_title(title, loc="left")
        axes.axvline(scales[best], color=INK, linewidth=0.8, linestyle=":")
        axes.plot(scales[best], top[best], color=INK, marker="o", markersize=6, linestyle="", zorder=5)
    for axes in panels[1]:
        axes.set_xlabel("factor t of the weights")
    gone = "; ".join(
        f"in {name} it is 0 for t below {next(t for t, v in zip(scales.tolist(), values, strict=True) if v > 0):.2f}"
        for name, values in (("float32", single), ("float64", double))
        if min(values) == 0
    )
    figure.alt = (
        f"Four panels against a factor t of the weights, from {low:g} to {high:g}: the likelihood L, L on a log scale, the "
        f"log-likelihood and the cost J. L has a sharp peak at t = {scales[best]:.2f}; there the log-likelihood is highest "
        f"and J lowest, too. The log-likelihood and J are seen everywhere. {f'L is not: {gone}.' if gone else 'So is L here.'}"
    )
    return figure


def running_products(probabilities: Sequence[float], *, samples: int = 400) -> Figure:
    """The product of equal probabilities, one after another in float32, beside the exact product.

    Args:
        probabilities: At most two, each the probability of every label.
        samples: Number of factors.
    """
    counts = torch.arange(1, samples + 1)
    figure, axes = new_figure("likelihood-products", height=3.4)
    stories = []
    lowest = 0.0
    for k, p in enumerate(probabilities):
        product, values = torch.tensor(1.0, dtype=torch.float32), []
        for _ in range(samples):
            product = product * p
            values.append(product.item())
        exact = [n * math.log10(p) for n in counts.tolist()]
        axes.plot(counts, exact, color=INK, linewidth=0.8, label="exact" if k == 0 else None)
        drawn = [math.log10(v) if v > 0 else math.nan for v in values]
        axes.plot(counts, drawn, color=PALETTE[k], linestyle=DASHES[k], label=f"float32, p = {p:g}")
        last = sum(v > 0 for v in values)
        lowest = min(lowest, min(math.log10(v) for v in values if v > 0))
        if last < samples:
            axes.plot(last, drawn[last - 1], color=PALETTE[k], marker="x", markersize=9, linestyle="")
            stories.append(f"At {p:g} a sample it is 0 after {last + 1} samples.")
        else:
            stuck = values.index(values[-1]) + 1
            stories.append(f"At {p:g} a sample it stays at {values[-1]:.1e} from sample {stuck} on.")
    axes.set(xlabel="number of samples", ylabel="product (log scale)", ylim=(lowest * 1.25, 2))
    ticks = [0, -10, -20, -30, -40, -50]
    axes.set_yticks(ticks, ["1", *(f"1e{t}" for t in ticks[1:])])
    add_legend(axes)
    figure.alt = (
        f"Running product of probabilities in float32 against the number of samples, to {samples}, with the exact product "
        f"as a straight line on the log scale. {' '.join(stories)}"
    )
    return figure


def boundaries(
    x: Tensor,
    y: Tensor,
    features: tuple[str, str],
    growers: tuple[str, ...],
    models: Sequence[tuple[str, Tensor, Tensor]],
) -> Figure:
    """The bottles, larger the more surprising their label, and the lines where two classes are equally probable.

    Args:
        x: Shape (m, 2).
        y: Classes, shape (m,).
        features: Names of the two columns.
        growers: Names of the classes.
        models: Name, W of shape (2, K) and b of shape (K,), at most four. The first one gives the sizes.
    """
    figure, axes = new_figure("likelihood-boundaries", width=6.4, height=4.2)
    _, weight, bias = models[0]
    logits = x @ weight + bias
    surprise = -log_softmax(logits).gather(1, y.unsqueeze(1)).squeeze(1)
    wrong = logits.argmax(1) != y
    for k, grower in enumerate(growers):
        rows = y == k
        sizes = 12 + 60 * surprise[rows]
        axes.scatter(
            x[rows, 0],
            x[rows, 1],
            s=sizes,
            color=PALETTE[k],
            marker=MARKERS[k],
            linewidth=0,
            alpha=0.85,
            label=grower,
        )
    low, high = x.amin(0) - 0.3, x.amax(0) + 0.3
    for index, (name, model_weight, model_bias) in enumerate(models):
        for number, line in enumerate(_boundary_lines(model_weight, model_bias)):
            axes.plot(*line.T, color=INK, linestyle=DASHES[index], linewidth=1.5, label=name if number == 0 else None)
    axes.set(
        xlabel=f"{features[0]} (standard deviations from the mean)",
        ylabel=features[1],
        xlim=(low[0].item(), high[0].item()),
        ylim=(low[1].item(), high[1].item()),
    )
    add_legend(axes)
    for handle in axes.get_legend().legend_handles[: len(growers)]:
        handle.set_sizes([30.0])
    names = " and ".join(f"{name} ({DASH_NAMES[index]})" for index, (name, _, _) in enumerate(models))
    figure.alt = (
        f"Scatter plot of {features[1]} against {features[0]} for {len(x)} bottles, with the boundaries between the classes "
        f"for {names}. A marker is larger the less probable its label: from {surprise.min():.2f} to {surprise.max():.2f} nats; "
        f"{int(wrong.sum())} bottles lie on the wrong side of a solid line."
    )
    return figure


def runaway(paths: Sequence[tuple[str, Tensor, Tensor]]) -> Figure:
    """The cost above its infimum against the length of the weights, one path a data set, on a log scale.

    Args:
        paths: Name, lengths and costs above the infimum, both of shape (steps,), the costs positive; at most four.
    """
    figure, axes = new_figure("likelihood-runaway", height=3.2)
    stories = []
    for k, (name, lengths, excess) in enumerate(paths):
        axes.plot(lengths, excess, color=PALETTE[k], linestyle=DASHES[k], marker=MARKERS[k], markersize=4, label=name)
        stories.append(
            f"{name}: at length {lengths[-1]:.1f} the cost is {excess[-1]:.0e} above; the last step moved the weights by "
            f"{lengths[-1] - lengths[-2]:.1g}"
        )
    axes.set(yscale="log", xlabel="length of the weights", ylabel="cost above its infimum (nats)", xlim=(0, None))
    _plain_powers(axes, range(-12, 1, 3))
    add_legend(axes)
    figure.alt = (
        "The cost above its infimum, on a log scale, against the length of the weights, as a penalty is lowered step by "
        f"step. {'. '.join(stories)}."
    )
    return figure


def _plain_powers(axes: Axes, exponents: Sequence[int]) -> None:
    """Ticks at powers of ten as plain text: matplotlib's own labels are formulae."""
    axes.set_yticks([10.0**e for e in exponents], [f"1e{e}" if e else "1" for e in exponents])
    axes.minorticks_off()


def _boundary_lines(weight: Tensor, bias: Tensor) -> list[Tensor]:
    """Where two classes tie for the largest logit: one line of points (n, 2) a pair that has such a place near 0."""
    steps = torch.linspace(-20, 20, 4001, dtype=weight.dtype).unsqueeze(1)
    lines = []
    for j, k in torch.combinations(torch.arange(weight.shape[1])).tolist():
        normal, offset = weight[:, j] - weight[:, k], bias[j] - bias[k]
        foot = -offset * normal / normal.square().sum()
        points = foot + steps * torch.stack([-normal[1], normal[0]]) / normal.norm()
        logits = points @ weight + bias
        tied = points[logits[:, j] >= logits.amax(1) - 1e-9]
        if len(tied) > 1:
            lines.append(tied)
    return lines
