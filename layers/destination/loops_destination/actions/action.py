"""An action: the call of Loops that it makes, and the fields that a mapping fills for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loops_destination.errors import PayloadError


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an action.

    `coerce` gives a value in the field's type, told the field's name for its `PayloadError`. `default` is how a
    subscription without a mapping fills the field; None for not at all.
    """

    name: str
    coerce: Callable[[str, Any], Any]
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Action:
    """An action of the destination.

    `trigger` is the default of a subscription; `path` begins with `/api/v1`. `body` makes the JSON object that is sent
    of a payload that `payload` gave. `keyed` says that Loops tells repeats of the call by an Idempotency-Key.
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
        """The mapping of a subscription that has none of its own."""
        return {field.name: field.default for field in self.fields if field.default is not None}

    def payload(self, mapped: Any) -> dict[str, Any]:
        """The fields of a mapped value, each in its type; what is no field is left out, and so is null and `""`.

        `PayloadError` where Segment answers PAYLOAD_VALIDATION_FAILED. Objects are shared with `mapped`.
        """
        if not isinstance(mapped, dict):
            raise PayloadError("mapping", "must give an object of fields")
        payload = {}
        for field in self.fields:
            value = mapped.get(field.name)
            if value is not None and value != "":
                payload[field.name] = field.coerce(field.name, value)
            elif field.required:
                raise PayloadError(field.name, "is required, but the mapping gives it no value")
        return payload
