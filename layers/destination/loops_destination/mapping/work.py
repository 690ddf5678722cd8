"""The limit on the work of one resolution, shared by the directives and by Liquid.

Each directive and filter is charged for what it reads and writes. It is charged before it begins; only output that
cannot exceed a few times the input is charged afterwards. Looking up a path copies no value, and is free.

A unit is about one character or value, and takes about 0.1 µs at most: `python -m bench.worst` measures the worst events.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Protocol

from loops_destination.errors import MappingError, Problem

LIMIT = 4_000_000
"""Units of one resolution: an event of 256 KB can be read and written whole several times, within half a second."""

# Units of values that take longer to print than their characters to copy.
_CONTAINER = 16
_KEY = 4
_FLOAT = 16
_BITS_PER_DIGIT = 3


class Charge(Protocol):
    """Charge for work; raise `MappingError` with the directive's place, and `by`, when the limit is exceeded."""

    def __call__(self, units: float, by: str = "here") -> None: ...


class Budget:
    """The units that are left for one resolution, and whether anything in its mapping charges for work."""

    is_used = False
    left: float = LIMIT


_budget: ContextVar[Budget] = ContextVar("budget")


def begin() -> Budget:
    """Start a new budget in this thread, for building a mapping or for one resolution."""
    budget = Budget()
    _budget.set(budget)
    return budget


def charge_at(place: str) -> Charge:
    """Return a function that charges for the work of the directive at `place`."""
    current = _budget.get
    current().is_used = True

    def charge(units: float, by: str = "here") -> None:
        budget = current()
        budget.left -= units
        if budget.left < 0:
            message = f"too much work: the mapping exceeds {LIMIT:,} units {by}; map fewer or smaller values"
            raise MappingError([Problem(place, message)])

    return charge


def charge_whole(value: Any, charge: Charge) -> None:
    """Charge for everything in a value; a part that it holds twice counts twice, because it is printed twice."""
    if not isinstance(value, (dict, list)):
        charge(_size(value))
        return
    items: Iterable[Any] = value
    units = _CONTAINER + len(value)
    if isinstance(value, dict):
        items = value.values()
        units += _KEY * len(value) + sum(map(len, value))
    charge(units + sum(map(_size, items)))
    for item in items:
        if isinstance(item, (dict, list)):
            charge_whole(item, charge)


def _size(value: Any) -> int:
    """Return about as many units as the value has characters; containers are charged separately."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, float):
        return _FLOAT
    return value.bit_length() // _BITS_PER_DIGIT + 1 if isinstance(value, int) else 1


def steps(definition: Any) -> int:
    """Return the units of resolving a definition once, beside what its directives charge themselves."""
    if isinstance(definition, dict):
        return 1 + sum(map(steps, definition.values()))
    if isinstance(definition, list):
        return 1 + sum(map(steps, definition))
    return len(definition) if isinstance(definition, str) else 1
