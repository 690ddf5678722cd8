"""Redelivery: attempt a batch of messages from the RetryQueue, and keep those that must wait.

A message is deleted once Loops has taken its event, nothing needs to be sent any more, or its dead letter is stored.
Every other message stays, and is hidden for a while. SQS counts each receive, with an attempt or without, and moves a
message to the DeadLetterQueue by itself after the template's `maxReceiveCount`. So the pauses grow: a message can wait
for all of `RetryForHours` and stays well below that count.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from math import ceil
from threading import Event as Flag
from typing import Any, Protocol

from loops_destination.clock import Clock
from loops_destination.delivery import LONGEST_CALL_SECONDS, Deliverer, Delivery, prepare, reject_too_old
from loops_destination.handlers.lambda_handler import Invoke, LambdaHandler
from loops_destination.handlers.parts import Parts
from loops_destination.messages import Message, MessageStore, QueueName, RoutedMessage, body_message
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Outcome, Reason, Result
from loops_destination.pace import Pacer
from loops_destination.received_messages import ReceivedMessage, UnreadableMessage, read_message
from loops_destination.subscriptions import Subscription

MIN_BACKOFF_SECONDS = 5
MAX_BACKOFF_SECONDS = 3600
BACKOFF_SECONDS_PER_RECEIVE = 10  # without a turn; 312 hours, the maximum of `RetryForHours`, take about 500 receives

CONTACT_BUSY_WAITS_SECONDS = 3600
"""The longest time after `RetryForHours` for a delivery whose contact is busy; SQS keeps a message for a day longer."""

_BUSY = {Reason.CONTACT_BUSY, Reason.DELETION_BEGUN}
_DONE = {Outcome.DELIVERED, Outcome.UNCHANGED, Outcome.SUPERSEDED}

# Reserved at the end of an invocation, where no mapping or call begins: for the last call to end, then for storing
# messages, then for hiding the others.
STORED_BEFORE_END_SECONDS = 3.0
HIDDEN_BEFORE_END_SECONDS = 1.0
CALLED_BEFORE_END_SECONDS = 5.0
BEGUN_BEFORE_END_SECONDS = LONGEST_CALL_SECONDS + CALLED_BEFORE_END_SECONDS


def redelivery_handler(service: str) -> LambdaHandler:
    """Return the handler of the function that the RetryQueue invokes."""

    def build(parts: Parts) -> Invoke:
        redelivery = Redelivery(
            subscriptions=parts.subscriptions,
            deliverer=parts.deliverer,
            store=parts.queues,
            telemetry=parts.telemetry,
            clock=parts.clock,
            pacer=Pacer(parts.settings.loops_requests_per_second, parts.clock),
            calls_at_once=parts.calls_at_once,
            retry_for_seconds=parts.settings.retry_for_hours * 3600,
            max_event_age_seconds=parts.settings.max_event_age_hours * 3600,
        )

        def invoke(event: dict[str, Any], context: Any) -> dict[str, Any]:
            messages = [_received(record) for record in event["Records"]]
            staying = redelivery.deliver(messages, context.get_remaining_time_in_millis() / 1000)
            return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in staying]}

        return invoke

    return LambdaHandler(service, build)


class RetryStore(MessageStore, Protocol):
    """The queues as redelivery uses them; `queues.Queues` is one."""

    def postpone(self, seconds_by_receipt: Mapping[str, int], deadline: float) -> None:
        """Hide each received message for its seconds, and return by the deadline, in seconds since 1970."""
        ...


class Workers(Protocol):
    """A pool that runs a function over items, several at once; `ThreadPoolExecutor` is one."""

    def map(
        self, function: Callable[[ReceivedMessage], _Disposition], items: Sequence[ReceivedMessage], /
    ) -> Iterable[_Disposition]: ...


@dataclass(slots=True)
class _Disposition:
    """The decision about one received message: it is deleted, or it stays and is hidden.

    With `to_store` it is deleted once that message is stored. `waits_for_turn`: it stays because of Loops' rate limit or
    for lack of time, not because of trouble with its own delivery. It is hidden for `retry_after` seconds at least.
    """

    received: ReceivedMessage
    delete: bool = False
    waits_for_turn: bool = False
    retry_after: float = 0.0
    to_store: RoutedMessage | None = None


@dataclass(frozen=True, slots=True)
class _InvocationLimits:
    """The limits of one invocation: times in seconds since 1970, and a flag that is set when Loops answers 429."""

    begin_until: float
    call_until: float
    slow_down: Flag = field(default_factory=Flag)


class Redelivery:
    """Redelivery of one environment.

    `subscriptions` are all those of the mappings file, disabled ones too. `calls_at_once` is the number of calls to
    Loops that may be under way. After `retry_for_seconds` on the RetryQueue a delivery becomes a dead letter.
    """

    def __init__(  # noqa: PLR0913  # its parts, passed by keyword
        self,
        *,
        subscriptions: Sequence[Subscription],
        deliverer: Deliverer,
        store: RetryStore,
        telemetry: Telemetry,
        clock: Clock,
        pacer: Pacer,
        calls_at_once: int,
        retry_for_seconds: float,
        max_event_age_seconds: float,
        workers: Callable[[int], AbstractContextManager[Workers]] = ThreadPoolExecutor,
    ) -> None:
        self._subscriptions = {subscription.id: subscription for subscription in subscriptions}
        self._deliverer = deliverer
        self._store = store
        self._telemetry = telemetry
        self._clock = clock
        self._pacer = pacer
        self._calls_at_once = calls_at_once
        self._retry_for_seconds = retry_for_seconds
        self._max_event_age_seconds = max_event_age_seconds
        self._workers = workers

    def deliver(self, messages: Sequence[ReceivedMessage], seconds: float) -> list[str]:
        """Deliver the messages, and return the ids of those that stay on the queue, within `seconds`."""
        now = self._clock.time()
        end = now + seconds
        if messages:
            self._telemetry.waited(now - min(message.sent_at for message in messages))
        invocation = _InvocationLimits(
            begin_until=end - BEGUN_BEFORE_END_SECONDS, call_until=end - CALLED_BEFORE_END_SECONDS
        )
        with self._workers(self._calls_at_once) as workers:
            dispositions = list(workers.map(lambda message: self._handle(message, invocation), messages))
        self._store_all(dispositions, end - STORED_BEFORE_END_SECONDS)
        staying = [each for each in dispositions if not each.delete]
        pauses = {each.received.receipt: self._backoff(each) for each in staying}
        self._store.postpone(pauses, end - HIDDEN_BEFORE_END_SECONDS)
        return [each.received.message_id for each in staying]

    def _handle(self, received: ReceivedMessage, invocation: _InvocationLimits) -> _Disposition:
        if self._clock.time() >= invocation.begin_until:
            return _Disposition(received, waits_for_turn=True)
        try:
            message, event = read_message(received.body)
        except UnreadableMessage as error:
            body = received.body.encode("utf-8", "surrogatepass")
            return _bury(received, body_message(body, received.sent_at, Reason.UNREADABLE_MESSAGE, str(error)))
        subscription = self._subscriptions.get(message.subscription or "")
        if subscription is None:
            return _bury(received, message.with_reason(Reason.UNKNOWN_SUBSCRIPTION))
        if not subscription.enabled:
            return _bury(received, message.with_reason(Reason.SUBSCRIPTION_DISABLED))
        delivery = Delivery(
            subscription=subscription,
            event=event,
            idempotency_key=message.idempotency_key,
            received_at=message.received_at,
            may_have_used_idempotency_key=message.may_have_used_idempotency_key,
            old_is_accepted=message.old_is_accepted,
        )
        # The age is that on arrival, so waiting on the RetryQueue makes no event too old.
        if rejected := reject_too_old(delivery, message.received_at, self._max_event_age_seconds):
            return _bury(received, message.with_reason(Reason.TOO_OLD, rejected.detail))
        prepared = prepare(delivery)
        if isinstance(prepared, Result):
            return self._decide(received, message, delivery, prepared)
        result = self._deliverer.deliver(
            delivery,
            prepared,
            deadline=invocation.call_until,
            turn=lambda: self._wait_for_turn(received, invocation),
        )
        if result.reason is Reason.NO_TIME_LEFT:
            return _Disposition(received, waits_for_turn=True, retry_after=result.retry_after or 0.0)
        if result.reason is Reason.IDEMPOTENCY_KEY_EXPIRED:
            return _bury(received, message.with_reason(Reason.IDEMPOTENCY_KEY_EXPIRED))
        if result.reason is Reason.RATE_LIMITED:
            invocation.slow_down.set()
        return self._decide(received, message, delivery, result)

    def _wait_for_turn(self, received: ReceivedMessage, invocation: _InvocationLimits) -> bool:
        """Wait for a turn to call Loops; return False after a 429 in this invocation, or if the time does not suffice.

        A delivery that has waited for all of `RetryForHours` makes its last attempt even after a 429: if it were put
        off again and again, SQS would drop it after 14 days.
        """
        if self._has_waited_for_long(received):
            return self._pacer.wait_for_turn(invocation.begin_until)
        slow_down = invocation.slow_down
        return not slow_down.is_set() and self._pacer.wait_for_turn(invocation.begin_until) and not slow_down.is_set()

    def _has_waited_for_long(self, received: ReceivedMessage) -> bool:
        return self._clock.time() - received.sent_at >= self._retry_for_seconds

    def _is_last_attempt(self, received: ReceivedMessage, result: Result) -> bool:
        """Return True if a queued delivery has waited for all of `RetryForHours`, and has been tried at the end of it.

        A contact that is leased, or marked for its deletion, keeps Loops from being called, so that such a delivery gets
        another hour.
        """
        waited = self._clock.time() - received.sent_at
        extra = CONTACT_BUSY_WAITS_SECONDS if result.reason in _BUSY else 0
        return waited >= self._retry_for_seconds + extra

    def _decide(self, received: ReceivedMessage, message: Message, delivery: Delivery, result: Result) -> _Disposition:
        """Decide what happens to the message after an attempt, or after a mapping that made no request."""
        message = replace(message, attempts=message.attempts + 1)
        latest = message.with_reason(result.reason, result.detail, result.status) if result.reason else message
        if result.outcome is Outcome.REJECTED:
            return _bury(received, latest)
        if result.outcome is Outcome.QUEUED and self._is_last_attempt(received, result):
            return _bury(received, latest.with_reason(Reason.RETRIES_EXHAUSTED, f"last: {result.reason}"))
        self._telemetry.result(result, delivery.event, message.attempts, result.seconds)
        if result.outcome in _DONE:
            return _Disposition(received, delete=True)
        if result.reason is Reason.UNKNOWN_CONTACT and not message.may_have_used_idempotency_key:
            # SQS cannot change a message, so a new one, which says that Loops refused an attempt, takes its place: from
            # now on a 409 does not prove that Loops took the event.
            return _Disposition(received, to_store=RoutedMessage(QueueName.RETRY, latest))
        return _Disposition(
            received,
            waits_for_turn=result.reason is Reason.RATE_LIMITED,
            retry_after=result.retry_after or 0.0,
        )

    def _store_all(self, dispositions: Sequence[_Disposition], deadline: float) -> None:
        """Store the messages of the dispositions; a received message whose successor is not stored stays."""
        storing = [(each, each.to_store) for each in dispositions if each.to_store is not None]
        stored = self._store.store([message for _, message in storing], deadline)
        for (disposition, message), is_stored in zip(storing, stored, strict=True):
            disposition.delete = is_stored
            if is_stored and message.queue is QueueName.DEAD_LETTER:
                self._telemetry.buried(message.message)

    def _backoff(self, disposition: _Disposition) -> int:
        """Return the seconds until the next attempt, varied by a quarter so that messages do not come back together.

        After trouble with its own delivery, a message waits for half its age. Otherwise its age says nothing about when
        Loops will have room, so the first pauses are short and each receive makes the next one longer.
        """
        received = disposition.received
        if disposition.waits_for_turn:
            seconds = float(BACKOFF_SECONDS_PER_RECEIVE * received.receives)
        else:
            seconds = (self._clock.time() - received.sent_at) / 2
        seconds *= random.uniform(0.75, 1.25)  # noqa: S311  # not used for security
        return ceil(min(max(seconds, disposition.retry_after, MIN_BACKOFF_SECONDS), MAX_BACKOFF_SECONDS))


def _received(record: Mapping[str, Any]) -> ReceivedMessage:
    """Return the message in a record of Lambda's SQS event."""
    attributes = record["attributes"]
    return ReceivedMessage(
        message_id=record["messageId"],
        receipt=record["receiptHandle"],
        body=record["body"],
        sent_at=int(attributes["SentTimestamp"]) / 1000,
        receives=int(attributes["ApproximateReceiveCount"]),
    )


def _bury(received: ReceivedMessage, dead_letter: Message) -> _Disposition:
    return _Disposition(received, to_store=RoutedMessage(QueueName.DEAD_LETTER, dead_letter))
