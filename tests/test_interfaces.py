import math
from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from agreement import FLOATS, assert_close, logit_rows
from cases.interfaces import CASES
from crossentropy import interfaces
from crossentropy.interfaces import Finding, comparison_table, diagnose, routes, trapped_range

LOGITS = torch.tensor([[2.0, 0.5, 0.1], [0.1, 2.5, 0.3]], dtype=torch.float64)
TARGET = torch.tensor([0, 1])
LOSSES = ["cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"]
OPTIONS = {
    "cross_entropy": ["weight", "ignore_index", "reduction", "label_smoothing"],
    "nll_loss": ["weight", "ignore_index", "reduction"],
    "binary_cross_entropy": ["weight", "reduction"],
    "binary_cross_entropy_with_logits": ["weight", "reduction"],
    "kl_div": ["reduction"],
}
ALIKE = {
    "fake": object(),
    "text": "0.1",
    "none": None,
    "numbers": [1, 2],
    "array": np.zeros((2, 3)),
    "class": torch.nn.Linear,
}


def codes(*args, **options):
    return [finding.code for finding in diagnose(*args, **options)]


def torch_says(logits, target, loss="cross_entropy", **options):
    """What PyTorch does with the call: "raises", "nan", "infinite" or nothing; None where it has no such argument."""
    known = {name: value for name, value in options.items() if name in OPTIONS[loss]}
    try:
        value = getattr(F, loss)(logits, target, **known)
    except Exception:
        return "raises"
    if value.is_meta:
        return ""
    return "nan" if value.isnan().any() else "infinite" if value.isinf().any() else ""


# --- the routes -------------------------------------------------------------------------------------------------


def test_every_route_gives_the_same_loss():
    exact = (math.log(math.exp(2) + math.exp(0.5) + math.exp(0.1)) - 2) / 2
    exact += (math.log(math.exp(0.1) + math.exp(2.5) + math.exp(0.3)) - 2.5) / 2
    assert len(routes(LOGITS, TARGET)) == len(comparison_table(LOGITS, TARGET)) == 7
    for loss in routes(LOGITS, TARGET).values():
        assert_close(loss, exact)


@given(logit_rows(bound=30), st.data())
def test_the_routes_agree_on_any_batch(logits, data):
    rows, classes = logits.shape
    target = torch.tensor(data.draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)))
    by_hand = routes(logits, target)["by hand"]
    for loss in routes(logits, target).values():
        assert_close(loss, by_hand.item(), 1e-11)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_the_routes_take_any_leading_shape_and_dtype(dtype, shape):
    logits = torch.zeros(*shape, 5, dtype=dtype)
    for loss in routes(logits, torch.full(shape, 2, dtype=torch.int32)).values():
        assert loss.dtype == dtype
        assert loss.item() == pytest.approx(math.log(5), rel=1e-2 if dtype.itemsize < 4 else 1e-6)


def test_every_route_pushes_the_logits_alike():
    exact = torch.softmax(LOGITS, -1) - F.one_hot(TARGET, 3)
    for row in comparison_table(z := LOGITS.clone().requires_grad_(), TARGET):
        (gradient,) = torch.autograd.grad(row.loss, z, retain_graph=True)
        assert_close(gradient, (exact / 2).flatten().tolist())


@pytest.mark.parametrize(
    ("logits", "target", "error", "message"),
    [
        (LOGITS.long(), TARGET, TypeError, "logits must be float"),
        (LOGITS, TARGET.double(), TypeError, "target must hold integer class indices"),
        (LOGITS, torch.tensor([0, 3]), ValueError, r"target must be a class in \[0, 2\]"),
        (LOGITS, torch.tensor([0]), ValueError, r"target must have shape \(2,\)"),
        (LOGITS * float("nan"), TARGET, ValueError, "logits must be finite"),
    ],
)
def test_the_routes_refuse_what_is_no_batch(logits, target, error, message):
    with pytest.raises(error, match=message):
        routes(logits, target)


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_the_trapped_range_is_reached_and_never_left(classes):
    least, most = trapped_range(classes)
    certain = F.one_hot(torch.tensor([0]), classes).double()
    assert_close(F.cross_entropy(certain, torch.tensor([0])), least)
    assert_close(F.cross_entropy(certain, torch.tensor([1])), most)
    logits = 5 * torch.randn(200, classes, generator=torch.Generator().manual_seed(classes), dtype=torch.float64)
    losses = F.cross_entropy(logits.softmax(-1), torch.zeros(200, dtype=torch.long), reduction="none")
    assert least <= losses.min()
    assert losses.max() <= most


def test_one_class_is_trapped_at_zero_and_none_has_no_range():
    assert trapped_range(1) == (0.0, 1.0)
    with pytest.raises(ValueError, match="num_classes must be at least 1, got 0"):
        trapped_range(0)


# --- the linter on people's calls ------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.source}: {case.story}")
def test_a_call_out_of_a_thread_gets_its_name_and_a_correct_one_none(case):
    assert " ".join(codes(case.logits, case.target, **case.options)) == case.codes


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.source}: {case.story}")
@pytest.mark.filterwarnings("ignore")
def test_what_torch_refuses_or_answers_with_nan_is_never_passed_over(case):
    options = dict(case.options)
    if options.get("loss", "cross_entropy") not in LOSSES:
        return
    said = torch_says(case.logits, case.target, **options)
    if said:
        assert case.codes, said
        assert not {"torch-raises", "nan-loss", "infinite-loss", "unreadable"} & set(case.codes.split())


def test_the_cases_are_many_and_a_third_of_them_correct():
    correct = sum(not case.codes for case in CASES)
    assert len(CASES) >= 150
    assert correct >= len(CASES) / 3
    assert len({case.source for case in CASES if "#" in case.source}) >= 80


def test_every_fault_in_the_catalogue_has_a_case():
    seen = Counter(code for case in CASES for code in case.codes.split())
    resorts = {"unreadable", "torch-raises", "nan-loss", "infinite-loss", "negative-loss"}
    assert {key.partition(":")[0] for key in interfaces._TEXTS} - resorts <= set(seen)


def test_a_finding_shows_numbers_and_a_line_of_code():
    (finding,) = diagnose(LOGITS.softmax(-1), TARGET)
    assert finding.code == "softmax-before-loss"
    assert "[0.551, 1.551]" in finding.message
    assert finding.remedy.startswith("loss = F.cross_entropy(logits, target)")
    assert str(finding).startswith("softmax-before-loss: the input")
    with pytest.raises(AttributeError, match="cannot assign"):
        finding.code = "other"


def test_no_message_leaves_a_field_unfilled():
    for case in CASES:
        for finding in diagnose(case.logits, case.target, **case.options):
            assert isinstance(finding, Finding)
            assert finding.code == "not-a-tensor" or "{" not in finding.message + finding.remedy


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_log_softmax_fed_to_cross_entropy_changes_nothing_and_is_called_harmless(classes):
    logits = torch.randn(4, classes, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    target = torch.arange(4) % classes
    once, twice = F.cross_entropy(logits, target), F.cross_entropy(logits.log_softmax(-1), target)
    assert_close(twice, once.item())
    (wanted,) = torch.autograd.grad(once, logits)
    (got,) = torch.autograd.grad(twice, logits)
    assert_close(got, wanted.flatten().tolist())
    assert codes(logits.log_softmax(-1), target) == ["log-softmax-before-loss"]


# --- the linter on anything -------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("thing", ALIKE.values(), ids=ALIKE.keys())
def test_whatever_is_passed_nothing_is_raised(loss, thing):
    good = torch.full((2, 3), 1 / 3)
    for arguments in ((thing, good), (good, thing), (thing, thing)):
        assert codes(*arguments, loss=loss) == ["not-a-tensor"]
    if thing is not None:
        assert codes(good, good, weight=thing, loss=loss) == ["not-a-tensor"]
        assert "unknown-reduction" in codes(good, good, reduction=thing, loss=loss)
        assert "unknown-loss" in codes(good, good, loss=thing)
    assert "label-smoothing-type" in codes(good, good, label_smoothing=thing, loss=loss)
    assert "ignore-index-type" in codes(good, good, ignore_index=thing, loss=loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_looks_first_at_what_it_was_given(loss):
    good = torch.full((4, 3), 1 / 3)
    binary = loss.startswith("binary")
    assert codes(good.to_sparse(), good, loss=loss) == ["unsupported-layout"]
    assert codes(good, good.to("meta"), loss=loss) == ["device-mismatch"]
    assert codes(torch.arange(4), good, loss=loss) == ["logits-not-float"]
    assert codes((good > 0).int(), good, loss=loss) == ["logits-not-float"]
    empty = good[:0] if binary or loss == "kl_div" else torch.zeros(0, dtype=torch.long)
    assert codes(good[:0], empty, loss=loss) == ["empty-batch"]
    assert ("unsupported-option" in codes(good, good, loss=loss, ignore_index=255)) == (binary or loss == "kl_div")
    assert ("unsupported-option" in codes(good, good, loss=loss, label_smoothing=0.1)) == (loss != "cross_entropy")


@pytest.mark.filterwarnings("ignore")
def test_odd_tensors_are_named_not_tripped_over():
    logits, target = torch.zeros(4, 3), torch.zeros(4, dtype=torch.long)
    quantised = torch.quantize_per_tensor(torch.randn(4, 3), 0.1, 0, torch.qint8)
    assert codes(quantised, target) == ["unsupported-layout"]
    assert codes(logits.to_sparse(), target) == ["unsupported-layout"]
    assert codes(torch.nested.nested_tensor([torch.zeros(2, 3), torch.zeros(1, 3)]), target) == ["unsupported-layout"]
    assert codes(logits.to("meta"), target.to("meta")) == []
    assert codes(logits.to("meta"), target[:2].to("meta")) == ["target-shape"]
    assert codes(logits, target, weight=torch.ones(3, device="meta")) == ["device-mismatch"]
    vmapped = []
    torch.func.vmap(lambda z: vmapped.append(codes(z, torch.tensor(0))) or z)(logits)
    assert vmapped == [["unreadable"]]


def test_a_repr_that_raises_is_survived():
    class Sulky:
        def __repr__(self):
            raise RuntimeError("no")

    assert codes(Sulky(), torch.tensor([0])) == ["not-a-tensor"]
    good = (torch.zeros(1, 2), torch.tensor([0]))
    assert codes(*good, loss=Sulky()) == ["unknown-loss"]
    options = codes(*good, reduction=Sulky(), label_smoothing=Sulky())
    assert options == ["unknown-reduction", "label-smoothing-type"]


@pytest.mark.parametrize(
    ("loss", "meant"),
    [
        ("CrossEntropyLoss", "cross_entropy"),
        (torch.nn.NLLLoss(), "nll_loss"),
        ("BCELoss", "binary_cross_entropy"),
        (torch.nn.BCEWithLogitsLoss(), "binary_cross_entropy_with_logits"),
        ("KLDivLoss", "kl_div"),
        ("hinge", "cross_entropy"),
    ],
)
def test_another_name_of_a_loss_is_led_to_ours(loss, meant):
    (finding,) = diagnose(torch.zeros(1, 2), torch.tensor([0]), loss=loss)
    assert finding.code == "unknown-loss"
    assert f'loss="{meant}"' in finding.remedy


def test_a_huge_batch_is_judged_by_its_first_samples():
    logits = torch.tensor([[0.25, 0.75]]).expand(2**40, 2)
    assert codes(logits, torch.tensor([1]).expand(2**40)) == ["softmax-before-loss"]
    assert codes(torch.zeros(1).expand(3, 2**40), torch.tensor([1, 2, 3])) == []
    assert codes(torch.zeros(2, 3), torch.tensor([1.0]).expand(2**40)) == ["target-shape"]
    skipped = torch.tensor([0, 1, 2, 0, 1]).repeat(2**22)
    found = codes(torch.tensor([[2.0, -1.0, 0.0]]).expand(len(skipped), 3), skipped, ignore_index=0)
    assert found == ["ignore-index-hides-class"]


def test_nothing_that_is_passed_is_changed():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    before, target = logits.clone(), torch.tensor([0, 1, 2, -100])
    diagnose(logits, target)
    assert torch.equal(before, logits)
    assert target.tolist() == [0, 1, 2, -100]
    assert logits.grad is None


DTYPES = [torch.float32] * 4 + [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32]
DTYPES += [torch.uint8, torch.bool, torch.complex64]
KINDS = ["randn", "rand", "whole", "zeros", "softmax", "log_softmax", "one_hot", "nan", "inf", "-inf"]


@st.composite
def tensors(draw, shape):
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    value, kind = torch.randn(shape, generator=generator), draw(st.sampled_from(KINDS))
    if kind == "rand":
        value = torch.rand(shape, generator=generator)
    elif kind == "whole":
        value = torch.randint(-1, 5, shape, generator=generator).float()
    elif kind == "zeros":
        value = torch.zeros(shape)
    elif kind in ("softmax", "log_softmax") and shape:
        value = getattr(value, kind)(draw(st.integers(0, len(shape) - 1)))
    elif kind == "one_hot":
        value = (value > 0).float()
    elif kind in ("nan", "inf", "-inf") and value.numel():
        value.view(-1)[0] = float(kind)
    return value.to(draw(st.sampled_from(DTYPES)))


@st.composite
def calls(draw):
    shape = draw(st.lists(st.integers(0, 4), max_size=4).filter(lambda s: draw(st.booleans()) or 0 not in s))
    others = [shape, shape[:1] + shape[2:], draw(st.lists(st.integers(0, 4), max_size=4))]
    loss = draw(st.sampled_from(LOSSES))
    options = {
        "weight": draw(st.one_of(st.none(), tensors(draw(st.sampled_from([*others, shape[1:2]]))))),
        "ignore_index": draw(st.sampled_from([-100, -100, -1, 0, 255])),
        "reduction": draw(st.sampled_from(["mean", "mean", "sum", "none", "batchmean"])),
        "label_smoothing": draw(st.sampled_from([0.0, 0.0, 0.1, 1, -0.5, 2.0])),
    }
    known = {name: options[name] for name in OPTIONS[loss]}
    return draw(tensors(shape)), draw(tensors(draw(st.sampled_from(others)))), loss, known


@given(calls())
@settings(max_examples=600, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_whatever_torch_refuses_has_a_finding_and_no_check_fails(call):
    logits, target, loss, options = call
    found = codes(logits, target, loss=loss, **options)
    assert "unreadable" not in found
    if torch_says(logits, target, loss, **options) in ("raises", "nan", "infinite"):
        assert found


@st.composite
def correct_calls(draw):
    """Logits of a standard normal and what fits them, each loss in its turn."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    shape = draw(st.sampled_from([(3,), (4, 2), (1, 5), (8, 3), (2, 4, 6), (3, 4, 4), (2, 3, 4, 5), (16, 100)]))
    axis = min(1, len(shape) - 1)
    dtype = draw(st.sampled_from(FLOATS))
    scale = draw(st.sampled_from([0.1, 1.0, 10.0]))
    logits = (scale * torch.randn(shape, generator=generator)).to(dtype)
    soft = torch.randn(shape, generator=generator).softmax(axis).to(dtype)
    index = torch.randint(shape[axis], shape[:axis] + shape[axis + 1 :], generator=generator)
    binary = torch.randint(2, shape, generator=generator).to(dtype)
    return draw(
        st.sampled_from(
            [
                (logits, index, "cross_entropy", {}),
                (logits, index, "cross_entropy", {"label_smoothing": 0.1}),
                (logits, soft, "cross_entropy", {}),
                (logits.log_softmax(axis), index, "nll_loss", {}),
                (logits.sigmoid().clamp(0.01, 0.99), binary, "binary_cross_entropy", {}),
                (logits, binary, "binary_cross_entropy_with_logits", {}),
                (logits.log_softmax(axis), soft, "kl_div", {"reduction": "batchmean"}),
            ]
        )
    )


@given(correct_calls())
@settings(max_examples=400, deadline=None, derandomize=True)
def test_a_correct_call_is_passed_in_silence(call):
    logits, target, loss, options = call
    assert codes(logits, target, loss=loss, **options) == []
