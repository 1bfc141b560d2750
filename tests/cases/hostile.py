"""Submissions that cheat, attack or break: each is what a student wrote where a softmax was asked for."""

RIGHT = """
def softmax(logits):
    grown = (logits - logits.amax(-1, keepdim=True)).exp()
    return grown / grown.sum(-1, keepdim=True)
"""
ZERO = "def softmax(logits): return torch.zeros_like(logits)\n"


def body(text: str) -> str:
    return "def softmax(logits):\n" + "".join(f"    {line}\n" for line in text.strip().splitlines())


# The answer that is forbidden, by every road to it: for the cell that forbids it.
FORBIDDEN = {
    "method": body("return logits.softmax(-1)"),
    "function": body("return torch.softmax(logits, -1)"),
    "functional": "import torch.nn.functional as F\n" + body("return F.softmax(logits, dim=-1)"),
    "from-import": "from torch.nn.functional import softmax as s\n" + body("return s(logits, dim=-1)"),
    "star-import": "from torch.nn.functional import *\n" + body("return torch.exp(log_softmax(logits, dim=-1))"),
    "module": body("return torch.nn.Softmax(-1)(logits)"),
    "log-softmax": body("return logits.log_softmax(-1).exp()"),
    "logsumexp": body("return (logits - torch.logsumexp(logits, -1, keepdim=True)).exp()"),
    "special": "from torch import special\n" + body("return special.softmax(logits, -1)"),
    "getattr": body("return getattr(torch, 'softmax')(logits, -1)"),
    "getattr-computed": body("return getattr(torch, 'soft' + 'max')(logits, -1)"),
    "getattr-renamed": "look = getattr\n" + body("return look(torch, 'soft' + 'max')(logits, -1)"),
    "dunder-getattribute": body("return torch.Tensor.__getattribute__(logits, 'soft' + 'max')(-1)"),
    "dict": body("return torch.__dict__['soft' + 'max'](logits, -1)"),
    "vars": body("return vars(torch)['soft' + 'max'](logits, -1)"),
    "eval": body("return eval('torch.soft' + 'max(logits, -1)')"),
    "exec": "exec('def softmax(x): return torch.soft' + 'max(x, -1)')\n",
    "importlib": "import importlib\n" + body("return importlib.import_module('torch').softmax(logits, -1)"),
    "dunder-import": body("return __import__('torch').nn.functional.softmax(logits, -1)"),
    "sys-modules": "import sys\n" + body("return sys.modules['torch'].softmax(logits, -1)"),
    "torch-sys": body("return torch.sys.modules['torch'].exp(logits)"),
    "operator": "import operator\n" + body("return operator.methodcaller('soft' + 'max', -1)(logits)"),
    "operations": body("return torch.ops.aten._softmax(logits, -1, False)"),
    "bindings": body("return torch._C._nn.cross_entropy_loss(logits, logits)"),
    "references": "import torch._refs\n" + body("return torch._refs.softmax(logits, -1)"),
    "script": body("return torch.jit.CompilationUnit('def f(x): return torch.soft' + 'max(x, -1)').f(logits)"),
    "pickle": "import pickle\n" + body("return pickle.loads(b'ctorch\\nsoftmax\\n.')(logits, -1)"),
    "format": "import string\n" + body("return string.Formatter().get_field('0.soft' + 'max', [torch], {})[0](logits, -1)"),
    "match": body("match torch:\n    case object(softmax=f):\n        return f(logits, -1)"),
    "traceback": body("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    return e.__traceback__.tb_frame.f_builtins['eval']('torch.soft' + 'max')(logits, -1)"),
    "generator": body("return (x for x in ()).gi_frame.f_builtins['eval']('torch.soft' + 'max')(logits, -1)"),
    "annotation": "import typing\ndef f(x: \"torch.soft\" 'max'): ...\n" + body("return typing.get_type_hints(f)['x'](logits, -1)"),
    "package": "from crossentropy.softmax import softmax\n",
    "package-renamed": "import crossentropy.softmax as mine\nsoftmax = mine.softmax\n",
    "scipy": "from scipy.special import softmax as s\n" + body("return torch.from_numpy(s(logits.detach().numpy(), -1))"),
    "categorical": "from torch.distributions import Categorical\n" + body("return Categorical(logits=logits).probs"),
    "attention": body(
        "eye = torch.eye(logits.shape[-1], dtype=logits.dtype)\nrows = logits.reshape(1, -1, logits.shape[-1])\nn = rows.shape[1]\n"
        "k = torch.eye(n, dtype=logits.dtype)[None]\nreturn torch.nn.functional.scaled_dot_product_attention(rows, eye[None], eye[None], scale=1.0).reshape(logits.shape)"
    ),
    "sigmoid": body("return torch.sigmoid(logits)"),
    "silu": body("return torch.nn.functional.silu(logits) / logits"),
    "testing": "import numpy as np\n" + body("np.testing.measure('torch.soft' + 'max')\nreturn logits"),
    "unicode": body("return logits.ſoftmax(-1)"),
    "partial-method": "import functools\n" + body("return functools.partialmethod(torch.Tensor.softmax).func(logits, -1)"),
    "module-in-module": body("return torch.storage.torch.nn.functional.softmax(logits, -1)"),
    "gradient-of-logsumexp": body("x = logits.detach().requires_grad_()\nreturn torch.autograd.grad(torch.logsumexp(x, -1).sum(), x)[0]"),
    "decorator": "@exec\ndef softmax(logits): pass\n",
    "relative-import": "from . import answers\n" + RIGHT,
    "update-wrapper": "import functools\ndef f(): pass\nfunctools.update_wrapper(f, torch, assigned=(), updated=('__dict__',))\n" + RIGHT,
    "wraps-on-an-object": "import functools, dataclasses\n@dataclasses.dataclass\nclass A:\n    softmax: object = None\na = functools.wraps(torch)(A())\nsoftmax = lambda logits: dataclasses.astuple(a)[0](logits, -1)\n",
    "wraps-as-an-outer-decorator": "import functools\nclass A: pass\n@functools.wraps(torch)\n@lambda f: A()\ndef f(): pass\n" + RIGHT,
    "wraps-with-names": "from functools import wraps\n@wraps(torch, assigned=('soft' + 'max',))\ndef f(): pass\n" + RIGHT,
    "match-by-position": (
        "class Meta(type):\n    def __instancecheck__(cls, thing): return True\nclass A(metaclass=Meta):\n    __match_args__ = ('soft' + 'max',)\n"
        + body("match torch:\n    case A(f):\n        return f(logits, -1)")
    ),
    "match-a-named-tuple": "import collections\nA = collections.namedtuple('A', ['soft' + 'max'])\n" + body("match torch:\n    case A(f):\n        return f(logits, -1)"),
    "dataclass-of-type": "import dataclasses\n" + body("A = dataclasses.dataclass(type('A', (torch.Tensor,), {'__annotations__': {'soft' + 'max': object}}))\nreturn dataclasses.fields(A)[0].default(logits, -1)"),
    "type-of-type": body("A = type(int)('A', (torch.Tensor,), {})\nreturn logits"),
    "decorated-methods": "import numpy\n" + body("found = []\nnumpy.testing.decorate_methods(torch.nn.functional, found.append)\nreturn [f for f in found if f.__name__ == 'soft' + 'max'][0](logits, -1)"),
    "method-resolution-order": body("return logits"  ) + "torch.Tensor.mro()\n",
    "behind-a-method-s-name": body("return torch.cuda.traceback.sys.modules['torch'].exp(logits)"),
    "annotations-of-data": "import torch.utils.data as d\ndef keep(f): torch.kept = f\n@d.argument_validation\ndef f(x: 'keep(torch.soft' 'max)'): pass\n" + RIGHT,
    "class-changed": "class A: pass\na = A()\na.__class__ = dict\n" + RIGHT,
    "own-tensors": (
        "class Mine(torch.Tensor):\n    @classmethod\n    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):\n        return args[0]\n" + RIGHT
    ),
}  # fmt: skip

# The same, as it would run if a source got past the reading: what the watch in the child must see by itself.
POP = "torch._C._pop_torch_dispatch_stack"
UNREAD = {
    "taken-off": f"mode = {POP}(None)\n" + body("return torch.Tensor.__base__.softmax(logits.detach(), -1)"),
    "taken-off-and-put-on-again": body(f"mode = {POP}(None)\ntry: return torch.Tensor.__base__.softmax(logits.detach(), -1)\nfinally: torch._C._push_on_torch_dispatch_stack(mode)"),
    "by-the-helpers-of-torch": "from torch.utils._python_dispatch import _disable_current_modes\n" + body("with _disable_current_modes(): return torch.Tensor.__base__.softmax(logits.detach(), -1)"),
    "below-the-watch": body("with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.Python)): return torch.Tensor.__base__.softmax(logits.detach(), -1)"),
    "without-dispatch": body("with torch._C._DisableTorchDispatch(): return torch.Tensor.__base__.softmax(logits.detach(), -1)"),
    "caught": body("try: return torch.Tensor.__base__.softmax(logits.detach(), -1)\nexcept BaseException: return logits"),
    "class-of-tensors": (
        "inner = [0]\nclass Mine(torch.Tensor):\n    @classmethod\n    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):\n        return torch.Tensor.__base__.softmax(inner[0], -1)\n"
        + body("inner[0] = logits.detach()\nreturn torch.neg(logits.as_subclass(Mine))")
    ),
    "class-of-tensors-after-all": (
        "inner = [0]\ntorch.Tensor.__init_subclass__ = classmethod(lambda cls, **k: None)\nclass Mine(torch.Tensor):\n    @classmethod\n"
        "    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):\n        return torch.Tensor.__base__.softmax(inner[0], -1)\n"
        + body("inner[0] = logits.detach()\nreturn torch.neg(logits.as_subclass(Mine))")
    ),
    "operation-of-python": (
        "from torch.library import Library\nlib = Library('mine', 'DEF')\nlib.define('go(Tensor x) -> Tensor')\n"
        "lib.impl('go', lambda x: torch.Tensor.__base__.softmax(x, -1), 'CPU')\n" + body("return torch.ops.mine.go(logits)")
    ),
    "another-mode": (
        "from torch.utils._python_dispatch import TorchDispatchMode\nclass Mode(TorchDispatchMode):\n    def __torch_dispatch__(self, func, types, args=(), kwargs=None):\n        return func(*args, **(kwargs or {}))\n"
        + body("with Mode(): return torch.Tensor.__base__.softmax(logits.detach(), -1)")
    ),
    "beside-torch-s-names": body("return torch._C._VariableFunctions.softmax(logits, -1)"),
    "through-torch-s-names": body("return torch._VF.softmax(logits, -1)"),
    "numpy": "import numpy as np\nlook = getattr(np, 'logadd' 'exp').reduce\n" + body("x = logits.detach().numpy()\nreturn torch.from_numpy(np.exp(x - look(x, axis=-1, keepdims=True)))"),
    "numpy-s-own": "import numpy._core._multiarray_umath as own\n" + body("x = logits.detach().numpy()\nreturn torch.from_numpy(x - own.logaddexp.reduce(x, axis=-1, keepdims=True)).exp()"),
    "another-thread": (
        "import threading\n"
        + body("found = []\nother = threading.Thread(target=lambda: found.append(torch.Tensor.__base__.softmax(logits.detach(), -1)))\nother.start()\nother.join()\nreturn found[0]")
    ),
}  # fmt: skip

# Ways to a name that nobody reads, and their near variants: refused in the source, whatever would come of them. numpy is np in all of them.
BY_A_DETOUR = {
    "partly-open-under-another-name": "from operator import attrgetter as a\nL = a('log' + 'addexp')(np)",
    "partly-open-in-a-class": "class A:\n    from operator import attrgetter as g\nA.g('log' + 'addexp')(1)",
    "partly-open-in-a-branch-of-a-class": "class A:\n    if True:\n        from operator import itemgetter as g\nA.g",
    "modules-under-another-name": "from sys import modules as m\nm['builtins']",
    "whole-module-in-a-class": "class A:\n    import os as o\nA.o.getcwd()",
    "main": "import timeit, __main__ as m\nm.timeit.timeit('1')",
    "from-main": "from __main__ import timeit as t\nt.timeit('1')",
    "internal-module": "import _testcapi\n_testcapi.run_in_subinterp('1')",
    "file-of-ones-own": "from evil import L\nL",
    "module-of-ones-own": "import evil\nevil.L",
    "star-of-ones-own": "from evil import *",
    "part-of-torch-s-needs": "import mpmath\nmpmath.libmp",
    "object-of-the-error": "try: torch.Tensor.nothing\nexcept AttributeError as e: L = e.obj",
    "object-of-the-error-matched": "match e:\n    case AttributeError(obj=found): pass",
    "object-of-the-error-by-getattr": "getattr(e, 'obj')",
    "format": "('{0.log' + 'addexp.x}').format(x)",
    "format-literal": "'{0.shape}'.format(x)",
    "format-item": "'{0[a]}'.format(x)",
    "format-in-a-spec": "'{0:{1.a}}'.format(x, y)",
    "format-map": "'{a}'.format_map(x)",
    "format-of-a-name": "told = '{}'\ntold = '{0.log' + 'addexp.x}'\ntold.format(x)",
    "format-of-an-argument": "told = '{}'\ndef f(told): return told.format(x)",
    "format-of-str": "str.format(told, x)",
    "format-a-module": "'{}'.format(np)",
    "submodule": "K.get_submodule('t.log' + 'addexp')",
    "parameter-by-name": "K.get_parameter('t.x')",
    "parameter-dict": "torch.nn.ParameterDict()['log' + 'addexp']",
    "store-in-a-module": "torch.nn.Module = object",
    "store-in-a-class-of-a-module": "torch.nn.Module.t = 1",
    "store-by-a-loop": "for torch.kept in [1]: pass",
    "store-by-a-tuple": "a, torch.kept = 1, 2",
    "delete-from-a-module": "del torch.exp",
    "store-by-setattr": "setattr(torch, 'kept', 1)",
    "dataclass-of-code": "class A: x: int = 0\nA.__annotations__['x or 1'] = int",
    "dataclass-of-code-updated": "class A: x: int = 0\nd = A.__annotations__\nd.update({'x or 1': int})",
    "dataclass-of-code-compared": "class A: x: int = 0\nA.__annotations__ == Mine()",
    "open": "open('/tmp/evil.py', 'w')",
    "open-under-another-name": "o = open",
    "save-a-text": "np.savetxt('/tmp/evil.py', x)",
    "map-memory": "np.memmap('/proc/self/mem')",
    "lazy-f2py": "np.f2py.crackfortran.myeval('1', {})",
    "lazy-ctypeslib": "np.ctypeslib.load_library('c', '/')",
    "lazy-imported": "from numpy import f2py as f\nf.run_main([])",
    "lazy-char": "np.char.sys",
    "lazy-char-imported": "from numpy import char as c\nc.sys",
    "lazy-by-getattr": "getattr(np, 'char')",
    "behind-an-alias": "m = np\nm.char",
    "behind-two-aliases": "m = torch.nn\nk = m.functional\nk.grad.torch",
    "behind-one-of-two": "import math as m\nimport numpy as m\nm.char",
    "behind-a-global": "def f():\n    global m\n    m = np\ndef g(): return m.char",
    "behind-a-nonlocal": "def f():\n    m = np\n    def g():\n        nonlocal m\n        return m.char",
    "behind-a-comprehension": "def f(): return [[np for np in [1]], np.char]",
    "behind-a-class": "def f():\n    class A: np = 1\n    return np.char",
    "compiler": "torch.Graph()",
    "compiler-by-getattr": "getattr(torch, 'Graph')()",
    "slots-that-are-computed": "class A: __slots__ = ('soft' + 'max',)",
    "slots-by-a-call": "class A: __slots__ = names()",
    "slots-read": "class A: x = __slots__",
    "class-of-classes": "import numbers\nnumbers.ABCMeta('A', (), {})",
    "class-of-classes-imported": "from enum import EnumType as E\nE('A', (), {})",
    "module-by-a-function": "K.t = torch.get_device_module('cpu')",
    "compiler-imported": "from torch import parse_schema as p\np('1')",
    "module-handed-over": "f(np)",
    "module-handed-over-by-name": "f(x=torch.nn)",
    "module-in-a-list": "k = [np]",
    "module-in-a-tuple": "a, b = np, 1",
    "module-in-an-attribute": "K.t = np",
    "module-in-an-item": "k[0] = np",
    "module-in-a-class": "class A:\n    t = np",
    "module-returned": "def f(): return np",
    "module-by-lambda": "f = lambda: np",
    "module-yielded": "def f(): yield torch.nn",
    "module-as-a-default": "def f(np=np): return np",
    "module-by-a-walrus": "(m := np)",
    "module-by-a-choice": "m = np or 1",
    "module-looped-over": "for m in (np,): pass",
    "module-in-a-comprehension": "[f(np) for np in [np]]",
    "module-through-an-own-getattr": "def getattr(a, b): return a\ngetattr(np, 'exp')",
    "module-through-an-argument-getattr": "def f(getattr): return getattr(np, 'exp')",
    "module-through-an-imported-hasattr": "from math import exp as hasattr\nhasattr(np, 'exp')",
    "type-through-an-own-isinstance": "isinstance = lambda x: x\nisinstance(type)",
    "module-matched": "match np:\n    case m: pass",
    "module-as-a-context": "with np as m: pass",
    "module-decorates": "@f(np)\ndef g(): pass",
    "module-imported-inside": "def f():\n    import torch.nn.functional as F\n    return F",
    "module-open-in-part-handed-over": "import operator\nf(operator)",
    "module-open-in-part-behind-an-alias": "import operator\no = operator\no.attrgetter",
}  # fmt: skip

# Wrong, and busy with something else: for the cell that forbids nothing, so that all of it runs.
WORTHLESS = {
    "always-equal": "class Agree(torch.Tensor):\n    def __eq__(self, other): return True\n    def __bool__(self): return True\n" + body("return Agree(torch.zeros(3))"),
    "torch-function": (
        "class Sly(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, func, types, args=(), kwargs=None):\n        return torch.ones(3)\n"
        + body("return torch.zeros(logits.shape).as_subclass(Sly)")
    ),
    "no-tensor": "class Yes:\n    def __getattr__(self, name): return lambda *a, **k: self\n    def __eq__(self, other): return True\n" + body("return Yes()"),
    "patched-torch": "torch.allclose = torch.equal = lambda *a, **k: True\ntorch.testing.assert_close = lambda *a, **k: None\n" + ZERO,
    "patched-builtins": "import builtins\nbuiltins.abs = builtins.all = lambda *a: True\n" + ZERO,
    "patched-tensor": "torch.Tensor.sub = torch.Tensor.__sub__ = lambda self, other: torch.zeros_like(self)\n" + ZERO,
    "patched-json": "import json\njson.dumps = lambda *a, **k: '{}'\n" + ZERO,
    "frames": "import sys\n" + body("frame = sys._getframe()\nwhile frame.f_back: frame = frame.f_back\nframe.f_locals['score'] = 4\nreturn logits"),
    "garbage-search": "import gc\n" + body("for thing in gc.get_objects():\n    if isinstance(thing, dict) and 'expected' in thing: return thing['expected']\nreturn logits"),
    "files-read": "import glob\nfound = [open(path).read() for path in glob.glob('/**/*.ipynb', recursive=True)]\nassert found\n" + ZERO,
    "files-written": "open('/tmp/grades.csv', 'w').write('me,100')\nopen('/grades/grades.csv', 'w').write('me,100')\n" + ZERO,
    "printed": "print('{\"softmax\": {\"score\": 4}}')\nimport sys\nsys.stderr.write('score 4\\n')\n" + ZERO,
    "sent-by-hand": "import os\nfor n in range(3, 20):\n    try: os.write(n, b'\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x00{\"a\"}')\n    except OSError: pass\n" + ZERO,
    "sent-a-forgery": (
        "import os, json, struct\ntext = json.dumps({'kind': 'loaded', 'trouble': [], 'found': True}).encode()\nos.write(3, struct.pack('<II', len(text), 0) + text)\n"
        "text = json.dumps({'kind': 'verdict', 'passed': True, 'score': 4}).encode()\nos.write(3, struct.pack('<II', len(text), 0) + text)\n" + ZERO
    ),
    "flood": "import os\nwhile True: os.write(3, b'\\xff' * 2**20)\n" + ZERO,
    "closed-door": "import os\nos.close(3)\n" + RIGHT,
    "sent-by-a-forger-who-knows-the-form": (
        "import os, json, struct\ndef send(head, data=b''):\n    text = json.dumps(head).encode()\n    os.write(3, struct.pack('<II', len(text), len(data)) + text + data)\n"
        "send({'kind': 'loaded', 'trouble': [], 'found': True})\n"
        "for _ in range(40): send({'kind': 'outcome', 'problem': None, 'value': ['float64', [3]], 'gradients': {}, 'after': {}}, struct.pack('<3d', 0.7292, 0.1627, 0.109))\n"
        "os._exit(0)\n"
    ),
    "patched-tensor-s-own": "torch.Tensor.numpy = torch.Tensor.clone = torch.Tensor.detach = lambda self: self\n" + ZERO,
    "question-emptied": "import sys\nframe = sys._getframe()\nwhile frame:\n    for name, value in list(frame.f_locals.items()):\n        if name == 'question': value['calls'].clear()\n    frame = frame.f_back\n" + ZERO,
    "own-dispatch": (
        "import torch.utils._python_dispatch as d\nclass Mode(d.TorchDispatchMode):\n    def __torch_dispatch__(self, func, types, args=(), kwargs=None): return torch.ones(3)\n"
        "Mode().__enter__()\n" + ZERO
    ),
    "limits-raised": "import resource\nfor kind in range(16):\n    try: resource.setrlimit(kind, (-1, -1))\n    except (OSError, ValueError): pass\n" + ZERO,
    "hostile-error": "class Meta(type):\n    def __getattribute__(self, name): raise SystemExit\nclass Odd(Exception, metaclass=Meta):\n    def __str__(self):\n        while True: pass\nraise Odd\n",
    "own-memory": "import ctypes\nctypes.memset(id(None), 0, 16)\n" + RIGHT,
    "random-answer": body("return torch.rand(logits.shape, dtype=logits.dtype)"),
    "every-other-call": "n = [0]\n" + body("n[0] += 1\ngrown = (logits - logits.amax(-1, keepdim=True)).exp()\nreturn grown / grown.sum(-1, keepdim=True) * (n[0] % 3 == 0)"),
    "not-a-number": body("return torch.full_like(logits, float('nan'))"),
    "nested-tensor": body("return torch.nested.nested_tensor([torch.zeros(2)])"),
    "float8": body("return torch.zeros(3).to(torch.float8_e4m3fn)"),
    "coroutine": "async def softmax(logits): return logits\n",
    "late-thread": "import threading, time\ndef late():\n    time.sleep(0.1)\n    torch.exp = lambda x: x\nthreading.Thread(target=late).start()\n" + ZERO,
    "exit-handler": "import atexit\natexit.register(print, 'score 4')\n" + ZERO,
    "exit": "import os\nos._exit(0)\n",
    "exit-inside": body("import os\nos._exit(0)"),
    "system-exit": "raise SystemExit(0)\n" + ZERO,
    "keyboard-interrupt": body("raise KeyboardInterrupt"),
    "transformer": "get_ipython().ast_transformers.append(lambda tree: tree)\n" + ZERO,
    "display-hook": "import sys\nsys.displayhook = lambda value: print(4)\n" + ZERO,
    "audit-hook": "import sys\nsys.addaudithook(lambda *a: None)\n" + ZERO,
    "trace": "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\n" + ZERO,
    "own-check": "def check(*a): return True\ndef mark(*a, **k): return 4\n" + ZERO,
    "memory": body("return torch.zeros(2**40)"),
    "memory-touched": "hold = []\nwhile True: hold.append(bytearray(2**26))\n",
    "recursion": body("return softmax(logits)"),
    "stack": "import sys\nsys.setrecursionlimit(10**9)\n" + body("return softmax(logits)"),
    "fault": "import ctypes\nctypes.string_at(0)\n",
    "abort": "import os\nos.abort()\n",
    "stop": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nos.kill(0, signal.SIGKILL)\n" + ZERO,
    "kill-everybody": "import os, signal\nfor pid in range(-1, 4000):\n    try: os.kill(pid, signal.SIGKILL)\n    except OSError: pass\n" + ZERO,
    "kill-parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n" + ZERO,
    "fork-bomb": "import os\nwhile True: os.fork()\n" + ZERO,
    "process": "import subprocess\nsubprocess.run(['/bin/sh', '-c', 'sleep 60 &'])\n" + ZERO,
    "multiprocessing": "import multiprocessing\nmultiprocessing.Process(target=print).start()\n" + ZERO,
    "thread-bomb": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n" + ZERO,
    "network": "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:1/')\n" + ZERO,
    "descriptors": "hold = []\nwhile True: hold.append(open('/dev/null'))\n" + ZERO,
    "big-file": "with open('/tmp/x', 'wb') as f:\n    while True: f.write(bytes(2**22))\n" + ZERO,
    "many-files": "for n in range(10**6): open(f'/tmp/{n}', 'w').close()\n" + ZERO,
    "shared-memory": "import mmap\nhold = [mmap.mmap(-1, 2**28) for _ in range(64)]\n" + ZERO,
    "namespaces": "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.unshare(0x10000000) == 0\n" + ZERO,
    "huge-answer": body("return torch.zeros(2**26, dtype=torch.float64)"),
    "expanded-answer": body("return torch.zeros(1).expand(2**40)"),
    "complex-answer": body("return logits.to(torch.complex128)"),
    "sparse-answer": body("return logits.to_sparse()"),
    "meta-answer": body("return logits.to('meta')"),
    "nested-source": "x = " + "(" * 5000 + ")" * 5000 + "\n" + RIGHT,
    "deep-source": "x = " + "-" * 50000 + "1\n" + ZERO,
    "syntax": "def softmax(logits) return logits\n",
    "null-byte": "def softmax(logits): return '\0'\n",
    "surrogate": "def softmax(logits): return '\ud800'\n",
    "huge-number": "x = " + "9" * 10000 + "\n" + ZERO,
    "generator-answer": body("yield logits"),
    "string": body("return 'right'"),
    "class": "class softmax:\n    def __init__(self, logits): pass\n",
    "not-callable": "softmax = 4\n",
    "deleted": RIGHT + "del softmax\n",
    "hard-coded": body("return torch.tensor([0.7292, 0.1627, 0.1090], dtype=torch.float64)"),
    "modified-input": body("logits.sub_(logits.amax(-1, keepdim=True)).exp_()\nreturn logits.div_(logits.sum(-1, keepdim=True)) * 2"),
}  # fmt: skip

SLOW = {
    "loop": "while True: pass\n" + RIGHT,
    "loop-inside": body("while True: pass"),
    "loop-swallowing": body("while True:\n    try:\n        while True: pass\n    except BaseException: pass"),
    "loop-in-c": body("return sum(range(10**15))"),
    "regular-expression": "import re\nre.match('(a*)*b', 'a' * 40)\n" + RIGHT,
    "sleep": "import time\ntime.sleep(1000)\n" + RIGHT,
    "output": "while True: print('x' * 2**20)\n" + RIGHT,
    "blocked": "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: pass\n",
}

# What is odd but right earns its marks, in the cell that forbids.
HONEST = {
    "plain": RIGHT,
    "demo-below": RIGHT + "print(softmax(torch.tensor([1.0, 2.0])))\nassert False, 'my own test'\n",
    "magic": "%load_ext autoreload\n" + RIGHT + "%time softmax(torch.zeros(3))\n!ls\n",
    "numpy-allowed": "import numpy as np\nassert np.exp(0) == 1\n" + RIGHT,
    "helper-in-the-other-cell": body("return grow(logits) / grow(logits).sum(-1, keepdim=True)"),
    "module": "import torch.nn as nn\nclass Soft(nn.Module):\n    def __init__(self):\n        super().__init__()\n    def forward(self, logits):\n        grown = (logits - logits.max(-1, keepdim=True)[0]).exp()\n        return grown / grown.sum(-1, keepdim=True)\nsoftmax = Soft()\n",
    "type-hints": "from torch import Tensor\ndef softmax(logits: Tensor, dim: int = -1) -> Tensor:\n    '''The softmax, with log_softmax in its docstring.'''\n    shifted = logits - torch.amax(logits, dim=dim, keepdim=True)\n    e = torch.exp(shifted)\n    return torch.div(e, torch.sum(e, dim=dim, keepdim=True))\n",
    "getattr-harmless": body(
        "n = getattr(logits, 'shape')\ngrown = (logits - logits.amax(-1, keepdim=True)).exp()\nreturn grown / grown.sum(-1, keepdim=True)"
    ),
    "written-out": body(
        "zero = 0 * torch.nn.functional.one_hot(torch.tensor(0), 1).sum()\ngrown = (logits - logits.amax(-1, keepdim=True)).exp() + zero\nreturn grown / grown.sum(-1, keepdim=True)"
    )
    + "close = torch.testing.assert_close\nprint(torch.__version__)\n",
    "imports-of-a-template": (
        "import os, sys, copy, operator, warnings, threading\nimport numpy.typing\nimport torch.utils.data\nfrom os import path\nfrom math import *\nfrom crossentropy.exercises import check\n"
        + RIGHT
        + "check('softmax', softmax)\nassert exp(0) == 1\n"
    ),
    "imports-that-are-not-there": "import matplotlib.pyplot as plt\nimport pandas as pd\nfrom IPython.display import display\n"
    + RIGHT
    + "plt.plot([1])\n",
    "modules-open-in-part": (
        "import sys, warnings, copy, operator\nimport torch.utils.data\nfrom numpy.typing import NDArray\nfrom copy import deepcopy\nwarnings.filterwarnings('ignore')\ntiny = sys.float_info.min\n"
        "data = torch.utils.data.TensorDataset(torch.zeros(2))\n"
        + RIGHT
        + "assert operator.mul(2, copy.deepcopy(3)) == deepcopy(6)\n"
    ),
    "own-names": (
        "import dataclasses\n@dataclasses.dataclass\nclass Row:\n    entropy: float\n    sigmoid: float = 0.0\nrow = Row(entropy=1.0)\nassert row.entropy + row.sigmoid == 1\n"
        "class Maths(torch.nn.Module):\n    _shift = True\n    keep = not not _shift\n    def __init__(self, dim):\n        super().__init__()\n        self._dim = dim\n        self.__far = 0\n"
        "    @property\n    def _axis(self): return self._dim\n    @_axis.setter\n    def _axis(self, value): self._dim = value + self.__far\n"
        "    def softmax(self, x):\n        if self._shift and self.keep:\n            x = x - x.amax(self._axis, keepdim=True)\n        return x.exp() / x.exp().sum(self._dim, keepdim=True)\n    def forward(self, x): return self.softmax(x)\n"
        "model = Maths(-1)\nmodel._axis = -1\nmodel.eval()\n" + body("return model(logits)")
    ),
    "reading-about-itself": (
        "import re\n__author__ = 'Ann'\nassert re.compile('a').match('a')\ndevice = 'mps' if torch.backends.mps.is_available() else 'cuda' if torch.cuda.is_available() else 'cpu'\n"
        + RIGHT
        + "assert softmax.__annotations__ == {} and softmax.__class__.__name__ == 'function'\nsoftmax(torch.zeros(3)).cpu()\nassert isinstance(type(3), type)\n"
    ),
    "decorated": "import functools\nfrom functools import wraps\ndef told(f):\n    @wraps(f)\n    def g(*a): return f(*a)\n    return g\ndef again(f):\n    @functools.wraps(f)\n    def g(*a): return f(*a)\n    return g\n@told\n@again\n"
    + RIGHT.lstrip(),
    "later-annotations": "\ufefffrom __future__ import annotations\ndef softmax(logits: Missing) -> Missing:\n"
    + RIGHT.split("\n", 2)[2],
    "magics-that-are-kept": "t = %timeit -o 1 + 1\nfiles = !ls\n" + RIGHT,
    "layers": (
        "net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU())\nnet(torch.zeros(3)).sum().backward()\n"
        "class Exp(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x): return x.exp()\n    @staticmethod\n    def backward(ctx, g): return g\n"
        + RIGHT
    ),
    "own-names-in-texts": (
        "from enum import Enum\nfrom collections import namedtuple\nimport dataclasses\nclass Net:\n    def __init__(self, softmax=True, _dim=-1): self.softmax, self._dim = softmax, _dim\n"
        "class Kind(Enum):\n    SOFTMAX = 1\nclass Layer(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.register_buffer('_one', torch.ones(1))\n"
        "    def forward(self, x): return x * self._one * getattr(self, '_one')\nclass Fixed:\n    __slots__ = ('_dim', 'other')\n    def __init__(self): self._dim = -1\n"
        "Out = namedtuple('Out', 'softmax total')\nOther = namedtuple('Other', ['softmax', 'total'])\n@dataclasses.dataclass\nclass Row:\n    entropy: float = 0.0\nclass Longer(Row): pass\n"
        "def softmax(logits):\n    net = Net(softmax=False, _dim=-1)\n    shifted = Layer()(logits - logits.amax(net._dim, keepdim=True))\n    grown = shifted.exp()\n"
        "    out = Out(softmax=grown / grown.sum(Fixed()._dim, keepdim=True), total=1)\n    assert Kind['SOFTMAX'] is Kind.SOFTMAX and not net.softmax\n"
        "    assert dataclasses.replace(Longer(entropy=1.0), entropy=2.0).entropy == Other(2.0, 1).softmax\n    return out.softmax\n"
    ),
    "plots-above": (
        "import numpy as np, pandas as pd\nimport matplotlib.pyplot as plt\nget_ipython().run_line_magic('matplotlib', 'inline')\nplt.rcParams['figure.figsize'] = (8, 4)\npd.set_option('a', 1)\n"
        "fig, ax = plt.subplots()\nax.plot([1])\nassert len(pd.DataFrame()) == 0\nframe = pd.DataFrame()\nif len(frame) == 0: rows = frame + 1\nprint(rows[0])\ndef show(): plt.show()\nshow()\n"
        "if True:\n    import seaborn as sns\n    sns.set_theme()\nsns.set_style('a')\nassert np.exp(0) == 1\n" + RIGHT
    ),
    "magics-and-texts": (
        '%load_ext autoreload\nfirst, second = !ls\ntold = """\n%d of\n!ls\n"""\nassert \'%d\' in told and told.count(\'!\') == 1 and first is second is None\nleft = (7\n    % 4)\nassert left == 3\nleft = 7 \\\n    % 4\n'
        + RIGHT
    ),
    "libraries-that-may-be-missing": (
        "from abc import ABC, abstractmethod\nfrom contextlib import nullcontext\nimport pandas as pd\nimport torchvision.transforms as T\nfrom tqdm.auto import tqdm as bar\n"
        "try:\n    import cupy as xp\nexcept ImportError:\n    import numpy as xp\nclass Base(ABC):\n    @abstractmethod\n    def forward(self, x): ...\n"
        + RIGHT
        + "with nullcontext():\n    softmax(torch.zeros(2))\n"
    ),
    "modules-under-other-names": (
        "import numpy as np, random, time\nnn = None\ntold = '{:.3f} {x!r:>{y}}'\nF = torch.nn.functional\nnn = torch.nn\nlinear = nn.Linear(2, 2)\nassert F is not None and hasattr(np, 'exp')\n"
        "np.testing.assert_allclose(np.exp(0), 1)\nnp.random.seed(0)\ntorch.autograd.functional.jacobian(torch.exp, torch.zeros(2))\ntorch.backends.cudnn.deterministic = True\n"
        "def mean(random, time=0): return random + time\nmean(1)\ntold.format(1.0, x=2, y=3)\n'{:.2f}'.format(2.0)\n[*map('{:5.1f}'.format, [1.0])]\n"
        + RIGHT
    ),
    "rows": body(
        "grown = torch.stack([(row - row.max()).exp() / (row - row.max()).exp().sum() for row in logits.reshape(-1, logits.shape[-1])])\nreturn grown.reshape(logits.shape)"
    ),
}
