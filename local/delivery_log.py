"""The deliveries of the local stack, recorded from requests at the gateway and from attempts at redelivery."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from loops_destination.errors import NotAnEvent, SubscriptionsError
from loops_destination.events import Arrival, parse_body
from loops_destination.http_api import decode_request
from loops_destination.idempotency import idempotency_key_of
from loops_destination.messages import Message
from loops_destination.outcomes import Outcome, Reason, Result
from loops_destination.received_messages import UnreadableMessage, read_message
from segment_loops.event_facts import email_of, event_name, text_at, user_id_of
from segment_loops.event_preview import preview_event
from segment_loops.json_values import json_object
from segment_loops.studio.backend import DeliveryRecord, LoopsCall
from segment_loops.studio.drafts import MappingsFile
from segment_loops.trigger_explanation import explain_triggers

if TYPE_CHECKING:
    from local.gateway import Exchange
    from local.runtime import Invocation
    from local.sandbox import JournalEntry, Sandbox
    from local.stack import LocalStack
    from loops_destination.subscriptions import Entry
    from segment_loops.loops_access import RecordedCall

KEPT = 1000
"""The number of deliveries remembered."""

KEPT_CALLS = 1000
"""The number of calls remembered that belong to no delivery, because another program made them."""

DENIED = "denied"
"""The outcome of a denied request, and of an event that could be stored nowhere."""

_NOT_SENT = {
    Reason.PAUSED,
    Reason.NO_TIME_LEFT,
    Reason.API_KEY_UNAVAILABLE,
    Reason.TOO_OLD,
    Reason.IDEMPOTENCY_KEY_EXPIRED,
    Reason.CONTACT_BUSY,
    Reason.DELETION_BEGUN,
    Reason.LEDGER_UNAVAILABLE,
}
"""The reasons of deliveries for which no request was sent."""

_NO_STATUS = {Reason.TIMEOUT, Reason.CONNECTION_FAILED, Reason.UNREADABLE_RESPONSE}
"""The reasons of calls without a readable response."""

_NOTHING_TO_SEND = {Outcome.UNCHANGED, Outcome.SUPERSEDED}

_ACTIONS = {"/contacts": {"createOrUpdateContact"}, "/events": {"sendEvent"}}
"""The actions that a URL of the webhook runs; all others run all actions."""


class DeliveryLog:
    """The latest deliveries of a stack.

    Its listeners are called in the thread of the request or the invocation. `burying` must be held while dead letters
    leave the DeadLetterQueue, so that a dead letter found there after an attempt came from that attempt.
    """

    def __init__(self, stack: LocalStack) -> None:
        self.burying = threading.Lock()
        self.version = 0
        self._stack = stack
        self._mappings = MappingsFile(stack.mappings)
        self._calls = _SandboxCalls(stack.sandbox) if stack.is_sandboxed else None
        self._lock = threading.Lock()
        self._kept: deque[DeliveryRecord] = deque(maxlen=KEPT)
        self._made = 0

    def all(self) -> list[DeliveryRecord]:
        """Return the deliveries, the newest first."""
        with self._lock:
            return list(reversed(self._kept))

    def on_exchange(self, exchange: Exchange) -> None:
        """Record the deliveries of a request that the gateway has answered."""
        if exchange.function is None:
            return
        answer = json_object(exchange.body)
        results = answer.get("results") or []
        with self._lock:
            if not results:
                self._record_denial(exchange, answer)
            entries = self._entries()
            for arrival, result in _paired(_arrivals(exchange), results, entries):
                record = self._record_result(exchange, arrival, result)
                record.explanations = (
                    explain_triggers(entries, arrival.event, _ACTIONS.get(exchange.path))
                    if arrival.event is not None
                    else ()
                )
            self.version += 1

    def on_invocation(self, invocation: Invocation) -> None:
        """Record attempts at redelivery; the gateway reports on the other functions."""
        if not isinstance(invocation.event, dict) or "Records" not in invocation.event:
            return
        staying = {each["itemIdentifier"] for each in (invocation.payload or {}).get("batchItemFailures", [])}
        with self.burying, self._lock:
            dead_letters, waiting = self._stack.dead_letters(), self._stack.waiting()
            for record in invocation.event["Records"]:
                stays = invocation.failed or record["messageId"] in staying
                self._record_attempt(record["body"], invocation, dead_letters, waiting, stays=stays)
            self.version += 1

    def _record_denial(self, exchange: Exchange, answer: Mapping[str, Any]) -> None:
        record = self._new(exchange.time, exchange.path)
        record.status = exchange.status
        record.outcome = DENIED
        record.reason = answer.get("reason") or answer.get("message")
        record.event = decode_request(exchange.event).body.decode(errors="replace")

    def _record_result(self, exchange: Exchange, arrival: Arrival, result: Mapping[str, Any]) -> DeliveryRecord:
        record = self._new(exchange.time, exchange.path)
        record.status = exchange.status
        record.outcome = result["outcome"] or DENIED
        record.reason, record.detail = result.get("reason"), result.get("detail")
        record.subscription, record.action = result["subscription"], result["action"]
        self._describe(record, arrival)
        self._claim_calls(record)
        record.attempts = int(bool(record.calls) or (self._calls is None and _may_have_been_sent(record)))
        return record

    def _describe(self, record: DeliveryRecord, arrival: Arrival, idempotency_key: str | None = None) -> None:
        """Add what the event says, and how it is mapped now."""
        record.event, record.message_id = arrival.text, arrival.message_id
        if arrival.event is None:
            return
        record.type = text_at(arrival.event, "type")
        record.event_name = event_name(arrival.event)
        record.email, record.user_id = email_of(arrival.event), user_id_of(arrival.event)
        if record.subscription is not None:
            record.idempotency_key = idempotency_key or idempotency_key_of(
                arrival.event, record.subscription, arrival.text
            )
        self._map(record, arrival)

    def _map(self, record: DeliveryRecord, arrival: Arrival) -> None:
        """Show how the event is mapped now."""
        entry = self._entry(record.subscription)
        if entry is not None:
            record.preview = preview_event(
                entry, arrival, self._stack.loops_url, idempotency_key=record.idempotency_key
            )

    def _record_attempt(
        self, body: str, invocation: Invocation, dead_letters: Iterable[str], waiting: Iterable[str], *, stays: bool
    ) -> None:
        try:
            message, event = read_message(body)
        except UnreadableMessage:
            return  # it belongs to no delivery; its dead letter is shown with the queues
        arrival = Arrival(message.event, event)
        record = self._record_of(message, arrival, invocation.started)
        record.last = invocation.started + invocation.seconds
        self._map(record, arrival)  # the mapping may have changed since the last attempt
        result = _result_of(invocation, record)
        was_called = self._claim_calls(record)
        record.attempts += int(was_called or (self._calls is None and result is not None and _was_sent(result)))
        # A message cannot be changed, so redelivery replaces it with one that records the attempt.
        replaced = _message_of_same_delivery(message, (each for each in waiting if each != body))
        buried = _message_of_same_delivery(message, dead_letters)
        if stays:
            record.outcome = Outcome.QUEUED
            record.reason = (result and result.reason) or record.reason
        elif replaced or buried:
            record.outcome = Outcome.QUEUED if replaced else Outcome.REJECTED
            latest = replaced or buried
            record.reason, record.detail = latest.get("reason"), latest.get("detail")
        else:
            record.outcome = (result and result.outcome) or Outcome.DELIVERED
            record.reason, record.detail = None, None

    def _record_of(self, message: Message, arrival: Arrival, now: float) -> DeliveryRecord:
        """Return the latest record of the message's delivery; a new one for a message put on the queue by hand."""
        for record in reversed(self._kept):
            if record.idempotency_key == message.idempotency_key:
                return record
        record = self._new(now, "RetryQueue")
        record.subscription, record.action = message.subscription, message.action
        record.reason, record.attempts = message.reason, message.attempts
        self._describe(record, arrival, message.idempotency_key)
        record.idempotency_key = message.idempotency_key
        return record

    def _claim_calls(self, record: DeliveryRecord) -> bool:
        """Add the calls that the sandbox received for this delivery; return True if there are new ones."""
        if self._calls is None or record.preview is None or record.preview.request is None:
            return False
        found = self._calls.claim(record.preview.request)
        record.calls += found
        return bool(found)

    def _new(self, time: float, path: str) -> DeliveryRecord:
        self._made += 1
        record = DeliveryRecord(self._made, time, path, last=time)
        self._kept.append(record)
        return record

    def _entry(self, subscription: str | None) -> Entry | None:
        return next((entry for entry in self._entries() if entry.subscription.id == subscription), None)

    def _entries(self) -> list[Entry]:
        try:
            return self._mappings.entries()
        except (SubscriptionsError, OSError):
            return []  # another program may be writing the file


class _SandboxCalls:
    """The sandbox's journal. Each call in it is claimed once, by the delivery that made it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._seen = 0
        self._unclaimed: list[JournalEntry] = []

    def claim(self, request: RecordedCall) -> list[LoopsCall]:
        """Return the unclaimed calls that made this request, with all of its values or with some of them."""
        body = json.loads(request.body)
        wanted = (request.method, urlsplit(request.url).path, request.headers.get("Idempotency-Key"))
        self._unclaimed += self._new()
        found = [
            each
            for each in self._unclaimed
            if (each.method, each.path, each.idempotency_key) == wanted and _is_part(each.body, body)
        ]
        self._unclaimed = [each for each in self._unclaimed if each not in found][-KEPT_CALLS:]
        return [LoopsCall(each.time, each.status, each.response, each.fault) for each in found]

    def _new(self) -> list[JournalEntry]:
        with self._sandbox.lock:
            entries = self._sandbox.journal.all()
        if len(entries) < self._seen:  # the sandbox was reset
            self._seen = 0
        new, self._seen = entries[self._seen :], len(entries)
        return new


def _was_sent(result: Result) -> bool:
    return result.status is not None or result.reason in _NO_STATUS


def _may_have_been_sent(record: DeliveryRecord) -> bool:
    was_mapped = record.preview is not None and record.preview.request is not None
    return was_mapped and record.outcome not in _NOTHING_TO_SEND and record.reason not in _NOT_SENT


def _is_part(sent: Any, mapped: dict[str, Any]) -> bool:
    """Return True if a call's body is the mapped one, or the part of it that the contact ledger lets through."""
    return isinstance(sent, dict) and "userId" in sent and _flat(sent).items() <= _flat(mapped).items()


def _flat(body: Mapping[str, Any]) -> dict[str, Any]:
    lists = body.get("mailingLists") or {}
    return {name: value for name, value in body.items() if name != "mailingLists"} | {
        f"mailingLists.{name}": value for name, value in lists.items()
    }


def _result_of(invocation: Invocation, record: DeliveryRecord) -> Result | None:
    """Return the result of the record's delivery in this invocation; None if it was not tried or became a dead letter."""
    wanted = (record.message_id, record.subscription)
    return next((each for each in invocation.results if (each.message_id, each.subscription) == wanted), None)


def _arrivals(exchange: Exchange) -> list[Arrival]:
    body = decode_request(exchange.event).body
    try:
        return parse_body(body)
    except NotAnEvent as error:
        return [Arrival(body.decode(errors="replace"), None, str(error))]


def _paired(
    arrivals: Sequence[Arrival], results: Sequence[Mapping[str, Any]], entries: Sequence[Entry]
) -> Iterator[tuple[Arrival, Mapping[str, Any]]]:
    """Yield each result with its event.

    Results come in the order of the events and, for each event, in the order of the subscriptions that match it.
    """
    places = {entry.subscription.id: place for place, entry in enumerate(entries)}
    left = deque(results)
    for arrival in arrivals:
        last = -1
        while left:
            place = places.get(left[0]["subscription"], -1)
            matches = place > last and entries[place].subscription.matches(arrival.event or {})
            if last >= 0 and not matches:
                break
            yield arrival, left.popleft()
            if place < 0:
                break
            last = place


def _message_of_same_delivery(message: Message, bodies: Iterable[str]) -> dict[str, Any]:
    """Return the first message with the same idempotency key; empty if there is none."""
    return next(
        (content for content in map(json_object, bodies) if content.get("idempotencyKey") == message.idempotency_key),
        {},
    )
