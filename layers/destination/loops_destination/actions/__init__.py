"""The actions: the two of Segment's destination, and the deletion of a contact."""

from __future__ import annotations

from loops_destination.actions.action import Action, Field
from loops_destination.actions.create_or_update_contact import CREATE_OR_UPDATE_CONTACT
from loops_destination.actions.delete_contact import DELETE_CONTACT
from loops_destination.actions.send_event import SEND_EVENT

__all__ = ["ACTIONS", "Action", "Field"]

ACTIONS = {action.slug: action for action in (CREATE_OR_UPDATE_CONTACT, SEND_EVENT, DELETE_CONTACT)}
"""The actions by slug, the name that a subscription uses."""
