"""sendEvent: a track event becomes an event in Loops, which may send emails."""

from __future__ import annotations

from typing import Any

from loops_destination.actions.action import Action, Field
from loops_destination.actions.coercion import to_email, to_object, to_string
from loops_destination.actions.consent import without_opt_in


def _body(payload: dict[str, Any]) -> dict[str, Any]:
    """Build the body: the contact properties at the top level, overwritten by the other fields.

    At Segment the properties overwrite the fields, so a property named `email`, `userId` or `eventName` sends the event
    to another contact or under another name. Here a field that the mapping provides always wins, and no property can
    re-subscribe the contact.
    """
    fields = dict(payload)
    properties = fields.pop("contactProperties", {})
    return {**without_opt_in(properties), **fields}


SEND_EVENT = Action(
    slug="sendEvent",
    title="Send an event",
    method="POST",
    path="/api/v1/events/send",
    trigger='type = "track"',
    fields=(
        Field(
            "email",
            to_email,
            default={
                "@if": {
                    "exists": {"@path": "$.properties.email"},
                    "then": {"@path": "$.properties.email"},
                    "else": {"@path": "$.context.traits.email"},
                }
            },
        ),
        Field("eventName", to_string, required=True, default={"@path": "$.event"}),
        Field("userId", to_string, required=True, default={"@path": "$.userId"}),
        Field("contactProperties", to_object),
        Field("eventProperties", to_object, default={"@path": "$.properties"}),
    ),
    body=_body,
    keyed=True,
)
