"""The change of a contact that a request asks for, validated before anything is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.sandbox.properties import RESERVED, Properties
from segment_loops.json_app import ApiError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from local.sandbox.assumptions import Assumptions

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_NOT_PROPERTIES = frozenset({"email", "userId", "subscribed", "mailingLists"})


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A change with at least one identifier. In `properties` null clears a value; missing ones are kept."""

    email: str | None
    user_id: str | None
    subscribed: bool | None
    lists: Mapping[str, bool]
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChangeReader:
    """Reads changes by the properties, mailing lists and assumptions of a team."""

    properties: Properties
    lists: Collection[str]
    assumptions: Assumptions

    def read(self, body: Mapping[str, Any]) -> ContactChange:
        """Return the change; raise `ApiError` (400) at the first value that Loops refuses."""
        email, user_id = identifiers(body, self.assumptions)
        if email is None and user_id is None:
            raise ApiError(400, "An email or userId is required.")
        return ContactChange(
            email=email,
            user_id=user_id,
            subscribed=_subscribed(body),
            lists=self._lists(body.get("mailingLists")),
            properties=self._properties(body),
        )

    def _lists(self, memberships: Any) -> Mapping[str, bool]:
        if memberships is None:
            return {}
        if not isinstance(memberships, dict) or not all(isinstance(value, bool) for value in memberships.values()):
            raise ApiError(400, "mailingLists must be an object of booleans.")
        unknown = memberships.keys() - set(self.lists)
        if unknown and self.assumptions.unknown_lists == "refuse":
            raise ApiError(400, f"Unknown mailing list: {min(unknown)}.")
        return {key: value for key, value in memberships.items() if key not in unknown}

    def _properties(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        given = {name: value for name, value in body.items() if name not in _NOT_PROPERTIES}
        reserved = given.keys() & RESERVED
        if reserved:
            raise ApiError(400, f"{min(reserved)} is a reserved name.")
        return {
            name: self.properties.stored(name, value)
            for name, value in plain_values(given, self.assumptions).items()
            if name in self.properties or self.assumptions.unknown_properties == "create"
        }


def identifiers(given: Mapping[str, Any], assumptions: Assumptions) -> tuple[str | None, str | None]:
    """Return the email and the userId, None if missing or null; raise `ApiError` (400) if one is malformed."""
    email, user_id = given.get("email"), given.get("userId")
    if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(email)):
        raise ApiError(400, "Invalid email address.")
    if user_id is not None and not (isinstance(user_id, str) and user_id):
        raise ApiError(400, "userId must be a string.")
    return stored_email(email, assumptions), user_id


def stored_email(email: str | None, assumptions: Assumptions) -> str | None:
    """Return the email as the team's contacts are found by it."""
    return email.lower() if email is not None and assumptions.email_case == "lower" else email


def one_identifier(given: Mapping[str, Any], assumptions: Assumptions) -> tuple[str | None, str | None]:
    """Return the email and the userId, of which exactly one must be given; raise `ApiError` (400) otherwise."""
    found = identifiers(given, assumptions)
    if found.count(None) != 1:
        raise ApiError(400, "Exactly one of email and userId is required.")
    return found


def plain_values(values: Mapping[str, Any], assumptions: Assumptions) -> dict[str, Any]:
    """Apply the assumption about objects and arrays: raise `ApiError` (400), keep them, or leave them out."""
    nested = {name for name, value in values.items() if isinstance(value, dict | list)}
    if nested and assumptions.nested_values == "refuse":
        raise ApiError(400, f"{min(nested)} must be a string, number, boolean or date.")
    if assumptions.nested_values == "keep":
        return dict(values)
    return {name: value for name, value in values.items() if name not in nested}


def _subscribed(body: Mapping[str, Any]) -> bool | None:
    value = body.get("subscribed")
    if value is not None and not isinstance(value, bool):
        raise ApiError(400, "subscribed must be a boolean.")
    return value
