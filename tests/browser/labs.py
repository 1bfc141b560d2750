"""The labs that tests/browser/test_labs.py drives: one file ``lab_<topic>.py`` each, which holds a ``CASE``."""

import contextlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossentropy.widgets.lab import Lab
from javascript import assert_agree

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
    #: From the controls' values to every result, by torch; None for one that follows from no control.
    expected: Callable[[Values], Values]
    #: By name of a number control or select; of several with one name the second is driven.
    controls: dict[str, Change]
    #: By name of a button besides reset and copy, in an order in which each can be pressed.
    buttons: dict[str, Change] = field(default_factory=dict)
    #: Further states for the looks and for the copied code: traits to start the address with.
    states: Sequence[dict[str, Any]] = ()
    #: Quantities that the copied code cannot print, because they live in the page alone.
    only_shown: set[str] = field(default_factory=set)
    #: From the lab's root to the state that no control shows; ``expected`` gets it as well.
    read: Callable[[Any], Values] = lambda root: {}
    #: Quantities that say how far a lab at work has got: ``expected`` gets them, as they were shown with the others.
    given: set[str] = field(default_factory=set)
    #: From the controls' values to the error allowed, relative to max(1, |exact|).
    tolerance: Callable[[Values], float] = lambda controls: 1e-10


def cases() -> list[Case]:
    """The case of every ``lab_<topic>.py``."""
    paths = sorted(Path(__file__).parent.glob("lab_*.py"))
    return [importlib.import_module(path.stem).CASE for path in paths]


NUMBERS = """root => {
  const found = {};
  const add = (element, name, value) => {
    if (element.dataset.index === undefined) found[name] = value;
    else (found[name] ??= [])[Number(element.dataset.index)] = value;
  };
  %s
  return found;
}"""
CONTROLS = (
    NUMBERS
    % """
  for (const c of root.querySelectorAll("input, select")) {
    if (!c.name.endsWith("-slider")) add(c, c.name, c.type === "checkbox" ? c.checked : c.type === "number" ? c.value : c.value);
  }"""
)
RESULTS = (
    NUMBERS
    % """
  for (const o of root.querySelectorAll("output[data-quantity]")) add(o, o.dataset.quantity, o.dataset.value);"""
)


def plain(value):
    """A number where it is one, however it is spelt."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    with contextlib.suppress(ValueError, TypeError):
        return float(value)
    return value


def controls(root):
    return {name: plain(value) for name, value in root.evaluate(CONTROLS).items()}


def results(root):
    return {name: plain(value) for name, value in root.evaluate(RESULTS).items()}


def assert_right(case, root):
    """Every number on the page is what torch makes of the controls."""
    shown, now = results(root), controls(root) | case.read(root)
    exact = case.expected(now | {quantity: shown[quantity] for quantity in case.given})
    assert shown.keys() == exact.keys()
    for quantity, value in exact.items():
        if value is None:
            continue
        if isinstance(value, str):
            assert shown[quantity] == value
        else:
            assert_agree(shown[quantity], value, case.tolerance(now))


def type_into(root, name, value, index=None):
    """Type a value into the control of that name, and leave it."""
    which = f'[name="{name}"]' + ("" if index is None else f'[data-index="{index}"]')
    root.locator(which).fill(value)
    root.locator(which).blur()


def marks(root, quantity):
    """What stands beside each output of the quantity: it rose, fell or stayed."""
    return root.locator(f'output[data-quantity="{quantity}"] + .ce-mark').all_text_contents()
