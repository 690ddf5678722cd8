"""The studio's API for the queues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from flask import Blueprint, request
from pydantic import Field

from loops_destination.events import is_test_event
from segment_loops.dead_letter_queue import DeadLetter, DeadLetterQueue, SqsFailed, by_delivery
from segment_loops.json_app import ApiError, StrictBody, body
from segment_loops.studio.queue_rows import dead_letter_row, waiting_row
from segment_loops.studio.request_context import (
    ConfirmableBody,
    backend,
    page_of,
    redrives,
    require_confirmation,
    with_names,
)

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

queue_api = Blueprint("queue_api", __name__, url_prefix="/studio/api")

ROWS = 25
"""Rows of a page of dead letters, and of the messages on the RetryQueue."""

SHOWN_REDRIVES = 10


class _Selected(StrictBody):
    """Dead letters by their ids, or all with a reason."""

    ids: list[str] = Field(default_factory=list)
    reason: str | None = None


class _RedriveBody(ConfirmableBody):
    ids: list[str] = Field(default_factory=list)
    reason: str | None = None
    repeat: bool = False
    accept_old: bool = Field(default=False, alias="acceptOld")


@queue_api.get("/queues")
def _queues() -> ResponseReturnValue:
    """Answer the page of dead letters with a `reason`, or the first page; the RetryQueue; and the latest redrives."""
    stack = backend()
    now = stack.time()
    waiting = sorted(stack.waiting(), key=lambda each: each.next_at)
    dead_letters = sorted(stack.dead_letters(), key=lambda each: -each.buried_at)
    reason = request.args.get("reason", "")
    chosen = [each for each in dead_letters if not reason or each.reason == reason]
    chosen.sort(key=lambda each: each.reason)  # stable: the newest first within a reason
    letters, page = page_of(chosen, ROWS)
    records = stack.deliveries()
    return page | {
        "reasons": dict(Counter(each.reason for each in dead_letters).most_common()),
        "waitingTotal": len(waiting),
        "waiting": _with_deliveries(with_names([waiting_row(each) for each in waiting[:ROWS]])),
        "deadLetters": _with_deliveries(with_names([dead_letter_row(each, now) for each in letters])),
        "redrives": with_names([each.as_json(records) for each in redrives().all()[:SHOWN_REDRIVES]]),
    }


@queue_api.post("/queues/redrive")
def _redrive() -> ResponseReturnValue:
    """Redrive the deliveries of these dead letters; answer each one's `RedriveResult`."""
    given = body(_RedriveBody)
    require_confirmation(given)
    ids = _ids(given.ids, given.reason)
    return {"redrives": redrive_dead_letters(ids, repeat=given.repeat, accept_old=given.accept_old)}


@queue_api.post("/queues/drop")
def _drop() -> ResponseReturnValue:
    given = body(_Selected)
    return {"dropped": drop_dead_letters(_ids(given.ids, given.reason))}


def redrive_dead_letters(
    ids: Collection[str], *, repeat: bool = False, accept_old: bool = False
) -> list[dict[str, Any]]:
    """Redrive the deliveries of these dead letters, and return each redrive as JSON."""
    stack = backend()
    made = []
    with _opened() as (queue, found):
        for delivery in by_delivery(found):
            if any(dead_letter.id in ids for dead_letter in delivery):
                time = stack.time()
                result = queue.redrive(delivery, repeat=repeat, accept_old=accept_old)
                made.append(redrives().add(time, result, delivery[-1]))
    records = stack.deliveries()
    return with_names([each.as_json(records) for each in made])


def drop_dead_letters(ids: Collection[str]) -> int:
    """Delete these dead letters; return the number of those that were there."""
    with _opened() as (queue, found):
        selected = [dead_letter for dead_letter in found if dead_letter.id in ids]
        queue.drop(selected)
    return len(selected)


def drop_test_event(message_id: str) -> int:
    """Delete the dead letters of a test event."""
    letters = backend().dead_letters()
    ids = {
        each.id
        for each in letters
        if each.event is not None and is_test_event(each.event) and each.event["messageId"] == message_id
    }
    return drop_dead_letters(ids) if ids else 0


@contextmanager
def _opened() -> Iterator[tuple[DeadLetterQueue, list[DeadLetter]]]:
    """Yield the DeadLetterQueue and its dead letters; raise `ApiError` (502) if SQS fails."""
    try:
        with backend().dead_letter_queue() as queue, queue.opened() as found:
            yield queue, found
    except (SqsFailed, BotoCoreError, ClientError) as error:
        raise ApiError(502, f"SQS failed, so some dead letters may still be on the DeadLetterQueue: {error}") from None


def _ids(ids: Sequence[str], reason: str | None) -> set[str]:
    """Return the ids, and those of all dead letters with the reason."""
    with_reason = [each.id for each in backend().dead_letters() if each.reason == reason] if reason else []
    return {*ids, *with_reason}


def _with_deliveries(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to each row the id of its delivery, null if it is not remembered, and take the attempts from the delivery.

    A message's own count leaves out attempts after which it stayed on the RetryQueue, and includes those that sent no
    request.
    """
    known = {each.idempotency_key: each for each in reversed(backend().deliveries()) if each.idempotency_key}
    return [
        row | {"delivery": record.id, "attempts": record.attempts}
        if (record := known.get(row["idempotencyKey"]))
        else row | {"delivery": None}
        for row in rows
    ]
