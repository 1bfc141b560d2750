"""What a question forbids, found by reading the source: nothing is run, and nothing that runs can talk this out of it.

A ban on ``log_softmax`` is worth nothing while a source may look names up at run time. So where a question forbids anything, it also
forbids the ways around: names that are computed (getattr, eval, ``__dict__``), modules that hold other modules, code from strings or files.
Behind this stands the second watch, in the child: every operation that torch runs is seen there by its own name.
"""

import ast
import importlib
import sys
import types
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

# What forbidding a name forbids besides: parts of names, in lower case and without underscores.
FAMILIES = {
    "softmax": ("softmax", "softmin", "logsoftmax", "attention", "transformer"),
    "log_softmax": ("logsoftmax", "softmaxwithloss"),
    "logsumexp": ("logsumexp", "logaddexp", "logcumsumexp"),
    "cross_entropy": ("crossentropy", "nllloss", "entropyloss", "softmargin"),
    "sigmoid": ("sigmoid", "expit", "softplus", "silu", "glu", "mish"),
    "kl_div": ("kldiv",),
    "entropy": ("entropy", "categorical", "bernoulli", "specialentr"),
}
MODULES = (
    "torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.linalg", "torch.special", "torch.optim", "torch.autograd", "torch.random", "torch.testing",
    "numpy", "numpy.linalg", "numpy.random", "math", "cmath", "itertools", "functools", "collections", "collections.abc", "random", "statistics",
    "numbers", "fractions", "decimal", "typing", "dataclasses", "enum", "time", "heapq", "bisect", "re", "__future__",
)  # fmt: skip
# Other libraries that hold an answer: of no use in the child, where they are not; named here so that a reader learns why.
ANSWERS = {"crossentropy", "scipy", "sklearn", "jax", "tensorflow", "keras"}
DYNAMIC = {"eval", "exec", "compile", "globals", "locals", "vars", "setattr", "delattr", "breakpoint", "memoryview"}
# Attributes that lead from a value to the interpreter, or from a text to code.
ATTRIBUTES = {
    "tb_frame", "tb_next", "f_globals", "f_locals", "f_builtins", "f_back", "f_code", "gi_frame", "gi_code", "cr_frame", "cr_code", "ag_frame",
    "ag_code", "func_globals", "co_code", "eval", "exec", "compile", "load", "loads", "from_file", "import_module", "attrgetter", "methodcaller",
    "get_type_hints", "ForwardRef", "singledispatch", "singledispatchmethod", "make_dataclass", "CompilationUnit", "ScriptModule",
    "ScriptFunction", "import_ir_module", "import_ir_module_from_buffer", "parse_ir", "PyTorchFileReader", "onnx", "modules", "measure", "runstring", "rundocs",
}  # fmt: skip
DUNDERS = {"__init__", "__name__", "__version__", "__doc__", "__call__", "__len__", "__post_init__"}
# Fewer nodes than this two people write alike by chance.
COPIED_NODES = 40
COPIED_TEXT = 60


def keys(forbid: Iterable[str]) -> tuple[str, ...]:
    """The parts of names that a question's ``forbid`` stands for."""
    return tuple(sorted({key for name in forbid for key in FAMILIES.get(name, (_bare(name),))}))


def _bare(name: str) -> str:
    return name.lower().replace("_", "")


def broken_rule(tree: ast.AST, forbid: Iterable[str]) -> str | None:
    """The first thing in a parsed source that the question forbids, as a sentence; None if there is none."""
    parts = keys(forbid)
    if not parts:
        return None
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        for problem in _problems(node, parts, called):
            return problem
    return copied(tree)


def _problems(node: ast.AST, parts: tuple[str, ...], called: set[int]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _import(alias.name)
    elif isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if node.level:
            yield "imports from a package of its own, which is not graded"
        yield from _import(module)
        for alias in node.names:
            if alias.name == "*":
                yield f"imports everything from {module}, which hides what is used"
            whole = f"{module}.{alias.name}"
            if whole not in MODULES:
                yield from _name(alias.name, parts, f"imports {alias.name} from {module}")
    elif isinstance(node, ast.Attribute):
        yield from _name(node.attr, parts, f"uses {_dotted(node)}")
    elif isinstance(node, ast.MatchClass):
        for name in node.kwd_attrs:
            yield from _name(name, parts, f"matches on {name}")
    elif isinstance(node, ast.Name):
        if node.id in {"getattr", "hasattr"}:
            if id(node) not in called:
                yield f"hands {node.id} on, which hides what is used"
        elif node.id in DYNAMIC or (node.id.startswith("__") and node.id.endswith("__") and node.id != "__name__"):
            yield f"uses {node.id}, which hides what is used"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        told = node.args[1] if len(node.args) > 1 else None
        if not (isinstance(told, ast.Constant) and isinstance(told.value, str)):
            yield "uses getattr with a computed name, which hides what is used"
        else:
            yield from _name(told.value, parts, f"uses {told.value} by getattr")


def _import(module: str) -> Iterator[str]:
    root = module.split(".")[0]
    if module in MODULES:
        return
    if root in ANSWERS:
        yield f"imports {root}, which holds the answer"
    elif root in {name.split(".")[0] for name in MODULES} or root in sys.stdlib_module_names or root in _beside_torch():
        yield f"imports {module}, which this question does not allow"


@cache
def _beside_torch() -> frozenset[str]:
    """Modules that the child could import because torch needs them."""
    from crossentropy.grading.sandbox import _needed, _places

    return frozenset(place.name.removesuffix(".py") for name in _needed() for place in _places(name))


def _name(name: str, parts: tuple[str, ...], what: str) -> Iterator[str]:
    if any(part in _bare(name) for part in parts):
        yield f"{what}, which this question forbids"
    elif (name.startswith("_") and name not in DUNDERS) or name in ATTRIBUTES or name in _leading_out():
        yield f"{what}, which hides what is used"


@cache
def _leading_out() -> frozenset[str]:
    """Attributes of the allowed modules that are other modules: torch.os, torch.ops and their like."""
    import torch

    found = set()
    for name in MODULES:
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            if isinstance(value, types.ModuleType) and value.__name__ not in MODULES:
                found.add(attribute)
    # torch.functional is another module, torch.nn.functional is one that everybody writes out.
    allowed = {name.rpartition(".")[2] for name in MODULES}
    return frozenset(found - allowed - {name for kind in (torch.Tensor, list, dict, str) for name in dir(kind)})


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "..."


# Copied source


def copied(tree: ast.AST) -> str | None:
    """A sentence if a part of the source, whatever its names, is a part of this package."""
    prints, texts = _package()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Module):
            for _, size, dump in _windows(node.body):
                if size >= COPIED_NODES and dump in prints:
                    return f"is copied from {prints[dump]}"
            told = ast.get_docstring(node)
            if told and len(told) >= COPIED_TEXT and told in texts:
                return f"is copied from {texts[told]}"
    return None


@cache
def _package() -> tuple[dict[str, str], dict[str, str]]:
    folder = Path(__file__).parent.parent
    prints: dict[str, str] = {}
    texts: dict[str, str] = {}
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                name = f"crossentropy.{path.stem}.{node.name}"
                prints |= {dump: name for _, size, dump in _windows(node.body) if size >= COPIED_NODES}
                if (told := ast.get_docstring(node)) and len(told) >= COPIED_TEXT:
                    texts[told] = name
    return prints, texts


def _windows(body: list[ast.stmt]) -> Iterator[tuple[int, int, str]]:
    """Each run of statements: where it starts, how many nodes it has, and its form without the names."""
    body = [
        statement
        for statement in body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]
    if len(body) > 40:
        return
    for start in range(len(body)):
        seen: dict[str, int] = {}
        size, form = 0, ""
        for statement in body[start:]:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                break
            more, text = _form(statement, seen)
            size, form = size + more, f"{form};{text}"
            yield start, size, form


def _form(node: ast.AST, seen: dict[str, int]) -> tuple[int, str]:
    """A node's count and form; variables are numbered as they come."""
    if isinstance(node, ast.Name):
        return 1, f"v{seen.setdefault(node.id, len(seen))}"
    size, parts = 1, [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if name in {"ctx", "annotation", "returns", "type_comment", "kind"}:
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST):
                more, text = _form(item, seen)
                size += more
                parts.append(text)
            elif item is not None:
                parts.append(repr(item))
    return size, f"({' '.join(parts)})"
