"""The API of the page, JSON under /studio/api. Every change must name its stack."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Blueprint, current_app, request
from pydantic import Field

from loops_destination.clock import SystemClock
from loops_destination.observability import log_hash
from segment_loops.contact_ledger import ContactLedger, contact_as_json, forgotten
from segment_loops.dead_letter_queue import DeadLetterQueue, by_delivery
from segment_loops.delivery_trace import is_hashed, of_message, of_user, trace
from segment_loops.deployed_stack import DeployedStack, aws_errors
from segment_loops.json_app import ApiError, StrictBody, body
from segment_loops.log_search import ASK_ABOVE_BYTES, LogSearch, Period, price, size
from segment_loops.mappings_file import shown_path
from segment_loops.stack_overview import alarms, counts, difference, mappings, queue_counts
from segment_loops.studio.queue_rows import dead_letter_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from flask.typing import ResponseReturnValue

api = Blueprint("stack_api", __name__, url_prefix="/studio/api")

LINES = 2000
"""The most lines of the log that a search shows, the newest ones."""

LONGEST_SECONDS = 731 * 86400
"""The longest retention of logs that template.yaml allows."""


class _SearchBody(StrictBody):
    """A search of the log for all deliveries, or for those of an event or a user; `since` is in seconds before now."""

    since: float = Field(gt=0, le=LONGEST_SECONDS)
    message_id: str = Field(default="", alias="messageId")
    user_id: str = Field(default="", alias="userId")
    confirmed: bool = False


class _ContactBody(StrictBody):
    user_id: str = Field(alias="userId", min_length=1)


class _ChangeBody(StrictBody):
    """A change, which names the stack that it changes."""

    stack: str


class _ForgetBody(_ChangeBody):
    user_id: str = Field(alias="userId", min_length=1)
    consent: bool = False


class _DeadLettersBody(_ChangeBody):
    ids: list[str]


class _RedriveDeadLettersBody(_DeadLettersBody):
    repeat: bool = False
    accept_old: bool = Field(default=False, alias="acceptOld")


@api.get("/stack")
def _stack_facts() -> ResponseReturnValue:
    stack = _stack()
    return {"name": stack.name, "loopsUrl": stack.loops_url, "time": SystemClock().time()}


@api.get("/counts")
def _counts() -> ResponseReturnValue:
    return {"counts": counts(_stack(), _since())}


@api.get("/queue-counts")
def _queue_counts() -> ResponseReturnValue:
    return queue_counts(_stack())


@api.get("/alarms")
def _alarms() -> ResponseReturnValue:
    return {"alarms": [alarm.as_json() for alarm in alarms(_stack())]}


@api.get("/estimate")
def _estimate() -> ResponseReturnValue:
    """Answer what a search scans and costs, before it begins."""
    scanned = LogSearch.of(_stack()).estimate(_since())
    return {"bytes": round(scanned), "price": price(scanned), "isLarge": scanned > ASK_ABOVE_BYTES}


@api.post("/deliveries")
def _deliveries() -> ResponseReturnValue:
    """Search the log. It is a POST, so that no userId is part of an address."""
    given = body(_SearchBody)
    stack = _stack()
    period = _last(given.since)
    search = LogSearch.of(stack)
    keys = stack.hash_keys() if given.user_id or (given.message_id and is_hashed(given.message_id)) else []
    if not given.confirmed and (scanned := search.estimate(period)) > ASK_ABOVE_BYTES:
        raise ApiError(409, f"This search scans {price(scanned)}. Confirm it first.")
    found = search.search(_condition(given, keys), period, LINES, newest=True)
    return {
        "deliveries": [each.as_json() for each in reversed(trace(found.lines))],
        "hashes": [log_hash(given.user_id, key) for key in keys] if given.user_id else [],
        "scanned": size(found.scanned),
        "isComplete": found.is_complete,
    }


@api.post("/dead-letters/read")
def _read_dead_letters() -> ResponseReturnValue:
    """Answer the dead letters. It is a POST, because reading hides them from other readers for a moment."""
    now = SystemClock().time()
    with _dead_letters() as (queue, found):
        rows = [dead_letter_row(each, now) for each in found]
        return {"deadLetters": rows, "heldElsewhere": queue.held_elsewhere}


@api.post("/dead-letters/redrive")
def _redrive() -> ResponseReturnValue:
    """Redrive the deliveries of these dead letters; answer how many had each `RedriveResult`."""
    given = _change(_RedriveDeadLettersBody)
    results: Counter[str] = Counter()
    with _dead_letters() as (queue, found):
        for delivery in by_delivery(found):
            if any(dead_letter.id in given.ids for dead_letter in delivery):
                results[queue.redrive(delivery, repeat=given.repeat, accept_old=given.accept_old)] += 1
    return {"results": dict(results)}


@api.post("/dead-letters/drop")
def _drop() -> ResponseReturnValue:
    given = _change(_DeadLettersBody)
    with _dead_letters() as (queue, found):
        selected = [dead_letter for dead_letter in found if dead_letter.id in given.ids]
        queue.drop(selected)
    return {"dropped": len(selected)}


@api.post("/contact")
def _contact() -> ResponseReturnValue:
    """Answer what the ledger knows about a contact, null if nothing. It is a POST, as a search is."""
    contact = ContactLedger.of(_stack()).contact(body(_ContactBody).user_id)
    return {"contact": None if contact is None else contact_as_json(contact)}


@api.post("/contact/forget")
def _forget() -> ResponseReturnValue:
    given = _change(_ForgetBody)
    ledger = ContactLedger.of(_stack())
    contact = ledger.contact(given.user_id)
    if contact is None:
        raise ApiError(404, "The ledger does not know this contact any more.")
    ledger.forget(given.user_id, contact, consent=given.consent)
    return {"forgotten": forgotten(contact, consent=given.consent)}


@api.get("/mappings")
def _mappings() -> ResponseReturnValue:
    """Answer the deployed mappings, and their difference to the file."""
    file: Path = current_app.extensions["mappings"]
    deployed = mappings(_stack())
    return {
        "deployed": deployed.decode(errors="replace"),
        "file": shown_path(file),
        "difference": difference(deployed, file),
    }


def _stack() -> DeployedStack:
    stack: DeployedStack = current_app.extensions["stack"]
    return stack


_Change = TypeVar("_Change", bound=_ChangeBody)


def _change(model: type[_Change]) -> _Change:
    """Return the body of a change; raise `ApiError` (409) unless it names this stack."""
    given = body(model)
    if given.stack != _stack().name:
        raise ApiError(409, f"This changes the stack {_stack().name}. Confirm it first.")
    return given


def _since() -> Period:
    """Return the period that the query names, in seconds before now."""
    seconds = request.args.get("since", 0.0, type=float)
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ApiError(400, "since: pass a number of seconds.")
    return _last(seconds)


def _last(seconds: float) -> Period:
    now = SystemClock().time()
    return Period(now - seconds, now)


def _condition(given: _SearchBody, keys: Sequence[str]) -> str:
    """Return the condition of a search; `keys` are those of the hashes in the log, if it needs any."""
    if given.user_id:
        return of_user(given.user_id, keys)
    return of_message(given.message_id, keys) if given.message_id else ""


@contextmanager
def _dead_letters() -> Iterator[tuple[DeadLetterQueue, list[Any]]]:
    """Yield the queue and all dead letters, held until the context ends."""
    queues = _stack().queues()
    queue = DeadLetterQueue(queues.sqs, queues.dead_letter_queue_url, queues.retry_queue_url)
    with aws_errors(queues.dead_letter_queue_url), queue.opened() as found:
        yield queue, found
