"""The maths of chapter "information": against mpmath, torch and closed forms, and as properties."""

from itertools import permutations, product
from math import ceil, exp, inf, log, log2

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agreement import FLOATS, HARD_LOGITS, assert_close, distribution_rows
from crossentropy.information import cross_entropy, entropy, huffman_code, kl_divergence, perplexity, surprise
from crossentropy.softmax import softmax

DOUBLE = torch.float64
PAIRED = [cross_entropy, kl_divergence, perplexity]
RUNNING = softmax(torch.tensor([2.0, 0.5, 0.1], dtype=DOUBLE))


def entropy_of(p, _q, **kwargs):
    return entropy(p, **kwargs)


def double(values, **kwargs):
    return torch.tensor(values, dtype=DOUBLE, **kwargs)


@st.composite
def pairs(draw):
    """p and q with the same number of outcomes and one row each, some entries zero in either."""
    classes = draw(st.integers(1, 6))
    return draw(distribution_rows(classes))[:1], draw(distribution_rows(classes))[:1]


def exact_cross_entropy(p, q):
    with mpmath.workdps(50):
        if any(b == 0 < a for a, b in zip(p, q, strict=True)):
            return mpmath.inf
        return -mpmath.fsum(mpmath.mpf(a) * mpmath.log(b) for a, b in zip(p, q, strict=True) if a > 0)


def exact_divergence(p, q):
    """sum p log(p / q) - p + q of the doubles as they are stored, to fifty digits."""
    with mpmath.workdps(50):
        if any(b == 0 < a for a, b in zip(p, q, strict=True)):
            return mpmath.inf
        terms = [
            mpmath.mpf(a) * mpmath.log(mpmath.mpf(a) / b) - mpmath.mpf(a) + b if a > 0 else mpmath.mpf(b)
            for a, b in zip(p, q, strict=True)
        ]
        return mpmath.fsum(terms)


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [
        ([1.0, 0.0], [0.5, 0.5], log(2)),
        ([1.0], [1.0], 0.0),
        ([0.5, 0.5], [0.25, 0.75], (log(4) + log(4 / 3)) / 2),
        ([0.25] * 4, [0.25] * 4, log(4)),
        ([0.5, 0.5, 0.0], [0.5, 0.5, 0.0], log(2)),
        ([0.5, 0.5], [1.0, 0.0], inf),
        ([0.0, 1.0], [0.0, 1.0], 0.0),
    ],
)
def test_cross_entropy_agrees_with_algebra(p, q, expected):
    assert_close(cross_entropy(double(p), double(q)), expected)
    assert_close(perplexity(double(p), double(q)), exp(expected))


@pytest.mark.parametrize(
    ("p", "expected"),
    [([1.0, 0.0, 0.0], 0.0), ([0.2] * 5, log(5)), ([1.0], 0.0), ([0.5, 0.25, 0.25], 1.5 * log(2))],
)
def test_entropy_agrees_with_algebra(p, expected):
    assert_close(entropy(double(p)), expected)
    assert_close(perplexity(double(p)), exp(expected))


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [
        ([0.5, 0.5], [0.5, 0.5], 0.0),
        ([1.0, 0.0], [0.25, 0.75], log(4)),
        ([0.5, 0.5], [0.25, 0.75], log(2) / 2 + log(2 / 3) / 2),
        ([0.0, 1.0], [0.0, 1.0], 0.0),
        ([0.5, 0.5], [0.0, 1.0], inf),
        ([1.0], [1.0], 0.0),
    ],
)
def test_kl_divergence_agrees_with_algebra(p, q, expected):
    assert_close(kl_divergence(double(p), double(q)), expected)


@pytest.mark.parametrize(("p", "expected"), [(1.0, 0.0), (0.5, log(2)), (0.0, inf), (exp(-3), 3.0)])
def test_surprise_agrees_with_algebra(p, expected):
    assert_close(surprise(double(p)), expected)
    assert_close(surprise(double([[p]]), unit="bits"), expected / log(2))


def test_the_running_example_is_worth_what_the_chapter_says():
    total = exp(2) + exp(0.5) + exp(0.1)
    loss = log(total) - 2
    assert_close(surprise(RUNNING[0]), loss)
    assert_close(cross_entropy(double([1.0, 0.0, 0.0]), RUNNING), loss)
    assert_close(cross_entropy(double([1.0, 0.0, 0.0]), RUNNING, unit="bits"), loss / log(2))


def test_bits_of_powers_of_two_are_whole():
    eight = torch.full((8,), 1 / 8, dtype=DOUBLE)
    assert entropy(eight, unit="bits").item() == 3
    assert cross_entropy(double([1.0] + [0.0] * 7), eight, unit="bits").item() == 3
    bits = torch.arange(1000, dtype=DOUBLE)
    assert (surprise(2**-bits, unit="bits") == bits).all()


@pytest.mark.parametrize("first", HARD_LOGITS)
@pytest.mark.parametrize("second", HARD_LOGITS)
def test_hard_distributions_agree_with_fifty_digits(first, second):
    classes = max(len(first), len(second))
    p, q = (softmax(double(z + [-inf] * (classes - len(z)))) for z in (first, second))
    rows = p.tolist(), q.tolist()
    assert_close(cross_entropy(p, q), exact_cross_entropy(*rows))
    assert_close(entropy(p), exact_cross_entropy(rows[0], rows[0]))
    assert_close(kl_divergence(p, q), exact_divergence(*rows))
    assert_close(kl_divergence(p, q, unit="bits"), exact_divergence(*rows) / mpmath.log(2))


@given(pairs())
def test_random_distributions_agree_with_fifty_digits(pair):
    p, q = pair
    rows = p[0].tolist(), q[0].tolist()
    assert_close(cross_entropy(p, q), exact_cross_entropy(*rows))
    assert_close(kl_divergence(p, q), exact_divergence(*rows))


@given(pairs())
def test_a_better_code_cannot_save_the_entropy(pair):
    p, q = pair
    total, floor, excess = cross_entropy(p, q), entropy(p), kl_divergence(p, q)
    assert excess >= 0
    assert floor >= 0
    torch.testing.assert_close(total, floor + excess, rtol=1e-12, atol=1e-12)


@given(distribution_rows())
def test_entropy_lies_between_certainty_and_chance(p):
    assert (entropy(p) >= 0).all()
    assert (entropy(p) <= log(p.shape[-1]) + 1e-12).all()
    assert (kl_divergence(p, p) == 0).all()


@given(pairs())
def test_perplexity_does_not_depend_on_the_unit(pair):
    p, q = pair
    torch.testing.assert_close(perplexity(p, q), 2 ** cross_entropy(p, q, unit="bits"), rtol=1e-11, atol=0)
    assert (perplexity(p, q) >= 1).all()


@pytest.mark.parametrize("step", [10.0**-n for n in range(1, 16)])
@pytest.mark.parametrize("sign", [1, -1])
def test_neighbouring_distributions_keep_the_digits_of_their_divergence(step, sign):
    # Relative to the exact value, however small: the terms cannot cancel.
    q = RUNNING + sign * step * double([1.0, -1.0, 0.0]) * RUNNING[2]
    exact = exact_divergence(RUNNING.tolist(), q.tolist())
    assert exact > 0
    for unit, scale in (("nats", 1), ("bits", mpmath.log(2))):
        assert abs(kl_divergence(RUNNING, q, unit=unit).item() * scale / exact - 1) < 1e-12


def test_the_usual_sums_lose_what_ours_keeps():
    q = RUNNING + double([1e-15, -1e-15, 0.0])
    exact = exact_divergence(RUNNING.tolist(), q.tolist())
    textbook = (RUNNING * (RUNNING / q).log()).sum().item()
    in_torch = torch.nn.functional.kl_div(q.log(), RUNNING, reduction="sum").item()
    assert abs(textbook - exact) > 1e10 * exact
    assert in_torch < 0, "torch no longer returns a negative divergence: the chapter must be rewritten"
    assert abs(kl_divergence(RUNNING, q).item() - exact) < 1e-12 * exact


@pytest.mark.parametrize("ratio", [0.74999, 0.75, 0.750001, 1.249999, 1.25, 1.25001])
def test_the_series_meets_the_logarithm(ratio):
    p = double([0.5, 0.5])
    q = double([0.5 * ratio, 1 - 0.5 * ratio])
    exact = exact_divergence(p.tolist(), q.tolist())
    assert abs(kl_divergence(p, q).item() / exact - 1) < 1e-13


def test_rounding_of_a_stored_row_moves_the_divergence_only_in_second_order():
    miss = 5e-10
    p, q = double([0.5, 0.5]), double([0.25, 0.75])
    torch.testing.assert_close(kl_divergence(p * (1 + miss), q), kl_divergence(p, q), rtol=2 * miss, atol=0)
    assert kl_divergence(p * (1 + miss), p).item() == pytest.approx(miss**2 / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("p", "q"), [([5e-324, 1.0], [1.0, 5e-324]), ([1.0, 5e-324], [1.0, 1e-323]), ([1e-310, 1.0], [0.5, 0.5])]
)
def test_the_smallest_probabilities_neither_overflow_nor_turn_negative(p, q):
    assert_close(kl_divergence(double(p), double(q)), exact_divergence(p, q))
    assert_close(cross_entropy(double(p), double(q)), exact_cross_entropy(p, q))
    assert kl_divergence(double(p), double(q)) >= 0


@pytest.mark.parametrize("p", [[1.0], [1.0, 0.0], [0.0, 1.0, 0.0], [1.0 + 1e-10], [1.0 + 2.3e-16, 0.0]])
def test_nothing_is_a_positive_zero(p):
    for value in (entropy(double(p)), cross_entropy(double(p), double(p)), kl_divergence(double(p), double(p))):
        assert value.item() == 0
        assert not value.signbit()
    assert not surprise(double(1.0)).signbit()


def test_divergence_is_not_symmetric():
    p, q = double([0.9, 0.1]), double([0.5, 0.5])
    assert kl_divergence(p, q) != kl_divergence(q, p)


def test_torch_names_the_arguments_the_other_way_round():
    p, q = double([[0.7, 0.2, 0.1]]), double([[0.2, 0.5, 0.3]])
    assert_close(kl_divergence(p, q), torch.nn.functional.kl_div(q.log(), p, reduction="batchmean").item())


def test_a_smoothed_label_has_a_floor_that_is_not_zero():
    smoothed = double([0.9 + 0.1 / 5] + [0.1 / 5] * 4)
    floor = -(0.92 * log(0.92) + 4 * 0.02 * log(0.02))
    assert_close(entropy(smoothed), floor)
    logits = smoothed.log()
    in_torch = torch.nn.functional.cross_entropy(logits, torch.tensor(0), label_smoothing=0.1)
    assert_close(in_torch, floor)


@pytest.mark.parametrize("function", [cross_entropy, kl_divergence, perplexity, entropy_of])
@pytest.mark.parametrize("unit", ["nats", "bits"])
def test_gradients_are_right(function, unit):
    generator = torch.Generator().manual_seed(0)
    p, q = (softmax(torch.randn(3, 4, dtype=DOUBLE, generator=generator)).requires_grad_() for _ in "pq")
    kwargs = {} if function is perplexity else {"unit": unit}

    def free(a, b):
        return function(a, b, validate=False, **kwargs)

    if function is entropy_of:
        assert torch.autograd.gradcheck(lambda a: free(a, a), p)
        assert torch.autograd.gradgradcheck(lambda a: free(a, a), p)
    else:
        assert torch.autograd.gradcheck(free, (p, q))
        assert torch.autograd.gradgradcheck(free, (p, q))


def gradients(function, p, q):
    p, q = double(p, requires_grad=True), double(q, requires_grad=True)
    return [g.tolist() for g in torch.autograd.grad(function(p, q), (p, q), materialize_grads=True)]


def test_gradients_stay_finite_where_a_probability_is_zero():
    p, q = [0.5, 0.5, 0.0, 0.0], [0.25, 0.5, 0.25, 0.0]
    in_p, in_q = gradients(cross_entropy, p, q)
    assert in_p == pytest.approx([log(4), log(2), log(4), 0])
    assert in_q == pytest.approx([-2, -1, 0, 0])
    in_p, in_q = gradients(kl_divergence, p, q)
    assert in_p == pytest.approx([log(2), 0, 0, 0])
    assert in_q == pytest.approx([-1, 0, 1, 1])
    in_p, _ = gradients(entropy_of, p, q)
    assert in_p == pytest.approx([log(2) - 1, log(2) - 1, 0, 0])


def test_xlogy_has_no_gradient_there():
    p, q = double([0.0], requires_grad=True), double([0.0], requires_grad=True)
    in_torch = torch.autograd.grad(torch.special.xlogy(p, q).sum(), q)[0]
    assert in_torch.isnan().all(), "torch has mended xlogy: the comment in information.py must go"


@pytest.mark.parametrize("function", [cross_entropy, kl_divergence, perplexity, entropy_of])
def test_a_masked_class_gets_no_gradient_and_no_nan(function):
    z = double([1.0, -inf, 0.0], requires_grad=True)
    fixed = double([0.5, 0.2, 0.3])
    cases = [(softmax(z), fixed), (softmax(z), softmax(2 * z)), (double([0.5, 0.0, 0.5]), softmax(z))]
    for p, q in cases[:2] if function is entropy_of else cases:
        (gradient,) = torch.autograd.grad(function(p, q), z)
        assert gradient.isfinite().all()
        assert gradient[1] == 0


def test_divergence_and_cross_entropy_pull_the_logits_alike():
    p = double([[0.7, 0.2, 0.1]])
    z = double([[0.3, -1.0, 2.0]], requires_grad=True)
    by_divergence, by_cross_entropy = (
        torch.autograd.grad(f(p, softmax(z)).sum(), z)[0] for f in (kl_divergence, cross_entropy)
    )
    torch.testing.assert_close(by_divergence, softmax(z.detach()) - p, rtol=0, atol=1e-12)
    torch.testing.assert_close(by_divergence, by_cross_entropy, rtol=0, atol=1e-12)


@pytest.mark.parametrize("function", [cross_entropy, kl_divergence, perplexity, entropy_of])
def test_any_axis_and_any_batch(function):
    generator = torch.Generator().manual_seed(1)
    p, q = (softmax(torch.randn(2, 3, 4, dtype=DOUBLE, generator=generator)) for _ in "pq")
    expected = function(p, q)
    assert expected.shape == (2, 3)
    torch.testing.assert_close(function(p.movedim(-1, 0), q.movedim(-1, 0), dim=0), expected)
    torch.testing.assert_close(torch.vmap(lambda a, b: function(a, b, validate=False))(p, q), expected)


@pytest.mark.parametrize("function", PAIRED)
def test_distributions_are_broadcast_to_each_other(function):
    generator = torch.Generator().manual_seed(2)
    p = softmax(torch.randn(4, dtype=DOUBLE, generator=generator))
    q = softmax(torch.randn(3, 4, dtype=DOUBLE, generator=generator))
    torch.testing.assert_close(function(p, q), function(p.expand(3, 4), q))
    torch.testing.assert_close(function(q, p), function(q, p.expand(3, 4)))
    torch.testing.assert_close(function(q[:, None], q[None]), torch.stack([function(row, q) for row in q]))


@pytest.mark.parametrize("function", [*PAIRED, entropy_of])
@pytest.mark.parametrize("dtype", FLOATS)
def test_half_precision_is_rounded_once(function, dtype):
    p, q = double([[0.5, 0.25, 0.125, 0.125]]).to(dtype), double([[0.25, 0.25, 0.0625, 0.4375]]).to(dtype)
    result = function(p, q)
    assert result.dtype == dtype
    torch.testing.assert_close(result, function(p.double(), q.double()).to(dtype), rtol=torch.finfo(dtype).eps, atol=0)


def test_the_wider_dtype_wins():
    p = torch.tensor([0.5, 0.5])
    assert cross_entropy(p, p.double()).dtype == DOUBLE
    assert kl_divergence(p.half(), p.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize(
    ("p", "code"),
    [
        ([1.0], [""]),
        ([0.9, 0.1], ["0", "1"]),
        ([0.1, 0.9], ["0", "1"]),
        ([1.0, 0.0], ["0", "1"]),
        ([0.5, 0.25, 0.125, 0.125], ["0", "10", "110", "111"]),
        ([0.125, 0.5, 0.125, 0.25], ["110", "0", "111", "10"]),
        ([0.25] * 4, ["00", "01", "10", "11"]),
        ([0.2] * 5, ["110", "111", "00", "01", "10"]),
    ],
)
def test_huffman_code_agrees_with_the_hand_made_one(p, code):
    assert huffman_code(double(p)) == code


def test_a_code_made_of_halves_reaches_the_entropy():
    p = double([0.5, 0.25, 0.125, 0.125])
    assert expected_length(p, huffman_code(p)) == entropy(p, unit="bits").item() == 1.75


def expected_length(p, code):
    return sum(weight * len(word) for weight, word in zip(p.tolist(), code, strict=True))


@given(distribution_rows())
def test_huffman_words_are_prefix_free_and_within_a_bit_of_the_entropy(rows):
    for p in rows:
        code = huffman_code(p)
        assert all(set(word) <= {"0", "1"} for word in code)
        assert not any(b.startswith(a) for a, b in permutations(code, 2))
        floor = entropy(p, unit="bits").item()
        assert floor - 1e-9 <= expected_length(p, code) <= floor + 1 + 1e-9
        # Of two words the more probable outcome never has the longer one.
        assert all(
            len(a) <= len(b)
            for (x, a), (y, b) in permutations(zip(p.tolist(), code, strict=True), 2)
            if x > y * (1 + 1e-9)
        )


@given(distribution_rows(4))
def test_no_prefix_free_code_is_shorter(rows):
    # By Kraft's inequality a code with these lengths exists if and only if sum 2^-length <= 1.
    feasible = [lengths for lengths in product(range(1, 4), repeat=4) if sum(2.0**-n for n in lengths) <= 1]
    for p in rows:
        best = min(sum(w * n for w, n in zip(p.tolist(), lengths, strict=True)) for lengths in feasible)
        assert expected_length(p, huffman_code(p)) == pytest.approx(best, abs=1e-12)


def test_a_hundred_outcomes_get_words_of_two_lengths():
    code = huffman_code(torch.full((97,), 1 / 97, dtype=DOUBLE))
    assert {len(word) for word in code} == {ceil(log2(97)) - 1, ceil(log2(97))}


@pytest.mark.parametrize("function", PAIRED)
@pytest.mark.parametrize(
    ("p", "q", "error", "message"),
    [
        ([0.5, 0.5], torch.tensor([0.5, 0.5]), TypeError, "p must be a torch.Tensor, got list"),
        (torch.tensor([0.5, 0.5]), torch.tensor([0, 1]), TypeError, "q must be float16, .* got torch.int64"),
        (torch.tensor([0.5, 0.4]), torch.tensor([0.5, 0.5]), ValueError, r"p must be a distribution, summing to one"),
        (torch.tensor([0.5, 0.5]), torch.tensor([[0.5, 0.5], [1.5, -0.5]]), ValueError, r"q\[1, 1\] is -0.5"),
        (torch.tensor([0.5, 0.5]), torch.tensor([1.0]), ValueError, "q must have the 2 outcomes of p.*got 1"),
        (torch.full((2, 2), 0.5), torch.full((3, 2), 0.5), ValueError, r"q must be broadcastable.*got \(3, 2\)"),
        (torch.zeros(0, 2), torch.tensor([0.5, 0.5]), ValueError, "p must not be empty"),
        (torch.tensor([torch.nan, 1.0]), torch.tensor([0.5, 0.5]), ValueError, r"p\[0\] is nan"),
    ],
)
def test_a_bad_pair_is_named(function, p, q, error, message):
    with pytest.raises(error, match=message):
        function(p, q)


def test_an_axis_counted_from_the_front_must_be_the_same_in_both():
    with pytest.raises(ValueError, match=r"dim must be negative where .*got 0 for shapes \(2,\) and \(2, 2\)"):
        cross_entropy(torch.tensor([0.5, 0.5]), torch.full((2, 2), 0.5), dim=0)


@pytest.mark.parametrize("function", [entropy, perplexity, huffman_code])
def test_a_bad_distribution_is_named(function):
    with pytest.raises(TypeError, match=r"p must be a torch.Tensor, got list"):
        function([1.0])
    with pytest.raises(ValueError, match=r"p must be a distribution, summing to one.*sums to 1.5"):
        function(torch.tensor([0.5, 1.0]))


def test_half_precision_may_miss_one_by_a_thousandth():
    p = torch.tensor([0.3333, 0.3333, 0.3333], dtype=torch.float16)
    assert perplexity(p).item() == pytest.approx(3, abs=0.01)


def test_a_code_is_made_for_one_distribution_only():
    with pytest.raises(ValueError, match=r"p must be one distribution of shape \(K,\), got \(1, 2\)"):
        huffman_code(torch.tensor([[0.5, 0.5]]))


@pytest.mark.parametrize(
    ("p", "error", "message"),
    [
        (0.5, TypeError, "p must be a torch.Tensor, got float"),
        (torch.tensor([0.5, 1.5]), ValueError, r"p must lie in \[0, 1\]; p\[1\] is 1.5"),
        (torch.tensor(torch.nan), ValueError, "p is nan"),
        (torch.zeros(0), ValueError, "p must not be empty"),
    ],
)
def test_a_bad_probability_is_named(p, error, message):
    with pytest.raises(error, match=message):
        surprise(p)


@pytest.mark.parametrize("function", [surprise, entropy])
def test_a_unit_that_is_not_known_is_named(function):
    with pytest.raises(ValueError, match="unit must be 'nats' or 'bits', got 'dits'"):
        function(torch.tensor([1.0]), unit="dits")
    with pytest.raises(ValueError, match="unit must be"):
        kl_divergence(torch.tensor([1.0]), torch.tensor([1.0]), unit="dits")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("classes", [2, 3, 255])
def test_what_softmax_gives_is_taken_for_a_distribution(dtype, classes):
    generator = torch.Generator().manual_seed(classes)
    for scale in (0.0, 1.0, 10.0):
        p = softmax((scale * torch.randn(20, classes, generator=generator)).to(dtype))
        assert (entropy(p) >= 0).all()
        assert (kl_divergence(p, p.roll(1, 0)) >= 0).all()


@pytest.mark.parametrize("row", [[0.5, 0.50390625], [0.25, 0.25, 0.5078125], [0.996, 0.0], [0.3, 0.6], [1.0, 0.01]])
def test_bfloat16_rounding_excuses_no_more_than_it_does(row):
    with pytest.raises(ValueError, match="must be a distribution"):
        entropy(torch.tensor(row, dtype=torch.bfloat16))
