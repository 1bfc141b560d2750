"""The labs that tests/browser/test_labs.py drives: one file ``lab_<topic>.py`` each, which holds a ``CASE``."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossentropy.widgets.lab import Lab

# All numbers of a lab by control name or quantity: one value, or a list where there is a data-index.
Values = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """What one control must do: the quantities whose numbers change, and those whose numbers must not."""

    moves: set[str]
    stays: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Case:
    lab: type[Lab]
    page: str
    #: From the controls' values to every result, by torch.
    expected: Callable[[Values], Values]
    #: By name of a number control or select; of several with one name the second is driven.
    controls: dict[str, Change]
    #: By name of a button besides reset and copy, in an order in which each can be pressed.
    buttons: dict[str, Change] = field(default_factory=dict)
    #: Further states for the looks and for the copied code: traits to start the address with.
    states: Sequence[dict[str, Any]] = ()
    #: Quantities that the copied code cannot print, because they live in the page alone.
    only_shown: set[str] = field(default_factory=set)


CASES: list[Case] = [importlib.import_module(path.stem).CASE for path in sorted(Path(__file__).parent.glob("lab_*.py"))]
