"""Run a learner's function on the calls of an exercise: the only place that touches it."""

import ctypes
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from crossentropy.exercises.data import Call, Outcome, Problem

SECONDS = 5.0
WORKER = "exercise"
# A loop that swallows exceptions is struck until one lands outside its try; after that it is left behind.
STRIKES = 100


class Stopped(SystemExit):
    """Raised inside a function that has used up its time; a thread that ends by it ends without a word.

    A loop may swallow it. So wherever it is made, which is in the thread and the frame where it is raised, it sees to it
    that the next line, the handler's own, raises it again: nothing there catches it.
    """

    def __init__(self) -> None:
        super().__init__()
        if threading.current_thread().name == WORKER:
            frame = sys._getframe(1)
            while frame is not None and frame.f_code.co_filename != __file__:
                frame.f_trace = _strike
                frame = frame.f_back  # type: ignore[assignment]
            sys.settrace(_strike)


def _strike(frame: FrameType, event: str, argument: object) -> Any:
    """A trace function that raises on the next line; Python takes it away as it raises."""
    if event == "line" and frame.f_code.co_filename != __file__:
        raise Stopped
    return _strike


def run(function: Callable[..., Any], calls: Sequence[Call], *, seconds: float = SECONDS) -> list[Outcome]:
    """What the function makes of each call; never raises, and gives up once one call takes more than ``seconds``.

    Each call gets copies of its arguments. The function runs in a thread of its own; one that hangs is stopped where
    Python can stop it, and left behind where it cannot. The calls that it did not finish have the problem "timeout".
    """
    outcomes: list[Outcome] = []
    dtype = torch.get_default_dtype()

    def work() -> None:
        try:
            for call in calls:
                outcomes.append(_outcome(function, call))
        except Stopped:
            pass
        finally:
            # What is left of the strikes must not hit the thread's own way out.
            sys.settrace(None)

    worker = threading.Thread(target=work, daemon=True, name=WORKER)
    worker.start()
    try:
        reached = -1
        # As long as calls are finished nothing hangs, however busy the machine is.
        while worker.is_alive() and len(outcomes) > reached:
            reached = len(outcomes)
            worker.join(seconds)
    finally:
        if worker.is_alive():
            _stop(worker)
        torch.set_default_dtype(dtype)
    done = list(outcomes)
    late = Outcome(problem=Problem("timeout", f"{seconds:g} seconds"))
    return done + [late] * (len(calls) - len(done))


def _stop(worker: threading.Thread) -> None:
    """Raise in the thread until it ends: Python's own way, where there is one."""
    raise_in = getattr(getattr(ctypes, "pythonapi", None), "PyThreadState_SetAsyncExc", None)
    if raise_in is None or worker.ident is None:
        return
    for _ in range(STRIKES):
        raise_in(ctypes.c_ulong(worker.ident), ctypes.py_object(Stopped))
        worker.join(0.005)
        if not worker.is_alive():
            return


def _outcome(function: Callable[..., Any], call: Call) -> Outcome:
    arguments = {name: value.clone() for name, value in call.arguments.items()}
    value, problem = _attempt(function, arguments)
    after = {name: argument.detach().clone() for name, argument in arguments.items()}
    gradients: Mapping[str, Tensor | None] = {}
    if call.wants_gradient and value is not None:
        gradients = _gradients(function, call, value)
    return Outcome(value, problem, gradients, after)


def _attempt(function: Callable[..., Any], arguments: dict[str, Tensor]) -> tuple[Tensor | None, Problem | None]:
    try:
        result = function(*arguments.values())
        return _plain(result)
    except Stopped:
        raise
    # Whatever a learner's function raises, SystemExit too, is an answer to be judged.
    except BaseException as error:
        return None, Problem("raised", f"{type(error).__name__}: {error}"[:300])


def _plain(result: object) -> tuple[Tensor | None, Problem | None]:
    """A plain tensor of what was returned, and what was wrong with its type."""
    if result is None:
        return None, Problem("none")
    kind = f"{type(result).__module__}.{type(result).__name__}".removeprefix("builtins.")
    if isinstance(result, Tensor):
        if result.layout != torch.strided or result.device.type == "meta" or not result.is_floating_point():
            return None, Problem("type", f"a tensor of {result.dtype}".replace("torch.", ""))
        return result.detach().cpu().clone(), None
    # A number is a tensor without axes as far as torch is concerned.
    if isinstance(result, float):
        return torch.tensor(result, dtype=torch.float64), None
    try:
        value = torch.as_tensor(result)
    except (TypeError, ValueError, RuntimeError):
        return None, Problem("type", kind)
    return (value.detach().clone() if value.is_floating_point() else None), Problem("type", kind)


def weights(value: Tensor) -> Tensor:
    """The fixed direction along which gradients are compared: another weight for each entry of the answer."""
    return torch.linspace(0.5, 1.5, max(value.numel(), 1), dtype=value.dtype)[: value.numel()].reshape(value.shape)


def _gradients(function: Callable[..., Any], call: Call, value: Tensor) -> dict[str, Tensor | None]:
    """Gradients of the weighted answer in each floating-point argument; None where nothing flows back."""
    leaves = {
        name: argument.clone().requires_grad_(argument.is_floating_point()) for name, argument in call.arguments.items()
    }
    wanted = [name for name, leaf in leaves.items() if leaf.requires_grad]
    try:
        # Not the leaves themselves: those must not be changed in place, which is another mistake than this one.
        result = function(*(leaf.clone() for leaf in leaves.values()))
        total = (result * weights(result)).sum()
        total.backward()
    except Stopped:
        raise
    except BaseException:
        return dict.fromkeys(wanted)
    return {name: None if leaves[name].grad is None else leaves[name].grad.detach().clone() for name in wanted}  # type: ignore[union-attr]
