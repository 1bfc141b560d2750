"""Grade many submissions: on all cores of this machine, or on a Dask cluster. Each worker keeps one sandbox warm."""

import contextlib
import importlib
import multiprocessing
import multiprocessing.connection
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from crossentropy.grading.assignment import Assignment
from crossentropy.grading.grade import TRIES, Record, grade, without_answer
from crossentropy.grading.sandbox import GRACE_SECONDS, START_SECONDS, Limits, NoWalls, Sandbox, stopped

# What a worker may take for reading and judging, on top of the limits of its questions.
JUDGING_SECONDS = 60.0


class NoCluster(RuntimeError):
    """The cluster that was asked for is not there."""


@dataclass(frozen=True)
class Task:
    """One submission, as a worker anywhere can grade it."""

    student: str
    data: bytes


Failure = str
# A record, or why the submission must be graded again one day.
Result = tuple[Task, Record | None, Failure]

_here = threading.local()


def grade_task(task: Task, assignment: Assignment, limits: Limits, walls: bool) -> Record:
    """Grade one submission in this thread's own warm sandbox. What a Dask worker runs."""
    sandbox = getattr(_here, "sandbox", None)
    if sandbox is None or sandbox.walls != walls:
        torch.set_num_threads(1)
        sandbox = _here.sandbox = Sandbox(walls=walls)
    return grade(task.student, task.data, assignment, sandbox, limits=limits)


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work(
    connection: multiprocessing.connection.Connection, assignment: Assignment, limits: Limits, walls: bool
) -> None:
    """A worker: says that it is warm, then answers each task with its record."""
    torch.set_num_threads(1)
    try:
        with Sandbox(walls=walls) as sandbox:
            sandbox.start()
            connection.send(("ready", sandbox.pid))
            while True:
                task = connection.recv()
                if task is None:
                    return
                connection.send(("graded", grade(task.student, task.data, assignment, sandbox, limits=limits)))
    except NoWalls as error:
        connection.send(("no walls", str(error)))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return


class _Worker:
    """A process and what it is at."""

    def __init__(self, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, *arguments), daemon=True)
        self.process.start()
        theirs.close()
        self.task: Task | None = None
        self.ready = False
        self.deadline = time.monotonic() + 2 * START_SECONDS

    def give(self, task: Task, seconds: float) -> None:
        self.task, self.deadline = task, time.monotonic() + seconds
        self.connection.send(task)

    def end(self, *, seconds: float = 0.0) -> None:
        """End the process: asked to, if there are ``seconds`` to wait for it, and killed otherwise."""
        if seconds:
            with contextlib.suppress(OSError):
                self.connection.send(None)
            self.process.join(seconds)
        self.process.kill()
        self.process.join()
        self.connection.close()


def on_this_machine(
    tasks: Iterable[Task], assignment: Assignment, *, limits: Limits, walls: bool = True, workers: int | None = None
) -> Iterator[Result]:
    """Grade on ``workers`` processes; results come as they are ready. A worker that dies or is stopped is replaced, and its task tried again.

    Raises:
        NoWalls: if the sandbox cannot be built here.
    """
    waiting = list(tasks)[::-1]
    tried: dict[str, int] = {}
    left = len(waiting)
    seconds = JUDGING_SECONDS + TRIES * len(assignment.questions) * (_longest(assignment, limits) + GRACE_SECONDS)
    crew = [_Worker(assignment, limits, walls) for _ in range(min(workers or cores(), max(left, 1)))] if left else []
    deaths = 0
    try:
        while left:
            for worker in crew:
                if worker.ready and worker.task is None and waiting:
                    # A dead worker is found below, and its task with it.
                    with contextlib.suppress(OSError):
                        worker.give(waiting.pop(), seconds)
            ready = multiprocessing.connection.wait(
                [part for worker in crew for part in (worker.connection, worker.process.sentinel)], timeout=1.0
            )
            for index, worker in enumerate(crew):
                message = _message(worker) if worker.connection in ready else None
                if message and message[0] == "no walls":
                    raise NoWalls(message[1])
                if message and message[0] == "ready":
                    worker.ready = True
                elif message and worker.task is not None:
                    task, worker.task = worker.task, None
                    left -= 1
                    yield task, message[1], ""
                elif (
                    worker.process.sentinel in ready
                    or stopped(worker.process.pid or 0)
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
                    crew[index] = _Worker(assignment, limits, walls)
    finally:
        for worker in crew:
            worker.end(seconds=5.0 if worker.ready and worker.task is None else 0.0)


def _longest(assignment: Assignment, limits: Limits) -> float:
    return max(
        [
            limits.wall,
            *(4 * question.marks.seconds for question in assignment.questions if question.marks.seconds is not None),
        ]
    )


def _message(worker: _Worker) -> tuple[str, Any] | None:
    try:
        message: tuple[str, Any] = worker.connection.recv()
    except (EOFError, OSError):
        return None
    return message


def on_a_cluster(
    address: str, tasks: Iterable[Task], assignment: Assignment, *, limits: Limits, walls: bool = True
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
                grade_task, task, assignment, limits, walls, key=f"grade-{number}-{assignment.digest[:16]}", pure=False
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
