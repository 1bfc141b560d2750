"""What single answers are worth: no point for what only looks right, no refusal of what is honest, and no error that costs more than its question."""

import json
import time
from pathlib import Path

import pytest
import torch

from cases.hostile import RIGHT, body
from crossentropy.exercises import load, run
from crossentropy.exercises.data import brief
from crossentropy.grading import assignment, wire
from crossentropy.grading import grade as grading
from crossentropy.grading.grade import grade
from crossentropy.grading.sandbox import Limits

ROOT = Path(__file__).resolve().parent.parent


def marked(name, answers, sandbox, **more):
    """The record of a submission that holds these cells of a sample and no others."""
    cells = [
        {"cell_type": "code", "source": source, "metadata": {"nbgrader": {"grade_id": grade_id}}}
        for grade_id, source in answers.items()
    ]
    return grade(
        "ann", json.dumps({"cells": cells}).encode(), assignment.read(ROOT / "assignments", name), sandbox, **more
    )


def entry_of(sandbox, source, **more):
    return marked("softmax-likelihood", {"softmax": source}, sandbox, **more)["questions"]["softmax"]


HALF = "grown = (logits - logits.amax(-1, keepdim=True)).exp()\np = grown / grown.sum(-1, keepdim=True)\n"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_a_coarse_dtype_excuses_no_more_than_single_precision(dtype, sandbox):
    # Off by 0.01: half precision's own rounding would have covered it.
    wrong = entry_of(sandbox, body(f"{HALF}return (p + 0.01).to(torch.{dtype})"))
    assert (wrong["score"], wrong["status"]) == (0, "wrong")
    right = entry_of(sandbox, body(f"{HALF}return p.to(torch.{dtype})"))
    assert (right["score"] == 4) == (dtype == "float32")


@pytest.mark.parametrize(
    "result",
    [
        "math.exp(-float(log_probs.mean()))",
        "__import__('numpy').float64(math.exp(-float(log_probs.mean())))",
        "__import__('numpy').exp(-log_probs.numpy().mean())",
    ],
)
def test_a_number_is_judged_alike_here_and_in_the_sandbox(result, sandbox):
    source = f"def perplexity(log_probs): return {result}"
    exercise = load("perplexity")
    calls = exercise.calls()
    space = {"math": __import__("math")}
    exec(source, space)
    here = exercise.judge(calls, run(space["perplexity"], calls))
    there = exercise.judge(calls, sandbox.ask([("cell", f"import math\n{source}")], "perplexity", calls).reply.outcomes)
    assert here == there
    assert here.passed


def test_a_liar_about_its_class_is_no_number(sandbox):
    source = "class Sly:\n    __class__ = float\n    def __float__(self): return 1.0\ndef perplexity(log_probs): return Sly()"
    (outcome, *_) = sandbox.ask([("cell", source)], "perplexity", load("perplexity").calls()).reply.outcomes
    assert outcome.problem.kind == "type"


HUGE = f"x = 0x{'f' * 5000}\n"


def test_a_number_too_long_to_write_costs_nothing(sandbox):
    # In the cell itself, and in what another cell stands on.
    record = marked(
        "softmax-likelihood",
        {"softmax": HUGE + RIGHT, "cost": HUGE + "def cost(logits, target): return x % 7"},
        sandbox,
    )
    assert record["questions"]["softmax"]["score"] == 4
    assert record["questions"]["cost"]["status"] == "wrong"
    helped = {
        "softmax": body("return grow(logits)"),
        "cost": f"{HUGE}def grow(z): return torch.zeros_like(z) + 0 * (x > 1)\n",
    }
    assert marked("softmax-likelihood", helped, sandbox)["questions"]["softmax"]["status"] == "wrong"


def test_an_empty_answer_with_a_long_axis_is_only_wrong(sandbox):
    entry = entry_of(sandbox, body("return torch.zeros(2**24, 0, dtype=torch.float64)"))
    assert (entry["score"], entry["status"]) == (0, "wrong")


def test_an_empty_tensor_is_told_without_its_axes():
    assert brief(torch.zeros(2, 0)) == "[]"


def test_of_a_doubled_question_the_last_answered_cell_counts(sandbox):
    def cells(*sources):
        return json.dumps(
            {
                "cells": [
                    {"cell_type": "code", "source": source, "metadata": {"nbgrader": {"grade_id": "softmax"}}}
                    for source in sources
                ]
            }
        ).encode()

    read = assignment.read(ROOT / "assignments", "softmax-likelihood")
    stub = read.questions[0].stub
    wrong = body("return logits")
    for sources, score in [
        ((RIGHT, wrong, RIGHT), 4),
        ((RIGHT, wrong, RIGHT, stub), 4),
        ((wrong, RIGHT, wrong), 0),
        ((RIGHT, wrong, stub), 0),
    ]:
        assert grade("ann", cells(*sources), read, sandbox)["questions"]["softmax"]["score"] == score


@pytest.mark.parametrize(
    "helper",
    [
        "try:\n    import nothing_of_this_name\nexcept ImportError:\n    def grow(z): return (z - z.amax(-1, keepdim=True)).exp()\n",
        "if True:\n    shift = lambda z: z.amax(-1, keepdim=True)\nfor _ in range(1):\n    def grow(z): return (z - shift(z)).exp()\n",
        "from __future__ import annotations\ndef grow(z: Missing) -> Missing: return (z - z.amax(-1, keepdim=True)).exp()\n",
        "with torch.no_grad():\n    class Grower:\n        def __call__(self, z): return (z - z.amax(-1, keepdim=True)).exp()\ngrow = Grower()\n",
    ],
)
def test_a_helper_is_found_wherever_it_stands_in_another_cell(helper, sandbox):
    answers = {"softmax": body("return grow(logits) / grow(logits).sum(-1, keepdim=True)"), "cost": helper}
    assert marked("softmax-likelihood", answers, sandbox)["questions"]["softmax"]["score"] == 4


@pytest.mark.parametrize(
    "said",
    [
        "print({0})",
        "f'{{{0}}}'",
        "str({0}) + '%s' % ({0},)",
        "print(torch.nn.Parameter({0}.detach()), {0}.detach().requires_grad_() * 2)",
        "assert {0} is not None, {0}",
        "w = torch.ones(3, requires_grad=True)\nw.sum().backward()\nprint(w.grad, {0}.shape)",
        "print(torch.ones(2, 2).to_sparse(), torch.tensor([]), torch.tensor([1e20, math.nan]), torch.ones(2000))",
    ],
)
def test_a_tensor_may_be_shown_anywhere(said, sandbox):
    above, inside = said.format("torch.tensor([1.0, 2.0])"), said.format("logits")
    indented = "".join(f"    {line}\n" for line in inside.splitlines())
    answer = RIGHT.replace(":\n", f":\n{indented}", 1)
    entry = entry_of(sandbox, f"import math\n{above}\n{answer}\n{above}\nprint(softmax(torch.ones(3)))\n")
    assert (entry["score"], entry["status"]) == (4, "correct"), entry["message"]


def test_a_tensor_s_text_is_torch_s_own(sandbox):
    given = [torch.ones(3), torch.ones(2, requires_grad=True) * 2, torch.nn.Parameter(torch.eye(2)), torch.tensor(2.5)]
    source = "w = torch.nn.Parameter(torch.eye(2))\nraise RuntimeError([torch.ones(3), torch.ones(2, requires_grad=True) * 2, w, torch.tensor(2.5)])\n"
    for forbidden in ([], ["softmax"]):
        cells = [("cell", f"import torch\n{source}")]
        ((_, text),) = sandbox.ask(cells, "softmax", [], forbidden=forbidden).reply.trouble
        assert text == wire.clean(f"RuntimeError: {given}")


def test_what_a_notebook_displays_stops_no_cell(sandbox):
    source = "from IPython.display import Markdown, HTML as H\ndisplay(Markdown('# My answer'))\nH('x')\n" + RIGHT
    assert entry_of(sandbox, source)["score"] == 4


LONG = {
    "chain of attributes": "x = 0\n" + "x" + ".a" * 900 + "\n",
    "many chains": ("x" + ".a" * 90 + "\n") * 500,
    "each line needs the one before": "x0 = 0\n" + "".join(f"x{n + 1} = x{n}\n" for n in range(5000)),
    "one line of nothing": "x ? " + " " * 90_000 + "\n",
    "a line that may be a magic": "x" + ", " * 40_000 + "\n!ls\n",
}


@pytest.mark.parametrize("name", LONG)
def test_a_cell_made_to_be_read_slowly_is_read_fast(name, sandbox):
    # In the cell itself, and where another cell stands on it.
    began = time.process_time()
    marked("softmax-likelihood", {"softmax": LONG[name] + RIGHT, "cost": LONG[name]}, sandbox)
    marked("softmax-likelihood", {"softmax": body("return x5000"), "cost": LONG[name]}, sandbox)
    assert time.process_time() - began < 20


def test_a_library_that_is_not_there_is_named(sandbox):
    entry = entry_of(sandbox, "import pandas as pd\n" + body("return torch.tensor(pd.Series([1.0]))"))
    assert entry["status"] == "error"
    assert "pandas is not in the sandbox" in entry["message"]
    # Also where nothing came of it but what was left out, and where another error ended the cell.
    entry = entry_of(sandbox, "import pandas as pd\nframe = pd.Series([1.0])\n")
    assert entry["message"].startswith("The cell defines no function softmax. It raised ModuleNotFoundError: pandas is")
    entry = entry_of(sandbox, "import pandas as pd\nframe = pd.Series([1.0])\n1 / 0\n" + RIGHT)
    assert "It raised ZeroDivisionError" in entry["message"]


def test_without_the_last_word_a_forbidden_question_earns_nothing(sandbox, monkeypatch):
    # As if the answer had ended its process before anybody could say that its watch was off.
    real = sandbox.ask

    def cut(*arguments, **more):
        run = real(*arguments, **more)
        run.reply.ended = False
        return run

    monkeypatch.setattr(sandbox, "ask", cut)
    assert entry_of(sandbox, RIGHT)["status"] == "crashed"
    # What was stopped for its time has no last word either, and is said to be late.
    hangs = body(f"while logits.abs().max() > 300: pass\n{HALF}return p")
    late = entry_of(sandbox, hangs, limits=Limits(cpu=1, wall=8))
    assert late["status"] == "timeout"
    assert "Not all inputs were answered" in late["message"]


def test_an_error_of_the_grader_costs_one_question_and_says_so(sandbox, monkeypatch):
    real = grading._judged

    def broken(question, *rest):
        if question.grade_id == "softmax":
            raise KeyError("nobody thought of this")
        return real(question, *rest)

    monkeypatch.setattr(grading, "_judged", broken)
    questions = assignment.read(ROOT / "assignments", "softmax-likelihood").questions
    record = marked("softmax-likelihood", {question.grade_id: question.solution for question in questions}, sandbox)
    entry = record["questions"]["softmax"]
    assert (entry["score"], entry["status"]) == (0, "error")
    assert "The grader itself failed" in entry["message"]
    assert "nobody thought of this" in entry["message"]
    assert record["questions"]["cost"]["score"] == record["questions"]["cost"]["max"]
