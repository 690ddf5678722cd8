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
from loops_destination.messages import Message, Parcel, QueueName, Storage, ascii_text, body_message
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Denial, Outcome, Reason, Result
from loops_destination.subscriptions import Subscription
from loops_destination.verification import Denied, Gatekeeper

ANSWER_WITHIN_SECONDS = 4.0  # Segment's classic webhook hangs up after 5
STORING_SECONDS = 1.5  # of these, kept for SQS
TRYING_SECONDS = 2.5  # the most that Loops is given of them
TRYING_A_BATCH_SECONDS = 2.0  # a batch takes longer to be stored
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
    gatekeeper: Gatekeeper
    deliverer: Deliverer
    breaker: Breaker
    storage: Storage
    telemetry: Telemetry
    clock: Clock
    max_event_age_seconds: float

    def receive(self, request: WebhookRequest) -> Reply:
        """The answer to one request, within `ANSWER_WITHIN_SECONDS` of its arrival whatever Loops does."""
        now = self.clock.time()
        try:
            steps = self._handle(request, now)
        except Denied as denied:
            self.telemetry.denied(denied.denial, str(denied))
            return Reply(denied.denial.status, reason=denied.denial)
        self._store(steps)
        for step in steps:
            attempts = step.parcel.message.attempts if step.parcel else 1
            self.telemetry.result(step.result, step.arrival.event, attempts, step.seconds)
        results = [step.result for step in steps]
        return Reply(answer_status(results), [result.as_json() for result in results])

    def _handle(self, request: WebhookRequest, now: float) -> list[_Step]:
        bodies = self.gatekeeper.admit(request)
        try:
            arrivals = [arrival for body in bodies for arrival in parse_body(body)]
        except NotAnEvent as error:
            return [_undeliverable(request.body, Arrival("", None, str(error)), Reason.NOT_AN_EVENT, now)]
        if len(arrivals) == 1 and arrivals[0].event is not None and arrivals[0].too_large:
            raise Denied(Denial.TOO_LARGE)
        try_until = _try_until(request.sent_at, now, alone=len(arrivals) == 1)
        arrived = _arrived(request.sent_at, now)
        return [step for arrival in arrivals for step in self._steps(arrival, arrived, now, try_until)]

    def _steps(self, arrival: Arrival, arrived: float, now: float, try_until: float) -> Iterator[_Step]:
        if arrival.event is None:
            yield _undeliverable(arrival.text.encode(), arrival, Reason.NOT_AN_EVENT, now)
        elif arrival.too_large:
            yield _undeliverable(arrival.text.encode(), arrival, Reason.TOO_LARGE, now)
        else:
            wanted = [subscription for subscription in self.subscriptions if subscription.matches(arrival.event)]
            for subscription in wanted:
                key = idempotency_key(arrival.event, subscription.id, arrival.text)
                delivery = Delivery(subscription, arrival.event, key, now)
                yield self._deliver(delivery, arrival, arrived, try_until)
            if not wanted:
                filtered = Result(Outcome.FILTERED, message_id=arrival.message_id, action=self.action)
                yield _Step(filtered, arrival)

    def _deliver(self, delivery: Delivery, arrival: Arrival, arrived: float, try_until: float) -> _Step:
        began = self.clock.time()
        tried = 0
        prepared = too_old(delivery, arrived, self.max_event_age_seconds) or prepare(delivery)
        if isinstance(prepared, Result):
            result = prepared
        elif held_back := self._held_back(try_until):
            result = delivery.result(Outcome.QUEUED, held_back)
        else:
            tried = 1
            result = self.deliverer.attempt(delivery, prepared, try_until - began)
            self.breaker.note(result)
        step = _Step(result, arrival, seconds=self.clock.time() - began)
        if result.outcome in _QUEUES:
            step.parcel = Parcel(_QUEUES[result.outcome], _message(delivery, arrival, result, tried))
        return step

    def _held_back(self, try_until: float) -> Reason | None:
        if self.breaker.is_open:
            return Reason.PAUSED
        return Reason.NO_TIME_LEFT if try_until - self.clock.time() < WORTH_TRYING_SECONDS else None

    def _store(self, steps: Sequence[_Step]) -> None:
        """What no queue took has no outcome: Segment keeps it."""
        kept = [(step, step.parcel) for step in steps if step.parcel is not None]
        if not kept:
            return
        for (step, _), stored in zip(kept, self.storage.store([parcel for _, parcel in kept]), strict=True):
            if not stored:
                step.result = replace(step.result, outcome=None, reason=Reason.NOT_STORED, detail=None)


def _try_until(sent_at: float | None, now: float, *, alone: bool) -> float:
    """When to leave the rest to the queue."""
    live = sent_at is not None and now - STALE_SECONDS < sent_at <= now
    answer_at = (sent_at if live and sent_at is not None else now) + ANSWER_WITHIN_SECONDS
    trying = TRYING_SECONDS if alone else TRYING_A_BATCH_SECONDS
    return min(answer_at - STORING_SECONDS, now + trying)


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
        event=ascii_text(arrival.text),
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
