"""Checks a definition before it is compiled, and collects every problem with its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from loops_destination.errors import MappingError, Problem
from loops_destination.javascript import is_falsy, length, type_name

MAX_DEPTH = 64
"""Levels of a definition; Segment's app nests a few."""

MAX_VALUES = 20_000
"""Values in a definition: far more than any mapping that a person or an app writes."""


ROOT_DIRECTIVE = "__segment_internal_directive"
"""The key under which Segment's app keeps a directive that wraps the whole mapping."""


Check = Callable[["Checker", Any, str], None]
"""Reports the problems of a value at a place to the checker."""


def is_directive(definition: Any) -> bool:
    """Return True for an object with a key that starts with `@`, which Segment reserves for directives."""
    return isinstance(definition, dict) and any(isinstance(key, str) and key[:1] == "@" for key in definition)


def unwrapped(definition: Any) -> Any:
    """Return a mapping whose root directive, if it has one, wraps the other fields as its `mapping`.

    The result is a definition like any other. Problems name places in the result, as at Segment.
    """
    if not isinstance(definition, dict) or ROOT_DIRECTIVE not in definition:
        return definition
    root = definition[ROOT_DIRECTIVE]
    options = next(iter(root.values())) if isinstance(root, dict) and len(root) == 1 else None
    if not isinstance(options, dict | list):
        message = 'must be one directive with an object, such as {"@transform": {"apply": {…}}}'
        raise MappingError([Problem(f"/{ROOT_DIRECTIVE}", message)])
    if isinstance(options, list):  # Segment loses the other fields here
        return root
    fields = {key: value for key, value in definition.items() if key != ROOT_DIRECTIVE}
    return {name: {**options, "mapping": fields} for name in root}


class Checker:
    """Walks through one definition and collects its `problems`; `checks` are the directives' checks by name."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self.problems: list[Problem] = []
        self._checks = checks
        self._depth = 0
        self._values = 0

    def problem(self, place: str, message: str) -> None:
        """Record a problem."""
        self.problems.append(Problem(place, message))

    def value(self, definition: Any, place: str) -> None:
        """Check any definition; raise `MappingError` for one that is too large, such as one that contains itself."""
        self._values += 1
        self._depth += 1
        if self._depth > MAX_DEPTH or self._values > MAX_VALUES:
            raise MappingError(
                [
                    *self.problems,
                    Problem(
                        place, f"the mapping is deeper than {MAX_DEPTH} levels or has more than {MAX_VALUES:,} values"
                    ),
                ]
            )
        if is_directive(definition):
            self._directive(definition, place)
        elif isinstance(definition, dict):
            self._object(definition, place)
        elif isinstance(definition, list):
            for index, item in enumerate(definition):
                self.value(item, f"{place}/{index}")
        elif not _is_scalar(definition):
            self.problem(place, "must be a JSON value")
        self._depth -= 1

    def _object(self, definition: dict[str, Any], place: str) -> None:
        for key, item in definition.items():
            if isinstance(key, str):
                self.value(item, f"{place}/{key}")
            else:
                self.problem(place, "must have strings as keys")

    def _directive(self, definition: dict[str, Any], place: str) -> None:
        names = [key for key in definition if key != "_metadata"]
        if len(names) > 1:
            self.problem(place, f"a directive must be the only key beside _metadata; this object has {len(names)}")
        elif names[0] not in self._checks:
            self.problem(place, f"unknown directive {names[0]}; use one of: {', '.join(self._checks)}")
        else:
            self._checks[names[0]](self, definition[names[0]], f"{place}/{names[0]}")


def any_value(checker: Checker, value: Any, place: str) -> None:
    """Check a value that may be any definition."""
    checker.value(value, place)


def text_or_directive(checker: Checker, value: Any, place: str) -> None:
    """Check a value that must be a string or a directive."""
    if is_directive(value):
        checker.value(value, place)
    elif not isinstance(value, str):
        checker.problem(place, f"must be a string or a directive, not {type_name(value)}")


def object_or_directive(checker: Checker, value: Any, place: str) -> None:
    """Check a value that must be an object or a directive."""
    if isinstance(value, dict):
        checker.value(value, place)
    else:
        checker.problem(place, f"must be an object or a directive, not {type_name(value)}")


def truthy(checker: Checker, value: Any, place: str) -> None:
    """Check a value that may be any definition, except a falsy constant."""
    if is_falsy(value):
        checker.problem(place, 'must not be null, false, 0 or ""')
    else:
        checker.value(value, place)


def boolean(checker: Checker, value: Any, place: str) -> None:
    """Check a value that must be `true` or `false`; a directive is not allowed."""
    if not isinstance(value, bool):
        checker.problem(place, f"must be true or false, not {_kind(value)}")


class OneOf:
    """The check of a value that must be one of the words; a directive is not allowed."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __call__(self, checker: Checker, value: Any, place: str) -> None:
        if not isinstance(value, str) or value not in self.words:
            checker.problem(place, f"must be {' or '.join(self.words)}")


class Text:
    """The check of a string with this length in UTF-16 units; a directive is not allowed."""

    def __init__(self, shortest: int, longest: float = math.inf) -> None:
        self.shortest = shortest
        self.longest = longest

    def __call__(self, checker: Checker, value: Any, place: str) -> None:
        if not isinstance(value, str):
            checker.problem(place, f"must be a string, not {_kind(value)}")
        elif length(value) < self.shortest:
            checker.problem(place, "must not be empty")
        elif length(value) > self.longest:
            checker.problem(place, f"must have at most {self.longest} characters, not {length(value)}")


class Nullable:
    """The check of a value that may also be null."""

    def __init__(self, check: Check) -> None:
        self.check = check

    def __call__(self, checker: Checker, value: Any, place: str) -> None:
        if value is not None:
            self.check(checker, value, place)


class ListOf:
    """The check of an array whose elements pass a check."""

    def __init__(self, check: Check) -> None:
        self.check = check

    def __call__(self, checker: Checker, value: Any, place: str) -> None:
        if not isinstance(value, list):
            checker.problem(place, f"must be an array, not {_kind(value)}")
            return
        for index, item in enumerate(value):
            self.check(checker, item, f"{place}/{index}")


class Options:
    """The check of an object with the required fields, and with at least one of `any_of` that is not falsy.

    `fields` names every field that the directive reads. Other fields are ignored, as they are at Segment, but must be
    valid definitions too.
    """

    def __init__(self, fields: dict[str, Check], required: Iterable[str] = (), any_of: Iterable[str] = ()) -> None:
        self.fields = fields
        self.required = tuple(required)
        self.any_of = tuple(any_of)

    def __call__(self, checker: Checker, value: Any, place: str) -> None:
        if not isinstance(value, dict) or is_directive(value):
            checker.problem(place, f"must be an object, not {_kind(value)}")
            return
        missing = [name for name in self.required if name not in value]
        if missing:
            checker.problem(place, f"must have {' and '.join(missing)}")
        if self.any_of and all(is_falsy(value.get(name)) for name in self.any_of):
            checker.problem(place, f"must have {' or '.join(self.any_of)}")
        for key, item in value.items():
            self.fields.get(key, any_value)(checker, item, f"{place}/{key}")


def _kind(value: Any) -> str:
    return "a directive" if is_directive(value) else type_name(value)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
