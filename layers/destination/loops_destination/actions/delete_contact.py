"""deleteContact: a deletion request from Segment's privacy portal deletes the contact in Loops."""

from __future__ import annotations

from typing import Any

from loops_destination.actions.action import Action, Field
from loops_destination.actions.coercion import to_string


def _body(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload: `userId` is text, as Loops' API requires, where Segment's destination sends an array."""
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
