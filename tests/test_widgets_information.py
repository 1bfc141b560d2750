"""InformationLab's Python face, and the JavaScript maths of its topic against torch."""

import math

import pytest
import torch

from crossentropy.information import kl_divergence
from crossentropy.widgets import InformationLab
from crossentropy.widgets.information import OutcomesError
from javascript import assert_agree, call_maths

DOUBLE = torch.float64
UNITS = {"nats": 1.0, "bits": math.log(2)}


def hard_pairs(count=1000):
    """Pairs of distributions over 2 to 8 outcomes, from nearly equal to nearly one-hot, zeros among them."""
    generator = torch.Generator().manual_seed(0)

    def draw(size, scale):
        p = torch.softmax(scale * torch.randn(size, generator=generator, dtype=DOUBLE), 0)
        # Some outcomes are ruled out, never all.
        keep = torch.rand(size, generator=generator) < 0.9
        keep[p.argmax()] = True
        return torch.where(keep, p, 0.0) / p[keep].sum()

    pairs = [([1.0, 0.0], [1.0, 0.0]), ([1.0, 0.0], [0.0, 1.0]), ([0.5, 0.5], [0.5 + 1e-9, 0.5 - 1e-9])]
    while len(pairs) < count:
        size = int(torch.randint(2, 9, (), generator=generator))
        p = draw(size, 10 ** (4 * torch.rand((), generator=generator) - 2))
        q = draw(size, 10 ** (4 * torch.rand((), generator=generator) - 2))
        if len(pairs) % 4 == 0:
            q = p + 1e-6 * (q - p)
        pairs.append((p.tolist(), q.tolist()))
    return pairs


@pytest.mark.parametrize("unit", UNITS)
def test_javascript_agrees_with_torch(unit):
    pairs = hard_pairs()
    actual = call_maths([[name, p, q, unit] for p, q in pairs for name in ("crossEntropy", "klDivergence")])
    for (p, q), h, kl in zip(pairs, actual[::2], actual[1::2], strict=True):
        p, q = torch.tensor(p, dtype=DOUBLE), torch.tensor(q, dtype=DOUBLE)
        cost = -torch.xlogy(p, q).sum().item() / UNITS[unit]
        assert_agree(h, cost)
        assert_agree(kl, cost + torch.xlogy(p, p).sum().item() / UNITS[unit])


def test_javascript_keeps_the_digits_of_a_small_divergence():
    pairs = [([0.3, 0.7], [0.3 + d, 0.7 - d]) for d in (1e-3, 1e-6, 1e-9, -1e-9)]
    for (p, q), kl in zip(pairs, call_maths([["klDivergence", p, q] for p, q in pairs]), strict=True):
        exact = kl_divergence(torch.tensor(p, dtype=DOUBLE), torch.tensor(q, dtype=DOUBLE)).item()
        assert kl == pytest.approx(exact, rel=1e-12, abs=0)
        assert kl > 0


def test_bits_of_powers_of_two_are_exact_in_javascript():
    assert call_maths([["crossEntropy", [1.0] + 7 * [0.0], 8 * [0.125], "bits"]]) == [3]


def test_rescaling_keeps_the_sum_and_the_proportions_of_the_others():
    pairs = hard_pairs()
    values = torch.rand(len(pairs), dtype=DOUBLE, generator=torch.Generator().manual_seed(1)).tolist()
    actual = call_maths([["rescale", p, 1, value] for (p, _), value in zip(pairs, values, strict=True)])
    for (p, _), value, new in zip(pairs, values, actual, strict=True):
        assert new[1] == value
        assert_agree(math.fsum(new), 1.0, 1e-15)
        if p[1] < 0.999:
            assert_agree(new[0], p[0] * (1 - value) / (1 - p[1]))


def test_what_a_certain_outcome_gives_up_is_shared_evenly():
    assert call_maths([["rescale", [0.0, 1.0, 0.0], 1, 0.5]]) == [[0.25, 0.5, 0.25]]


def test_a_contour_lies_where_the_divergence_has_its_level():
    p, direction = [0.6, 0.3, 0.1], [-1.0, 0.25, 0.75]
    for level in (0.1, 0.3, 1.0):
        ((t, ended),) = call_maths([["reach", p, direction, level]])
        assert not ended
        q = [a + t * d for a, d in zip(p, direction, strict=True)]
        assert call_maths([["klDivergence", p, q]])[0] == pytest.approx(level, rel=1e-4)


def test_a_contour_ends_with_the_simplex():
    # From one-hot, the divergence is -log q_0: outside there is nothing, along the edge it passes any level.
    assert call_maths([["reach", [1.0, 0.0, 0.0], [0.0, 1.0, -1.0], 1.0]]) == [[0, True]]
    ((t, ended),) = call_maths([["reach", [1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], 1.0]])
    assert not ended
    assert t == pytest.approx(1 - math.exp(-1), rel=1e-4)
    # From an edge nothing leads outwards, and inwards the level is passed.
    outwards, inwards = call_maths([["reach", [0.5, 0.5, 0.0], [d, d, -2 * d], 0.1] for d in (0.5, -0.5)])
    assert outwards == [0, True]
    assert inwards[0] == pytest.approx(1 - math.exp(-0.1), rel=1e-4)
    assert not inwards[1]


def test_starts_at_the_books_loss():
    lab = InformationLab()
    total = math.exp(2) + math.exp(0.5) + math.exp(0.1)
    assert lab.p == [1, 0, 0]
    assert_agree(lab.q, [math.exp(2) / total, math.exp(0.5) / total, math.exp(0.1) / total])
    assert (lab.entropy, lab.reverse_kl_divergence) == (0, math.inf)
    assert_agree(lab.cross_entropy, math.log(total) - 2)
    assert_agree(lab.kl_divergence, math.log(total) - 2)


def test_results_follow_the_state_in_either_unit():
    lab = InformationLab(p=[0.5, 0.25, 0.25], q=[0.25, 0.25, 0.5], unit="bits")
    assert (lab.entropy, lab.cross_entropy) == (1.5, 1.75)
    assert_agree(lab.kl_divergence, 0.25)
    assert_agree(lab.reverse_kl_divergence, 0.25)
    lab.unit = "nats"
    assert_agree(lab.cross_entropy, 1.75 * math.log(2))
    lab.q = [0.5, 0.5, 0.0]
    assert (lab.cross_entropy, lab.kl_divergence) == (math.inf, math.inf)
    assert_agree(lab.reverse_kl_divergence, 0.5 * math.log(2))


def test_what_does_not_sum_to_one_is_refused():
    lab = InformationLab()
    with pytest.raises(ValueError, match=r"p must sum to one, got 0\.9"):
        lab.p = [0.5, 0.3, 0.1]
    assert lab.p == [1, 0, 0]


def test_a_float32_row_is_mended():
    lab = InformationLab(q=torch.softmax(torch.tensor([2.0, 0.5, 0.1]), 0))
    assert abs(math.fsum(lab.q) - 1) < 1e-15
    lab.q = [0.7, 0.2, 0.1]
    assert lab.q == [0.7, 0.2, 0.1]


def test_an_unknown_unit_is_refused():
    with pytest.raises(ValueError, match="unit must be 'nats' or 'bits', got 'dits'"):
        InformationLab(unit="dits")


def test_p_and_q_speak_of_the_same_outcomes():
    with pytest.raises(ValueError, match=r"must hold \d numbers, as many as the other; got \d"):
        InformationLab(p=[0.5, 0.5])
    lab = InformationLab()
    with pytest.raises(ValueError, match="q must hold 3 numbers, as many as the other; got 2"):
        lab.q = [0.5, 0.5]
    assert len(lab.q) == 3


def test_the_number_of_outcomes_changes_for_both_at_once():
    lab = InformationLab()
    with lab.hold_trait_notifications():
        lab.p, lab.q = [0.5, 0.5], [0.25, 0.75]
    assert_agree(lab.cross_entropy, math.log(2) + 0.5 * math.log(4 / 3))
    with pytest.raises(OutcomesError), lab.hold_trait_notifications():
        lab.p = [1.0, 0.0, 0.0]
    assert lab.p == [0.5, 0.5]


def test_text_shows_the_table():
    assert InformationLab()._repr_mimebundle_()[0]["text/plain"].splitlines()[1:] == [
        "Cross-entropy 0.317 nats: entropy 0 and KL(P, Q) 0.317; the other way round KL(Q, P) ∞",
        "               P      Q  surprise under Q (nats)",
        "outcome 0  1.000  0.728                    0.317",
        "outcome 1      0  0.163                    1.817",
        "outcome 2      0  0.109                    2.217",
    ]
