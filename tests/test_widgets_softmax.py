"""SoftmaxLab's Python face, and the JavaScript maths of its topic against torch."""

import math

import numpy as np
import pytest
import torch

from crossentropy.widgets import SoftmaxLab
from javascript import assert_agree, call_maths, hard_vectors

DOUBLE = torch.float64


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("logsumexp", lambda z: torch.logsumexp(z, 0)),
        ("softmax", lambda z: torch.softmax(z, 0)),
        ("logSoftmax", lambda z: torch.log_softmax(z, 0)),
    ],
)
def test_javascript_agrees_with_torch(name, exact):
    vectors = hard_vectors()
    for vector, actual in zip(vectors, call_maths([[name, v] for v in vectors]), strict=True):
        assert_agree(actual, exact(torch.tensor(vector, dtype=DOUBLE)).tolist())


@pytest.mark.parametrize("temperature", [0.001, 0.37, 1000.0])
def test_javascript_agrees_with_torch_at_a_temperature(temperature):
    vectors = hard_vectors(200, seed=1)
    calls = [[name, v, temperature] for v in vectors for name in ("softmax", "logSoftmax")]
    actual = call_maths(calls)
    for vector, (p, log_p) in zip(vectors, zip(actual[::2], actual[1::2], strict=True), strict=True):
        # torch loses more digits than ours where z / T is huge: the largest is taken off first.
        z = torch.tensor(vector, dtype=DOUBLE)
        scores = (z - z.max()) / temperature
        assert_agree(p, torch.softmax(scores, 0).tolist())
        assert_agree(log_p, torch.log_softmax(scores, 0).tolist())


def test_javascript_keeps_the_digits_that_torch_drops():
    (log_p, lse) = call_maths([["logSoftmax", [40.0, 0.0]], ["logsumexp", [0.0, -40.0]]])
    assert log_p[0] == pytest.approx(-math.exp(-40), rel=1e-12, abs=0)
    assert lse == pytest.approx(math.exp(-40), rel=1e-12, abs=0)


def test_a_masked_row_has_no_normaliser():
    assert call_maths([["logsumexp", [-math.inf, -math.inf]]]) == [-math.inf]


def test_starts_at_the_books_logits():
    lab = SoftmaxLab()
    assert (lab.logits, lab.temperature, lab.shift) == ([2.0, 0.5, 0.1], 1.0, 0.0)
    total = math.exp(2) + math.exp(0.5) + math.exp(0.1)
    assert_agree(lab.probability, [math.exp(2) / total, math.exp(0.5) / total, math.exp(0.1) / total])
    assert_agree(lab.log_sum_exp, math.log(total))
    assert_agree(lab.odds, [1, math.exp(-1.5), math.exp(-1.9)])


def test_results_follow_the_state():
    lab = SoftmaxLab()
    lab.logits = [0.0, math.log(3)]
    assert_agree(lab.probability, [1 / 4, 3 / 4])
    lab.temperature = 0.5
    assert_agree(lab.probability, [1 / 10, 9 / 10])
    assert_agree(lab.odds, [1, 9])
    lab.shift = 7.0
    assert_agree(lab.probability, [1 / 10, 9 / 10])
    assert_agree(lab.log_sum_exp, math.log(10) + 14)
    assert_agree(lab.log_probability, [-math.log(10), math.log(9 / 10)])


def test_a_change_of_the_logits_is_observed_with_its_results():
    lab = SoftmaxLab()
    seen = []
    lab.observe(lambda change: seen.append(lab.probability), "probability")
    lab.logits = [0.0, 0.0]
    assert seen == [[0.5, 0.5]]


@pytest.mark.parametrize("logits", [(1, 2), torch.tensor([1.0, 2.0]), np.array([1.0, 2.0])])
def test_logits_may_come_as_any_sequence(logits):
    assert SoftmaxLab(logits=logits).logits == [1.0, 2.0]


def test_an_axis_too_many_is_refused():
    with pytest.raises(TypeError, match=r"logits\[0\] must be a number, got list"):
        SoftmaxLab(logits=[[1.0, 2.0], [3.0, 4.0]])


def test_text_shows_the_table():
    assert SoftmaxLab()._repr_mimebundle_()[0]["text/plain"].splitlines()[1:] == [
        "Softmax at temperature 1 and shift 0; log-sum-exp 2.317",
        "         logit  probability  log-probability  odds to class 0",
        "class 0  2.000        0.728           −0.317            1.000",
        "class 1  0.500        0.163           −1.817            0.223",
        "class 2  0.100        0.109           −2.217            0.150",
    ]


def test_an_infinite_result_reaches_the_page_spelt_out():
    lab = SoftmaxLab(logits=[-1000.0, 1000.0])
    assert lab.odds == [1.0, math.inf]
    assert lab.get_state("odds") == {"odds": [1.0, "Infinity"]}
