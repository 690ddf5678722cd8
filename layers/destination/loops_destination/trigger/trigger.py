"""A trigger, compiled once and then asked of every event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loops_destination.trigger.conditions import Finding
from loops_destination.trigger.parser import parse


class Trigger:
    """An expression such as `type = "track" and event = "Order Completed"`; `TriggerError` when it is none.

    `matches(event)` tells whether it holds, of any JSON value, and never raises. `str()` is the expression in its
    canonical form: parsed again, it matches the same events and prints the same.
    """

    __slots__ = ("_node", "matches")

    matches: Callable[[Any], bool]

    def __init__(self, expression: str) -> None:
        self._node = parse(expression)
        # The compiled function itself, not a method around it: most events are asked this and nothing else.
        self.matches = self._node.predicate()

    def explain(self, event: Any) -> tuple[Finding, ...]:
        """What every condition came to, in the order of the text, and which of them the outcome rests on."""
        return tuple(self._node.findings(event, decides=True))

    def __str__(self) -> str:
        return str(self._node)

    def __repr__(self) -> str:
        return f"Trigger({str(self)!r})"
