"""The state of one rendering: the event, the variables assigned so far, and the charge for work."""

from __future__ import annotations

from typing import Any

from loops_destination.javascript import UNDEFINED, is_number
from loops_destination.mapping.liquid.values import member
from loops_destination.mapping.work import Charge


class LiquidError(Exception):
    """The template cannot be rendered for this event."""


class Scope:
    """The variables of one rendering; the event is never changed."""

    def __init__(self, event: Any, charge: Charge) -> None:
        self.charge = charge
        self.assigned: dict[str, Any] = {}
        self.cycles: dict[str, int] = {}
        self._event = event
        self._counters: dict[str, float] = {}

    def variable(self, name: str) -> Any:
        """Return a variable, or `UNDEFINED`; assigned variables come first, then counters, then the event."""
        for variables in (self.assigned, self._counters):
            if name in variables:
                return variables[name]
        return self._event.get(name, UNDEFINED) if isinstance(self._event, dict) else member(self._event, name)

    def count(self, name: str, step: int) -> tuple[float, float]:
        """Step a counter, which starts at the event's number of that name or 0; return its values before and after."""
        before = self._counters.get(name, member(self._event, name))
        before = before if is_number(before) else 0
        self._counters[name] = before + step
        return before, before + step
