"""A compiled mapping."""

from __future__ import annotations

from typing import Any

from loops_destination.errors import MappingError, Problem
from loops_destination.javascript import UNDEFINED, type_name
from loops_destination.mapping.builder import Builder, Resolver
from loops_destination.mapping.checker import Checker, unwrapped
from loops_destination.mapping.directives import DIRECTIVES
from loops_destination.mapping.work import begin


class Mapping:
    """A definition of Segment's mapping language, compiled once and used for every event.

    The constructor raises `MappingError` with every problem of the definition. Neither the definition nor an event is
    ever changed. A resolved value can share objects and arrays with the event, but not with the definition.
    """

    __slots__ = ("_is_charged", "_resolve")

    def __init__(self, definition: Any) -> None:
        budget = begin()
        try:
            self._resolve = _compiled(definition)
        except RecursionError:
            raise MappingError([Problem("", "the mapping is nested too deeply")]) from None
        self._is_charged = budget.is_used

    def resolve(self, event: dict[str, Any]) -> Any:
        """Return the JSON value that the event maps to, None if the whole mapping is a directive that finds nothing.

        Raises `MappingError` if a directive got a value that it cannot handle, the event is not an object, or the work
        exceeds `work.LIMIT`.
        """
        if not isinstance(event, dict):
            raise MappingError([Problem("", f"an event must be an object, not {type_name(event)}")])
        resolve = self._resolve
        if self._is_charged:
            begin()
        try:
            value = resolve(event)
        except RecursionError:
            raise MappingError([Problem("", "the event is nested too deeply")]) from None
        return None if value is UNDEFINED else value


def _compiled(definition: Any) -> Resolver:
    definition = unwrapped(definition)
    checker = Checker(DIRECTIVES.checks)
    checker.value(definition, "")
    if checker.problems:
        raise MappingError(checker.problems)
    return Builder(DIRECTIVES.builds).value(definition, "")
