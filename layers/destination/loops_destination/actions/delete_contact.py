"""deleteContact: a deletion request of Segment's privacy portal removes the contact from Loops."""

from __future__ import annotations

from typing import Any

from loops_destination.actions.action import Action, Field
from loops_destination.actions.coercion import to_string


def _body(payload: dict[str, Any]) -> dict[str, Any]:
    """The userId as text, which Loops' API asks for; Segment's destination sends an array."""
    return payload


DELETE_CONTACT = Action(
    slug="deleteContact",
    title="Delete a contact",
    method="POST",
    path="/api/v1/contacts/delete",
    trigger='type = "delete"',
    fields=(Field("userId", to_string, required=True, default={"@path": "$.userId"}),),
    body=_body,
)
