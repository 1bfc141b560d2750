"""Run the benchmarks: all of them, or the topics named on the command line (``python benchmarks/run.py ngram``).

A benchmark is ``benchmarks/<topic>.py`` with a function ``measure() -> list[Ratio]``. What is reported are ratios
taken in one run; seconds would tell of the machine. The results also go to ``_build/bench/results.json`` and into
the book's page of benchmarks, and the exit code is 1 if a ratio that the book promises is missed.
"""

import importlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A script's own folder comes first on the path, where ngram.py and its like would answer to the wrong name.
sys.path[0] = str(ROOT)

from benchmarks import page  # noqa: E402
from benchmarks.ratio import Ratio  # noqa: E402

RESULTS = ROOT / "_build" / "bench" / "results.json"
NOT_A_TOPIC = {"run", "ratio", "page"}


def topics() -> list[str]:
    """The benchmarks there are, by name."""
    return sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - NOT_A_TOPIC)


def main(wanted: list[str]) -> int:
    """Measure, print and write down; returns the exit code."""
    unknown = set(wanted) - set(topics())
    if unknown:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(topics())}", file=sys.stderr)
        return 2
    results: dict[str, list[Ratio]] = {}
    for topic in wanted or topics():
        print(f"== {topic}", flush=True)
        results[topic] = importlib.import_module(f"benchmarks.{topic}").measure()
        for ratio in results[topic]:
            print(f"{'ok' if ratio.holds else 'MISSED':7}{ratio}", flush=True)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    record = {topic: [ratio.record() for ratio in ratios] for topic, ratios in results.items()}
    RESULTS.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"== Written to {RESULTS.relative_to(ROOT)}")
    # The page wants plain lists, as they come back from the file.
    page.store(json.loads(RESULTS.read_text(encoding="utf-8")))
    return 0 if all(ratio.holds for ratios in results.values() for ratio in ratios) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
