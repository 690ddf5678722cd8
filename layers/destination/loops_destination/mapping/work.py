"""The limit on the work of one resolution, shared by the directives and by Liquid.

Work is charged before it is done, for what is read and for what is written. A unit is a character or a value; the rates
are such that none takes longer than about 0.1 µs. `python -m bench.worst` measures the worst events.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Protocol

from loops_destination.errors import MappingError, Problem

LIMIT = 4_000_000
"""Units of one resolution: an event of 256 KB can be read and written whole several times."""

_CONTAINER = 16
_BITS_PER_DIGIT = 3


class Charge(Protocol):
    """Charges for work; raises `MappingError`, with the place, when the limit is exceeded."""

    def __call__(self, units: float, by: str = "here") -> None: ...


class Budget:
    """The units that are left for one resolution, and whether anything in its mapping charges for work."""

    is_used = False
    left: float = LIMIT


_budget: ContextVar[Budget] = ContextVar("budget")


def begin() -> Budget:
    """Give what follows in this thread a budget of its own: the building of a mapping, or a resolution."""
    budget = Budget()
    _budget.set(budget)
    return budget


def charge_at(place: str) -> Charge:
    """Return what charges for the work of the directive at `place`."""
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
    """Charge for all that a value holds; a part that it holds twice counts twice, because it is printed twice."""
    if not isinstance(value, (dict, list)):
        charge(_size(value))
        return
    items: Iterable[Any] = value
    units = _CONTAINER + len(value)
    if isinstance(value, dict):
        items = value.values()
        units += sum(map(len, value))
    charge(units + sum(map(_size, items)))
    for item in items:
        if isinstance(item, (dict, list)):
            charge_whole(item, charge)


def _size(value: Any) -> int:
    """Return the characters of a scalar, where they may be many."""
    if isinstance(value, str):
        return len(value)
    return value.bit_length() // _BITS_PER_DIGIT if isinstance(value, int) else 1


def steps(definition: Any) -> int:
    """Return the units that resolving a definition once costs, apart from what its directives charge themselves."""
    if isinstance(definition, dict):
        return 1 + sum(map(steps, definition.values()))
    if isinstance(definition, list):
        return 1 + sum(map(steps, definition))
    return len(definition) if isinstance(definition, str) else 1
