"""What a question forbids, found by reading the source: nothing is run, and nothing that runs can talk this out of it.

A ban on ``log_softmax`` is worth nothing while a source may look names up at run time. So where a question forbids anything, it also
forbids the ways around: names that are computed (getattr, eval, ``__dict__``), modules that hold other modules, code from strings or files.
Behind this stands the second watch, in the child: every operation that torch runs is seen there by its own name.
"""

import ast
import copy
import importlib
import itertools
import operator
import sys
import types
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

# What forbidding a name forbids besides: all that gives its answer at once, by one gradient or by a trivial argument. Parts of names, in
# lower case and without underscores; "=" before a whole name. exp, log, sums, maxima, tanh and their like are what one writes it with.
SOFTMAX = ("softmax", "softmin", "logsoftmax", "attention", "transformer")
NORMALISER = ("logsumexp", "logaddexp", "logcumsumexp")
LOSS = ("crossentropy", "nllloss", "bceloss", "bcewithlogits", "softmargin", "ctcloss", "softmaxwithloss")
FAMILIES = {
    "softmax": (*SOFTMAX, *NORMALISER, "crossentropy"),
    "log_softmax": ("logsoftmax", "softmaxwithloss", "crossentropy"),
    "logsumexp": NORMALISER,
    "cross_entropy": (*LOSS, "kldiv"),
    "sigmoid": (
        "sigmoid", "expit", "softplus", "silu", "glu", "mish", "softmargin", "bcewithlogits", "crossentropy", "lstm", "gru", "rnnlayer",
        "cudnnrnn", "miopenrnn", *SOFTMAX, *NORMALISER,
    ),
    "kl_div": ("kldiv",),
    "entropy": ("entropy", "categorical", "bernoulli", "specialentr", "=entr", "kldiv"),
}  # fmt: skip
MODULES = (
    "torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.linalg", "torch.special", "torch.optim", "torch.autograd", "torch.random", "torch.testing",
    "numpy", "numpy.linalg", "numpy.random", "math", "cmath", "itertools", "functools", "collections", "collections.abc", "random", "statistics",
    "numbers", "fractions", "decimal", "typing", "dataclasses", "enum", "time", "heapq", "bisect", "re", "__future__",
)  # fmt: skip
# Of these only some names: what else they hold leads to the interpreter, or to code in texts.
PARTLY = {
    "sys": {"float_info", "maxsize", "version", "version_info"},
    "warnings": {"filterwarnings", "simplefilter", "warn"},
    "copy": {"copy", "deepcopy"},
    "operator": {*operator.__all__} - {"attrgetter", "methodcaller", "call"},
    "numpy.typing": {"ArrayLike", "DTypeLike", "NDArray"},
    "torch.utils.data": {"DataLoader", "Dataset", "Subset", "TensorDataset", "random_split"},
}
# Modules whose every name may be imported with a star.
STARS = {"math", "cmath", "random", "statistics", "itertools", "fractions"}
# Names behind other modules that lead no further.
CHAINS = {
    "torch.cuda.is_available", "torch.cuda.device_count", "torch.cuda.manual_seed", "torch.cuda.manual_seed_all", "torch.mps.manual_seed",
    "torch.mps.is_available", "torch.backends.mps.is_available", "torch.backends.mps.is_built", "torch.backends.cudnn.deterministic",
    "torch.backends.cudnn.benchmark", *(f"{module}.{name}" for module, names in PARTLY.items() if "." in module for name in names),
}  # fmt: skip
LONGEST_CHAIN = max(name.count(".") for name in CHAINS)
# Methods of a tensor that are modules of torch as well: they are called, and nothing is taken out of them.
METHODS = {"cuda", "cpu", "xpu", "mtia", "storage", "copy"}
# Other libraries that hold an answer: of no use in the child, where they are not; named here so that a reader learns why.
ANSWERS = {"crossentropy", "scipy", "sklearn", "jax", "tensorflow", "keras"}
# The line that every notebook begins with.
CHECK = ("crossentropy.exercises", "check")
DYNAMIC = {"eval", "exec", "compile", "globals", "locals", "vars", "setattr", "delattr", "breakpoint", "memoryview"}
# Attributes that lead from a value to the interpreter, from a text to code, or to what a class holds by a name that is computed.
ATTRIBUTES = {
    "tb_frame", "tb_next", "f_globals", "f_locals", "f_builtins", "f_back", "f_code", "gi_frame", "gi_code", "cr_frame", "cr_code", "ag_frame",
    "ag_code", "func_globals", "co_code", "eval", "exec", "compile", "load", "loads", "from_file", "import_module", "attrgetter", "methodcaller",
    "get_type_hints", "ForwardRef", "singledispatch", "singledispatchmethod", "make_dataclass", "CompilationUnit", "ScriptModule",
    "ScriptFunction", "import_ir_module", "import_ir_module_from_buffer", "parse_ir", "PyTorchFileReader", "onnx", "modules", "measure", "runstring", "rundocs",
    "fields", "asdict", "astuple", "update_wrapper", "mro", "decorate_methods", "global_enum", "run_threaded", "extbuild", "test", "register_dataclass",
}  # fmt: skip
DUNDERS = {"__init__", "__name__", "__version__", "__doc__", "__call__", "__len__", "__post_init__"}
# Read, these tell no more than type() and the source do; and these names mean nothing to Python.
READ_ONLY = {"__class__", "__annotations__"}
TOLD = {
    "__name__",
    "__author__",
    "__version__",
    "__all__",
    "__doc__",
    "__email__",
    "__license__",
    "__date__",
    "__status__",
}
# What a class may define: what numbers and lists have, but for what answers for the class itself.
DEFINED = {
    name for kind in (float, list, dict) for name in dir(kind) if name.startswith("__")
} | DUNDERS | {"__enter__", "__exit__", "__next__", "__bool__", "__matmul__", "__hash__"}  # fmt: skip
DEFINED -= {
    "__class__", "__class_getitem__", "__delattr__", "__dir__", "__format__", "__getattribute__", "__getformat__", "__getstate__",
    "__init_subclass__", "__reduce__", "__reduce_ex__", "__setattr__", "__sizeof__", "__subclasshook__",
}  # fmt: skip
# Fewer nodes than this two people write alike by chance.
COPIED_NODES = 40
COPIED_TEXT = 60


def keys(forbid: Iterable[str]) -> tuple[str, ...]:
    """The parts of names that a question's ``forbid`` stands for."""
    return tuple(sorted({key for name in forbid for key in FAMILIES.get(name, (_bare(name),))}))


def _bare(name: str) -> str:
    return name.lower().replace("_", "")


def _dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def broken_rule(tree: ast.AST, forbid: Iterable[str]) -> str | None:
    """The first thing in a parsed source that the question forbids, as a sentence; None if there is none."""
    parts = keys(forbid)
    if not parts:
        return None
    nodes = [*ast.walk(tree)]
    source = _Source(nodes, parts)
    for node in nodes:
        for problem in source.problems(node):
            return problem
    return copied(tree)


class _Source:
    """A parsed source, and what must be known of all of it to judge a part."""

    def __init__(self, nodes: list[ast.AST], parts: tuple[str, ...]) -> None:
        self.parts = parts
        self.parents = {id(child): node for node in nodes for child in ast.iter_child_nodes(node)}
        self.used = {node.id for node in nodes if isinstance(node, ast.Name)}
        # Names under which a module stands that is open in part.
        self.partly: dict[str, set[str]] = {}
        for node in nodes:
            if isinstance(node, ast.Import):
                found = [(alias.name, alias.asname or alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found = [(f"{node.module}.{alias.name}", alias.asname or alias.name) for alias in node.names]
            else:
                continue
            self.partly |= {name: PARTLY[module] for module, name in found if module in PARTLY and "." not in name}

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self.parents.get(id(node))

    def call(self, node: ast.AST) -> ast.Call | None:
        """The call of which this node is the function."""
        parent = self.parent(node)
        return parent if isinstance(parent, ast.Call) and parent.func is node else None

    def problems(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                # Without a name of its own a module's part is reached through the whole.
                bound = alias.asname or alias.name.split(".")[0]
                if alias.name not in PARTLY and bound in self.used:
                    yield from _import(alias.name)
        elif isinstance(node, ast.ImportFrom):
            yield from self._taken(node)
        elif isinstance(node, ast.Attribute):
            if not self._harmless(node):
                yield from self._name(node.attr, node)
        elif isinstance(node, ast.MatchClass):
            if node.patterns:
                yield "matches a class by position, which hides what is used"
            for name in node.kwd_attrs:
                yield from self._name(name, f"matches on {name}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if _dunder(node.name) and node.name not in DEFINED:
                yield f"defines {node.name}, which hides what is used"
        elif isinstance(node, ast.ClassDef):
            if any(keyword.arg in {None, "metaclass"} for keyword in node.keywords):
                yield "gives a class a class of its own, which hides what is used"
        elif isinstance(node, ast.Name):
            yield from self._plain_name(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            told = node.args[1] if len(node.args) > 1 else None
            if not (isinstance(told, ast.Constant) and isinstance(told.value, str)):
                yield "uses getattr with a computed name, which hides what is used"
            else:
                yield from self._name(told.value, f"uses {told.value} by getattr")

    def _taken(self, node: ast.ImportFrom) -> Iterator[str]:
        """What ``from ... import ...`` may not take."""
        module = node.module or ""
        if node.level:
            yield "imports from a package of its own, which is not graded"
        for alias in node.names:
            whole = f"{module}.{alias.name}"
            if (module, alias.name) == CHECK or whole in MODULES or whole in PARTLY:
                continue
            if alias.name == "*" and module not in STARS:
                yield f"imports everything from {module}, which hides what is used"
            elif module in MODULES:
                if not self._wraps(alias.name, alias.asname):
                    yield from self._name(alias.name, f"imports {alias.name} from {module}")
            elif module in PARTLY:
                if alias.name not in PARTLY[module] and alias.name in self.used | {alias.asname}:
                    yield f"imports {alias.name} from {module}, which this question does not allow"
            else:
                # What nobody uses does no harm, unless it is the answer itself.
                if module.split(".")[0] in ANSWERS or alias.asname or alias.name in self.used:
                    yield from _import(module)
                yield from self._name(alias.name, f"imports {alias.name} from {module}")

    def _wraps(self, name: str, asname: str | None = None) -> bool:
        """Whether it is functools.wraps, whose every use is looked at by its name."""
        return name == "wraps" and asname in {None, name}

    def _innermost(self, node: ast.AST) -> bool:
        """Whether ``wraps`` decorates a function and nothing else: on another object it would fill that with all that a module holds."""
        call = self.call(node)
        over = self.parent(call) if call else None
        return (
            call is not None
            and len(call.args) == 1
            and not call.keywords
            and isinstance(over, ast.FunctionDef)
            and bool(over.decorator_list)
            and over.decorator_list[-1] is call
        )

    def _plain_name(self, node: ast.Name) -> Iterator[str]:
        name, over = node.id, self.parent(node)
        if name in {"getattr", "hasattr"}:
            if not self.call(node):
                yield f"hands {name} on, which hides what is used"
        elif name == "type":
            call = self.call(node)
            asked = isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "isinstance"
            if not asked and not (call and len(call.args) == 1 and not call.keywords):
                yield "makes a class by type, which hides what is used"
        elif name == "wraps":
            if isinstance(node.ctx, ast.Load) and not self._innermost(node):
                yield "uses wraps on something else than a function, which hides what is used"
        elif name in self.partly:
            if not (isinstance(over, ast.Attribute) and over.attr in self.partly[name]):
                yield f"uses more of {name} than this question allows"
        elif name in DYNAMIC or (_dunder(name) and name not in TOLD):
            yield f"uses {name}, which hides what is used"

    def _harmless(self, node: ast.Attribute) -> bool:
        """Whether an attribute that might lead somewhere does not, where it stands."""
        call, over = self.call(node), self.parent(node)
        if node.attr in READ_ONLY:
            return isinstance(node.ctx, ast.Load)
        if node.attr == "eval":
            return call is not None and not call.args and not call.keywords
        if node.attr == "compile":
            return isinstance(node.value, ast.Name) and node.value.id == "re"
        if node.attr == "wraps":
            return self._innermost(node)
        whole: ast.AST | None = node
        for _ in range(LONGEST_CHAIN):
            if isinstance(whole, ast.Attribute) and _chain(whole) in CHAINS:
                return True
            whole = over if isinstance(over, ast.Attribute) else None
            over = self.parent(over) if whole is not None and over is not None else None
        return node.attr in METHODS and call is not None

    def _name(self, name: str, what: str | ast.expr) -> Iterator[str]:
        wrong = (
            "this question forbids" if _forbidden(name, self.parts) else "hides what is used" if _hiding(name) else ""
        )
        if wrong:
            yield f"{what if isinstance(what, str) else f'uses {_dotted(what)}'}, which {wrong}"


@lru_cache(maxsize=2**14)
def _forbidden(name: str, parts: tuple[str, ...]) -> bool:
    bare = _bare(name)
    return any(part[1:] == bare if part.startswith("=") else part in bare for part in parts)


@lru_cache(maxsize=2**14)
def _hiding(name: str) -> bool:
    return (
        (name.startswith("_") and name not in DUNDERS)
        or name in ATTRIBUTES
        or name in METHODS
        or name == "wraps"
        or name in _leading_out()
    )


def _import(module: str) -> Iterator[str]:
    root = module.split(".")[0]
    if module in MODULES:
        return
    if root in ANSWERS:
        yield f"imports {root}, which holds the answer"
    elif root in {name.split(".")[0] for name in MODULES} or root in sys.stdlib_module_names or root in _beside_torch():
        yield f"imports {module}, which this question does not allow"


# A student's own names


def renamed(tree: ast.Module, forbid: Iterable[str]) -> ast.Module:
    """The source with other names for what its own classes hold, where a name of theirs looks like one that the question forbids.

    ``self._dim`` or a method of the student's own named ``softmax`` is harmless, and nobody can see that it is the student's own where it
    is used. With all attributes of this name renamed alike it works as before, and whatever else had this name is out of reach.
    """
    parts = keys(forbid)
    if not parts:
        return tree
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    own = {name for node in classes for name in _held(node)} | {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    other = sorted(name for name in own if not _dunder(name) and (_forbidden(name, parts) or _hiding(name)))
    if not other:
        return tree
    names = {name: f"own_{number}" for number, name in enumerate(other)}
    renaming = _Renaming(names, {node.name for node in classes})
    made = renaming.visit(copy.deepcopy(tree))
    assert isinstance(made, ast.Module)
    return made


def _held(node: ast.ClassDef) -> set[str]:
    """The names that a class's body binds."""
    held: set[str] = set()
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            held.add(statement.name)
        else:
            held |= {
                part.id
                for part in ast.walk(statement)
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
    return held


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: dict[str, str], classes: set[str]) -> None:
        self.names, self.classes = names, classes

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self.names.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        held = _held(node)
        for statement in node.body:
            outside: list[ast.AST] = [statement]
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                statement.name = self.names.get(statement.name, statement.name)
                outside = [*statement.decorator_list]
            for part in (part for root in outside for part in ast.walk(root)):
                if isinstance(part, ast.Name) and part.id in held:
                    part.id = self.names.get(part.id, part.id)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in self.classes:
            for keyword in node.keywords:
                keyword.arg = self.names.get(keyword.arg or "", keyword.arg)
        return self.generic_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> ast.AST:
        node.kwd_attrs = [self.names.get(name, name) for name in node.kwd_attrs]
        return self.generic_visit(node)


@cache
def _beside_torch() -> frozenset[str]:
    """Modules that the child could import because torch needs them."""
    from crossentropy.grading.sandbox import _needed, _places

    return frozenset(place.name.removesuffix(".py") for name in _needed() for place in _places(name))


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


def _chain(node: ast.expr) -> str:
    """A name and the attributes after it, if they are few."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < LONGEST_CHAIN:
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "..."


# Copied source


def copied(tree: ast.AST) -> str | None:
    """A sentence if a part of the source, whatever its names, is a part of this package."""
    known, texts = _package()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Module):
            body = _statements(node.body)
            for start in range(len(body)):
                # Most starts are no part's: then one statement has been looked at.
                for size, form in _windows(body, start):
                    if form not in known:
                        break
                    if size >= COPIED_NODES:
                        return f"is copied from {known[form]}"
            told = ast.get_docstring(node)
            if told and len(told) >= COPIED_TEXT and told in texts:
                return f"is copied from {texts[told]}"
    return None


@cache
def _package() -> tuple[dict[str, str], dict[str, str]]:
    """Each run of statements in this package's functions and each docstring, with the function's name."""
    folder = Path(__file__).parent.parent
    forms: dict[str, str] = {}
    texts: dict[str, str] = {}
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                name = f"crossentropy.{path.stem}.{node.name}"
                body = _statements(node.body)
                forms |= {form: name for start in range(len(body)) for _, form in _windows(body, start)}
                if (told := ast.get_docstring(node)) and len(told) >= COPIED_TEXT:
                    texts[told] = name
    return forms, texts


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    return [
        statement
        for statement in body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]


def _windows(body: list[ast.stmt], start: int) -> Iterator[tuple[int, str]]:
    """The runs of statements from ``start`` on, each one longer: how many nodes, and the form without the names."""
    seen: dict[str, int] = {}
    size, form = 0, ""
    for statement in itertools.islice(body, start, None):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            break
        more, text = _form(statement, seen)
        size, form = size + more, f"{form};{text}"
        yield size, form


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
                # In decimals Python refuses to write a number that is very long.
                parts.append(hex(item) if type(item) is int else repr(item))
    return size, f"({' '.join(parts)})"
