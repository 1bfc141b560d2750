"""Figures of chapter "stability". The true class is class 0 in all of them; class 1 is the wrong one."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from crossentropy.plots.figure import DASHES, INK, MARKERS, PALETTE, Figure, add_legend, new_figure
from crossentropy.softmax import log_softmax
from crossentropy.stability import capped_cross_entropy, naive_cross_entropy
from crossentropy.validation import FLOAT_DTYPES

Route = Callable[[Tensor, Tensor], Tensor]


def where_it_breaks() -> Figure:
    """The loss of logits [0, gap] and its gradient on the wrong class, by two unshifted routes (rows) in four dtypes.

    A line ends, with a marker, at the last gap whose value is finite. Behind them lies what the shifted route gives.
    """
    wanted = torch.logspace(0, math.log10(2000), 401, dtype=torch.float64)
    figure, panels = new_figure("stability-breaks", height=5.6, nrows=2, ncols=2, sharex=True)
    routes: tuple[tuple[str, Route], ...] = (("naive", naive_cross_entropy), ("softmax, then log", _softmax_then_log))
    said = []
    for row, (label, route) in zip(panels, routes, strict=True):
        for axes, drawn in zip(row, _loss_and_push(_shifted, _wrong_by(wanted)), strict=True):
            axes.plot(wanted, drawn, color=INK, linewidth=7, alpha=0.35, label="shifted")
        facts = []
        for k, dtype in enumerate(FLOAT_DTYPES):
            # A coarse dtype rounds several gaps to the same number.
            gaps = torch.unique(wanted.to(dtype).double())
            losses, push = _loss_and_push(route, _wrong_by(gaps).to(dtype))
            ends = []
            for axes, drawn in zip(row, (losses, push), strict=True):
                last = int(drawn.isfinite().nonzero().max())
                axes.plot(
                    gaps[: last + 1],
                    drawn[: last + 1],
                    color=PALETTE[k],
                    linestyle=DASHES[k],
                    marker=MARKERS[k],
                    markevery=[last],
                    markersize=8,
                    markerfacecolor="none",
                    markeredgewidth=1.6,
                    label=_name(dtype),
                )
                ends.append(gaps[last].item())
            _, right = _loss_and_push(_shifted, _wrong_by(gaps))
            wrong = gaps[~((push - right).abs() <= 0.1)][0].item()
            facts.append(f"{_name(dtype)}: loss until {ends[0]:.3g}, gradient right until about {wrong:.3g}")
        row[0].set(xscale="log", yscale="log", ylabel="loss (nats)", title=f"{label}: loss")
        row[1].set(xscale="log", ylim=(-0.08, 1.4), title=f"{label}: gradient")
        said.append(f"{label}: {'; '.join(facts)}")
    for axes in panels.flat:
        axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
        axes.minorticks_off()
    for axes in panels[:, 0]:
        axes.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
        axes.minorticks_off()
    for axes in panels[1]:
        axes.set_xlabel("gap (log scale)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, labelcolor=INK)
    figure.alt = (
        "Two rows of two panels against the gap of two logits, the wrong one on top: left the loss, right its gradient on the wrong "
        f"class. The shifted loss rises along with the gap all the way to {wanted[-1]:g}, and its gradient stays at 1. The others "
        f"follow for a while, float16 for the shortest and float64 for the longest, and end. {'. '.join(said)}."
    )
    return figure


def cap_curves(epsilons: Sequence[float]) -> Figure:
    """The loss of logits [0, gap] and its gradient on the wrong class, without and with a small number in the logarithm.

    Args:
        epsilons: The small numbers, at most three.
    """
    gaps = torch.linspace(0, 40, 161, dtype=torch.float64)
    routes: list[tuple[str, Route]] = [("−log p", _shifted)]
    routes += [(f"−log(p + {_power(eps)})", _capped(eps)) for eps in epsilons]
    figure, (left, right) = new_figure("stability-cap", height=3.4, ncols=2)
    for k, (label, route) in enumerate(routes):
        for axes, drawn in zip((left, right), _loss_and_push(route, _wrong_by(gaps)), strict=True):
            axes.plot(gaps, drawn, color=PALETTE[k], linestyle=DASHES[k], label=label)
    left.set(xlabel="gap", title="loss (nats)", ylim=(-1, 41))
    right.set(xlabel="gap", title="gradient on the wrong class", ylim=(-0.05, 1.08))
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(routes), frameon=False, labelcolor=INK)
    caps = "; ".join(f"with {_power(eps)} added it stops at {-math.log(eps):.2f}" for eps in epsilons)
    figure.alt = (
        f"Two panels against the gap of two logits, from 0 to {gaps[-1]:g}, the wrong one on top. Left, the loss: -log p rises along "
        f"with the gap; {caps}. Right, the gradient on the wrong class: for -log p it rises from 0.5 to 1 and stays there; with a "
        "number added it falls back to 0 where the loss reaches its cap."
    )
    return figure


def lost_digits() -> Figure:
    """The loss of logits [lead, 0] on a logarithmic scale; a line ends before the first loss that is 0."""
    leads = torch.arange(61, dtype=torch.float64)
    figure, axes = new_figure("stability-digits")
    kept, _ = _loss_and_push(_shifted, -_wrong_by(leads))
    axes.plot(leads, kept, color=INK, linewidth=7, alpha=0.35, solid_capstyle="butt", label="log1p of the odds")
    ends = []
    for k, dtype in enumerate((torch.float64, torch.float32)):
        losses, _ = _loss_and_push(_torch, -_wrong_by(leads).to(dtype))
        zero = int((losses == 0).nonzero().min())
        label = f"torch, {_name(dtype)}"
        axes.plot(
            leads[:zero],
            losses[:zero],
            color=PALETTE[k],
            linestyle=DASHES[k],
            marker=MARKERS[k],
            markevery=[zero - 1],
            markersize=8,
            label=label,
        )
        ends.append(f"{label} is 0 from {zero} on")
    axes.set(xlabel="lead of the true class", ylabel="loss (nats, log scale)", yscale="log")
    axes.set_yticks([1, 1e-10, 1e-20], ["1", "1e−10", "1e−20"])
    axes.minorticks_off()
    add_legend(axes)
    figure.alt = (
        f"Loss of a right answer, on a log scale, against the lead of the true class from 0 to {leads[-1]:g}. By log1p of the odds it "
        f"falls along a straight line to {kept[-1]:.1e}. The two others leave the line, then end: {'; '.join(ends)}."
    )
    return figure


def _wrong_by(gaps: Tensor) -> Tensor:
    """Logits [0, gap]; their negative is as good as [gap, 0]."""
    return torch.stack([torch.zeros_like(gaps), gaps], dim=-1)


def _loss_and_push(route: Route, logits: Tensor) -> tuple[Tensor, Tensor]:
    """One loss a row, and its gradient on the wrong class; in float64, because numpy knows no bfloat16."""
    z = logits.clone().requires_grad_()
    losses = route(z, torch.zeros(len(z), dtype=torch.long))
    (gradient,) = torch.autograd.grad(losses.sum(), z)
    return losses.detach().double(), gradient[:, 1].double()


def _shifted(logits: Tensor, target: Tensor) -> Tensor:
    return -log_softmax(logits).gather(-1, target.unsqueeze(-1)).squeeze(-1)


def _softmax_then_log(logits: Tensor, target: Tensor) -> Tensor:
    return -torch.softmax(logits, dim=-1).gather(-1, target.unsqueeze(-1)).squeeze(-1).log()


def _torch(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits, target, reduction="none")


def _capped(eps: float) -> Route:
    return lambda logits, target: capped_cross_entropy(logits, target, eps)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _power(eps: float) -> str:
    return f"{eps:.0e}".replace("e-0", "e-").replace("-", "−")
