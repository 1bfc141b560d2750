"""What a question forbids is found in the source, and honest sources pass."""

import ast
import inspect
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import crossentropy.softmax
from cases.hostile import BY_A_DETOUR, FORBIDDEN, HONEST, RIGHT, UNREAD
from crossentropy.exercises import load, names
from crossentropy.grading import notebook
from crossentropy.grading.grade import _free
from crossentropy.grading.rules import FAMILIES, _forbidden, broken_rule, copied, keys, renamed

BAN = ["softmax", "log_softmax", "logsumexp", "cross_entropy", "sigmoid"]
RUNS_ONLY = {"attention", "type-of-type"}


@pytest.mark.parametrize("name", sorted(set(FORBIDDEN) - RUNS_ONLY))
def test_every_road_to_the_forbidden_answer_is_seen_in_the_source(name):
    assert broken_rule(renamed(ast.parse(FORBIDDEN[name]), BAN), BAN)


@pytest.mark.parametrize("name", BY_A_DETOUR)
def test_every_detour_is_refused(name):
    source = f"import torch\n{BY_A_DETOUR[name]}\n"
    # Of the notebook's own first cell too, and the same without the name is harmless.
    assert broken_rule(renamed(ast.parse(source), BAN), BAN, "import numpy as np")
    assert (
        broken_rule(ast.parse("import torch\ndef f(np): return f(np), np.char, np.kept\n"), BAN, "import numpy as np")
        is None
    )


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_source_passes(name):
    text = notebook.without_magics(HONEST[name].removeprefix("\ufeff"))
    assert broken_rule(renamed(ast.parse(text), BAN), BAN) is None


def ask(sandbox, source, forbid):
    """The reply to a source that nobody has read before."""
    cells = [("setup", "import torch"), ("cell", source)]
    return sandbox.ask(cells, "softmax", load("softmax").calls(), forbidden=keys(forbid)).reply


@pytest.mark.parametrize("name", UNREAD)
def test_what_gets_past_the_reading_is_seen_as_it_runs(name, sandbox):
    reply = ask(sandbox, UNREAD[name], BAN)
    if reply.used:
        assert reply.outcomes == []
    # A door that is no longer there gives no answer either.
    assert all(outcome.value is None for outcome in reply.outcomes)
    assert reply.ended
    # The same without a ban is an answer: the road leads somewhere.
    assert ask(sandbox, UNREAD[name], []).outcomes[0].value is not None


def test_a_class_of_tensors_is_refused_where_it_is_made(sandbox):
    # Without an operation of its own it still holds, under computed names, all that a tensor has.
    source = f"class Mine(torch.Tensor): pass\n{RIGHT}"
    assert ask(sandbox, source, BAN).used == ["a class of tensors of its own"]
    assert ask(sandbox, source, []).trouble == []


CODE = "x or told.append(self)"


@pytest.mark.parametrize(
    "held",
    [
        f"{{'__annotations__': {{{CODE!r}: int}}}}",
        "{'__annotations__': {Name('x'): int}}",
        f"{{'__annotations__': Names({{{CODE!r}: int}})}}",
        f"{{'__dataclass_fields__': {{'x': field({CODE!r})}}, '__dataclass_params__': Like}}",
        f"{{'__dataclass_fields__': {{'x': Like({CODE!r})}}, '__dataclass_params__': Like}}",
    ],
)
def test_a_dataclass_runs_no_name_as_code(held, sandbox):
    source = (
        "import dataclasses\ntold = []\nclass Names(dict): pass\n"
        f"class Name(str):\n    def __format__(self, spec): return {CODE!r}\n"
        "class Like:\n    frozen = False\n    kw_only, init, repr, compare, hash, _field_type = False, False, False, True, None, dataclasses._FIELD\n"
        "    def __init__(self, name): self.name = name\n"
        "def field(name):\n    made = dataclasses.field()\n    made.name, made._field_type, made.kw_only = name, dataclasses._FIELD, False\n    return made\n"
        f"A = dataclasses.dataclass(init=False, repr=False)(type(int)('A', (type(int)('B', (), {held}),), {held}))\nA.x = 0\nA() == A()\nassert told\n"
    )
    told = ask(sandbox, source + RIGHT, BAN).trouble
    assert [problem.split(":")[0] for _, problem in told] == ["TypeError"]
    # Without a ban it is code.
    assert ask(sandbox, source + RIGHT, []).trouble == []


def test_a_name_of_the_student_s_own_makes_no_other_s_reachable(sandbox):
    source = "class A:\n    def softmax(self): return 0\ndef softmax(logits): return torch.softmax(logits, -1)\n"
    text = ast.unparse(renamed(ast.parse(source), BAN))
    assert "torch.softmax" not in text
    assert all(outcome.problem.text.startswith("AttributeError") for outcome in ask(sandbox, text, BAN).outcomes)


@pytest.mark.parametrize(
    ("forbid", "call"),
    [
        ("kl_div", "torch.nn.functional.kl_div(logits, logits)"),
        ("cross_entropy", "torch.nn.KLDivLoss()(logits, logits)"),
        ("cross_entropy", "torch.nn.functional.multilabel_soft_margin_loss(logits[None], logits[None])"),
        ("softmax", "torch.nn.functional.gumbel_softmax(logits)"),
        ("entropy", "logits.bernoulli()"),
    ],
)
def test_a_function_that_torch_makes_of_others_is_seen_by_its_name(forbid, call, sandbox):
    # Reached as nobody can read it: the name stands in the source only here.
    source = f"def softmax(logits): return {call}\n"
    assert ask(sandbox, source, [forbid]).used
    assert ask(sandbox, source, ["logsumexp"]).used == []


def test_an_optimiser_may_step(sandbox):
    # torch makes classes of tensors then, and runs operations that are no mathematics.
    step = "w = torch.zeros(3, requires_grad=True)\nw.sum().backward()\ntorch.optim.SGD([w], lr=0.1).step()\n"
    assert broken_rule(ast.parse(step), BAN) is None
    reply = ask(sandbox, step + RIGHT, BAN)
    assert (reply.trouble, reply.used, len(reply.outcomes)) == ([], [], len(load("softmax").calls()))


HELD = """
import gc, types
import numpy as np
gc.unfreeze()
kinds = np.ufunc, types.BuiltinFunctionType
# numpy's wherever it may lie; torch's, which the watch sees as well, in modules.
held = [o.values() if type(o) is dict else o for o in gc.get_objects() if type(o) in (dict, list, tuple)]
found = {v.__name__ for part in held for v in part if type(v) is np.ufunc and 'logaddexp' in v.__name__}
modules = [o for o in gc.get_objects() if type(o) is types.ModuleType]
bound = {v.__name__ for m in modules for v in vars(m).values() if type(v) in kinds and 'softmax' in v.__name__}
raise RuntimeError(sorted(found), sorted(bound)[-2:], type(torch._C._VariableFunctions.softmax) in kinds)
"""


def test_where_something_is_forbidden_no_module_keeps_a_function_of_that_name(sandbox):
    ((_, text),) = ask(sandbox, HELD, BAN).trouble
    assert text == "RuntimeError: ([], [], False)"
    ((_, text),) = ask(sandbox, HELD, []).trouble
    assert text == "RuntimeError: (['logaddexp', 'logaddexp2'], ['special_log_softmax', 'special_softmax'], True)"


def test_where_something_is_forbidden_torch_runs_in_one_thread(sandbox):
    work = (
        "a = torch.rand(200, 200, dtype=torch.float64, requires_grad=True)\n(a @ a).exp().sum().backward()\n"
        "torch.linalg.svd(a.detach())\na.detach().sort()\ntorch.nn.RNN(3, 4)(torch.ones(2, 1, 3))[0].sum().backward()\n"
        "next(iter(torch.utils.data.DataLoader(torch.utils.data.TensorDataset(a.detach()), batch_size=2)))\n"
    )
    reply = ask(sandbox, work + RIGHT, BAN)
    assert (reply.trouble, reply.used, len(reply.outcomes)) == ([], [], len(load("softmax").calls()))


def test_where_nothing_is_forbidden_everything_passes():
    assert all(broken_rule(ast.parse(text), []) is None for text in FORBIDDEN.values())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import torch.nn.functional as F\nF.softmax(x)", "uses F.softmax, which this question forbids"),
        ("getattr(x, name)", "getattr with a computed name"),
        ("import scipy\nscipy.special", "imports scipy, which holds the answer"),
        ("import os\nos.getcwd()", "imports os, which this question does not allow"),
        ("import sympy\nsympy.exp", "imports sympy, which this question does not allow"),
        ("torch.os.getcwd()", "uses torch.os, which hides what is used"),
        ("torch.load('x')", "uses torch.load"),
        ("__builtins__", "uses __builtins__"),
        ("torch.logaddexp(x, y)", "which this question forbids"),
        ("import sys\nsys.getrefcount", "uses more of sys than this question allows"),
        ("import warnings as w\nw.showwarning", "uses more of w than this question allows"),
        ("from sys import modules\nmodules", "imports modules from sys, which this question does not allow"),
        ("from os import getcwd as cost", "imports os, which this question does not allow"),
        ("from crossentropy.softmax import softmax", "imports crossentropy, which holds the answer"),
        ("import torch.utils.data\ntorch.utils.data.dataset", "uses torch.utils, which hides"),
        ("import torch.jit\ntorch.jit", "imports torch.jit, which"),
        ("torch.cuda.random", "uses torch.cuda, which hides"),
        ("x.eval('1')", "uses x.eval"),
        ("torch.compile(f)", "uses torch.compile"),
        ("wraps = functools.wraps\nwraps(torch)", "uses functools.wraps"),
        ("from functools import wraps as w", "imports wraps"),
        ("from typing import *", "imports everything from typing"),
        ("class A:\n    def __subclasshook__(cls): pass", "defines __subclasshook__"),
        ("[*map(type, x)]", "makes a class by type"),
    ],
)
def test_the_reason_names_what_was_used(source, said):
    assert said in broken_rule(ast.parse(source), BAN)


# What one writes an answer with, though a product with -1 or with -log q may look like one.
ELEMENTARY = {"mul", "multiply", "linalg_vecdot", "xlogy", "special_xlogy", "_prelu_kernel", "native_dropout_backward"}


def test_every_operator_of_torch_that_gives_an_answer_at_once_is_of_its_family():
    program = Path(__file__).with_name("cases") / "operators.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(program)], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    missed = {
        (name, family)
        for name, families in found.items()
        for family in families
        if not _forbidden(name, keys([family]))
    }
    assert {name for name, _ in missed} == ELEMENTARY
    # The search finds what is known to be there: values, gradients, an argument of zeros.
    assert set(found) >= {"sigmoid", "softplus", "logaddexp", "soft_margin_loss", "logsumexp", "cross_entropy_loss", "kl_div", "special_entr"}  # fmt: skip


@pytest.mark.parametrize(
    ("forbid", "written"),
    [
        ("sigmoid", "nn.LSTM nn.GRU torch.lstm_cell torch.gru_cell nn.GLU F.mish F.silu nn.SoftMarginLoss nn.BCEWithLogitsLoss F.cross_entropy torch.logcumsumexp torch.mkldnn_rnn_layer"),
        ("softmax", "F.scaled_dot_product_attention nn.Transformer torch.logcumsumexp nn.CrossEntropyLoss F.gumbel_softmax nn.Softmin"),
        ("log_softmax", "nn.AdaptiveLogSoftmaxWithLoss nn.CrossEntropyLoss F.cross_entropy"),
        ("logsumexp", "torch.logaddexp2 torch.logcumsumexp torch.special.logsumexp"),
        ("cross_entropy", "nn.BCELoss nn.BCEWithLogitsLoss nn.NLLLoss F.nll_loss F.ctc_loss F.kl_div F.multilabel_soft_margin_loss"),
        ("kl_div", "nn.KLDivLoss F.kl_div"),
        ("entropy", "torch.special.entr F.cross_entropy F.kl_div x.entropy"),
    ],
)  # fmt: skip
def test_a_ban_means_all_that_gives_the_answer_at_once(forbid, written):
    assert [name for name in written.split() if broken_rule(ast.parse(name), [forbid]) is None] == []


def test_a_ban_leaves_what_one_writes_the_answer_with():
    text = "x.exp() x.log() x.log1p() x.sum() x.amax() x.tanh() x.cumsum() torch.special.xlogy x.centre x.entries F.normalize nn.RNN x.group"
    assert [name for name in text.split() if broken_rule(ast.parse(name), FAMILIES)] == []


def test_a_copy_is_found_in_a_long_cell_and_a_long_cell_takes_no_time():
    copy = inspect.getsource(crossentropy.softmax._split).split("\n", 1)[1]
    body = inspect.cleandoc(copy)
    long = "a = b + c\n" * 20_000
    began = time.process_time()
    assert copied(ast.parse(long)) is None
    assert time.process_time() - began < 5
    assert copied(ast.parse(f"{long}def f():\n{copy}"))
    # In the middle of other statements.
    lines = textwrap.indent(f"{'a = b + c' + chr(10)}" * 60 + body, "    ")
    assert copied(ast.parse(f"def f():\n{lines}\n    return 0\n"))


def under_other_names(source):
    """The same source with other names, and without its docstring."""

    class Rename(ast.NodeTransformer):
        def visit_Name(self, node):
            return ast.Name(f"my_{node.id}", node.ctx)

        def visit_arg(self, node):
            return ast.arg(f"my_{node.arg}", None)

    tree = Rename().visit(ast.parse(source))
    tree.body[0].name = "mine"
    tree.body[0].body = [
        statement
        for statement in tree.body[0].body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]
    return ast.parse(ast.unparse(tree))


def test_copied_source_of_the_package_is_recognised_under_other_names():
    source = inspect.getsource(crossentropy.softmax._split)
    assert copied(ast.parse(source)) == "is copied from crossentropy.softmax._split"
    assert copied(under_other_names(source)) == "is copied from crossentropy.softmax._split"
    assert copied(ast.parse(Path(crossentropy.softmax.__file__).read_text())).startswith("is copied from crossentropy.")
    assert copied(ast.parse(RIGHT)) is None


def test_the_exercises_own_answers_are_not_taken_for_copies():
    # A short answer looks like the package's because there is one way to write it.
    for name in names():
        exercise = load(name)
        for body in [exercise.reference, *(mistake.wrong for mistake in exercise.mistakes)]:
            text = body if "return " in body else f"return ({body})"
            lines = "\n".join(f"    {line}" for line in text.strip().splitlines())
            assert copied(ast.parse(f"def {exercise.signature}:\n{lines}")) is None


def test_only_names_from_outside_count_as_used():
    text = "import math\nk = 2\ndef f(x, y=k):\n    z = [w for w in x]\n    return g(z) + math.pi\n"
    assert _free(text, ast.parse(text)) == {"g"}
