"""What a question forbids, found by reading the source: nothing is run, and nothing that runs can talk this out of it.

A ban on ``log_softmax`` is worth nothing while a source may look names up at run time. So where a question forbids anything, it also
forbids the ways around: names that are computed (getattr, eval, ``__dict__``), code from strings or files. No list of such ways is whole.
So imports are a list of what is allowed, a module stands in front of a name and is never handed on, and what leads from it to another
module is refused.
Behind this stands the second watch, in the child: every operation that torch runs is seen there by its own name.
"""

import ast
import copy
import importlib
import itertools
import operator
import string
import types
import warnings
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
    "abc": {"ABC", "abstractmethod"},
    "contextlib": {"nullcontext", "suppress"},
    "numpy.typing": {"ArrayLike", "DTypeLike", "NDArray"},
    "numpy.testing": {
        "assert_allclose", "assert_almost_equal", "assert_array_almost_equal", "assert_array_equal", "assert_array_less", "assert_equal",
    },
    "torch.autograd.functional": {"hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"},
    "torch.utils.data": {"DataLoader", "Dataset", "Subset", "TensorDataset", "random_split"},
}  # fmt: skip
# Libraries that are not in the child, where an import of them gives nothing: notebooks begin with them.
HARMLESS = {
    "IPython", "PIL", "altair", "bokeh", "cupy", "cv2", "d2l", "datasets", "einops", "google", "h5py", "imageio", "ipykernel", "ipytest",
    "ipywidgets", "lightning", "matplotlib", "mpl_toolkits", "nbgrader", "nltk", "otter", "pandas", "plotly", "polars", "pytest",
    "pytorch_lightning", "requests", "rich", "seaborn", "skimage", "statsmodels", "tabulate", "tensorboard", "tokenizers", "torchaudio",
    "torchinfo", "torchmetrics", "torchsummary", "torchvision", "tqdm", "transformers", "wandb", "yaml",
}  # fmt: skip
# torch passes its compiler's classes on, which run code in texts. Of those names only what tensors need.
BOUND = {
    "Event", "Generator", "OutOfMemoryError", "Size", "Stream", "Tag", "default_generator", "device", "dtype", "finfo", "iinfo", "layout", "memory_format", "qscheme",
}  # fmt: skip
BOUND_BEGINS = ("get_", "has_", "is_", "set_")
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
DYNAMIC = {
    "eval",
    "exec",
    "compile",
    "globals",
    "locals",
    "vars",
    "setattr",
    "delattr",
    "breakpoint",
    "memoryview",
    "open",
}
# Attributes that lead from a value to the interpreter, from a text to code, or to what a class holds by a name that is computed.
ATTRIBUTES = {
    "tb_frame", "tb_next", "f_globals", "f_locals", "f_builtins", "f_back", "f_code", "gi_frame", "gi_code", "cr_frame", "cr_code", "ag_frame",
    "ag_code", "func_globals", "co_code", "eval", "exec", "compile", "load", "loads", "from_file", "import_module", "attrgetter", "methodcaller",
    "get_type_hints", "ForwardRef", "singledispatch", "singledispatchmethod", "make_dataclass", "CompilationUnit", "ScriptModule",
    "ScriptFunction", "import_ir_module", "import_ir_module_from_buffer", "parse_ir", "PyTorchFileReader", "onnx", "modules", "measure", "runstring", "rundocs",
    "fields", "asdict", "astuple", "update_wrapper", "mro", "decorate_methods", "global_enum", "run_threaded", "extbuild", "test", "register_dataclass",
    "obj", "format", "format_map", "get_submodule", "set_submodule", "get_parameter", "get_buffer", "get_device_module", "ParameterDict", "f2py", "ctypeslib", "ctypes",
    "memmap", "open_memmap", "fromfile", "tofile", "save", "savez", "savez_compressed", "savetxt", "DataSource",
}  # fmt: skip
DUNDERS = {"__init__", "__name__", "__version__", "__doc__", "__call__", "__len__", "__post_init__"}
# What asks by a name or a class must be Python's own.
ASKING = {"getattr", "hasattr", "isinstance"}
# These names mean nothing to Python.
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


def broken_rule(tree: ast.AST, forbid: Iterable[str], setup: str = "") -> str | None:
    """The first thing in a parsed source that the question forbids, as a sentence; None if there is none.

    ``setup`` is the instructor's source that runs before it: modules have the names that it gives them.
    """
    parts = keys(forbid)
    if not parts:
        return None
    nodes = [*ast.walk(tree)]
    source = _Source(nodes, parts, ast.parse(setup))
    for node in nodes:
        for problem in source.problems(node):
            return problem
    return copied(tree)


class _Source:
    """A parsed source, and what must be known of all of it to judge a part."""

    def __init__(self, nodes: list[ast.AST], parts: tuple[str, ...], setup: ast.AST) -> None:
        self.parts = parts
        self.parents = {id(child): node for node in nodes for child in ast.iter_child_nodes(node)}
        self.used = {node.id for node in nodes if isinstance(node, ast.Name)}
        self.scopes = _Scopes(nodes, self.parents)
        # Which modules a name stands for, by the function that binds it.
        self.modules: dict[tuple[int, str], set[str]] = {(0, "torch"): {"torch"}}
        for node in ast.walk(setup):
            self._note_import(node, 0)
        for node in nodes:
            self._note_import(node, None)
        self.aliases = self._follow([node for node in nodes if isinstance(node, ast.Assign)])
        self.texts = self._texts(nodes)

    def _note_import(self, node: ast.AST, scope: int | None) -> None:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            return
        for alias in node.names:
            whole = alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
            bound = alias.asname or alias.name
            if isinstance(node, ast.Import) and not alias.asname:
                whole = bound = bound.split(".")[0]
            if whole in MODULES or whole in PARTLY:
                where = self.scopes.where(node, bound) if scope is None else scope
                self.modules.setdefault((where, bound), set()).add(whole)

    def _follow(self, assigned: list[ast.Assign]) -> set[int]:
        """Give the module's name to ``F = torch.nn.functional``; which values these are."""
        found: set[int] = set()
        waiting = [
            node
            for node in assigned
            if all(isinstance(target, ast.Name) for target in node.targets) and not self.scopes.in_class(node)
        ]
        for _ in range(LONGEST_CHAIN + 1):
            rest = []
            for node in waiting:
                if not (modules := self._modules(node.value)):
                    rest.append(node)
                    continue
                found.add(id(node.value))
                for target in node.targets:
                    assert isinstance(target, ast.Name)
                    self.modules.setdefault((self.scopes.where(node, target.id), target.id), set()).update(modules)
            if len(rest) == len(waiting):
                break
            waiting = rest
        return found

    def _modules(self, node: ast.AST) -> set[str]:
        """The allowed modules that a chain of names may be."""
        names: list[str] = []
        while isinstance(node, ast.Attribute) and len(names) <= LONGEST_CHAIN:
            names.append(node.attr)
            node = node.value
        found = self._stands_for(node) if isinstance(node, ast.Name) else set()
        for name in reversed(names):
            found = {_inside(whole, name) or "" for whole in found}
        return {whole for whole in found if whole in MODULES or whole in PARTLY}

    def _stands_for(self, node: ast.Name) -> set[str]:
        return self.modules.get((self.scopes.where(node, node.id), node.id), set())

    def _texts(self, nodes: list[ast.AST]) -> set[str]:
        """Names that are a text with harmless places for values, wherever they are bound."""
        told: set[str] = set()
        other: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                over = self.parent(node)
                plain = isinstance(over, ast.Assign) and node in over.targets and _plain_places(over.value)
                (told if plain else other).add(node.id)
        return told - other - self.scopes.bound_otherwise

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self.parents.get(id(node))

    def call(self, node: ast.AST) -> ast.Call | None:
        """The call of which this node is the function."""
        parent = self.parent(node)
        return parent if isinstance(parent, ast.Call) and parent.func is node else None

    def problems(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import | ast.ImportFrom) and self.scopes.in_class(node):
            yield "imports inside a class, which hides what is used"
        elif isinstance(node, ast.Import):
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
                for module in self._modules(node.args[0]):
                    if _inside(module, told.value) or _leads(module, told.value):
                        yield f"uses {told.value} by getattr, which hides what is used"

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
                    what = f"imports {alias.name} from {module}"
                    yield from self._name(alias.name, what)
                    if wrong := _leads(module, alias.name):
                        yield f"{what}, which {wrong}"
            elif module in PARTLY:
                if alias.name not in PARTLY[module] and (alias.asname or alias.name) in self.used:
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
        if name in ASKING:
            if name in self.scopes.bound_otherwise or isinstance(node.ctx, ast.Store):
                yield f"makes a {name} of its own, which hides what is used"
            elif name != "isinstance" and not self.call(node):
                yield f"hands {name} on, which hides what is used"
        elif name == "type":
            call = self.call(node)
            asked = isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "isinstance"
            if not asked and not (call and len(call.args) == 1 and not call.keywords):
                yield "makes a class by type, which hides what is used"
        elif name == "wraps":
            if isinstance(node.ctx, ast.Load) and not self._innermost(node):
                yield "uses wraps on something else than a function, which hides what is used"
        elif name == "__slots__" and _slots(over):
            return
        elif name in DYNAMIC or (_dunder(name) and name not in TOLD):
            yield f"uses {name}, which hides what is used"
        elif isinstance(node.ctx, ast.Load):
            for module in sorted(self._stands_for(node)):
                yield from self._through(node, module)

    def _through(self, node: ast.expr, module: str) -> Iterator[str]:
        """What is done with a module that a name stands for: it stands in front of what is taken out of it, and that is all."""
        while module:
            over = self.parent(node)
            if not (isinstance(over, ast.Attribute) and over.value is node):
                if module in PARTLY:
                    if not isinstance(over, ast.Expr):
                        yield f"uses more of {_dotted(node)} than this question allows"
                elif not self._stays(node, over):
                    yield f"hands the module {_dotted(node)} on, which hides what is used"
                return
            if module in PARTLY and over.attr not in PARTLY[module]:
                yield f"uses more of {_dotted(node)} than this question allows"
                return
            if f"{module}.{over.attr}" in CHAINS:
                return
            if wrong := _leads(module, over.attr):
                yield f"uses {_dotted(over)}, which {wrong}"
                return
            node, module = over, _inside(module, over.attr) or ""
            if not module or not isinstance(over.ctx, ast.Load):
                break
        # What is changed there, it is for everybody.
        while isinstance(node, ast.Attribute):
            if not isinstance(node.ctx, ast.Load):
                yield f"changes {_dotted(node)}, which hides what is used"
            over = self.parent(node)
            if not (isinstance(over, ast.Attribute) and over.value is node):
                return
            node = over

    def _stays(self, node: ast.expr, over: ast.AST | None) -> bool:
        """Whether a module that stands alone stays where it is."""
        if isinstance(over, ast.Compare):
            return all(isinstance(sign, ast.Is | ast.IsNot) for sign in over.ops)
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id in {"getattr", "hasattr"}:
            return over.args[:1] == [node]
        return isinstance(over, ast.Expr) or id(node) in self.aliases

    def _harmless(self, node: ast.Attribute) -> bool:
        """Whether an attribute that might lead somewhere does not, where it stands."""
        call, over = self.call(node), self.parent(node)
        if node.attr == "__class__":
            return isinstance(node.ctx, ast.Load)
        if node.attr == "__annotations__":
            # Names that are put into it are code to a dataclass. An operand of one's own would get hold of it.
            return isinstance(over, ast.Compare) and all(
                side is node or isinstance(side, ast.Dict) for side in (over.left, *over.comparators)
            )
        if node.attr == "format":
            # Places like {0.name} look names up, and the error of one that is not there holds what was found.
            return _plain_places(node.value) or (isinstance(node.value, ast.Name) and node.value.id in self.texts)
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
    if module in MODULES or root in HARMLESS - _beside_torch():
        return
    if root in ANSWERS:
        yield f"imports {root}, which holds the answer"
    else:
        yield f"imports {module}, which this question does not allow"


@lru_cache(maxsize=2**12)
def _inside(module: str, name: str) -> str | None:
    """The module that an allowed module holds under a name: its own name, or the name that it is allowed by."""
    whole = f"{module}.{name}"
    if whole in MODULES or whole in PARTLY or any(chain.startswith(f"{whole}.") for chain in CHAINS):
        return whole
    if module not in MODULES or _hiding(name):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = getattr(importlib.import_module(module), name, None)
    return value.__name__ if isinstance(value, types.ModuleType) else None


@lru_cache(maxsize=2**12)
def _leads(module: str, name: str) -> str:
    """Why a module's name is not allowed: behind it stands another module, or torch's compiler."""
    if module == "torch" and _of_the_compiler(name):
        return "hides what is used"
    if module in MODULES and not _hiding(name) and _makes_classes(module, name):
        return "hides what is used"
    found, whole = _inside(module, name), f"{module}.{name}"
    allowed = (
        found in MODULES
        or found in PARTLY
        or any(chain.startswith(f"{whole}.") for chain in CHAINS)
        or (found is None and (module in MODULES or module in PARTLY))
    )
    return "" if allowed else "leads to another module"


def _makes_classes(module: str, name: str) -> bool:
    """Whether this is a class of classes, which would take computed names for what a class holds."""
    value = vars(importlib.import_module(module)).get(name)
    return isinstance(value, type) and issubclass(value, type)


def _of_the_compiler(name: str) -> bool:
    import torch

    bound = torch._C
    return (
        name not in BOUND
        and not name.startswith(BOUND_BEGINS)
        and hasattr(bound, name)
        and not hasattr(bound._VariableFunctions, name)
        and getattr(torch, name, None) is getattr(bound, name)
    )


def _plain_places(node: ast.AST) -> bool:
    """Whether this is a text whose places for values, if any, look nothing up."""
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return False
    waiting = [node.value]
    try:
        while waiting:
            for _, name, spec, _ in string.Formatter().parse(waiting.pop()):
                if name and set(name) & {".", "["}:
                    return False
                waiting += [spec] if spec else []
    except ValueError:  # no format at all
        return False
    return True


FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
INNER = ast.ClassDef | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class _Scopes:
    """Which function binds a name, seen from where it stands; 0 is the cell itself.

    What a class or a comprehension binds is left out: a name then counts as the one outside, which may be a module.
    """

    def __init__(self, nodes: list[ast.AST], parents: dict[int, ast.AST]) -> None:
        self.parents = parents
        self.binds: dict[int, set[str]] = {}
        self.passed: dict[int, dict[str, bool]] = {}
        # Bound by something else than an assignment.
        self.bound_otherwise: set[str] = set()
        for node in nodes:
            self._note(node)

    def _note(self, node: ast.AST) -> None:
        names: list[str] = []
        if isinstance(node, ast.arg):
            names = [node.arg]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.asname or alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names = [node.name]
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names = [node.rest]
        elif isinstance(node, ast.Global | ast.Nonlocal):
            scope = next(self._functions(node), None)
            if scope is not None:
                world = isinstance(node, ast.Global)
                self.passed.setdefault(id(scope), {}).update(dict.fromkeys(node.names, world))
            return
        self.bound_otherwise.update(names)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names = [node.id]
        if not names:
            return
        over = self.parents[id(self.parents[id(node)])] if isinstance(node, ast.arg) else self._around(node)
        if not isinstance(over, INNER):
            self.binds.setdefault(id(over) if over else 0, set()).update(names)

    def _around(self, node: ast.AST) -> ast.AST | None:
        """The innermost function, class or comprehension in which a node stands."""
        over = self.parents.get(id(node))
        while over is not None:
            if isinstance(over, INNER) or (isinstance(over, FUNCTIONS) and self._in_body(over, node)):
                break
            node, over = over, self.parents.get(id(over))
        return over

    @staticmethod
    def _in_body(over: ast.AST, node: ast.AST) -> bool:
        """Whether a node stands in a function's body, and not in its defaults, its decorators or its annotations."""
        if isinstance(over, ast.Lambda):
            return over.body is node
        return isinstance(node, ast.stmt)

    def _functions(self, node: ast.AST) -> Iterator[ast.AST]:
        over = self.parents.get(id(node))
        while over is not None:
            if isinstance(over, FUNCTIONS) and self._in_body(over, node):
                yield over
            node, over = over, self.parents.get(id(over))

    def where(self, node: ast.AST, name: str) -> int:
        for scope in self._functions(node):
            passed = self.passed.get(id(scope), {}).get(name)
            if passed:
                return 0
            if passed is None and name in self.binds.get(id(scope), ()):
                return id(scope)
        return 0

    def in_class(self, node: ast.AST) -> bool:
        over = self.parents.get(id(node))
        while over is not None and not isinstance(over, FUNCTIONS):
            if isinstance(over, ast.ClassDef):
                return True
            over = self.parents.get(id(over))
        return False


# A student's own names


def renamed(tree: ast.Module, forbid: Iterable[str]) -> ast.Module:
    """The source with other names for what its own classes hold, where a name of theirs looks like one that the question forbids.

    ``self._dim``, a method of the student's own named ``softmax`` or a buffer registered as ``_one`` is harmless, and nobody can see that it
    is the student's own where it is used. With all attributes of this name renamed alike it works as before, and whatever else had this name is out of reach.
    """
    parts = keys(forbid)
    if not parts:
        return tree
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    own = {name for node in classes for name in _held(node)} | {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    own |= {name for node in ast.walk(tree) for name in _told_by_texts(node)}
    other = sorted(name for name in own if not _dunder(name) and (_forbidden(name, parts) or _hiding(name)))
    if not other:
        return tree
    names = {name: f"own_{number}" for number, name in enumerate(other)}
    renaming = _Renaming(names, tree)
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


# What gives an attribute the name in its first argument.
REGISTERING = {"register_buffer", "register_parameter", "register_module", "add_module"}


def _function(node: ast.AST) -> str:
    """The last name of what is called; empty where nothing is."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _telling(node: ast.AST) -> list[ast.Constant]:
    """The texts in a call that name what the student's own object holds."""
    called = _function(node)
    place = 0 if called in REGISTERING else 1 if called == "namedtuple" else None
    if place is None or not isinstance(node, ast.Call):
        return []
    value: ast.AST | None = (
        node.args[place]
        if len(node.args) > place
        else next((word.value for word in node.keywords if word.arg in {"name", "field_names"}), None)
    )
    return _literals(value)


def _literals(node: ast.AST | None) -> list[ast.Constant]:
    parts = node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else [node]
    return [part for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def _told_by_texts(node: ast.AST) -> set[str]:
    return {name for text in _telling(node) for name in str(text.value).replace(",", " ").split()}


class _Fields:
    """The names by which values are handed to the student's own classes, where Python writes their ``__init__`` from what they hold."""

    def __init__(self, tree: ast.AST) -> None:
        self.classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        self.tuples = {
            target.id: _told_by_texts(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and _function(node.value) == "namedtuple"
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self.found: dict[str, set[str]] = {}

    def of(self, name: str) -> set[str]:
        if name not in self.found:
            self.found[name] = set()  # a class that stands on itself
            self.found[name] = self._look(self.classes[name]) if name in self.classes else self.tuples.get(name, set())
        return self.found[name]

    def _look(self, node: ast.ClassDef) -> set[str]:
        held = _held(node)
        if "__init__" in held:
            return set()
        bases = {getattr(base, "attr", getattr(base, "id", "")) for base in node.bases}
        inherited = {name for base in bases for name in self.of(base)}
        inherited |= {name for base in node.bases for name in _told_by_texts(base)}
        return inherited | (held if node.decorator_list or "NamedTuple" in bases else set())


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: dict[str, str], tree: ast.AST) -> None:
        self.names, self.fields = names, _Fields(tree)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if not isinstance(node.value, ast.Constant):
            node.attr = self.names.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        held = _held(node)
        for statement in node.body:
            if _slots(statement):
                assert isinstance(statement, ast.Assign)
                self._texts(_literals(statement.value))
            outside: list[ast.AST] = [statement]
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                statement.name = self.names.get(statement.name, statement.name)
                outside = [*statement.decorator_list]
            for part in (part for root in outside for part in ast.walk(root)):
                if isinstance(part, ast.Name) and part.id in held:
                    part.id = self.names.get(part.id, part.id)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        called = _function(node)
        self._texts(_telling(node))
        if called in {"getattr", "hasattr"}:
            self._texts(_literals(node.args[1] if len(node.args) > 1 else None))
        everybody = {*self.fields.classes, *self.fields.tuples} if called == "replace" else {called}
        taken = {name for maker in everybody for name in self.fields.of(maker)}
        for keyword in node.keywords:
            if keyword.arg in taken:
                keyword.arg = self.names.get(keyword.arg, keyword.arg)
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        # A member of an enumeration by its name.
        known = self.fields.classes.get(getattr(node.value, "id", ""))
        if known and isinstance(node.slice, ast.Constant) and node.slice.value in _held(known):
            self._texts(_literals(node.slice))
        return self.generic_visit(node)

    def _texts(self, texts: list[ast.Constant]) -> None:
        for text in texts:
            names = str(text.value).replace(",", " ").split()
            if not self.names.keys().isdisjoint(names):
                text.value = " ".join(self.names.get(name, name) for name in names)

    def visit_MatchClass(self, node: ast.MatchClass) -> ast.AST:
        node.kwd_attrs = [self.names.get(name, name) for name in node.kwd_attrs]
        return self.generic_visit(node)


def _slots(node: ast.AST | None) -> bool:
    """Whether this is ``__slots__`` with names that are written out."""
    return (
        isinstance(node, ast.Assign)
        and [getattr(target, "id", "") for target in node.targets] == ["__slots__"]
        and (isinstance(node.value, ast.List | ast.Tuple | ast.Constant))
        and len(_literals(node.value)) == len(getattr(node.value, "elts", [0]))
    )


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # numpy makes some of its modules when they are asked for.
            held = {attribute: getattr(module, attribute, None) for attribute in dir(module)}
        for attribute, value in held.items():
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
