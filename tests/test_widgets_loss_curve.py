"""LossCurveLab's Python face: its runs are what PyTorch trains, and the page trains the same."""

import json
import math

import pytest
import torch

from crossentropy.datasets import load_wine
from crossentropy.interfaces import trapped_range
from crossentropy.widgets import LossCurveLab
from crossentropy.widgets.loss_curve import BUGS, STEPS, random, suspect, train
from javascript import WIDGETS, assert_agree, call_maths, node

every_bug = pytest.mark.parametrize("bug", BUGS)


@every_bug
def test_the_page_trains_what_torch_trains(bug):
    for seed, curve in zip((0, 1, 7), call_maths([["train", bug, seed] for seed in (0, 1, 7)]), strict=True):
        assert_agree(curve, train(bug, seed))


def test_the_page_has_the_bottles():
    code = f"import {{ loadWine }} from '{(WIDGETS / 'js' / 'wine.js').as_uri()}'; console.log(JSON.stringify(loadWine()));"
    here, there = load_wine(), json.loads(node("--input-type=module", "-e", code))
    assert_agree(there["x"], here.x.tolist(), 1e-12)
    assert there["y"] == here.y.tolist()


def test_the_page_plays_the_same_rounds():
    rounds = range(1, 201)
    names = call_maths([["suspect", number] for number in rounds])
    assert names == [suspect(number) for number in rounds]


def test_every_ten_rounds_each_bug_comes_once_and_in_another_order():
    blocks = [tuple(suspect(10 * block + k) for k in range(1, 11)) for block in range(20)]
    assert all(sorted(block) == sorted(BUGS) for block in blocks)
    assert len(set(blocks)) == len(blocks)


def test_the_generator_is_spread_evenly():
    draw = random(3)
    counts = torch.tensor([next(draw) for _ in range(10_000)]).histc(bins=10, min=0, max=1)
    assert (counts - 1000).abs().max() < 150


@pytest.mark.parametrize("seed", [0, 1, 5, 23])
def test_each_bug_leaves_its_mark(seed):
    curves = {bug: train(bug, seed) for bug in BUGS}
    lost = {bug: sum(map(math.isnan, curve)) for bug, curve in curves.items()}
    assert all(len(curve) == STEPS for curve in curves.values())
    assert abs(curves["none"][0] - math.log(3)) < 0.05
    assert curves["none"][-1] < 0.25
    assert set(curves["one-column"]) == {0.0}
    assert abs(curves["softmax-twice"][0] - math.log(3)) < 0.05
    assert trapped_range(3)[0] < min(curves["softmax-twice"]) < 0.7
    assert all(abs(value + math.log(1e-8)) < 1e-3 for value in curves["epsilon"])
    assert all(-1 < value < -0.3 for value in curves["probabilities-to-nll"])
    assert math.isfinite(curves["zero-times-log-zero"][0])
    assert lost["zero-times-log-zero"] == STEPS - 1
    assert_agree([value / 178 for value in curves["sum"]], curves["none"])
    assert set(curves["clamped-sigmoid"][1:]) == {100.0}
    assert curves["logits-to-nll"][-1] < -100
    assert 30 < lost["ignored-batches"] < 200
    assert {bug for bug, count in lost.items() if count} == {"zero-times-log-zero", "ignored-batches"}


def test_looks_first_and_then_asks():
    lab = LossCurveLab()
    assert (lab.bug, lab.answer, lab.round) == ("softmax-twice", "softmax-twice", 0)
    assert lab.loss == lab.curve[100] == train("softmax-twice", 0)[100]
    lab.step = 10
    assert lab.loss == lab.curve[10]
    lab.round = 4
    assert lab.answer == "hidden"
    assert lab.start_loss == train(suspect(4), 4)[0]
    lab.guess = "none"
    assert lab.answer == suspect(4)


def test_an_unknown_bug_is_refused():
    with pytest.raises(ValueError, match=r"bug must be 'none' or 'one-column' .*, got 'moth'"):
        LossCurveLab(bug="moth")
    with pytest.raises(ValueError, match=r"round must lie in \[0, 1000\], got -1"):
        LossCurveLab(round=-1)
