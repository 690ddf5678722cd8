"""A compiled trigger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loops_destination.trigger.conditions import Finding
from loops_destination.trigger.parser import parse


class Trigger:
    """An expression such as `type = "track" and event = "Order Completed"`, compiled once and used for every event.

    The constructor raises `TriggerError`. `matches(event)` returns a boolean for any JSON value, and never raises.
    `str()` returns the expression in canonical form, which compiles to an equal trigger.
    """

    __slots__ = ("_clause", "matches")

    matches: Callable[[Any], bool]

    def __init__(self, expression: str) -> None:
        self._clause = parse(expression)
        # The compiled function itself, without a method around it: for most events nothing else runs.
        self.matches = self._clause.predicate()

    def explain(self, event: Any) -> tuple[Finding, ...]:
        """Return the result of every condition, in the order of the text, with those that decided the trigger's result."""
        return tuple(self._clause.findings(event, decides=True))

    def __str__(self) -> str:
        return str(self._clause)

    def __repr__(self) -> str:
        return f"Trigger({str(self)!r})"
