"""What every lab has in common on the Python side: checked state, results, and a form for readers without a kernel.

A :class:`Shown` has that form; the quiz is one too. A lab is a subclass of :class:`Lab` with *state* traits (what the
reader controls), *result* traits (what follows from it, computed here too, so that they are right without a browser),
``compute`` and ``table``. Its page is ``js/<topic>.js``.
"""

import html
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
from traitlets import Any as AnyTrait
from traitlets import Dict, TraitError, TraitType

from crossentropy.validation import require_choice, require_finite_number

STATIC = Path(__file__).parent / "static"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Entries(list[float]):
    """A list that is read and assigned whole. Changed in place it would leave the lab's results as they were."""

    def _refuse(self, *_: object, **__: object) -> Any:
        raise TypeError("the entries of a lab's list are not changed in place: assign a new list")

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __reduce__(self) -> Any:
        # A copy is an ordinary list.
        return list, (list(self),)


Result = float | str | list[float]
Table = tuple[str, list[str], list[list[str]]]


class Number(TraitType[float, float]):
    """State: a float within bounds, the same bounds that the control in the page has."""

    def __init__(self, default: float, *, low: float, high: float) -> None:
        super().__init__(default)
        self.low, self.high = low, high
        self.tag(sync=True, state=True)

    def validate(self, obj: Any, value: Any) -> float:
        return _bounded(_plain(value), str(self.name), self.low, self.high)


class Numbers(TraitType[list[float], Any]):
    """State: a list of floats within bounds; it may be set from any sequence, a torch tensor or a numpy array of one axis."""

    def __init__(self, default: Sequence[float], *, low: float, high: float, fewest: int, most: int) -> None:
        super().__init__(Entries(default))
        self.low, self.high, self.fewest, self.most = low, high, fewest, most
        self.tag(sync=True, state=True)

    def make_dynamic_default(self) -> list[float]:
        return Entries(self.default_value)

    def validate(self, obj: Any, value: Any) -> list[float]:
        name = str(self.name)
        values = value.tolist() if hasattr(value, "tolist") else value
        if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
            raise TypeError(f"{name} must be a sequence of numbers, got {type(value).__name__}")
        if not self.fewest <= len(values) <= self.most:
            wanted = f"{self.fewest}" if self.fewest == self.most else f"{self.fewest} to {self.most}"
            raise ValueError(f"{name} must hold {wanted} numbers, got {len(values)}")
        return Entries(_bounded(_plain(entry), f"{name}[{k}]", self.low, self.high) for k, entry in enumerate(values))


class Whole(TraitType[int, int]):
    """State: a whole number within bounds, both included."""

    def __init__(self, default: int, *, low: int, high: int) -> None:
        super().__init__(default)
        self.low, self.high = low, high
        self.tag(sync=True, state=True)

    def validate(self, obj: Any, value: Any) -> int:
        value = _plain(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{self.name} must be an int, got {type(value).__name__}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.name} must lie in [{self.low}, {self.high}], got {value}")
        return value


class BadState(ValueError, TraitError):
    """State that does not fit together: a ValueError on which traitlets takes back all that was set at once."""


class Choice(TraitType[str, str]):
    """State: one of the strings of a Literal type."""

    def __init__(self, default: str, choices: object) -> None:
        super().__init__(default)
        self.choices = choices
        self.tag(sync=True, state=True)

    def validate(self, obj: Any, value: Any) -> str:
        require_choice(value, str(self.name), self.choices)
        return str(value)


def result() -> Any:
    """A trait that follows from the state: to be read, observed and linked, not to be set."""
    return AnyTrait(None, read_only=True).tag(sync=True, result=True, to_json=_to_json)


class Shown(anywidget.AnyWidget):
    """A live view for a notebook; beside it HTML for the page and for readers without script, and plain text."""

    topic: ClassVar[str]
    #: The name that the page shows.
    title: ClassVar[str] = ""
    _css = STATIC / "labs.css"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """All three. Only the view's entry names the model; the other two depend on the state alone."""
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {**data, "text/plain": self.to_text(), "text/html": self.to_html()}, metadata

    def to_text(self) -> str:
        """What stands where no browser is."""
        raise NotImplementedError

    def to_html(self) -> str:
        """An element made by ``embed``."""
        raise NotImplementedError

    def embed(self, state: dict[str, Any], form: str) -> str:
        """An element with the state as JSON, which the page's script brings to life, and the form for all others."""
        # "</script>" in a string would end the element.
        text = json.dumps(state, allow_nan=False).replace("<", "\\u003c")
        return f'<div class="ce-lab" data-widget="{self.topic}"><script type="application/json">{text}</script>{form}</div>'


class Lab(Shown):
    """Base of all labs. Subclasses name their ``topic``, set ``_esm``, and fill in ``compute`` and ``table``."""

    #: Where "reset" leads: the state in which the lab was made.
    start = Dict(read_only=True).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        if unknown := [name for name in traits if not self.has_trait(name) or self.trait_metadata(name, "result")]:
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.state_names)}; got {', '.join(unknown)}")
        super().__init__(**traits)
        self.observe(self._refresh, names=self.state_names)

    @property
    def state_names(self) -> list[str]:
        # In the order of the class's body; traitlets' own is alphabetical.
        return [name for cls in reversed(type(self).__mro__) for name, trait in vars(cls).items() if _is_state(trait)]

    @property
    def state(self) -> dict[str, Any]:
        """What the reader controls, by name."""
        return {name: getattr(self, name) for name in self.state_names}

    def compute(self) -> dict[str, Result]:
        """The results, by trait name, of the present state."""
        raise NotImplementedError

    def table(self) -> Table:
        """Caption, header and rows of the present state, for readers without a live lab."""
        raise NotImplementedError

    def open(self) -> None:
        # The widget tells the page of its state here: the results must be right by then.
        self._refresh()
        self.set_trait("start", self.state)
        super().open()

    def _refresh(self, change: object = None) -> None:
        with self.hold_trait_notifications():
            for name, value in self.compute().items():
                self.set_trait(name, Entries(value) if isinstance(value, list) else value)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.state.items())
        return f"{type(self).__name__}({arguments})"

    def to_text(self) -> str:
        """The constructor call and the table, aligned."""
        caption, header, rows = self.table()
        cells = [header, *rows]
        widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([repr(self), caption, *lines])

    def to_html(self) -> str:
        """The table of the present state, inside what ``embed`` makes."""
        caption, header, rows = self.table()
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in header)
        body = "".join(
            f'<tr><th scope="row">{html.escape(first)}</th>{"".join(f"<td>{html.escape(cell)}</td>" for cell in rest)}</tr>'
            for first, *rest in rows
        )
        return self.embed(
            self.state,
            f'<table class="ce-start"><caption>{html.escape(f"{self.title}. {caption}")}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
        )


def show(value: float) -> str:
    """A number as the page has it: three decimals, or a power of ten where these would hide it."""
    if math.isnan(value):
        return "NaN"
    sign, size = "−" if value < 0 else "", abs(value)
    if size == 0 or size == math.inf:
        return f"{sign}∞" if size else "0"
    if 1e-3 <= size < 1e5:
        return f"{sign}{size:.3f}"
    digits, power = f"{size:.2e}".split("e")
    return f"{sign}{digits} × 10{str(int(power)).translate(SUPERSCRIPTS)}"


def require_known_class(lab: Any, proposal: Any) -> Any:
    """For ``@validate("logits", "target")``: the target is one of the logits' classes, whichever of the two is set."""
    proposed = {"logits": lab.logits, "target": lab.target, proposal.trait.name: proposal.value}
    target, count = proposed["target"], len(proposed["logits"])
    if target >= count:
        raise BadState(f"target must lie in [0, {count - 1}], one of {count} classes, got {target}")
    return proposal.value


def _is_state(trait: object) -> bool:
    return isinstance(trait, TraitType) and bool(trait.metadata.get("state"))


def _plain(value: Any) -> Any:
    """A scalar of torch or numpy as Python's own; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _bounded(value: Any, name: str, low: float, high: float) -> float:
    require_finite_number(value, name)
    if not low <= value <= high:
        raise ValueError(f"{name} must lie in [{low}, {high}], got {value}")
    return float(value)


def _to_json(value: Result, widget: object) -> Any:
    """JSON has no infinity: spelt as the page spells it."""
    if isinstance(value, list):
        return [_to_json(entry, widget) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
