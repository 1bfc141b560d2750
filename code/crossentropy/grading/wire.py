"""What goes over the wall and what comes back: plain data, and nothing that a reader of it would have to run.

A frame is two lengths, a header in JSON and the bytes of its tensors, one after the other. What comes back was written by a student's process:
each length, name, dtype and shape is held against what is allowed before anything is made of it, and any departure ends the reading.
"""

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from crossentropy.exercises import Call, Outcome, Problem

DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)}  # fmt: skip
LARGEST_HEADER = 2**16
LARGEST_FRAME = 2**24
LARGEST_REPLY = 2**26
LARGEST_AXIS = 2**24
MOST_AXES = 8
LONGEST_TEXT = 300
KINDS = {"raised", "none", "type"}


class Broken(ValueError):
    """What came back is no reply."""


@dataclass
class Reply:
    """As much of a reply as came: the outcomes of the first calls, what went wrong in the cells, what was used."""

    loaded: bool = False
    found: bool = False
    ended: bool = False
    trouble: list[tuple[str, str]] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


def request(cells: Sequence[tuple[str, str]], function: str, calls: Sequence[Call], forbidden: Sequence[str]) -> bytes:
    """A question as the child reads it: sources, inputs and what is refused. The right answers are not among it."""
    parts: list[bytes] = []
    start = 0
    told = []
    for call in calls:
        entries = {}
        for name, value in call.arguments.items():
            data = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b""
            entries[name] = [str(value.dtype).removeprefix("torch."), list(value.shape), start, len(data)]
            parts.append(data)
            start += len(data)
        told.append({"arguments": entries, "gradient": call.wants_gradient})
    question = {
        "cells": [{"name": name, "source": source} for name, source in cells],
        "function": function,
        "calls": told,
        "forbidden": list(forbidden),
    }
    header = json.dumps(question).encode()
    return struct.pack("<II", len(header), start) + header + b"".join(parts)


class Reader:
    """Reads a reply as its bytes come. ``feed`` raises Broken at the first byte that cannot be part of one."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self.reply = Reply()
        self._waiting = bytearray()
        self._total = 0

    def feed(self, data: bytes) -> None:
        self._total += len(data)
        if self._total > LARGEST_REPLY:
            raise Broken("more data than any answer has")
        self._waiting += data
        while len(self._waiting) >= 8:
            header, bulk = struct.unpack_from("<II", self._waiting)
            if header > LARGEST_HEADER or bulk > LARGEST_FRAME:
                raise Broken("a frame larger than any answer")
            if len(self._waiting) < 8 + header + bulk:
                return
            text = bytes(self._waiting[8 : 8 + header])
            blob = bytes(self._waiting[8 + header : 8 + header + bulk])
            del self._waiting[: 8 + header + bulk]
            try:
                self._frame(text, blob)
            except Broken:
                raise
            except Exception as error:
                raise Broken("a frame that cannot be read") from error

    def _frame(self, text: bytes, blob: bytes) -> None:
        if self.reply.ended:
            raise Broken("data after the end")
        try:
            header = json.loads(text.decode("utf8"))
        except (ValueError, RecursionError) as error:
            raise Broken("a header that is no JSON") from error
        if type(header) is not dict or type(header.get("kind")) is not str:
            raise Broken("a header that is no object")
        kind = header.pop("kind")
        if kind == "loaded" and not self.reply.loaded and set(header) == {"trouble", "found"} and not blob:
            self.reply.loaded = True
            self.reply.found = _exactly(header["found"], bool)
            for row in _exactly(header["trouble"], list)[:8]:
                name, problem = _pair(row)
                self.reply.trouble.append((_text(name), _text(problem)))
        elif kind == "outcome" and self.reply.loaded and len(self.reply.outcomes) < len(self.calls):
            self.reply.outcomes.append(_outcome(header, blob, self.calls[len(self.reply.outcomes)]))
        elif kind == "end" and self.reply.loaded and set(header) == {"used"} and not blob:
            self.reply.ended = True
            self.reply.used = [_text(name) for name in _exactly(header["used"], list)[:16]]
        else:
            raise Broken("a frame out of its order")


def _exactly(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise Broken(f"{kind.__name__} expected")
    return value


def _text(value: Any) -> str:
    return clean(_exactly(value, str))


def clean(text: str) -> str:
    """A text that a student's process gave, as it may be shown: one line, no control characters, no addresses."""
    text = re.sub(r"0x[0-9a-fA-F]+", "0x...", text[: 2 * LONGEST_TEXT])
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())[:LONGEST_TEXT]


def _outcome(header: dict[str, Any], blob: bytes, call: Call) -> Outcome:
    if set(header) != {"problem", "value", "gradients", "after"}:
        raise Broken("an outcome with other keys")
    place = 0

    def tensor(entry: Any) -> Tensor:
        nonlocal place
        dtype, shape = _pair(entry)
        if _exactly(dtype, str) not in DTYPES:
            raise Broken("an unknown dtype")
        sizes = _exactly(shape, list)
        if len(sizes) > MOST_AXES or any(type(size) is not int or not 0 <= size <= LARGEST_AXIS for size in sizes):
            raise Broken("a shape out of bounds")
        count = math.prod(sizes)
        # An empty tensor needs no bytes, however long its other axes are said to be.
        if not count and math.prod(size for size in sizes if size) > LARGEST_FRAME:
            raise Broken("a shape out of bounds")
        length = count * DTYPES[dtype].itemsize
        if length > len(blob) - place:
            raise Broken("fewer bytes than the shape needs")
        data = bytearray(blob[place : place + length])
        place += length
        if not count:
            return torch.zeros(sizes, dtype=DTYPES[dtype])
        if DTYPES[dtype] == torch.bool and any(byte > 1 for byte in data):
            raise Broken("a truth value that is neither")
        return torch.frombuffer(data, dtype=DTYPES[dtype]).reshape(sizes)

    def tensors(entries: Any, *, of: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
        if not set(_exactly(entries, dict)) <= set(of):
            raise Broken("an argument of another name")
        return {name: None if entry is None else tensor(entry) for name, entry in entries.items()}

    problem = None
    if header["problem"] is not None:
        kind, text = _pair(header["problem"])
        if _exactly(kind, str) not in KINDS:
            raise Broken("an unknown problem")
        problem = Problem(kind, _text(text))
    # In the order in which the bytes follow.
    value = None if header["value"] is None else tensor(header["value"])
    if value is not None and not value.is_floating_point():
        raise Broken("a value that is no floating-point tensor")
    after = {name: entry for name, entry in tensors(header["after"], of=call.arguments).items() if entry is not None}
    gradients = tensors(header["gradients"], of=call.arguments)
    if place != len(blob):
        raise Broken("more bytes than the shapes need")
    if value is None and problem is None:
        raise Broken("neither a value nor a problem")
    if set(after) != set(call.arguments):
        after = {}
    return Outcome(value, problem, gradients, after)


def _pair(value: Any) -> tuple[Any, Any]:
    if type(value) is not list or len(value) != 2:
        raise Broken("a pair expected")
    return value[0], value[1]
