"""Segment's webhook: from an HTTP request to its answer.

The promise is kept here. A 2xx is given only if Loops took the event, nothing needs to be sent, or SQS holds it. A 4xx
is given only if the event is on the DeadLetterQueue, its sender is not trusted, or it is larger than Segment can send.

An event waits on the RetryQueue if Loops' response says so (`response_to_outcome.py`), if it could not be sent, for
example because there is no API key or the contact ledger holds it back (`delivery.py`), if the breaker is open
(`breaker.py`), or if there is no time to try it (`Schedule`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

from loops_destination.breaker import Breaker
from loops_destination.clock import Clock
from loops_destination.delivery import Deliverer, Delivery, prepare, reject_too_old
from loops_destination.errors import NotAnEvent
from loops_destination.events import Arrival, parse_body
from loops_destination.handlers.lambda_handler import Invoke, LambdaHandler
from loops_destination.handlers.parts import Parts
from loops_destination.http_api import Reply, WebhookRequest, decode_request, encode_reply
from loops_destination.idempotency import idempotency_key_of
from loops_destination.messages import Message, MessageStore, QueueName, RoutedMessage, body_message
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Denial, Outcome, Reason, Result, answer_status
from loops_destination.subscriptions import Subscription
from loops_destination.verification import Denied, Verifier

ANSWER_WITHIN_SECONDS = 4.0  # Segment's classic webhook hangs up after 5
ANSWERING_SECONDS = 0.2  # the last part of them, for the log and the answer
ANSWERING_SECONDS_PER_RESULT = 0.00005
STORING_SECONDS = 1.5  # reserved for SQS, the answer included
STORING_SECONDS_PER_DELIVERY = 0.0005  # for SQS at 50 ms a call, and 2 ms of processor time
MAX_DELIVERIES = 10_000  # of one request; more could not be stored in time
SHORTEST_ATTEMPT_SECONDS = 0.3  # with less time left, a delivery is queued at once
PATIENCE_SECONDS = 0.3  # the wait for a contact that another delivery is writing
STALE_SECONDS = 30.0  # API Gateway ends every request earlier, so an older one is a sample

_NOT_ATTEMPTED = {Reason.PAUSED, Reason.NO_TIME_LEFT}
_QUEUES = {Outcome.QUEUED: QueueName.RETRY, Outcome.REJECTED: QueueName.DEAD_LETTER}


def webhook_handler(service: str, actions: Sequence[str]) -> LambdaHandler:
    """Return the handler of a web function that delivers by these actions, named by their slugs."""

    def build(parts: Parts) -> Invoke:
        webhook = Webhook(
            action=actions[0] if len(actions) == 1 else None,
            subscriptions=[each for each in parts.subscriptions if each.action.slug in actions],
            verifier=Verifier(parts.secrets, parts.settings.trust_unsigned_batch_items),
            deliverer=parts.deliverer,
            breaker=Breaker(parts.clock),
            store=parts.queues,
            telemetry=parts.telemetry,
            clock=parts.clock,
            max_event_age_seconds=parts.settings.max_event_age_hours * 3600,
        )
        return lambda event, _context: encode_reply(webhook.receive(decode_request(event)))

    return LambdaHandler(service, build)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times of one request, in seconds since 1970.

    It `arrived` at API Gateway, is handled here from `now` on, and must be answered by `answer_by`.
    """

    arrived: float
    now: float
    answer_by: float

    @classmethod
    def of(cls, request: WebhookRequest, now: float) -> Schedule:
        """Return the schedule of a request, by API Gateway's time of its arrival.

        That time counts for the age of events even if it is long ago, as in a sample request, whose events are just as
        old. The deadline for answering such a request counts from `now`.
        """
        arrived = now if request.sent_at is None else min(request.sent_at, now)
        is_live = request.sent_at is not None and now - STALE_SECONDS < request.sent_at <= now
        return cls(arrived=arrived, now=now, answer_by=(arrived if is_live else now) + ANSWER_WITHIN_SECONDS)

    @property
    def match_until(self) -> float:
        """The time by which the triggers must have been evaluated."""
        return self.answer_by - STORING_SECONDS

    def try_until(self, deliveries: int) -> float:
        """Return the end of the attempts; each delivery of the request may have to be stored after it."""
        return self.answer_by - STORING_SECONDS - STORING_SECONDS_PER_DELIVERY * deliveries

    def store_until(self, results: int) -> float:
        """Return the deadline for storing; each result takes time in the log and in the answer."""
        return self.answer_by - ANSWERING_SECONDS - ANSWERING_SECONDS_PER_RESULT * results


@dataclass(slots=True)
class _PendingResult:
    """A result that holds only once its message, if it has one, is stored."""

    result: Result
    arrival: Arrival
    to_store: RoutedMessage | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """The webhook of a web function.

    `subscriptions` are those of its actions. `action` is shown in the results of events that match none of them; None
    if there are several actions.
    """

    action: str | None
    subscriptions: Sequence[Subscription]
    verifier: Verifier
    deliverer: Deliverer
    breaker: Breaker
    store: MessageStore
    telemetry: Telemetry
    clock: Clock
    max_event_age_seconds: float

    def receive(self, request: WebhookRequest) -> Reply:
        """Return the answer to a request within `ANSWER_WITHIN_SECONDS` of its arrival, whatever Loops and SQS do."""
        schedule = Schedule.of(request, self.clock.time())
        try:
            pending = self._handle(request, schedule)
        except Denied as denied:
            self.telemetry.denied(denied.denial, str(denied))
            return Reply(denied.denial.status, reason=denied.denial)
        self._store(pending, schedule.store_until(len(pending)))
        for each in pending:
            attempts = each.to_store.message.attempts if each.to_store else 1
            self.telemetry.result(each.result, each.arrival.event, attempts, each.result.seconds)
        results = [each.result for each in pending]
        return Reply(answer_status(results), [result.as_json() for result in results])

    def _handle(self, request: WebhookRequest, schedule: Schedule) -> list[_PendingResult]:
        bodies = self.verifier.trusted_bodies(request)
        try:
            arrivals = [arrival for body in bodies for arrival in parse_body(body)]
        except NotAnEvent as error:
            return [_undeliverable(request.body, Arrival("", None, str(error)), Reason.NOT_AN_EVENT, schedule)]
        if len(arrivals) == 1 and arrivals[0].event is not None and arrivals[0].too_large:
            raise Denied(Denial.TOO_LARGE)
        matching = self._match(arrivals, schedule)
        if matching is None:
            return [_too_much_work()]
        try_until = schedule.try_until(sum(map(len, matching)))
        return [
            pending
            for arrival, subscriptions in zip(arrivals, matching, strict=True)
            for pending in self._handle_arrival(arrival, subscriptions, schedule, try_until)
        ]

    def _match(self, arrivals: Sequence[Arrival], schedule: Schedule) -> list[list[Subscription]] | None:
        """Return the matching subscriptions of each arrival; None if the deliveries are too many to be stored in time.

        All triggers are evaluated before the first mapping, since the time for attempts depends on the number of
        deliveries.
        """
        matching: list[list[Subscription]] = []
        results = 0
        for arrival in arrivals:
            if results > MAX_DELIVERIES or self.clock.time() >= schedule.match_until:
                return None
            event = arrival.event
            if event is None or arrival.too_large:
                subscriptions = []
            else:
                subscriptions = [each for each in self.subscriptions if each.matches(event)]
            results += max(len(subscriptions), 1)  # an event that matches nothing has a result too
            matching.append(subscriptions)
        return matching if results <= MAX_DELIVERIES else None

    def _handle_arrival(
        self, arrival: Arrival, subscriptions: Sequence[Subscription], schedule: Schedule, try_until: float
    ) -> Iterator[_PendingResult]:
        if arrival.event is None:
            yield _undeliverable(arrival.text.encode(), arrival, Reason.NOT_AN_EVENT, schedule)
        elif arrival.too_large:
            yield _undeliverable(arrival.text.encode(), arrival, Reason.TOO_LARGE, schedule)
        elif not subscriptions:
            filtered = Result(outcome=Outcome.FILTERED, message_id=arrival.message_id, action=self.action)
            yield _PendingResult(filtered, arrival)
        else:
            for subscription in subscriptions:
                delivery = Delivery(
                    subscription=subscription,
                    event=arrival.event,
                    idempotency_key=idempotency_key_of(arrival.event, subscription.id, arrival.text),
                    received_at=schedule.now,
                )
                yield self._deliver(delivery, arrival, schedule, try_until)

    def _deliver(self, delivery: Delivery, arrival: Arrival, schedule: Schedule, try_until: float) -> _PendingResult:
        attempts = 0
        if rejected := reject_too_old(delivery, schedule.arrived, self.max_event_age_seconds):
            result = rejected
        elif not self._has_time(try_until):  # before the mapping, which takes time too
            result = delivery.result(Outcome.QUEUED, Reason.NO_TIME_LEFT)
        elif isinstance(prepared := prepare(delivery), Result):
            result = prepared
        elif not self._has_time(try_until):
            result = delivery.result(Outcome.QUEUED, Reason.NO_TIME_LEFT)
        else:
            result = self.deliverer.deliver(
                delivery,
                prepared,
                deadline=try_until,
                turn=lambda: not self.breaker.is_open,
                without_turn=Reason.PAUSED,
                patience=PATIENCE_SECONDS,
            )
            attempts = 0 if result.reason in _NOT_ATTEMPTED else 1
            self.breaker.record(result)
        pending = _PendingResult(result, arrival)
        if result.outcome in _QUEUES:
            message = _message(delivery, arrival, result, attempts)
            pending.to_store = RoutedMessage(_QUEUES[result.outcome], message, ceil(result.retry_after or 0))
        return pending

    def _has_time(self, try_until: float) -> bool:
        return try_until - self.clock.time() >= SHORTEST_ATTEMPT_SECONDS

    def _store(self, pending: Sequence[_PendingResult], deadline: float) -> None:
        """Store all messages; a result whose message is not stored loses its outcome, and Segment keeps the event."""
        storing = [(each, each.to_store) for each in pending if each.to_store is not None]
        if not storing:
            return
        stored = self.store.store([message for _, message in storing], deadline)
        for (each, _), is_stored in zip(storing, stored, strict=True):
            if not is_stored:
                each.result = replace(each.result, outcome=None, reason=Reason.NOT_STORED, detail=None)


def _message(delivery: Delivery, arrival: Arrival, result: Result, attempts: int) -> Message:
    return Message(
        idempotency_key=delivery.idempotency_key,
        received_at=delivery.received_at,
        reason=result.reason or Reason.NO_TIME_LEFT,
        event=arrival.text,
        action=delivery.action,
        subscription=delivery.subscription.id,
        detail=result.detail,
        attempts=attempts,
        status=result.status,
    )


def _undeliverable(body: bytes, arrival: Arrival, reason: Reason, schedule: Schedule) -> _PendingResult:
    """Return the rejection of a body that cannot be delivered as an event."""
    result = Result(
        outcome=Outcome.REJECTED, reason=reason, detail=arrival.problem or None, message_id=arrival.message_id
    )
    message = body_message(body, schedule.now, reason, arrival.problem)
    return _PendingResult(result, arrival, RoutedMessage(QueueName.DEAD_LETTER, message))


def _too_much_work() -> _PendingResult:
    """Return the only result of a request that could not be stored in time; nothing of it is sent or stored."""
    detail = f"more than {MAX_DELIVERIES:,} deliveries, or triggers that take too long: make the batches smaller"
    return _PendingResult(Result(outcome=None, reason=Reason.NOT_STORED, detail=detail), Arrival("", None))
