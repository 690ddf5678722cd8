"""The timeline of an event: its arrivals, deliveries, attempts, place on a queue, redrives, and result in Loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from loops_destination.events import message_id as message_id_of
from segment_loops.event_facts import email_of, event_name, text_at, user_id_of
from segment_loops.json_app import ApiError
from segment_loops.json_values import json_object, pretty_json
from segment_loops.studio.queue_rows import dead_letter_row, waiting_row
from segment_loops.studio.request_context import backend, redrives, with_names

if TYPE_CHECKING:
    from segment_loops.studio.backend import DeliveryRecord

_Item = TypeVar("_Item")


def timeline_of_delivery(record: DeliveryRecord) -> dict[str, Any]:
    """Return the timeline of the delivery's event: of all with its messageId, or of this delivery if it has none."""
    if record.message_id is not None:
        return timeline_of_message(record.message_id)
    key = record.idempotency_key
    return _timeline([record], lambda row: key is not None and row["idempotencyKey"] == key)


def timeline_of_message(message_id: str) -> dict[str, Any]:
    """Return the timeline of the event with this messageId; raise `ApiError` (404) if nothing is known about it.

    The contact ledger names an event by its idempotency key if Segment did not generate the messageId, so a delivery is
    found by that too.
    """
    all_records = list(reversed(backend().deliveries()))
    named = next((each.message_id for each in all_records if each.idempotency_key == message_id), None) or message_id
    records = [each for each in all_records if each.message_id == named]
    return _timeline(records, lambda row: row["messageId"] == named)


def _timeline(records: Sequence[DeliveryRecord], is_of_event: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    stack = backend()
    now = stack.time()
    missing: list[str] = []
    on_retry_queue, buried = _read(stack.waiting, missing), _read(stack.dead_letters, missing)
    waiting = [row for each in on_retry_queue if is_of_event(row := waiting_row(each))]
    letters = [row for each in buried if is_of_event(row := dead_letter_row(each, now))]
    started = [each.as_json(stack.deliveries()) for each in redrives().all()]
    own = {each.message_id for each in records} - {None}
    ids = {row["id"] for row in letters}
    if not records and not waiting and not letters:
        raise ApiError(404, "Nothing is remembered about this event.")
    text = next((each.event for each in records if each.event), "") or _text_on_queue([*waiting, *letters])
    event = json_object(text)
    return {
        **_facts(records, event),
        "event": pretty_json(text) if text else None,
        "missing": missing,
        "deliveries": with_names([each.as_json() for each in records]),
        "waiting": with_names(waiting),
        "deadLetters": with_names(letters),
        "redrives": with_names(
            [each for each in reversed(started) if each["messageId"] in own or each["deadLetter"] in ids]
        ),
        **_in_loops(records, email_of(event), user_id_of(event)),
    }


def _read(read: Callable[[], list[_Item]], missing: list[str]) -> list[_Item]:
    """Return what the stack shows; add to `missing` why it shows nothing."""
    try:
        return read()
    except ApiError as error:
        missing.append(error.message)
        return []


def _facts(records: Sequence[DeliveryRecord], event: dict[str, Any]) -> dict[str, Any]:
    first = records[0] if records else None
    return {
        "time": first.time if first else None,
        "type": first.type if first else text_at(event, "type"),
        "eventName": first.event_name if first else event_name(event),
        "email": first.email if first else email_of(event),
        "userId": first.user_id if first else user_id_of(event),
        "messageId": first.message_id if first else message_id_of(event),
    }


def _text_on_queue(rows: Sequence[dict[str, Any]]) -> str:
    return next((row["content"] for row in rows if row.get("content")), "")


def _in_loops(records: Sequence[DeliveryRecord], email: str | None, user_id: str | None) -> dict[str, Any]:
    """Return the event's contact in Loops and the events that Loops processed for it; null if they are not known."""
    stack = backend()
    if not stack.capabilities.contacts:
        return {"contact": None, "loopsEvents": None}
    contact = next(
        (
            each
            for each in stack.contacts()
            if (user_id is not None and each["userId"] == user_id) or (email is not None and each["email"] == email)
        ),
        None,
    )
    keys = {each.idempotency_key for each in records} - {None}
    return {
        "contact": contact,
        "loopsEvents": [each for each in stack.loops_events() if each.get("idempotencyKey") in keys],
    }
