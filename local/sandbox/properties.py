"""The team's contact properties with their types."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from local.sandbox.loops_dates import read_date
from segment_loops.json_app import ApiError

PropertyType = Literal["string", "number", "boolean", "date"]

RESERVED = frozenset({"id", "listId", "softDeleteAt", "teamId", "updatedAt"})
"""Names that Loops reserves."""

_BUILT_IN: dict[str, PropertyType] = {
    "firstName": "string",
    "lastName": "string",
    "email": "string",
    "source": "string",
    "subscribed": "boolean",
    "userGroup": "string",
    "userId": "string",
    "createdAt": "date",
}
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Properties:
    """All contact properties, including those that every team has."""

    def __init__(self) -> None:
        self._custom: dict[str, PropertyType] = {}

    def __contains__(self, name: str) -> bool:
        return name in _BUILT_IN or name in self._custom

    def create(self, name: Any, kind: Any) -> None:
        """Add a custom property; raise `ApiError` (400) for a name that is taken or reserved, or an unknown type."""
        if not isinstance(name, str) or not name:
            raise ApiError(400, "name is required.")
        if kind not in get_args(PropertyType):
            raise ApiError(400, "type must be one of: string, number, boolean, date.")
        if name in RESERVED:
            raise ApiError(400, f"{name} is a reserved name.")
        if name in self:
            raise ApiError(400, "Property already exists.")
        self._custom[name] = kind

    def learn(self, name: str, value: Any) -> None:
        """Add a property that came with a contact, unless it is known; its type is that of its first value."""
        if name not in self and value is not None:
            self._custom[name] = _type_of(value)

    def stored(self, name: str, value: Any) -> Any:
        """Return the value as it is stored; raise `ApiError` (400) if a date property gets another value."""
        known = _BUILT_IN.get(name) or self._custom.get(name)
        if known != "date" or value is None:
            return value
        try:
            return read_date(value)
        except ValueError as error:
            raise ApiError(400, f"{name} is not a valid date: {error}.") from None

    def listed(self, *, custom_only: bool = False) -> list[dict[str, str]]:
        """Return `[{"key", "label", "type"}]`."""
        shown = self._custom if custom_only else _BUILT_IN | self._custom
        return [{"key": key, "label": _label(key), "type": kind} for key, kind in shown.items()]


def _type_of(value: Any) -> PropertyType:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "string"


def _label(key: str) -> str:
    return _WORD_START.sub(" ", key).capitalize()
