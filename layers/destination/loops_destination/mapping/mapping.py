"""A mapping: the JSON that says how an event becomes what is sent."""

from __future__ import annotations

from typing import Any

from loops_destination.errors import MappingError, Problem
from loops_destination.javascript import UNDEFINED, type_name
from loops_destination.mapping.builder import Builder, Resolver
from loops_destination.mapping.checker import Checker
from loops_destination.mapping.directives import DIRECTIVES
from loops_destination.mapping.work import begin


class Mapping:
    """A definition of Segment's mapping language, compiled once.

    Raises `MappingError` with every problem of the definition. Neither the definition nor an event is ever changed; what
    is resolved shares structure with the event, never with the definition.
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
        """The JSON value that the event maps to; None also where a mapping that is one directive finds nothing.

        Raises `MappingError` where a directive cannot take what it is given, the event is no object, or the work is more
        than `work.LIMIT`.
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
    checker = Checker(DIRECTIVES.checks)
    checker.value(definition, "")
    if checker.problems:
        raise MappingError(checker.problems)
    return Builder(DIRECTIVES.builds).value(definition, "")
