"""What became of every event: from the requests at the gateway and the messages that were tried again."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.preview import Preview, preview
from loops_destination.errors import NotAnEvent, SubscriptionsError
from loops_destination.events import Arrival, parse_body
from loops_destination.http_api import decode_request
from loops_destination.idempotency import idempotency_key
from loops_destination.messages import Message
from loops_destination.outcomes import Outcome, Reason
from loops_destination.received import UnreadableMessage, read_message

if TYPE_CHECKING:
    from local.cli.mappings import Entry
    from local.gateway import Exchange
    from local.runtime import Invocation
    from local.stack import LocalStack
    from local.studio.calls import Answered, Calls
    from local.studio.mappings import MappingsFile

KEPT = 300
"""Deliveries that are remembered."""

REFUSED = "refused"
"""The outcome of a request that was not let in, or that could be stored nowhere."""

_NOT_TRIED = {Reason.PAUSED, Reason.NO_TIME_LEFT, Reason.API_KEY_UNAVAILABLE}


@dataclass(slots=True)
class Delivery:
    """One event under one subscription, or a request that was refused; `event` is text, `time` in seconds since 1970.

    `attempts` counts the tries; `calls` has those that the sandbox saw. `preview` is how the event was mapped when it
    came.
    """

    id: int
    time: float
    path: str
    status: int | None = None
    outcome: str = ""
    reason: str | None = None
    detail: str | None = None
    event: str = field(default="", repr=False)
    type: str | None = None
    message_id: str | None = None
    subscription: str | None = None
    action: str | None = None
    key: str | None = None
    attempts: int = 0
    last: float = 0.0
    calls: list[Answered] = field(default_factory=list)
    preview: Preview | None = field(default=None, repr=False)

    def as_row(self) -> dict[str, Any]:
        """What the list shows."""
        return {
            "id": self.id,
            "time": self.time,
            "last": self.last,
            "path": self.path,
            "type": self.type,
            "messageId": self.message_id,
            "subscription": self.subscription,
            "action": self.action,
            "outcome": self.outcome,
            "reason": self.reason,
            "attempts": self.attempts,
        }

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return self.as_row() | {
            "status": self.status,
            "detail": self.detail,
            "key": self.key,
            "event": self.event,
            "calls": [each.as_json() for each in self.calls],
            "preview": self.preview.as_json() if self.preview else None,
        }


class Deliveries:
    """The latest deliveries of a stack; told of what happens in whichever thread it does.

    `calls` is None where Loops is the real one, whose side nobody sees. `burying` is held by whoever takes letters
    from the DeadLetterQueue, so that a letter there is known to be of this moment.
    """

    def __init__(self, stack: LocalStack, mappings: MappingsFile, calls: Calls | None) -> None:
        self.burying = threading.Lock()
        self.version = 0
        self._stack = stack
        self._mappings = mappings
        self._calls = calls
        self._lock = threading.Lock()
        self._kept: deque[Delivery] = deque(maxlen=KEPT)
        self._made = 0

    def all(self) -> list[Delivery]:
        """The newest first."""
        with self._lock:
            return list(reversed(self._kept))

    def find(self, number: int) -> Delivery | None:
        """The delivery with this id, None when it is no longer remembered."""
        return next((each for each in self.all() if each.id == number), None)

    def exchanged(self, exchange: Exchange) -> None:
        """A request at the gateway is over."""
        if exchange.function is None:
            return
        answer = _object(exchange.body)
        results = answer.get("results") or []
        with self._lock:
            if not results:
                self._refuse(exchange, answer)
            for arrival, result in _paired(_arrivals(exchange), results, self._entries()):
                self._note_result(exchange, arrival, result)
            self.version += 1

    def invoked(self, invocation: Invocation) -> None:
        """A function was called; those that the gateway called are told of by the gateway."""
        if not isinstance(invocation.event, dict) or "Records" not in invocation.event:
            return
        staying = {each["itemIdentifier"] for each in (invocation.payload or {}).get("batchItemFailures", [])}
        with self.burying, self._lock:
            letters, waiting = self._stack.dead_letters(), self._stack.waiting()
            for record in invocation.event["Records"]:
                stays = invocation.failed or record["messageId"] in staying
                self._note_message(record["body"], invocation, letters, waiting, stays=stays)
            self.version += 1

    def _refuse(self, exchange: Exchange, answer: Mapping[str, Any]) -> None:
        delivery = self._new(exchange.time, exchange.path)
        delivery.status = exchange.status
        delivery.outcome = REFUSED
        delivery.reason = answer.get("reason") or answer.get("message")
        delivery.event = decode_request(exchange.event).body.decode(errors="replace")

    def _note_result(self, exchange: Exchange, arrival: Arrival, result: Mapping[str, Any]) -> None:
        delivery = self._new(exchange.time, exchange.path)
        delivery.status = exchange.status
        delivery.outcome = result["outcome"] or REFUSED
        delivery.reason, delivery.detail = result.get("reason"), result.get("detail")
        delivery.subscription, delivery.action = result["subscription"], result["action"]
        self._describe(delivery, arrival)
        self._claim(delivery)
        is_sent = delivery.preview is not None and delivery.preview.call is not None
        delivery.attempts = int(is_sent and delivery.reason not in _NOT_TRIED)

    def _describe(self, delivery: Delivery, arrival: Arrival, key: str | None = None) -> None:
        """What the event says, and how it is mapped now."""
        delivery.event, delivery.message_id = arrival.text, arrival.message_id
        if arrival.event is None:
            return
        kind = arrival.event.get("type")
        delivery.type = kind if isinstance(kind, str) else None
        entry = self._entry(delivery.subscription)
        if delivery.subscription is None or entry is None:
            return
        delivery.key = key or idempotency_key(arrival.event, delivery.subscription, arrival.text)
        delivery.preview = preview(entry, arrival, self._stack.loops_url)

    def _note_message(
        self, body: str, invocation: Invocation, letters: Iterable[str], waiting: Iterable[str], *, stays: bool
    ) -> None:
        try:
            message, event = read_message(body)
        except UnreadableMessage:
            return  # nothing that could be named; its dead letter is among the queues
        delivery = self._of(message, Arrival(message.event, event), invocation.started)
        delivery.last = invocation.started + invocation.seconds
        is_seen = self._claim(delivery)
        delivery.attempts += int(is_seen or self._calls is None)
        # A message cannot be changed, so one that knows more takes the place of the one that is let go.
        replaced = _of_key(message.idempotency_key, (each for each in waiting if each != body))
        buried = _of_key(message.idempotency_key, letters)
        if stays:
            delivery.outcome = Outcome.QUEUED
        elif replaced or buried:
            delivery.outcome = Outcome.QUEUED if replaced else Outcome.REJECTED
            told = replaced or buried
            delivery.reason, delivery.detail = told.get("reason"), told.get("detail")
        else:
            delivery.outcome, delivery.reason, delivery.detail = Outcome.DELIVERED, None, None

    def _of(self, message: Message, arrival: Arrival, now: float) -> Delivery:
        """The latest delivery of this key; a new one for what was put on the queue by hand."""
        for delivery in reversed(self._kept):
            if delivery.key == message.idempotency_key:
                return delivery
        delivery = self._new(now, "RetryQueue")
        delivery.subscription, delivery.action = message.subscription, message.action
        delivery.reason, delivery.attempts = message.reason, message.attempts
        self._describe(delivery, arrival, message.idempotency_key)
        delivery.key = message.idempotency_key
        return delivery

    def _claim(self, delivery: Delivery) -> bool:
        """Whether the sandbox saw new calls of this delivery."""
        if self._calls is None or delivery.preview is None or delivery.preview.call is None:
            return False
        found = self._calls.claim(delivery.preview.call)
        delivery.calls += found
        return bool(found)

    def _new(self, time: float, path: str) -> Delivery:
        self._made += 1
        delivery = Delivery(self._made, time, path, last=time)
        self._kept.append(delivery)
        return delivery

    def _entry(self, subscription: str | None) -> Entry | None:
        return next((entry for entry in self._entries() if entry.subscription.id == subscription), None)

    def _entries(self) -> list[Entry]:
        try:
            return self._mappings.entries()
        except (SubscriptionsError, OSError):
            return []  # somebody is just writing it


def _arrivals(exchange: Exchange) -> list[Arrival]:
    body = decode_request(exchange.event).body
    try:
        return parse_body(body)
    except NotAnEvent as error:
        return [Arrival(body.decode(errors="replace"), None, str(error))]


def _paired(
    arrivals: Sequence[Arrival], results: Sequence[Mapping[str, Any]], entries: Sequence[Entry]
) -> Iterator[tuple[Arrival, Mapping[str, Any]]]:
    """Each result with its event: they come in the order of the events, and of the subscriptions that match each."""
    places = {entry.subscription.id: place for place, entry in enumerate(entries)}
    left = deque(results)
    for arrival in arrivals:
        last = -1
        while left:
            place = places.get(left[0]["subscription"], -1)
            takes_it = place > last and entries[place].subscription.matches(arrival.event or {})
            if last >= 0 and not takes_it:
                break
            yield arrival, left.popleft()
            if place < 0:
                break
            last = place


def _of_key(key: str, bodies: Iterable[str]) -> dict[str, Any]:
    """The message of this key, empty when there is none."""
    return next((content for content in map(_object, bodies) if content.get("idempotencyKey") == key), {})


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
