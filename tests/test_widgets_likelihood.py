"""LikelihoodLab's Python face, and the JavaScript maths and data of its topic against torch."""

import json
import math
import warnings

import pytest
import torch

from crossentropy.datasets import load_wine
from crossentropy.likelihood import SoftmaxRegression, cost, likelihood
from crossentropy.widgets import LikelihoodLab
from javascript import WIDGETS, assert_agree, call_maths, node

DOUBLE = torch.float64
ORDER = 71 * torch.arange(178) % 178
OVERLAP_FROM = 48
LARGEST = 12


@pytest.fixture(scope="module")
def wine():
    data = load_wine()
    return data.x[ORDER], data.y[ORDER]


def fit(x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SoftmaxRegression().fit(x, y)


def newton_path(x, y, largest, counts=None):
    (path,) = call_maths([["newtonPath", x.tolist(), y.tolist(), counts or [1] * len(y), 3, largest]])
    return torch.tensor(path, dtype=DOUBLE)


def test_the_bottles_in_the_bundle_are_those_of_the_package(wine):
    module = json.dumps((WIDGETS / "js" / "wine.js").as_uri())
    code = f"import {{ loadWine }} from {module}; console.log(JSON.stringify(loadWine()))"
    shown, data = json.loads(node("--input-type=module", "-e", code)), load_wine()
    assert_agree(shown["x"], data.x.tolist(), 1e-13)
    assert shown["y"] == data.y.tolist()


def test_each_bottle_comes_once_and_every_grower_early(wine):
    assert sorted(ORDER.tolist()) == list(range(178))
    assert wine[1][:3].tolist() == [0, 1, 2]


def test_scores_agree_with_torch():
    generator = torch.Generator().manual_seed(0)
    calls, exact = [], []
    for _ in range(1000):
        features, classes = (int(torch.randint(1, 6, (), generator=generator)) for _ in range(2))
        scale = 10 ** (6 * torch.rand((), generator=generator, dtype=DOUBLE) - 3)
        x, bias = (torch.randn(n, generator=generator, dtype=DOUBLE) for n in (features, classes))
        weight = scale * torch.randn(features, classes, generator=generator, dtype=DOUBLE)
        calls.append(["affine", x.tolist(), weight.flatten().tolist(), bias.tolist()])
        exact.append((x @ weight + bias).tolist())
    assert_agree(call_maths(calls), exact)


def test_products_are_those_of_the_dtype():
    generator = torch.Generator().manual_seed(1)
    rows = [[0.1], [0.7], [1.0], [0.0, 0.5], [2.0**-149, 0.7]]
    rows += [torch.rand(7, generator=generator, dtype=DOUBLE).tolist() for _ in range(200)]
    found = call_maths([["product", row, 400, single] for row in rows for single in (True, False)])
    for row, single, double in zip(rows, found[::2], found[1::2], strict=True):
        for dtype, value in ((torch.float32, single), (DOUBLE, double)):
            exact = torch.ones((), dtype=dtype)
            for i in range(400):
                exact = exact * torch.tensor(row[i % len(row)], dtype=dtype)
            assert value == exact.item()


def test_products_end_where_the_chapter_says():
    calls = [["product", [p], n, single] for p, n, single in ((0.1, 45, True), (0.1, 46, True), (0.1, 323, False), (0.1, 324, False), (0.7, 1000, True))]  # fmt: skip
    values = call_maths(calls)
    assert [v > 0 for v in values] == [True, False, True, False, True]
    assert values[4] == 2.0**-149


@pytest.mark.parametrize("samples", [OVERLAP_FROM, 57, 100, 178])
def test_the_fit_finds_the_best_weights(samples, wine):
    x, y = wine[0][:samples], wine[1][:samples]
    best, path = fit(x, y), newton_path(x, y, 100.0)
    assert best.converged_
    assert_agree(path[-1][:6].tolist(), best.weight_.flatten().tolist(), 1e-6)
    assert_agree(path[-1][6:].tolist(), best.bias_.tolist(), 1e-6)
    costs = [cost(x @ theta[:6].reshape(2, 3) + theta[6:], y).item() for theta in path]
    assert costs[0] == pytest.approx(math.log(3))
    assert costs == sorted(costs, reverse=True)
    assert_agree(costs[-1], best.cost_)
    # Below what would stop a fit that runs away.
    assert path.abs().max() < LARGEST


def test_the_fit_counts_bottles_that_come_again(wine):
    x, y = wine
    counts = [2 if i < 60 else 1 for i in range(178)]
    again = torch.arange(178 + 60) % 178
    assert_agree(
        newton_path(x, y, 100.0, counts)[-1][:6].tolist(), fit(x[again], y[again]).weight_.flatten().tolist(), 1e-6
    )


def test_the_linear_programme_says_from_where_on_the_bottles_overlap(wine):
    x, y = wine
    assert f"const OVERLAP_FROM = {OVERLAP_FROM};" in (WIDGETS / "js" / "likelihood.js").read_text()
    assert f"const LARGEST = {LARGEST};" in (WIDGETS / "js" / "likelihood.js").read_text()
    assert fit(x[: OVERLAP_FROM - 1], y[: OVERLAP_FROM - 1]).separable_
    assert not fit(x[:OVERLAP_FROM], y[:OVERLAP_FROM]).separable_


@pytest.mark.parametrize("samples", [1, 2, 3, 10, 30, OVERLAP_FROM - 1])
def test_a_fit_of_separable_bottles_does_not_run_away(samples, wine):
    x, y = wine[0][:samples], wine[1][:samples]
    path = newton_path(x, y, float(LARGEST))
    assert len(path) > 1
    assert path.abs().max() <= LARGEST
    theta = path[-1]
    # Near enough to the infimum to predict; with fewer than three growers among the bottles that is 0.
    infimum = fit(x, y).infimum_ if samples > 2 else 0.0
    assert infimum < cost(x @ theta[:6].reshape(2, 3) + theta[6:], y).item() < infimum + 0.1


def test_regions_are_where_a_class_has_the_largest_score():
    generator = torch.Generator().manual_seed(2)
    box = [[-3.0, -3.0], [3.0, -3.0], [3.0, 3.0], [-3.0, 3.0]]
    weights = torch.randn(200, 2, 3, generator=generator, dtype=DOUBLE)
    biases = torch.randn(200, 3, generator=generator, dtype=DOUBLE)
    calls = [
        ["region", w.flatten().tolist(), b.tolist(), k, box]
        for w, b in zip(weights, biases, strict=True)
        for k in range(3)
    ]
    shapes = call_maths(calls)
    for (_, w, b, k, _), corners in zip(calls, shapes, strict=True):
        for corner in corners:
            z = torch.tensor(corner, dtype=DOUBLE) @ torch.tensor(w, dtype=DOUBLE).reshape(2, 3) + torch.tensor(
                b, dtype=DOUBLE
            )
            assert z[k] >= z.max() - 1e-9
    areas = [area(corners) for corners in shapes]
    assert_agree([sum(areas[i : i + 3]) for i in range(0, 600, 3)], [36.0] * 200)


def area(corners):
    return sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(corners, corners[1:] + corners[:1], strict=True)) / 2


def test_of_classes_that_tie_everywhere_the_first_has_it_all():
    box = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    assert call_maths([["region", [0.0] * 6, [0.0] * 3, k, box] for k in range(3)]) == [box, [], []]


def test_starts_near_the_growers_means(wine):
    lab = LikelihoodLab()
    means = torch.stack([wine[0][wine[1] == k].mean(0) for k in range(3)])
    assert_agree(lab.weight, means.T.flatten().tolist(), 0.06)
    assert_agree(lab.bias, (-means.square().sum(1) / 2).tolist(), 0.06)
    assert lab.samples == 178


@pytest.mark.parametrize("samples", [1, 48, 178, 179, 1000])
def test_results_are_the_packages(samples, wine):
    lab = LikelihoodLab(samples=samples)
    rows = torch.arange(samples) % 178
    logits = wine[0][rows] @ torch.tensor(lab.weight, dtype=DOUBLE).reshape(2, 3) + torch.tensor(lab.bias, dtype=DOUBLE)
    y = wine[1][rows]
    assert len(lab.sample_probability) == min(samples, 178)
    assert lab.likelihood_float64 == pytest.approx(likelihood(logits, y).item(), rel=1e-12, abs=0)
    assert lab.likelihood_float32 == pytest.approx(likelihood(logits.float(), y).item(), rel=1e-4)
    assert_agree(lab.log_likelihood, math.log(lab.likelihood_float64))
    assert_agree(lab.cost, -lab.log_likelihood / samples)


def test_with_more_samples_the_product_is_lost_and_its_logarithm_is_not():
    lab = LikelihoodLab(weight=[0.0] * 6, bias=[0.0] * 3)
    for samples, single, double in ((94, True, True), (95, False, True), (678, False, True), (679, False, False)):
        lab.samples = samples
        assert (lab.likelihood_float32 > 0, lab.likelihood_float64 > 0) == (single, double), samples
        assert_agree(lab.log_likelihood, -samples * math.log(3))
        assert_agree(lab.cost, math.log(3))


def test_samples_are_whole_and_within_their_bounds():
    for samples in (0, 5001):
        with pytest.raises(ValueError, match=rf"samples must lie in \[1, 5000\], got {samples}"):
            LikelihoodLab(samples=samples)
    with pytest.raises(TypeError, match="samples must be an int, got float"):
        LikelihoodLab(samples=1.5)


def test_text_shows_the_table():
    assert LikelihoodLab()._repr_mimebundle_()[0]["text/plain"].splitlines() == [
        "LikelihoodLab(weight=[0.9, -0.9, 0.2, 1.0, 0.1, -1.3], bias=[-0.9, -0.4, -0.8], samples=178)",
        "The softmax model of 178 bottles of wine: likelihood 3.58 × 10⁻²⁹ in float32 and 3.58 × 10⁻²⁹ in float64, "
        "log-likelihood −65.500 nats, cost 0.368 nats a bottle",
        "                      grower 0  grower 1  grower 2",
        "   weight of alcohol     0.900    −0.900     0.200",
        "weight of flavanoids     1.000     0.100    −1.300",
        "                bias    −0.900    −0.400    −0.800",
    ]
