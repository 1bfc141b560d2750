"""The figures of chapter "stability": what they drew, against the formulas, and that they say it in words."""

import math
import re
from functools import cache

import pytest
import torch

from crossentropy.plots import stability as plots
from crossentropy.stability import overflow_threshold, survey
from crossentropy.validation import FLOAT_DTYPES

EPSILONS = [1e-8, 1e-4]


def points(line):
    return list(zip(*line.get_data(), strict=True))


@cache
def panels():
    """The four panels of the first figure by route and quantity; in each, the shifted line and one a dtype."""
    axes = plots.where_it_breaks().axes
    names = [("naive", "loss"), ("naive", "gradient"), ("two steps", "loss"), ("two steps", "gradient")]
    return {name: (panel.lines[0], panel.lines[1:]) for name, panel in zip(names, axes, strict=True)}


def test_the_shifted_line_is_the_true_loss_and_gradient_at_every_gap():
    drawn = panels()
    for route in ("naive", "two steps"):
        for (gap, loss), (_, push) in zip(
            points(drawn[route, "loss"][0]), points(drawn[route, "gradient"][0]), strict=True
        ):
            assert loss == pytest.approx(gap + math.log1p(math.exp(-gap)))
            assert push == pytest.approx(1 / (1 + math.exp(-gap)))


@pytest.mark.parametrize("number", range(4))
def test_the_naive_line_is_what_the_survey_finds(number):
    dtype = FLOAT_DTYPES[number]
    drawn = panels()
    losses, pushes = (points(drawn["naive", quantity][1][number]) for quantity in ("loss", "gradient"))
    for (gap, loss), (_, push) in list(zip(losses, pushes, strict=True))[::40]:
        (row,) = survey(torch.tensor([0.0, gap], dtype=torch.float64), 0, [dtype])
        assert loss == pytest.approx(row.naive_loss, rel=2 * torch.finfo(dtype).eps)
        assert push == pytest.approx(row.naive_gradient[1], abs=0.02)


@pytest.mark.parametrize("number", range(4))
def test_the_naive_line_ends_at_the_overflow_threshold_without_its_gradient(number):
    threshold = overflow_threshold(FLOAT_DTYPES[number])
    drawn = panels()
    last, _ = points(drawn["naive", "loss"][1][number])[-1]
    assert 0.98 * threshold < last <= threshold
    assert points(drawn["naive", "gradient"][1][number])[-1] == (last, 0)


@pytest.mark.parametrize("number", range(4))
def test_softmax_then_log_ends_where_the_probability_is_rounded_to_zero(number):
    info = torch.finfo(FLOAT_DTYPES[number])
    underflow = math.log(2) - math.log(info.smallest_normal) - math.log(info.eps)
    drawn = panels()
    last, loss = points(drawn["two steps", "loss"][1][number])[-1]
    assert 0.98 * underflow < last <= underflow
    assert loss == pytest.approx(last, rel=0.05)
    last, push = points(drawn["two steps", "gradient"][1][number])[-1]
    assert 0.98 * overflow_threshold(FLOAT_DTYPES[number]) < last < 1.01 * overflow_threshold(FLOAT_DTYPES[number])
    assert push == pytest.approx(1, abs=0.01)


def test_every_dtype_has_its_own_dash_and_marker():
    for _, lines in panels().values():
        assert len({line.get_linestyle() for line in lines}) == 4
        assert len({line.get_marker() for line in lines}) == 4


def test_the_alt_text_says_where_each_dtype_ends():
    alt = plots.where_it_breaks().alt
    for route in ("naive", "softmax, then log"):
        (ends,) = re.findall(rf"\. {route}: (.*?)\.(?: softmax|$)", alt)
        assert [name in ends for name in ("float16: ", "bfloat16: ", "float32: ", "float64: ")] == [True] * 4
    assert "float64: loss until 70" in alt


def test_each_capped_loss_follows_the_truth_and_stops_at_its_cap():
    left, right = plots.cap_curves(EPSILONS).axes
    for gap, loss in points(left.lines[0]):
        assert loss == pytest.approx(gap + math.log1p(math.exp(-gap)))
    for eps, losses, pushes in zip(EPSILONS, left.lines[1:], right.lines[1:], strict=True):
        for (gap, loss), (_, push) in zip(points(losses), points(pushes), strict=True):
            p = 1 / (1 + math.exp(gap))
            assert loss == pytest.approx(-math.log(p + eps))
            assert push == pytest.approx(p / (p + eps) * (1 - p))
    assert len({line.get_linestyle() for line in left.lines}) == 3


def test_the_alt_text_says_the_caps():
    alt = plots.cap_curves(EPSILONS).alt
    assert "with 1e−8 added it stops at 18.42; with 1e−4 added it stops at 9.21" in alt


def test_log1p_keeps_the_digits_that_both_dtypes_lose():
    (axes,) = plots.lost_digits().axes
    kept, double, single = axes.lines
    for lead, loss in points(kept):
        assert loss == pytest.approx(math.log1p(math.exp(-lead)), rel=1e-14, abs=0)
    assert points(kept)[-1][0] == 60
    assert points(double)[-1][0] == 36
    assert points(single)[-1][0] == 16
    assert all(loss > 0 for line in (double, single) for _, loss in points(line))
    assert "torch, float64 is 0 from 37 on; torch, float32 is 0 from 17 on" in plots.lost_digits().alt


def test_the_figures_say_themselves_and_share_no_id():
    figures = [plots.where_it_breaks(), plots.cap_curves(EPSILONS), plots.lost_digits()]
    assert all(len(figure.alt) > 100 for figure in figures)
    ids = [re.findall(r' id="([^"]+)"', figure.to_html()) for figure in figures]
    flat = [name for names in ids for name in names]
    assert len(flat) == len(set(flat))
