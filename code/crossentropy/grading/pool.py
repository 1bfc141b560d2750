"""Grade many submissions: on all cores of this machine, or on a Dask cluster. Each worker keeps one sandbox warm."""

import contextlib
import importlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from crossentropy.grading.assignment import Assignment
from crossentropy.grading.grade import TRIES, Record, grade, without_answer
from crossentropy.grading.sandbox import (
    GRACE_SECONDS,
    START_SECONDS,
    Limits,
    Lost,
    Mother,
    NoWalls,
    Sandbox,
    Walls,
    stopped,
)

# What a worker may take for reading and judging, on top of the limits of its questions.
JUDGING_SECONDS = 60.0


class NoCluster(RuntimeError):
    """The cluster that was asked for is not there."""


@dataclass(frozen=True)
class Task:
    """One submission: its bytes, or how to read them."""

    student: str
    data: bytes | Callable[[], bytes]

    def whole(self) -> "Task":
        """With its bytes, as a worker anywhere can grade it; read when one is free, for those of a class are many."""
        return self if isinstance(self.data, bytes) else Task(self.student, self.data())

    def grade(self, assignment: Assignment, sandbox: Sandbox, limits: Limits) -> Record:
        data = self.data if isinstance(self.data, bytes) else self.data()
        return grade(self.student, data, assignment, sandbox, limits=limits)


Failure = str
# A record, or why the submission must be graded again one day.
Result = tuple[Task, Record | None, Failure]

_here = threading.local()


def grade_task(task: Task, assignment: Assignment, limits: Limits, walls: Walls) -> Record:
    """Grade one submission in this thread's own warm sandbox. What a Dask worker runs."""
    sandbox = getattr(_here, "sandbox", None)
    if sandbox is None or sandbox.walls != walls:
        torch.set_num_threads(1)
        sandbox = _here.sandbox = Sandbox(walls=walls)
    return task.grade(assignment, sandbox, limits)


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work(descriptor: int, door: int) -> None:
    """A worker, as the mother forks it: says who it is and that it is warm, then answers each task with its record."""
    connection: Any = multiprocessing.connection.Connection(descriptor)
    connection.send(("born", os.getpid()))
    try:
        assignment, limits, walls, environment = connection.recv()
        os.environ.update(environment)
        with Sandbox(walls=walls, mother=Mother(door)) as sandbox:
            sandbox.start()
            connection.send(("ready", (sandbox.standing, sandbox.reason)))
            while True:
                task = connection.recv()
                connection.send(("graded", task.grade(assignment, sandbox, limits)))
    except NoWalls as error:
        connection.send(("no walls", str(error)))
    except (EOFError, OSError, Lost):
        # The grader has gone, or the mother: then another worker takes over.
        return


class _Worker:
    """A process and what it is at."""

    def __init__(self, mother: Mother) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        here = str(Path(__file__).parents[2])
        mother.fork("worker", theirs.fileno(), mother.door.fileno(), path=[*sys.path, here])
        theirs.close()
        self.pid = 0
        self.task: Task | None = None
        self.ready = False
        self.deadline = time.monotonic() + 2 * START_SECONDS

    def give(self, task: Task, seconds: float) -> None:
        self.task, self.deadline = task, time.monotonic() + seconds
        self.connection.send(task.whole())

    def hear(self) -> tuple[str, Any]:
        try:
            message: tuple[str, Any] = self.connection.recv()
        except (EOFError, OSError):
            return "gone", None
        return message

    def end(self) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.connection.close()


def on_this_machine(
    tasks: Iterable[Task], assignment: Assignment, *, limits: Limits, walls: Walls = "best", workers: int | None = None
) -> Iterator[Result]:
    """Grade on ``workers`` processes; results come as they are ready. A worker that dies or is stopped is replaced, and its task tried again.

    Raises:
        NoWalls: if the sandbox cannot be built here.
    """
    waiting = list(tasks)[::-1]
    tried: dict[str, int] = {}
    left = len(waiting)
    if not left:
        return
    seconds = JUDGING_SECONDS + TRIES * len(assignment.questions) * (_longest(assignment, limits) + GRACE_SECONDS)
    mother = Mother()
    crew = [_Worker(mother) for _ in range(min(workers or cores(), left))]
    deaths = 0
    said: set[tuple[str, str]] = set()
    try:
        while left:
            for worker in crew:
                if worker.ready and worker.task is None and waiting:
                    # A dead worker is found below, and its task with it.
                    with contextlib.suppress(OSError):
                        worker.give(waiting.pop(), seconds)
            ready = multiprocessing.connection.wait([worker.connection for worker in crew], timeout=1.0)
            for index, worker in enumerate(crew):
                kind: str
                told: Any
                kind, told = worker.hear() if worker.connection in ready else ("", None)
                if kind == "no walls":
                    raise NoWalls(told)
                if kind == "born":
                    worker.pid = told
                    with contextlib.suppress(OSError):
                        # Not by way of the mother: what she knows, every child could find in its memory.
                        worker.connection.send((assignment, limits, walls, dict(os.environ)))
                elif kind == "ready":
                    worker.ready = True
                    if told not in said:
                        said.add(told)
                        print(_walls(*told), file=sys.stderr)
                elif kind == "graded" and worker.task is not None:
                    task, worker.task = worker.task, None
                    left -= 1
                    yield task, told, ""
                elif (
                    kind == "gone"
                    or stopped(worker.pid)
                    or (time.monotonic() > worker.deadline and (worker.task or not worker.ready))
                ):
                    task_lost = worker.task
                    worker.end()
                    deaths += 1
                    if task_lost is not None:
                        tried[task_lost.student] = tried.get(task_lost.student, 0) + 1
                        if tried[task_lost.student] >= TRIES:
                            left -= 1
                            yield (
                                task_lost,
                                None,
                                f"Not graded: the worker was lost {TRIES} times. The instructor can run this again.",
                            )
                        else:
                            waiting.append(task_lost)
                    elif deaths > 10 * len(crew):
                        raise NoWalls("the workers die before they have begun")
                    if mother.lost():
                        mother.close()
                        mother = Mother()
                    crew[index] = _Worker(mother)
    finally:
        mother.close()


def _walls(standing: str, reason: str) -> str:
    """Which walls stand, and why no better ones, in a line."""
    what = {"namespaces": "the kernel's namespaces", "none": "NONE"}.get(standing, f"a container of {standing}")
    return f"walls: {what}" + (f" ({reason})" if reason else "")


def _longest(assignment: Assignment, limits: Limits) -> float:
    return max(
        [
            limits.wall,
            *(4 * question.marks.seconds for question in assignment.questions if question.marks.seconds is not None),
        ]
    )


def on_a_cluster(
    address: str, tasks: Iterable[Task], assignment: Assignment, *, limits: Limits, walls: Walls = "best"
) -> Iterator[Result]:
    """The same on a Dask cluster, whose workers have this package installed. What a lost worker had is given to another.

    Raises:
        ModuleNotFoundError: if Dask is not installed.
        OSError: if nobody answers at ``address``.
    """
    # Not every machine has it, and it ships no types.
    distributed: Any = importlib.import_module("distributed")

    with distributed.Client(address, timeout="30s", set_as_default=False) as client:
        futures = {
            client.submit(
                grade_task,
                task.whole(),
                assignment,
                limits,
                walls,
                key=f"grade-{number}-{assignment.digest[:16]}",
                pure=False,
            ): task
            for number, task in enumerate(tasks)
        }
        for future in distributed.as_completed(futures, loop=client.loop):
            task = futures[future]
            error = future.exception()
            if isinstance(error, NoWalls):
                raise error
            if error is not None:
                yield task, None, "Not graded: the worker was lost. The instructor can run this again."
            else:
                yield task, future.result(), ""
            future.release()


def unreadable(student: str, assignment: Assignment, message: str) -> Record:
    """The record of a submission that could not be read at all."""
    return without_answer(student, assignment, "unreadable", message)
