"""The RetryQueue's messages, brought to Loops at a pace it can take.

A message is let go when Loops has taken it, or when its dead letter is stored; every other one stays, hidden for a
while. SQS counts each receive, attempted or not, and moves a message to the DeadLetterQueue by itself after the
template's `maxReceiveCount`. So the pauses grow until a message waits for all of `RetryForHours` well under that count.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from threading import Event as Flag
from typing import Protocol

from loops_destination.clock import Clock
from loops_destination.delivery import Deliverer, Delivery, prepare, too_old
from loops_destination.events import first_seen
from loops_destination.messages import (
    Message,
    Parcel,
    QueueName,
    Storage,
    body_message,
)
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Outcome, Reason, Result
from loops_destination.pace import Pacer
from loops_destination.received import UnreadableMessage, read_message
from loops_destination.subscriptions import Subscription

IDEMPOTENCY_KEY_REMEMBERED_SECONDS = (
    23 * 3600
)  # Loops forgets an Idempotency-Key after 24 hours; a repeat then could mail twice
MIN_BACKOFF_SECONDS = 5
MAX_BACKOFF_SECONDS = 3600
BACKOFF_SECONDS_A_RECEIVE = 10  # without a turn: 312 hours, the most of `RetryForHours`, take about 500 receives
CALL_SECONDS = 8.0  # the most that one call of Loops is given
SPARE_SECONDS = CALL_SECONDS + 5.0  # of the function's time: for the last mapping and call, then for storing and hiding
STORED_SECONDS_BEFORE_END = 3.0
HIDDEN_SECONDS_BEFORE_END = 1.0


class RetryStorage(Storage, Protocol):
    """The queues, as redelivery uses them."""

    def postpone(self, seconds_by_receipt: Mapping[str, int], deadline: float) -> None:
        """Hide each received message for its seconds, and return by the deadline, in seconds since 1970."""
        ...


class Threads(Protocol):
    """Runs a function over items, several at once; `ThreadPoolExecutor` is one."""

    def map(self, function: Callable[[Record], _Turn], items: Sequence[Record], /) -> Iterable[_Turn]: ...


@dataclass(frozen=True, slots=True)
class Record:
    """A received message.

    `sent_at` is SQS's SentTimestamp, in seconds since 1970, and `receives` its ApproximateReceiveCount.
    """

    message_id: str
    receipt: str
    body: str = field(repr=False)
    sent_at: float
    receives: int = 1


@dataclass(slots=True)
class _Turn:
    """What is to be done with one record; `let_go` is decided when the parcel, if there is one, is stored."""

    record: Record
    not_its_fault: bool = False
    let_go: bool = False
    parcel: Parcel | None = None


class Redelivery:
    """Works through batches of the RetryQueue; `subscriptions` are all of the mappings file, disabled ones too."""

    def __init__(  # noqa: PLR0913  # the parts it is made of, each named at the only call
        self,
        *,
        subscriptions: Sequence[Subscription],
        deliverer: Deliverer,
        storage: RetryStorage,
        telemetry: Telemetry,
        clock: Clock,
        pacer: Pacer,
        calls_at_once: int,
        retry_for_seconds: float,
        max_event_age_seconds: float,
        threads: Callable[[int], AbstractContextManager[Threads]] = ThreadPoolExecutor,
    ) -> None:
        self._subscriptions = {subscription.id: subscription for subscription in subscriptions}
        self._deliverer = deliverer
        self._storage = storage
        self._journal = telemetry
        self._clock = clock
        self._pacer = pacer
        self._calls_at_once = calls_at_once
        self._retry_for_seconds = retry_for_seconds
        self._max_event_age_seconds = max_event_age_seconds
        self._threads = threads

    def deliver(self, records: Sequence[Record], seconds: float) -> list[str]:
        """Return the ids of the messages that stay on the queue, `seconds` after the call at the latest.

        Nothing is mapped or sent that might end too late for storing and hiding; those messages stay.
        """
        now = self._clock.time()
        ends = now + seconds
        deadline = ends - SPARE_SECONDS
        if records:
            self._journal.waited(now - min(record.sent_at for record in records))
        slow_down = Flag()
        with self._threads(self._calls_at_once) as threads:
            turns = list(threads.map(lambda record: self._take(record, deadline, slow_down), records))
        self._store([turn for turn in turns if turn.parcel is not None], ends - STORED_SECONDS_BEFORE_END)
        staying = [turn for turn in turns if not turn.let_go]
        pauses = {turn.record.receipt: self._backoff(turn) for turn in staying}
        self._storage.postpone(pauses, ends - HIDDEN_SECONDS_BEFORE_END)
        return [turn.record.message_id for turn in staying]

    def _take(self, record: Record, deadline: float, slow_down: Flag) -> _Turn:
        if self._clock.time() >= deadline:
            return _Turn(record, not_its_fault=True)
        try:
            message, event = read_message(record.body)
        except UnreadableMessage as error:
            body = record.body.encode("utf-8", "surrogatepass")
            letter = body_message(body, record.sent_at, Reason.UNREADABLE_MESSAGE, str(error))
            return self._bury(record, letter)
        subscription = self._subscriptions.get(message.subscription or "")
        if subscription is None:
            return self._bury(record, message.because(Reason.UNKNOWN_SUBSCRIPTION))
        if not subscription.enabled:
            return self._bury(record, message.because(Reason.SUBSCRIPTION_DISABLED))
        delivery = Delivery(
            subscription,
            event,
            message.key,
            message.received_at,
            may_have_used_idempotency_key=message.may_have_used_idempotency_key,
            old_is_accepted=message.old_is_accepted,
        )
        # Counted from the arrival, so that waiting here makes no event too old.
        if rejected := too_old(delivery, message.received_at, self._max_event_age_seconds):
            return self._bury(record, message.because(Reason.TOO_OLD, rejected.detail))
        return self._redeliver(record, message, delivery, deadline, slow_down)

    def _redeliver(
        self, record: Record, message: Message, delivery: Delivery, deadline: float, slow_down: Flag
    ) -> _Turn:
        prepared = prepare(delivery)
        if isinstance(prepared, Result):
            return self._conclude(record, message, delivery, prepared)
        if not self._has_turn(record, deadline, slow_down):
            return _Turn(record, not_its_fault=True)
        # Asked last, since the wait may have used up the key's time.
        if self._idempotency_key_expired(delivery):
            return self._bury(record, message.because(Reason.IDEMPOTENCY_KEY_EXPIRED))
        began = self._clock.time()
        result = self._deliverer.attempt(delivery, prepared, CALL_SECONDS)
        if result.reason is Reason.RATE_LIMITED:
            slow_down.set()
        return self._conclude(record, message, delivery, result, self._clock.time() - began)

    def _has_turn(self, record: Record, deadline: float, slow_down: Flag) -> bool:
        """Wait for a turn to call Loops; False when Loops asked for less, or the time does not suffice.

        A delivery whose time is over makes its last attempt anyway: put off, it would reach the 14 days of SQS.
        """
        if self._is_over(record):
            return self._pacer.wait_for_turn(deadline)
        return not slow_down.is_set() and self._pacer.wait_for_turn(deadline) and not slow_down.is_set()

    def _is_over(self, record: Record) -> bool:
        return self._clock.time() - record.sent_at >= self._retry_for_seconds

    def _conclude(
        self, record: Record, message: Message, delivery: Delivery, result: Result, seconds: float = 0.0
    ) -> _Turn:
        """Decide what happens to the message after an attempt of `seconds`, or a mapping that made no request."""
        message = replace(message, attempts=message.attempts + 1)
        latest = message.because(result.reason, result.detail, result.status) if result.reason else message
        if result.outcome is Outcome.DELIVERED:
            self._journal.result(result, delivery.event, message.attempts, seconds)
            return _Turn(record, let_go=True)
        if result.outcome is Outcome.REJECTED:
            return self._bury(record, latest)
        if self._is_over(record):
            return self._bury(record, latest.because(Reason.RETRIES_EXHAUSTED, f"last: {result.reason}"))
        self._journal.result(result, delivery.event, message.attempts, seconds)
        if result.reason is Reason.UNKNOWN_CONTACT and not message.may_have_used_idempotency_key:
            # SQS cannot change a message: the one that knows of the refusal takes its place, since a 409 means
            # something else from now on.
            return _Turn(record, parcel=Parcel(QueueName.RETRY, latest))
        return _Turn(record, not_its_fault=result.reason is Reason.RATE_LIMITED)

    def _bury(self, record: Record, letter: Message) -> _Turn:
        return _Turn(record, parcel=Parcel(QueueName.DEAD_LETTER, letter))

    def _store(self, turns: Sequence[_Turn], deadline: float) -> None:
        parcels = [turn.parcel for turn in turns if turn.parcel is not None]
        for turn, parcel, stored in zip(turns, parcels, self._storage.store(parcels, deadline), strict=True):
            turn.let_go = stored
            if stored and parcel.queue is QueueName.DEAD_LETTER:
                self._journal.buried(parcel.message)

    def _idempotency_key_expired(self, delivery: Delivery) -> bool:
        age = self._clock.time() - first_seen(delivery.event, delivery.received_at)
        return delivery.subscription.action.keyed and age >= IDEMPOTENCY_KEY_REMEMBERED_SECONDS

    def _backoff(self, turn: _Turn) -> int:
        """Return the seconds until the next attempt, give or take a quarter so that crowds thin out.

        After trouble of its own a message waits for half its age. Without a turn its age says nothing about the pace,
        so the first pauses are short; each receive makes the next one longer.
        """
        age = self._clock.time() - turn.record.sent_at
        seconds = BACKOFF_SECONDS_A_RECEIVE * turn.record.receives if turn.not_its_fault else age / 2
        seconds *= random.uniform(0.75, 1.25)  # noqa: S311  # no secret depends on it
        return round(min(max(seconds, MIN_BACKOFF_SECONDS), MAX_BACKOFF_SECONDS))
