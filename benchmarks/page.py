"""Write the book's page of measurements, ``chapters/benchmarks.md``, from what ``make bench`` stored. Nothing in it is typed."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "benchmarks" / "measured.json"
PAGE = ROOT / "chapters" / "benchmarks.md"

OPENING = """\
# Benchmarks: how much faster, and how much lighter

Each number on this page is a ratio of two ways, both measured in the same run on the same machine: seconds would tell of the
machine. `make bench` measures them anew and writes this page; nobody types it. After the median come the smallest and the largest of
the repetitions, and what this book promises, where it promises something: a promise that the measurement missed says so.
"""
TITLES = {
    "grading": "Grading, against nbgrader's autograde",
    "labs": "The labs",
    "ngram": "Training on the sonnet",
    "site": "The site, against a stock Jupyter Book",
}
NOTES = {
    "labs": "A lab keeps up with the reader where its work fits into one frame, so that the ratio is at least 1. The browser paints without a graphics card here.",
    "ngram": "The loop is the one that the chapter {doc}`ngram` begins with.",
    "site": "Both are built from the same chapters. The stock page asks other hosts for scripts as well; these bytes are not counted.",
}


def render(measured: dict[str, list[dict[str, Any]]]) -> str:
    """The page, in MyST."""
    parts = [OPENING]
    for topic in sorted(measured):
        parts.append(f"## {TITLES.get(topic, topic.title())}\n")
        if topic in NOTES:
            parts.append(NOTES[topic] + "\n")
        rows = "".join(
            f"| {row['claim'][0].upper()}{row['claim'][1:]} | {number(row['median'])} | {spread(row['samples'])} | {promise(row)} |\n"
            for row in measured[topic]
        )
        parts.append(f"| What | Times | From, to | Promised |\n|---|---|---|---|\n{rows}")
    return "\n".join(parts)


def number(value: float) -> str:
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def spread(samples: list[float]) -> str:
    return f"{number(min(samples))} to {number(max(samples))}" if len(samples) > 1 else "one run"


def promise(row: dict[str, Any]) -> str:
    if not row["at_least"]:
        return "nothing"
    return f"{row['at_least']:g}, {'kept' if row['median'] >= row['at_least'] else '**missed**'}"


def store(results: dict[str, list[dict[str, Any]]]) -> None:
    """Keep the results of the topics that were measured, those of the others as they were, and write the page."""
    kept = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    kept.update(results)
    MEASURED.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(render(kept), encoding="utf-8")
