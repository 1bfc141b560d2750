"""The map of the chapters, for whoever plans a course."""

from collections.abc import Mapping, Sequence

from crossentropy.plots.figure import BLUE, INK, Figure, new_figure


def chapter_map(needs: Mapping[str, Sequence[str]]) -> Figure:
    """What depends on what: an arrow from each chapter to those that need it, unless a longer way says so already.

    Args:
        needs: By chapter, in the order of the book, the chapters that it needs; each must come before it.

    Raises:
        ValueError: for a chapter that needs one which does not stand before it.
    """
    level: dict[str, int] = {}
    for chapter, before in needs.items():
        if unknown := [name for name in before if name not in level]:
            raise ValueError(f"needs must name chapters that come before; {chapter} needs {unknown[0]}")
        level[chapter] = 1 + max((level[name] for name in before), default=-1)
    figure, axes = new_figure("chapter-map", width=7.2, height=3.0)
    columns = [[name for name in needs if level[name] == k] for k in range(1 + max(level.values()))]
    place = {
        name: (k, -row + (len(column) - 1) / 2) for k, column in enumerate(columns) for row, name in enumerate(column)
    }
    numbers = {name: number for number, name in enumerate(needs, start=1)}
    drawn = [(name, chapter) for chapter in needs for name in direct(needs, chapter)]
    for start, end in drawn:
        axes.annotate(
            "",
            xy=place[end],
            xytext=place[start],
            arrowprops={"arrowstyle": "-|>", "color": BLUE, "shrinkA": 38, "shrinkB": 38, "linewidth": 1.5},
        )
    for name, (x, y) in place.items():
        axes.text(x, y, f"{numbers[name]} {name}", ha="center", va="center", color=INK)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(-max(map(len, columns)) / 2, max(map(len, columns)) / 2)
    axes.axis("off")
    ways = [f"{chapter} on {' and '.join(direct(needs, chapter))}" for chapter in needs if needs[chapter]]
    figure.alt = f"The chapters from left to right, with arrows from what comes before: {'; '.join(ways)}."
    return figure


def direct(needs: Mapping[str, Sequence[str]], chapter: str) -> list[str]:
    """The chapters that ``chapter`` needs and that none of its other needs brings along."""

    def behind(name: str) -> set[str]:
        return {*needs[name]}.union(*(behind(other) for other in needs[name]))

    return [name for name in needs[chapter] if not any(name in behind(other) for other in needs[chapter])]
