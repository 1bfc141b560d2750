"""Goes through torch's own list of operators, and prints which give an answer that a question may forbid: themselves, or one of their gradients.

A program of its own: some operators end the process when they are called without care. Then another goes on behind them.
"""

import itertools
import json
import os
import sys
import warnings

import torch

LEFT_OUT = ("_foreach", "_test", "_cuda", "_cudnn", "_print", "_assert", "_foobar", "set_", "manual", "view", "wait", "to_here", "_nested", "_fused", "_amp")  # fmt: skip
X = torch.tensor([[0.3, -1.2, 2.1], [1.7, 0.2, -0.4]], dtype=torch.float64)
P = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]], dtype=torch.float64)
Q = torch.tensor([[0.4, 0.25, 0.35], [0.15, 0.2, 0.65]], dtype=torch.float64)
Y = torch.tensor([2, 0])
ZERO, ONE = torch.zeros_like(X), torch.ones_like(X)
TUPLES = {
    1: [(X,), (P,)],
    2: [(X, ZERO), (X, ONE), (X, P), (X, Y), (P, P), (P, Q), (Q, P), (Q.log(), P), (P, Q.log()), (ZERO, P)],
    3: [(X, ONE, ONE), (X, ZERO, ZERO), (ONE, X, ONE), (ONE, X, ZERO), (ONE, ZERO, X), (ONE, X, X)],
}


def answers():
    """What may be forbidden, written without any of it."""
    grown = X.exp()
    total = grown.sum(-1, keepdim=True)
    cross, divergence, surprise = -P * Q.log(), P * (P / Q).log(), -P * P.log()
    binary = -(P * Q.log() + (1 - P) * (1 - Q).log())
    return {
        "sigmoid": [1 / (1 + (-X).exp())],
        "softmax": [grown / total],
        "log_softmax": [X - total.log()],
        "logsumexp": [total.log().squeeze(-1)],
        "cross_entropy": [cross, cross.sum(-1), cross.sum(), binary, -(X - total.log()).gather(1, Y[:, None]).squeeze(1)],
        "kl_div": [divergence, divergence.sum(-1), divergence.sum()],
        "entropy": [surprise, surprise.sum(-1), surprise.sum()],
    }  # fmt: skip


ANSWERS = answers()


def alike(value):
    """The names of the answers that a value is: as it stands, or by one step that hides nothing."""
    value = value.detach().double()
    steps = [value, -value, 1 - value, 1 + value, value.exp(), (-value).exp()]
    if value.shape == X.shape:
        steps.append(value / X)
    return {
        name
        for step in steps
        for name, dues in ANSWERS.items()
        for due in dues
        if step.shape == due.shape and torch.allclose(step, due, atol=1e-7, rtol=1e-6)
    }


def choices(argument):
    """Values for an argument; None where nobody knows one."""
    kind = str(argument.type)
    if argument.has_default_value():
        return [0] if argument.name == "reduction" else ["default"]
    simple = {"Tensor": ["tensor"], "int": [-1], "SymInt": [-1], "float": [1.0], "bool": [False], "number": [1.0], "Scalar": [1.0], "List[int]": [[-1]]}  # fmt: skip
    return [None] if kind.startswith("Optional") else simple.get(kind)


def given_by(schema):
    """The names of the answers that an operator, or one of its gradients, gives."""
    options = [choices(argument) for argument in schema.arguments]
    count = sum(option == ["tensor"] for option in options)
    if None in options or count not in TUPLES:
        return set()
    operator = getattr(getattr(torch.ops.aten, schema.name[6:]), schema.overload_name or "default")
    found = set()
    # Some operators refuse to run where a label wants a gradient.
    for tensors, values, wanted in itertools.product(TUPLES[count], itertools.product(*options), [count, 1, 0]):
        leaves = [
            value.clone().requires_grad_(place < wanted and value.is_floating_point())
            for place, value in enumerate(tensors)
        ]
        waiting, args, named = iter(leaves), [], {}
        for place, (argument, value) in enumerate(zip(schema.arguments, values, strict=True)):
            if value == "default":
                continue
            value = next(waiting) if value == "tensor" else value
            if argument.kwarg_only or len(args) < place:
                named[argument.name] = value
            else:
                args.append(value)
        try:
            result = operator(*args, **named)
            for part in result if isinstance(result, tuple | list) else [result]:
                found |= alike(part)
                inputs = [leaf for leaf in leaves if leaf.requires_grad]
                gradients = torch.autograd.grad(part.sum(), inputs, retain_graph=True, allow_unused=True)
                for gradient in filter(lambda gradient: gradient is not None, gradients):
                    found |= alike(gradient)
        except Exception:
            continue
    return found


def schemas():
    """Every operator that gives its answer as a result, in the same order each time."""
    return [
        schema
        for schema in torch._C._jit_get_all_schemas()
        if schema.name.startswith("aten::")
        and not schema.name.endswith("_")
        and not schema.name.removeprefix("aten::").startswith(LEFT_OUT)
        and not any(argument.is_out for argument in schema.arguments)
    ]


def work(first, target):
    for number, schema in enumerate(schemas()):
        if number >= first:
            target.write(f"{number}\n")
            target.flush()
            target.write(json.dumps([schema.name.removeprefix("aten::"), sorted(given_by(schema))]) + "\n")


def main():
    warnings.simplefilter("ignore")
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    found, first, total = {}, 0, len(schemas())
    while first < total:
        read, write = os.pipe()
        if os.fork() == 0:
            with os.fdopen(write, "w") as target:
                work(first, target)
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as lines:
            for line in map(json.loads, lines):
                if isinstance(line, int):
                    first = line + 1
                elif line[1]:
                    found[line[0]] = sorted({*found.get(line[0], []), *line[1]})
        os.wait()
    print(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
