"""The studio's API for deliveries, the timeline of an event, and what Loops has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from loops_destination.errors import NotAnEvent
from loops_destination.events import Arrival, parse_body
from segment_loops.json_app import ApiError, body
from segment_loops.json_values import pretty_json
from segment_loops.studio.delivery_list import DeliveryQuery, find_deliveries
from segment_loops.studio.queue_routes import redrive_dead_letters
from segment_loops.studio.request_context import (
    ConfirmableBody,
    backend,
    mappings_file,
    page_of,
    require_confirmation,
    with_names,
)
from segment_loops.studio.timeline import timeline_of_delivery, timeline_of_message

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from segment_loops.studio.backend import DeliveryRecord

delivery_api = Blueprint("delivery_api", __name__, url_prefix="/studio/api")

ROWS = 50
"""Rows of a page of a list."""


class _RetryBody(ConfirmableBody):
    ids: list[int]


@delivery_api.get("/deliveries")
def _deliveries() -> ResponseReturnValue:
    """Answer a page of deliveries; `range` is in seconds before now, `newest` the id of the newest one on the page."""
    all_records = backend().deliveries()
    seconds = request.args.get("range", type=float)
    query = DeliveryQuery(
        request.args.get("q", ""),
        backend().time() - seconds if seconds else 0.0,
        request.args.get("outcome", ""),
        request.args.get("newest", type=int),
    )
    found = find_deliveries(all_records, query, mappings_file().names())
    rows, page = page_of(found.records, ROWS)
    kept = backend().kept_deliveries
    return page | {
        "newest": query.newest if query.newest is not None else max((each.id for each in all_records), default=0),
        "new": found.new,
        "counts": found.counts,
        "cut": kept if len(all_records) >= kept else None,
        "deliveries": with_names([each.as_row() for each in rows]),
    }


@delivery_api.get("/deliveries/<int:number>")
def _delivery(number: int) -> ResponseReturnValue:
    record = find_delivery(number)
    (shown,) = with_names([record.as_json()])
    return shown | {"event": pretty_json(record.event)}


@delivery_api.get("/timeline/delivery/<int:number>")
def _timeline_of_delivery(number: int) -> ResponseReturnValue:
    return timeline_of_delivery(find_delivery(number))


@delivery_api.get("/timeline/message/<path:message_id>")
def _timeline_of_message(message_id: str) -> ResponseReturnValue:
    return timeline_of_message(message_id)


@delivery_api.post("/deliveries/<int:number>/again")
def _send_again(number: int) -> ResponseReturnValue:
    """Post the same event once more, as a retry of Segment does: Loops processes it once."""
    require_confirmation(body(ConfirmableBody))
    record = find_delivery(number)
    return posted(record.event.encode(), _path(record))


@delivery_api.post("/deliveries/retry")
def _retry() -> ResponseReturnValue:
    """Redrive the dead letters of these deliveries, and post the events of the others once more."""
    given = body(_RetryBody)
    require_confirmation(given)
    records = [each for each in backend().deliveries() if each.id in given.ids]
    keys = {letter.idempotency_key: letter.id for letter in backend().dead_letters()}
    letters = {keys[key] for each in records if (key := each.idempotency_key) in keys and key is not None}
    results = redrive_dead_letters(letters) if letters else []
    others = [each for each in records if each.idempotency_key not in keys and each.event]
    if backend().capabilities.send:
        for text, path in dict.fromkeys((each.event, _path(each)) for each in others):
            backend().post(text.encode(), path)
    return {
        "redrives": results,
        "sent": len(others) if backend().capabilities.send else 0,
        "waiting": [each.id for each in records if each.outcome == "queued"],
    }


@delivery_api.get("/contacts")
def _contacts() -> ResponseReturnValue:
    return _searched_page("contacts", backend().contacts() if backend().capabilities.contacts else None)


@delivery_api.get("/contacts/<contact_id>")
def _contact(contact_id: str) -> ResponseReturnValue:
    """Answer a contact in Loops, and what the contact ledger knows about it: null if nothing."""
    found = backend().contacts() if backend().capabilities.contacts else []
    contact = next((each for each in found if each["id"] == contact_id), None)
    if contact is None:
        raise ApiError(404, "Loops has no such contact.")
    return {"contact": contact, "known": backend().known_contact(contact["userId"]) if contact["userId"] else None}


@delivery_api.get("/events")
def _events() -> ResponseReturnValue:
    """Answer a page of the events that Loops processed, each with the id of its delivery if it is remembered."""
    events = backend().loops_events() if backend().capabilities.contacts else None
    answer = _searched_page("events", events)
    by_key = {each.idempotency_key: each.id for each in reversed(backend().deliveries()) if each.idempotency_key}
    rows = answer["events"] or []
    return answer | {"events": [each | {"delivery": by_key.get(each.get("idempotencyKey"))} for each in rows]}


def _searched_page(name: str, items: Any) -> dict[str, Any]:
    """Return the page of the items that contain the text `q`; `available` is false if the stack does not know them."""
    wanted = request.args.get("q", "").strip().lower()
    found = [each for each in items or [] if not wanted or wanted in str(list(_texts(each))).lower()]
    rows, page = page_of(found, ROWS)
    return page | {"available": items is not None, "all": len(items or []), name: rows}


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)


def find_delivery(number: int) -> DeliveryRecord:
    """Return the delivery with this id; raise `ApiError` (404) if there is none."""
    record = next((each for each in backend().deliveries() if each.id == number), None)
    if record is None:
        raise ApiError(404, "This delivery is no longer remembered.")
    return record


def _path(record: DeliveryRecord) -> str:
    """Return the path of the webhook at which the event arrived, so that a repeat runs the same actions."""
    return record.path if record.path.startswith("/") else ""


def one_event(text: str) -> tuple[Arrival, str | None]:
    """Return the one event in the text, and what is wrong if there is none."""
    try:
        arrivals = parse_body(text.encode("utf-8", "surrogatepass"))
    except NotAnEvent as error:
        return Arrival(text, None), str(error)
    if len(arrivals) != 1:
        return Arrival(text, None), "enter one event, not a batch"
    return arrivals[0], arrivals[0].problem or None


def posted(event: bytes, path: str = "") -> dict[str, Any]:
    """Post the event to a path of the webhook; return the answer and the deliveries that resulted."""
    stack = backend()
    known = {record.id for record in stack.deliveries()}
    answer = stack.post(event, path)
    message_id = one_event(event.decode())[0].message_id
    made = [each for each in stack.deliveries() if each.id not in known and each.message_id == message_id]
    return {
        "status": answer.status,
        "answer": answer.content,
        "deliveries": with_names([each.as_json() for each in made]),
    }
