"""The messages on both queues as the page shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loops_destination.errors import NotAnEvent
from loops_destination.events import is_test_event, message_id, parse_object
from loops_destination.outcomes import Reason
from segment_loops.event_facts import email_of, event_name, text_at, user_id_of
from segment_loops.json_values import pretty_json

if TYPE_CHECKING:
    from segment_loops.dead_letter_queue import DeadLetter
    from segment_loops.studio.backend import WaitingMessage

_SHOWN = ("action", "subscription", "idempotencyKey", "reason", "detail", "attempts", "receivedAt")
"""The members of a message on the RetryQueue that the page shows."""


def waiting_row(message: WaitingMessage) -> dict[str, Any]:
    """Return a message on the RetryQueue as JSON; members that it does not have are null."""
    try:
        content = parse_object(message.body)
    except NotAnEvent:
        content = {}
    shown = {name: content.get(name) for name in _SHOWN}
    return shown | _facts(content.get("event")) | {"id": message.id, "nextAt": message.next_at}


def dead_letter_row(dead_letter: DeadLetter, now: float) -> dict[str, Any]:
    """Return a dead letter as JSON, with what a redrive of it would need."""
    can_be_redriven = dead_letter.delivery is not None
    return {
        "id": dead_letter.id,
        "reason": dead_letter.reason,
        "detail": dead_letter.detail or dead_letter.problem or None,
        "status": dead_letter.status,
        "action": dead_letter.action,
        "subscription": dead_letter.subscription,
        "idempotencyKey": dead_letter.idempotency_key,
        "attempts": dead_letter.delivery.attempts if dead_letter.delivery else None,
        **_facts(dead_letter.event),
        "buriedAt": dead_letter.buried_at,
        "canBeRedriven": can_be_redriven,
        "needsNewIdempotencyKey": can_be_redriven and dead_letter.needs_new_idempotency_key(now),
        "tooOld": dead_letter.reason == Reason.TOO_OLD,
        "content": _content(dead_letter),
    }


def _facts(event: Any) -> dict[str, Any]:
    """Return the facts by which people recognise an event; all are null if it is not known."""
    event = event if isinstance(event, dict) else {}
    return {
        "messageId": message_id(event),
        "type": text_at(event, "type"),
        "eventName": event_name(event),
        "email": email_of(event),
        "userId": user_id_of(event),
        "isTest": is_test_event(event),
    }


def _content(dead_letter: DeadLetter) -> str:
    """Return the event, or the body that arrived instead of one."""
    kept = dead_letter.kept_body
    if kept is not None and dead_letter.event is None:
        return kept.decode(errors="replace")
    return pretty_json(dead_letter.delivery.event if dead_letter.delivery else dead_letter.body)
