"""What the tests of the labs' JavaScript share: call its functions in one Node process, numbers in full."""

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
WIDGETS = ROOT / "code" / "crossentropy" / "widgets"
# JSON has no infinity: spelt as a string on both sides.
CALL = """
import * as maths from %s;
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const revive = (_, v) => (v === "Infinity" || v === "-Infinity" || v === "NaN" ? Number(v) : v);
const spell = (_, v) => (typeof v === "number" && !Number.isFinite(v) ? String(v) : v);
const calls = JSON.parse(Buffer.concat(chunks).toString(), revive);
console.log(JSON.stringify(calls.map(([name, ...args]) => maths[name](...args)), spell));
"""


def node(*arguments: str, **options: Any) -> str:
    """Standard output of Node; a failure shows what it said."""
    done = subprocess.run(["node", *arguments], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def call_maths(calls: list[list[Any]]) -> list[Any]:
    """``calls`` are [name, argument, ...] of functions of js/maths.js; their results, in order."""
    code = CALL % json.dumps((WIDGETS / "js" / "maths.js").as_uri())
    return numbers(json.loads(node("--input-type=module", "-e", code, input=json.dumps(_spelt(calls)))))


def hard_vectors(count: int = 1000, *, seed: int = 0) -> list[list[float]]:
    """Random logits of 1 to 10 classes at scales from 1e-8 to 1e3; extremes, ties and masked classes among them."""
    generator = torch.Generator().manual_seed(seed)
    vectors = [[0.0, 0.0], [1000.0, -1000.0, 0.0], [40.0, 0.0], [-1000.0, -1000.5], [-math.inf, 1.0], [3.0]]
    while len(vectors) < count:
        size = int(torch.randint(1, 11, (), generator=generator))
        scale = 10 ** (11 * torch.rand((), generator=generator, dtype=torch.float64) - 8)
        vectors.append((scale * torch.randn(size, generator=generator, dtype=torch.float64)).clamp(-1e3, 1e3).tolist())
    return vectors


def assert_agree(actual: Any, exact: Any, tolerance: float = 1e-10) -> None:
    """Error at most ``tolerance`` times max(1, |exact|), entry by entry; infinities and NaN must be the same."""
    if isinstance(exact, (list, tuple)):
        assert len(actual) == len(exact), f"{len(actual)} entries, expected {len(exact)}"
        for a, e in zip(actual, exact, strict=True):
            assert_agree(a, e, tolerance)
    elif math.isfinite(exact):
        assert abs(actual - exact) <= tolerance * max(1, abs(exact)), f"{actual!r}, expected {exact!r}"
    else:
        assert actual == exact or (math.isnan(actual) and math.isnan(exact)), f"{actual!r}, expected {exact!r}"


def _spelt(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_spelt(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def numbers(value: Any) -> Any:
    """Infinities and NaN that JSON had to spell, as numbers again."""
    if isinstance(value, list):
        return [numbers(entry) for entry in value]
    if isinstance(value, dict):
        return {key: numbers(entry) for key, entry in value.items()}
    return float(value) if isinstance(value, str) and value in {"Infinity", "-Infinity", "NaN"} else value
