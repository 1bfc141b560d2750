"""What a question forbids is found in the source, and honest sources pass."""

import ast
import inspect
from pathlib import Path

import pytest

import crossentropy.softmax
from cases.hostile import FORBIDDEN, HONEST, RIGHT
from crossentropy.exercises import load, names
from crossentropy.grading import notebook
from crossentropy.grading.grade import _free
from crossentropy.grading.rules import broken_rule, copied

BAN = ["softmax", "log_softmax", "logsumexp", "cross_entropy", "sigmoid"]
RUNS_ONLY = {"attention"}


@pytest.mark.parametrize("name", sorted(set(FORBIDDEN) - RUNS_ONLY))
def test_every_road_to_the_forbidden_answer_is_seen_in_the_source(name):
    assert broken_rule(ast.parse(FORBIDDEN[name]), BAN)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_source_passes(name):
    assert broken_rule(ast.parse(notebook.without_magics(HONEST[name])), BAN) is None


def test_where_nothing_is_forbidden_everything_passes():
    assert all(broken_rule(ast.parse(text), []) is None for text in FORBIDDEN.values())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import torch.nn.functional as F\nF.softmax(x)", "uses F.softmax, which this question forbids"),
        ("getattr(x, name)", "getattr with a computed name"),
        ("import scipy", "imports scipy, which holds the answer"),
        ("import os", "imports os, which this question does not allow"),
        ("import sympy", "imports sympy, which this question does not allow"),
        ("torch.os.getcwd()", "uses torch.os, which hides what is used"),
        ("torch.load('x')", "uses torch.load"),
        ("__builtins__", "uses __builtins__"),
        ("torch.logaddexp(x, y)", "which this question forbids"),
    ],
)
def test_the_reason_names_what_was_used(source, said):
    assert said in broken_rule(ast.parse(source), BAN)


def renamed(source):
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
    assert copied(renamed(source)) == "is copied from crossentropy.softmax._split"
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
