"""What one rendering works with: the event, the variables assigned so far, and a budget that bounds the work."""

from __future__ import annotations

from typing import Any

from loops_destination.javascript import UNDEFINED, is_number
from loops_destination.mapping.liquid.values import member

BUDGET = 4_000_000
"""Characters that one rendering may read and write, all filters together; a container counts as `_CONTAINER` more."""

_CONTAINER = 16


class LiquidError(Exception):
    """The template cannot be rendered over this event."""


class Scope:
    """The variables of one rendering; the event is only read."""

    def __init__(self, event: Any) -> None:
        self.assigned: dict[str, Any] = {}
        self.cycles: dict[str, int] = {}
        self._event = event
        self._counters: dict[str, float] = {}
        self._left: float = BUDGET

    def variable(self, name: str) -> Any:
        """The variable, or `UNDEFINED`; an assigned one hides a counter, and that the event's."""
        for variables in (self.assigned, self._counters):
            if name in variables:
                return variables[name]
        return self._event.get(name, UNDEFINED) if isinstance(self._event, dict) else member(self._event, name)

    def count(self, name: str, step: int) -> tuple[float, float]:
        """A counter before and after the step; it goes on from the event's number of that name."""
        before = self._counters.get(name, member(self._event, name))
        before = before if is_number(before) else 0
        self._counters[name] = before + step
        return before, before + step

    def spend(self, amount: float) -> None:
        """Raises `LiquidError` once the budget is spent."""
        self._left -= max(amount, 1)
        if self._left < 0:
            raise LiquidError("the template takes too much work")

    def charge(self, value: Any) -> None:
        """Spends what the value is worth: what it holds twice counts twice, for so it is printed."""
        if isinstance(value, str):
            self.spend(len(value))
        elif isinstance(value, list | dict):
            self.spend(_CONTAINER)
            for item in value:
                self.charge(item)
                if isinstance(value, dict):
                    self.charge(value[item])
        else:
            self.spend(1)
