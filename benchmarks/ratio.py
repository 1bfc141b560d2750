"""What a benchmark reports: how many times less one way takes than another, both measured in the same run."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Ratio:
    """One claim, with a sample of the ratio for each repetition."""

    claim: str
    samples: tuple[float, ...]
    at_least: float = 0.0  # what the book promises; 0 promises nothing

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def holds(self) -> bool:
        return self.median >= self.at_least

    def record(self) -> dict[str, object]:
        """What is written down."""
        return {"claim": self.claim, "median": self.median, "at_least": self.at_least, "samples": self.samples}

    def __str__(self) -> str:
        promise = f", promised {self.at_least:g}" if self.at_least else ""
        spread = f"{min(self.samples):,.3g} to {max(self.samples):,.3g} in {len(self.samples)} repetitions"
        return f"{self.claim}: {self.median:,.3g} times ({spread}{promise})"


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
