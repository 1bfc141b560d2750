"""The figure of the grader's class report."""

from collections.abc import Mapping

from crossentropy.plots.figure import INK, PALETTE, Figure, new_figure


def misconception_counts(found: Mapping[str, Mapping[str, int]]) -> Figure:
    """How many answers to each question had which misconception, the most frequent first.

    Args:
        found: For each question how often each misconception's code was recognised.

    Raises:
        ValueError: if there is none at all.
    """
    rows = [
        (question, code, count)
        for question, codes in found.items()
        for code, count in sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    if not rows:
        raise ValueError("found must hold at least one misconception")
    figure, axes = new_figure("grading-misconceptions", height=0.8 + 0.35 * len(rows))
    labels = [f"{question}: {code}" for question, code, _ in rows]
    axes.barh(range(len(rows)), [count for _, _, count in rows], color=PALETTE[0], edgecolor=INK)
    axes.set_yticks(range(len(rows)), labels)
    axes.invert_yaxis()
    axes.set_xlabel("answers")
    axes.xaxis.get_major_locator().set_params(integer=True)
    told = "; ".join(f"{label}, {count}" for label, (_, _, count) in zip(labels, rows, strict=True))
    figure.alt = f"Bars: how many answers had which misconception, by question. {told}."
    return figure
