"""createOrUpdateContact: an identify event creates or updates a contact in Loops."""

from __future__ import annotations

from typing import Any

from loops_destination.actions.action import Action, Field
from loops_destination.actions.coercion import to_boolean, to_datetime, to_email, to_object, to_string
from loops_destination.actions.consent import without_opt_in

_CHOICES = {"true": True, "false": False}


def _body(payload: dict[str, Any]) -> dict[str, Any]:
    """Build the body: the custom attributes, overwritten by the other fields, and always `mailingLists`.

    The mailing lists come from their field, or from the custom attributes if the field is missing or empty. No attribute
    can re-subscribe the contact.
    """
    fields = dict(payload)
    attributes = fields.pop("customAttributes", {})
    lists = fields.get("mailingLists") or attributes.get("mailingLists")
    fields["mailingLists"] = choices(lists) if isinstance(lists, dict) else {}
    return {**without_opt_in(attributes), **fields}


def choices(lists: dict[str, Any]) -> dict[str, bool]:
    """Return the lists to join (True) and to leave (False); Loops would refuse the contact for any other value."""
    return {
        list_id: _CHOICES[choice] if isinstance(choice, str) else choice
        for list_id, choice in lists.items()
        if isinstance(choice, bool) or (isinstance(choice, str) and choice in _CHOICES)
    }


CREATE_OR_UPDATE_CONTACT = Action(
    slug="createOrUpdateContact",
    title="Create or update a contact",
    method="PUT",
    path="/api/v1/contacts/update",
    trigger='type = "identify"',
    fields=(
        Field("createdAt", to_datetime),
        Field("customAttributes", to_object, default={"@path": "$.traits"}),
        Field(
            "email",
            to_email,
            default={
                "@if": {
                    "exists": {"@path": "$.traits.email"},
                    "then": {"@path": "$.traits.email"},
                    "else": {"@path": "$.email"},
                }
            },
        ),
        Field("firstName", to_string, default={"@path": "$.traits.firstName"}),
        Field("lastName", to_string, default={"@path": "$.traits.lastName"}),
        Field("mailingLists", to_object),
        Field(
            "source",
            to_string,
            default={
                "@if": {
                    "exists": {"@path": "$.traits.source"},
                    "then": {"@path": "$.traits.source"},
                    "else": "Segment",
                }
            },
        ),
        # No default: `true` re-subscribes a person who opted out, so a team must map it on purpose.
        Field("subscribed", to_boolean),
        Field("userGroup", to_string, default={"@path": "$.traits.userGroup"}),
        Field("userId", to_string, required=True, default={"@path": "$.userId"}),
    ),
    body=_body,
)
