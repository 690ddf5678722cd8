"""A call of the Loops API, as the actions build it and the Loops client sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LoopsRequest:
    """One call of the Loops API.

    `path` begins with `/api/v1`, `body` is the JSON object to send, and `headers` holds the headers that only this call
    has.
    """

    method: str
    path: str
    body: dict[str, Any] = field(repr=False)  # keeps traits and addresses out of tracebacks and logs
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def names_contact_by_user_id_only(self) -> bool:
        """True without an email: Loops can then find the contact, but not create it."""
        return not self.body.get("email")
