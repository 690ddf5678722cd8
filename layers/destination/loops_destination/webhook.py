"""Segment's request, from its signature to its answer.

The promise is kept here: a 2xx is given only for what Loops has taken, no subscription wants, or SQS holds; a 4xx only
for what is in the DeadLetterQueue, for a sender that is not trusted, and for what is larger than Segment can send.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from loops_destination.clock import Clock
from loops_destination.delivery import Breaker, Deliverer, Delivery, answer_status, prepare, too_old
from loops_destination.errors import NotAnEvent
from loops_destination.events import Arrival, parse_body
from loops_destination.http_api import Reply, WebhookRequest
from loops_destination.idempotency import idempotency_key
from loops_destination.messages import Message, Parcel, QueueName, Storage, body_message
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Denial, Outcome, Reason, Result
from loops_destination.subscriptions import Subscription
from loops_destination.verification import Denied, Verifier

ANSWER_WITHIN_SECONDS = 4.0  # Segment's classic webhook hangs up after 5
ANSWERING_SECONDS = 0.2  # of these, kept for the log and the answer
ANSWERING_SECONDS_PER_RESULT = 0.00005
STORING_SECONDS = 1.5  # kept for SQS before them
STORING_SECONDS_PER_DELIVERY = 0.0005  # at 50 ms a call, and 2 ms of processor time
MAX_DELIVERIES = 10_000  # of one request; more could not be stored in time
WORTH_TRYING_SECONDS = 0.3
STALE_SECONDS = 30.0  # API Gateway lets nothing run longer: an older time is that of a sample event

_QUEUES = {Outcome.QUEUED: QueueName.RETRY, Outcome.REJECTED: QueueName.DEAD_LETTER}


@dataclass(slots=True)
class _Step:
    """One line of the answer, with what must be stored before it is true."""

    result: Result
    arrival: Arrival
    parcel: Parcel | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """Takes the requests for some actions; `subscriptions` are the enabled ones of these actions.

    `action` is named in the results of events that no subscription wants; None where there are several.
    """

    action: str | None
    subscriptions: Sequence[Subscription]
    verifier: Verifier
    deliverer: Deliverer
    breaker: Breaker
    storage: Storage
    telemetry: Telemetry
    clock: Clock
    max_event_age_seconds: float

    def receive(self, request: WebhookRequest) -> Reply:
        """Return the answer to a request within `ANSWER_WITHIN_SECONDS` of its arrival, whatever Loops and SQS do."""
        now = self.clock.time()
        answer_at = _answer_at(request.sent_at, now)
        try:
            steps = self._handle(request, now, answer_at)
        except Denied as denied:
            self.telemetry.denied(denied.denial, str(denied))
            return Reply(denied.denial.status, reason=denied.denial)
        self._store(steps, answer_at - ANSWERING_SECONDS - ANSWERING_SECONDS_PER_RESULT * len(steps))
        for step in steps:
            attempts = step.parcel.message.attempts if step.parcel else 1
            self.telemetry.result(step.result, step.arrival.event, attempts, step.seconds)
        results = [step.result for step in steps]
        return Reply(answer_status(results), [result.as_json() for result in results])

    def _handle(self, request: WebhookRequest, now: float, answer_at: float) -> list[_Step]:
        bodies = self.verifier.trusted_bodies(request)
        try:
            arrivals = [arrival for body in bodies for arrival in parse_body(body)]
        except NotAnEvent as error:
            return [_undeliverable(request.body, Arrival("", None, str(error)), Reason.NOT_AN_EVENT, now)]
        if len(arrivals) == 1 and arrivals[0].event is not None and arrivals[0].too_large:
            raise Denied(Denial.TOO_LARGE)
        wanted = self._wanted(arrivals, answer_at - STORING_SECONDS)
        if wanted is None:
            return [_too_much()]
        deliveries = sum(map(len, wanted))
        try_until = answer_at - STORING_SECONDS - STORING_SECONDS_PER_DELIVERY * deliveries
        arrived = _arrived(request.sent_at, now)
        return [
            step
            for arrival, subscriptions in zip(arrivals, wanted, strict=True)
            for step in self._steps(arrival, subscriptions, arrived, now, try_until)
        ]

    def _wanted(self, arrivals: Sequence[Arrival], deadline: float) -> list[list[Subscription]] | None:
        """Return the matching subscriptions of each event; None when there are too many, or the time does not suffice.

        They are counted before any event is mapped, since the time for trying depends on their number.
        """
        wanted: list[list[Subscription]] = []
        count = 0
        for arrival in arrivals:
            if count > MAX_DELIVERIES or self.clock.time() >= deadline:
                return None
            event = arrival.event
            if event is None or arrival.too_large:
                matching = []
            else:
                matching = [subscription for subscription in self.subscriptions if subscription.matches(event)]
            count += max(len(matching), 1)  # an event that is filtered takes its line too
            wanted.append(matching)
        return wanted if count <= MAX_DELIVERIES else None

    def _steps(
        self, arrival: Arrival, subscriptions: Sequence[Subscription], arrived: float, now: float, try_until: float
    ) -> Iterator[_Step]:
        if arrival.event is None:
            yield _undeliverable(arrival.text.encode(), arrival, Reason.NOT_AN_EVENT, now)
        elif arrival.too_large:
            yield _undeliverable(arrival.text.encode(), arrival, Reason.TOO_LARGE, now)
        else:
            for subscription in subscriptions:
                key = idempotency_key(arrival.event, subscription.id, arrival.text)
                delivery = Delivery(subscription, arrival.event, key, now)
                yield self._deliver(delivery, arrival, arrived, try_until)
            if not subscriptions:
                filtered = Result(Outcome.FILTERED, message_id=arrival.message_id, action=self.action)
                yield _Step(filtered, arrival)

    def _deliver(self, delivery: Delivery, arrival: Arrival, arrived: float, try_until: float) -> _Step:
        began = self.clock.time()
        tried = 0
        if rejected := too_old(delivery, arrived, self.max_event_age_seconds):
            result = rejected
        elif not self._has_time(try_until):
            result = delivery.result(Outcome.QUEUED, Reason.NO_TIME_LEFT)  # unmapped
        elif isinstance(prepared := prepare(delivery), Result):
            result = prepared
        elif held_back := self._held_back(try_until):
            result = delivery.result(Outcome.QUEUED, held_back)
        else:
            tried = 1
            result = self.deliverer.attempt(delivery, prepared, try_until - self.clock.time())
            self.breaker.note(result)
        step = _Step(result, arrival, seconds=self.clock.time() - began)
        if result.outcome in _QUEUES:
            step.parcel = Parcel(_QUEUES[result.outcome], _message(delivery, arrival, result, tried))
        return step

    def _held_back(self, try_until: float) -> Reason | None:
        if self.breaker.is_open:
            return Reason.PAUSED
        return None if self._has_time(try_until) else Reason.NO_TIME_LEFT

    def _has_time(self, try_until: float) -> bool:
        return try_until - self.clock.time() >= WORTH_TRYING_SECONDS

    def _store(self, steps: Sequence[_Step], deadline: float) -> None:
        """Store every message; a result whose message is not stored by the deadline has no outcome."""
        kept = [(step, step.parcel) for step in steps if step.parcel is not None]
        if not kept:
            return
        for (step, _), stored in zip(kept, self.storage.store([parcel for _, parcel in kept], deadline), strict=True):
            if not stored:
                step.result = replace(step.result, outcome=None, reason=Reason.NOT_STORED, detail=None)


def _answer_at(sent_at: float | None, now: float) -> float:
    """Return when the answer is due; a time of the request that cannot be true does not count."""
    live = sent_at is not None and now - STALE_SECONDS < sent_at <= now
    return (sent_at if live and sent_at is not None else now) + ANSWER_WITHIN_SECONDS


def _arrived(sent_at: float | None, now: float) -> float:
    """Return when the request arrived, for the age of its events.

    It is API Gateway's time even when that is long ago, as in a sample event: the sample's events are of that time too.
    """
    return now if sent_at is None else min(sent_at, now)


def _message(delivery: Delivery, arrival: Arrival, result: Result, attempts: int) -> Message:
    return Message(
        key=delivery.key,
        received_at=delivery.received_at,
        reason=result.reason or Reason.NO_TIME_LEFT,
        event=arrival.text,
        action=delivery.action,
        subscription=delivery.subscription.id,
        detail=result.detail,
        attempts=attempts,
        status=result.status,
    )


def _undeliverable(body: bytes, arrival: Arrival, reason: Reason, now: float) -> _Step:
    message = body_message(body, now, reason, arrival.problem)
    result = Result(Outcome.REJECTED, reason, arrival.problem or None, message_id=arrival.message_id)
    return _Step(result, arrival, Parcel(QueueName.DEAD_LETTER, message))


def _too_much() -> _Step:
    """Return the one result of a request that could not be stored in time: Segment keeps all of it."""
    detail = (
        f"the request needs more than {MAX_DELIVERIES:,} deliveries, or more time than there is; send smaller batches"
    )
    return _Step(Result(None, Reason.NOT_STORED, detail), Arrival("", None))
