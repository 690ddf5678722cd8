"""An action: a call of the Loops API, and the fields that a mapping provides for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loops_destination.errors import PayloadError, Problem


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an action.

    `coerce(name, value)` converts a mapped value to the field's type, or raises `PayloadError` with the field's name.
    `default` is the field's definition in the default mapping; None: the default mapping leaves the field out.
    """

    name: str
    coerce: Callable[[str, Any], Any]
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Action:
    """An action of the destination.

    `path` begins with `/api/v1`. `trigger` is the default trigger. `body` builds the JSON object to send from a payload.
    `keyed`: Loops takes an idempotency key for this call.
    """

    slug: str
    title: str
    method: str
    path: str
    trigger: str
    fields: tuple[Field, ...]
    body: Callable[[dict[str, Any]], dict[str, Any]]
    keyed: bool = False

    @property
    def mapping(self) -> dict[str, Any]:
        """The default mapping."""
        return {field.name: field.default for field in self.fields if field.default is not None}

    def payload(self, mapped: Any) -> dict[str, Any]:
        """Convert the fields of a mapped value to their types; unknown fields, null and `""` are left out.

        The result shares objects with `mapped`. Raises `PayloadError`, with the problems of all fields, if a required
        field is missing or Segment's validation (PAYLOAD_VALIDATION_FAILED) would refuse a value.
        """
        if not isinstance(mapped, dict):
            raise PayloadError(Problem("mapping", "must resolve to an object of fields"))
        payload = {}
        problems: list[Problem] = []
        for field in self.fields:
            value = mapped.get(field.name)
            if value is not None and value != "":
                try:
                    payload[field.name] = field.coerce(field.name, value)
                except PayloadError as error:
                    problems += error.problems
            elif field.required:
                problems.append(Problem(field.name, "is required, but the mapping resolves it to no value"))
        if problems:
            raise PayloadError(*problems)
        return payload
