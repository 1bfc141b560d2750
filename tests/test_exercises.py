"""The exercises: right solutions pass however they are written, wrong ones fail and are understood; and the book holds them."""

import json
import pickle
import re
import threading
import time
import warnings
from collections import deque
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from cases.exercises import RIGHT, WRONG
from crossentropy import exercises
from crossentropy.exercises import Outcome, Problem, check, load, names, read, run
from crossentropy.exercises.data import FOLDER, catalogue
from notebooks import ROOT, Book, Prose

PROMISED_NAMES = [
    "logsumexp",
    "softmax",
    "log_softmax",
    "cost",
    "logit_gradient",
    "entropy",
    "cross_entropy",
    "kl_divergence",
    "sigmoid",
    "binary_cross_entropy_with_logits",
    "perplexity",
]
PROMISED_CODES = [
    "unshifted-exponential",
    "wrong-axis",
    "log-base-2",
    "missing-minus",
    "sum-for-mean",
    "missing-batch-mean",
    "probabilities-as-logits",
    "softmax-twice",
    "gradient-sign",
    "target-not-one-hot",
    "zero-log-zero",
    "kl-swapped",
    "entropy-for-cross-entropy",
    "epsilon-in-log",
    "softmax-of-minus-z",
    "mean-of-exponentials",
    "missing-log",
    "not-normalised",
    "hard-coded",
    "detached",
    "input-modified",
]
# What a wrong solution may also be blamed for, since it is true of it: without care for zeros, log 0 is infinite.
ALSO_TRUE = {"zero-log-zero", "unshifted-exponential"}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Nobody's own progress is touched."""
    monkeypatch.setenv("CROSSENTROPY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_promised_exercises_and_misconceptions_are_there():
    assert set(PROMISED_NAMES) <= set(names())
    proved = {code for _, codes, _ in WRONG for code in codes.split()}
    assert set(PROMISED_CODES) <= proved
    assert len(proved) >= 40


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_solution_is_accepted_however_it_is_written(name):
    for place, function in enumerate(RIGHT[name]):
        result = check(name, function)
        assert result.passed, f"{place}: {result!r}"
        assert result.misconceptions == ()


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_solution_may_work_in_single_precision(name):
    exercise = load(name)
    calls = [*exercise.calls(), *exercise.calls(seed=5)]
    for place, function in enumerate(RIGHT[name]):
        # torch's own distributions keep probabilities away from 0 by single precision's epsilon: a bound in the logarithm.
        if (name, place) == ("entropy", 5):
            continue

        def single(*given, function=function):
            result = function(*(value.float() if value.is_floating_point() else value for value in given))
            # A number of Python's has double precision, whatever it was made of.
            return torch.as_tensor(result).float()

        def rounded(*given, function=function):
            return torch.as_tensor(function(*given)).float()

        for way in (single, rounded):
            verdict = exercise.judge(calls, run(way, calls))
            assert {failure.property for failure in verdict.failures} <= {"gradient"}, f"{place}: {verdict.failures}"


ALMOST = {
    "softmax": [lambda e: e + 1e-6, lambda e: e + 1e-8, lambda e: e.clamp(min=1e-7)],
    "sigmoid": [lambda z: z.clamp(-17, 17), lambda z: z.clamp(min=-25)],
    "entropy": [lambda p: p + 1e-7, lambda p: p + 1e-12],
    "kl_divergence": [lambda p: p + 1e-7, lambda p: p + 1e-12],
}
WITH = {
    "softmax": lambda near, z: (e := near((z - z.amax(-1, keepdim=True)).exp())) / e.sum(-1, keepdim=True),
    "sigmoid": lambda near, z: 1 / (1 + (-near(z)).exp()),
    "entropy": lambda near, p: -(p * near(p).log()).nan_to_num().sum(-1),
    "kl_divergence": lambda near, p, q: (p * (near(p).log() - q.log())).sum(-1),
}


@pytest.mark.parametrize("name", ALMOST)
def test_a_cast_to_single_precision_hides_no_bound(name):
    exercise = load(name)
    for calls in (exercise.calls(), exercise.calls(seed=5)):
        for place, near in enumerate(ALMOST[name]):
            for cast in (torch.float64, torch.float32):
                answers = run(lambda *given, near=near, cast=cast: WITH[name](near, *given).to(cast), calls)
                verdict = exercise.judge(calls, answers)
                assert not verdict.passed, f"{place}, {cast}"
                assert "hard-coded" not in verdict.codes, f"{place}, {cast}"


@pytest.mark.parametrize("name", RIGHT)
def test_a_wrong_solution_is_understood(name):
    for place, codes, function in ((place, codes, f) for place, (n, codes, f) in enumerate(WRONG) if n == name):
        result = check(name, function)
        wanted, found = set(codes.split()), set(result.misconceptions)
        assert not result.passed, f"{place}: {codes}"
        assert wanted <= found <= wanted | ALSO_TRUE, f"{place}: {wanted} against {found}"


@pytest.mark.parametrize("name", names())
def test_every_mistake_in_the_data_is_recognised_as_itself(name):
    exercise = load(name)
    calls = exercise.calls()
    seen = set()
    for mistake in exercise.mistakes:
        # One stands for all that are written in another way.
        if mistake.codes in seen:
            continue
        seen.add(mistake.codes)
        outcomes = []
        for call in calls:
            value = exercise.answer(call, mistake.wrong)
            problem = Problem("raised") if value is None else None
            outcomes.append(Outcome(None if value is None else value.detach(), problem, {}, call.arguments))
        verdict = exercise.judge(calls, outcomes)
        assert set(mistake.codes) <= set(verdict.codes), f"{mistake}: {verdict.codes}"


def test_the_hidden_calls_are_other_numbers_of_the_same_kinds():
    for name in names():
        exercise = load(name)
        drawn = exercise.calls(seed=1)
        assert [call.name for call in drawn] == [f"{call.name}, drawn" for call in exercise.calls()]
        again, other = exercise.calls(seed=1), exercise.calls(seed=2)
        differ = 0
        for one, same, third, public in zip(drawn, again, other, exercise.public, strict=True):
            for key, value in one.arguments.items():
                assert torch.equal(value, same.arguments[key])
                assert value.shape == public.arguments[key].shape
                differ += not torch.equal(value, third.arguments[key])
                if exercise.arguments[key] == "distribution":
                    assert torch.allclose(value.sum(-1), torch.ones(value.shape[:-1], dtype=value.dtype))
        assert differ


def test_remembering_the_public_calls_is_not_enough():
    exercise = load("cost")
    known = [(call.arguments["logits"].clone(), exercise.answer(call)) for call in exercise.calls()]

    def remembers(logits, target):
        for seen, answer in known:
            if seen.shape == logits.shape and torch.equal(seen, logits.detach()):
                return answer + 0 * logits.sum()
        return torch.tensor(0.0)

    assert not check("cost", remembers).passed


def test_the_answer_says_which_property_failed_on_the_smallest_input():
    result = check("softmax", lambda z: z.exp() / z.exp().sum(-1, keepdim=True))
    (failure,) = result.verdict.failures
    assert failure.property == "stable"
    assert failure.call.name == "a logit of 1000"
    assert "has the right shape" in result.verdict.right
    shown = repr(result)
    for words in ("Exponentials without a safe shift", "logits=[1000, 999, 0.5]", "nan", "sums to one"):
        assert words in shown


def test_the_answer_shows_itself_as_html_and_as_markdown():
    result = check("cost", lambda z, t: F.cross_entropy(z, t, reduction="sum"))
    page, text = result._repr_html_(), result._repr_markdown_()
    assert "The sum instead of the mean" in page
    assert "The sum instead of the mean" in text
    assert 'href="likelihood.ipynb"' in page
    assert "var(--ce-wrong" in page
    assert "var(--ce-third" in check("cost", F.cross_entropy)._repr_html_()


def test_what_a_function_says_is_not_taken_for_html():
    def angry(logits):
        raise ValueError("<script>alert(1)</script>")

    assert "<script>" not in check("softmax", angry)._repr_html_()


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda z: None, "none"),
        (lambda z: 1 / 0, "raised"),
        (lambda: 0, "raised"),
        (lambda z: exit(), "raised"),
        (lambda z: z.tolist(), "type"),
        (lambda z: z.logsumexp(-1).numpy(), "type"),
        (lambda z: "0.5", "type"),
        (lambda z: z.logsumexp(-1).long(), "type"),
        (lambda z: z.logsumexp(-1).to(torch.complex128), "type"),
        (lambda z: z.logsumexp(-1).unsqueeze(0), "shape"),
        (lambda z: z, "shape"),
        (lambda z: 1.0, "shape"),
    ],
)
def test_whatever_comes_gets_a_kind_answer(function, kind):
    result = check("logsumexp", function)
    assert not result.passed
    assert kind in {failure.property for failure in result.verdict.failures}
    assert "Log-sum-exp" in repr(result)
    assert result._repr_html_()
    assert result._repr_markdown_()


def hangs(beats):
    while True:
        beats.append(None)


def hangs_and_swallows(beats):
    while True:
        try:  # noqa: SIM105 (as a learner writes it)
            beats.append(time.sleep(0.001))
        except BaseException:
            pass


@pytest.mark.parametrize("body", [hangs, hangs_and_swallows])
def test_a_function_that_hangs_is_stopped(body):
    beats = deque(maxlen=1)

    def function(logits):
        body(beats)

    result = check("softmax", function, seconds=0.2)
    assert "timeout" in {failure.property for failure in result.verdict.failures}
    # Once it is stopped, nothing is put into an emptied list any more.
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        beats.clear()
        time.sleep(0.05)
        if not beats:
            break
    assert not beats


def test_a_function_that_sleeps_is_left_behind():
    release = threading.Event()
    call = load("softmax").example
    (outcome,) = run(lambda z: release.wait(20), [call], seconds=0.1)
    release.set()
    assert outcome.problem is not None
    assert outcome.problem.kind == "timeout"


def test_calls_and_outcomes_travel_to_another_process():
    exercise = load("softmax")
    calls = pickle.loads(pickle.dumps(exercise.calls(seed=3)))
    outcomes = pickle.loads(pickle.dumps(run(lambda z: z.softmax(-1), calls)))
    assert exercise.judge(calls, outcomes).passed


def test_as_many_outcomes_as_calls():
    with pytest.raises(ValueError, match="one a call, 8; got 0"):
        load("softmax").judge(load("softmax").calls(), [])


def test_the_learner_is_told_about_a_wrong_call_of_check():
    with pytest.raises(ValueError, match=r"name must be one of .*softmax.*; got 'sofmax'"):
        check("sofmax", torch.softmax)
    with pytest.raises(TypeError, match=r"function must be a function, softmax\(logits\); got Tensor"):
        check("softmax", torch.ones(3))
    with pytest.raises(TypeError, match="name must be an exercise's name"):
        check(torch.softmax, "softmax")


# Progress


def test_progress_is_kept_and_what_is_solved_stays_solved(home):
    assert exercises.check().solved == 0
    check("softmax", lambda z: z.softmax(-1))
    check("softmax", lambda z: z)
    check("cost", lambda z, t: z.sum())
    listed = check()
    assert listed.solved == 1
    assert re.search(r"softmax +solved", repr(listed))
    assert re.search(r"cost +tried", repr(listed))
    assert re.search(r"entropy +not tried yet", repr(listed))
    assert "1 of 12 exercises solved" in listed._repr_html_()
    assert json.loads((home / "progress.json").read_text()) == {"cost": False, "softmax": True}


@pytest.mark.parametrize("content", ["{", "[1]", '{"softmax": 3}', "\x00", "null"])
def test_a_corrupt_file_breaks_no_check(home, content):
    home.mkdir()
    (home / "progress.json").write_text(content)
    assert check().solved == 0
    assert check("softmax", lambda z: z.softmax(-1)).passed
    assert check().solved == 1


def test_a_place_that_cannot_be_written_breaks_no_check(home):
    home.write_text("a file where a folder is due")
    assert check("softmax", lambda z: z.softmax(-1)).passed
    assert check().solved == 0


def test_a_stub_leaves_no_trace(home):
    def my_softmax(logits): ...

    result = check("softmax", my_softmax)
    assert result.blank
    assert "Nothing to judge yet" in repr(result)
    assert not home.exists()


# The book


BOOK = Book()
STUB = re.compile(r'^def (my_\w+)\((.*)\):\n    \.\.\..*\n+check\("(\w+)", (my_\w+)\)$', re.MULTILINE)
LISTING = re.compile(r"```python\n(.*?)```", re.DOTALL)


def stubs():
    for page in BOOK.notebooks:
        for cell, prose in zip(page.parts, page.parts[1:], strict=False):
            if isinstance(prose, Prose) and not isinstance(cell, Prose) and (match := STUB.search(cell.source)):
                yield page.name, match, prose.source


def test_every_exercise_stands_in_its_chapter_with_a_solution_that_passes():
    found = {}
    for chapter, match, prose in stubs():
        mine, arguments, name, checked = match.groups()
        exercise = load(name)
        assert mine == checked == f"my_{name}"
        assert f"{name}({arguments})" == exercise.signature
        assert chapter == exercise.chapter
        listing = LISTING.search(prose[: prose.index("\n:::\n") + 5] if "\n:::\n" in prose else prose)
        assert listing, f"{name} has no solution under its cell"
        space = {"torch": torch, "F": F, "softmax": torch.nn.Softmax(-1), "log_softmax": torch.nn.LogSoftmax(-1)}
        exec(listing.group(1), space)
        assert check(name, space[mine]).passed
        found[name] = chapter
    assert set(found) == set(names())


def test_every_chapter_has_six_exercises_with_hints_and_solutions():
    for page in BOOK.notebooks:
        text = page.path.read_text(encoding="utf8")
        if page.number is None:
            continue
        count = text.count("```{exercise}")
        assert count >= 6, page.name
        assert text.count("{dropdown} Solution") >= count, page.name
        assert "{dropdown} Hint 2" in text, page.name


def test_where_a_misconception_is_taken_up_there_is_such_a_heading():
    headings = {}
    for page in BOOK.pages.values():
        text = page.path.read_text(encoding="utf8")
        headings[page.name] = set(re.findall(r"^#+ (.+)$", text, re.MULTILINE))
    used = {**catalogue()}
    for name in names():
        used.update(load(name).misconceptions)
    for misconception in used.values():
        chapter, _, heading = misconception.read.partition(": ")
        assert heading in headings[chapter], misconception


def test_no_misconception_of_the_catalogue_is_idle():
    assert set(catalogue()) <= {code for name in names() for code in load(name).misconceptions}


# A new exercise


def teachers_example():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
    return re.search(r"```toml\n(.*?)```", text, re.DOTALL).group(1)


def test_the_exercise_of_contributing_works_as_written(tmp_path, monkeypatch):
    path = tmp_path / "surprise.toml"
    path.write_text(teachers_example(), encoding="utf8")
    exercise = read(path)
    monkeypatch.setattr("crossentropy.exercises.checking.load", lambda name: exercise)
    assert check("surprise", lambda p: -p.log()).passed
    assert check("surprise", lambda p: p.log()).misconceptions == ("missing-minus",)
    assert check("surprise", lambda p: 1 - p).misconceptions == ("missing-log",)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("title =", "heading =", "lacks title"),
        ("reference =", "tolerances = 1\nreference =", "unknown key 'tolerances'"),
        ('"log-probs"', '"words"', "arguments must be of the kinds"),
        ("(-log_probs.mean()).exp()", "log_probs.nothing()", "the reference fails on the call 'one word'"),
        ("mean-of-exponentials", "no-such-code", "'no-such-code' is explained neither here nor"),
        ('name = "one word"\n', "", "each call needs name, log_probs"),
    ],
)
def test_a_mistake_in_an_exercises_file_is_named(tmp_path, old, new, match):
    text = (FOLDER / "perplexity.toml").read_text(encoding="utf8")
    assert old in text
    path = Path(tmp_path / "perplexity.toml")
    path.write_text(text.replace(old, new), encoding="utf8")
    with warnings.catch_warnings(), pytest.raises(ValueError, match=match):
        read(path)
