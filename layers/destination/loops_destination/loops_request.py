"""What is asked of Loops: the shape that the actions build and the Loops client sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LoopsRequest:
    """One call of the Loops API.

    `path` begins with `/api/v1`; `body` is the JSON object that is sent; `headers` holds only what this request adds
    to those of every call.
    """

    method: str
    path: str
    body: dict[str, Any] = field(repr=False)  # traits and addresses stay out of tracebacks and logs
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def names_contact_by_user_id_only(self) -> bool:
        """Whether Loops cannot create the contact: it creates one only for an email."""
        return not self.body.get("email")
