"""A delivery, one event under one subscription: guarded, mapped, and sent to Loops.

Both `handlers/webhook.py` and `handlers/redelivery.py` deliver through `Deliverer`. Nothing here knows AWS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from loops_destination.clock import Clock
from loops_destination.errors import LedgerUnavailable, MappingError, PayloadError, SecretError
from loops_destination.events import age_on_arrival, first_seen, is_test_event, message_id
from loops_destination.ledger import Called, Conclusion, Effect, Ledger, Rule, Verdict
from loops_destination.loops.responses import Meaning, Response
from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Outcome, Reason, Result
from loops_destination.response_to_outcome import outcome_of
from loops_destination.subscriptions import Subscription

LONGEST_CALL_SECONDS = 8.0
UNKNOWN_CONTACT_WAITS_SECONDS = 3600
"""The longest that a delivery to a contact named by `userId` only waits for the identify that creates the contact."""
IDEMPOTENCY_KEY_REMEMBERED_SECONDS = 23 * 3600
"""Loops forgets an idempotency key after 24 hours; an event that is repeated later could mail twice."""
SHORTEST_WITH_LEDGER_SECONDS = 1.5
"""With less time left, the ledger could not confirm a call."""
REFRESH_SECONDS = 2.0
"""The longest that reading both versions of the secret takes; with less time left, a refused API key is not refreshed.
"""


class ApiKeys(Protocol):
    """The source of the API key; `secret_store.SecretStore` is one."""

    def api_key(self) -> str:
        """Return the API key; raise `SecretError` if there is none."""
        ...

    def refresh(self) -> bool:
        """Read the secret again; return True if it has changed."""
        ...


class Loops(Protocol):
    """Loops' API; `loops.LoopsClient` calls it."""

    def send(self, request: LoopsRequest, api_key: str, seconds: float) -> Response: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event under one subscription.

    `received_at` is when the event arrived here, in seconds since 1970. `may_have_used_idempotency_key`: Loops refused
    an earlier attempt. `old_is_accepted`: a person decided to send the event whatever its age.
    """

    subscription: Subscription
    event: dict[str, Any] = field(repr=False)
    idempotency_key: str
    received_at: float
    may_have_used_idempotency_key: bool = False
    old_is_accepted: bool = False

    @property
    def action(self) -> str:
        """The slug of the subscription's action."""
        return self.subscription.action.slug

    def result(
        self,
        outcome: Outcome,
        reason: Reason | None = None,
        detail: str | None = None,
        response: Response | None = None,
        seconds: float = 0.0,
    ) -> Result:
        """Return a result of this delivery; after a call to Loops, with the `response` and the `seconds` that it took."""
        return Result(
            outcome=outcome,
            reason=reason,
            detail=detail,
            status=response.status if response else None,
            remaining=response.remaining if response else None,
            seconds=seconds,
            message_id=message_id(self.event),
            subscription=self.subscription.id,
            action=self.action,
        )


def reject_too_old(delivery: Delivery, arrived: float, max_age_seconds: float) -> Result | None:
    """Reject a `sendEvent` delivery whose event was too old when it arrived: a replay must not mail people again.

    Return None for every other delivery. Segment's test events, and events that a person accepted, are sent at any age.
    """
    if not delivery.subscription.action.keyed or delivery.old_is_accepted or is_test_event(delivery.event):
        return None
    age = age_on_arrival(delivery.event, arrived)
    if age <= max_age_seconds:
        return None
    detail = f"{age / 3600:,.0f} hours old on arrival; MaxEventAgeHours is {max_age_seconds / 3600:g}"
    return delivery.result(Outcome.REJECTED, Reason.TOO_OLD, detail)


def prepare(delivery: Delivery) -> LoopsRequest | Result:
    """Map the event to a request to Loops; return a rejection if it can never succeed under this mapping."""
    try:
        return delivery.subscription.request(delivery.event, delivery.idempotency_key)
    except PayloadError as error:
        return delivery.result(Outcome.REJECTED, Reason.INVALID_PAYLOAD, str(error))
    except MappingError as error:
        return delivery.result(Outcome.REJECTED, Reason.MAPPING_FAILED, str(error))
    except Exception as error:  # noqa: BLE001  # an error of this code must not keep other events from their results
        return _unexpected(delivery, error)


@dataclass(frozen=True, slots=True)
class _Limits:
    """The limits of an attempt, as `Deliverer.deliver` takes them."""

    deadline: float
    turn: Callable[[], bool] | None
    patience: float


class Deliverer:
    """The only place that calls Loops for deliveries. With a `ledger`, it sends only what the ledger lets through."""

    def __init__(self, loops: Loops, api_keys: ApiKeys, clock: Clock, ledger: Ledger | None = None) -> None:
        self._loops = loops
        self._api_keys = api_keys
        self._clock = clock
        self._ledger = ledger

    def deliver(  # noqa: PLR0913  # the limits of the call, passed by keyword
        self,
        delivery: Delivery,
        request: LoopsRequest,
        *,
        deadline: float,
        turn: Callable[[], bool] | None = None,
        without_turn: Reason = Reason.NO_TIME_LEFT,
        patience: float = 0.0,
    ) -> Result:
        """Call Loops, once more if a refused API key was replaced in the secret; return the result, and raise nothing.

        The call ends by `deadline`, in seconds since 1970, and within `LONGEST_CALL_SECONDS`. `turn` waits for the turn
        to call Loops; if it returns False there is no call, and the delivery is queued for the reason `without_turn`.
        `patience` is how many seconds to wait for a contact that another delivery is writing.
        """
        if self._ledger is not None:
            result = self._deliver_by(self._ledger, delivery, request, _Limits(deadline, turn, patience))
            return replace(result, reason=without_turn) if result.rule is Rule.NO_TURN else result
        if turn is not None and not turn():
            return delivery.result(Outcome.QUEUED, without_turn)
        # Checked after the wait for the turn, during which the idempotency key may have expired.
        if self._idempotency_key_expired(delivery):
            return delivery.result(Outcome.REJECTED, Reason.IDEMPOTENCY_KEY_EXPIRED)
        return self._attempt(delivery, request, deadline)

    def _deliver_by(self, ledger: Ledger, delivery: Delivery, request: LoopsRequest, limits: _Limits) -> Result:
        """Deliver what the ledger lets through; try once more if a refused API key was replaced in the secret.

        A web function has no time to read the secret again between the lease and the confirmation.
        """
        result = self._attempt_by(ledger, delivery, request, limits)
        if result.reason is not Reason.API_KEY_REFUSED or self._time_until(limits.deadline) < REFRESH_SECONDS:
            return result
        if not self._api_keys.refresh() or self._time_until(limits.deadline) < SHORTEST_WITH_LEDGER_SECONDS:
            return result
        return self._attempt_by(ledger, delivery, request, limits)

    def _attempt_by(self, ledger: Ledger, delivery: Delivery, request: LoopsRequest, limits: _Limits) -> Result:
        if self._time_until(limits.deadline) < SHORTEST_WITH_LEDGER_SECONDS:
            return delivery.result(Outcome.QUEUED, Reason.NO_TIME_LEFT)

        def call(request: LoopsRequest, seconds: float) -> Called[Result]:
            return self._called(delivery, request, seconds)

        try:
            facts = ledger.facts(
                request, delivery.event, delivery.subscription.id, delivery.idempotency_key, delivery.received_at
            )
            verdict = ledger.deliver(facts, call, limits.deadline, turn=limits.turn, patience=limits.patience)
            result = _concluded(delivery, verdict)
            if result.reason is Reason.IDEMPOTENCY_KEY_EXPIRED:
                ledger.mark_unknown(delivery.idempotency_key)
        except LedgerUnavailable:
            return delivery.result(Outcome.QUEUED, Reason.LEDGER_UNAVAILABLE)
        except Exception as error:  # noqa: BLE001  # an error of this code must not keep other events from their results
            return _unexpected(delivery, error)
        return result

    def _called(self, delivery: Delivery, request: LoopsRequest, seconds: float) -> Called[Result]:
        """Call Loops for the ledger, and return the effect that the response proves."""
        if self._idempotency_key_expired(delivery):
            return Called(Effect.NOT_YET, delivery.result(Outcome.REJECTED, Reason.IDEMPOTENCY_KEY_EXPIRED))
        began = self._clock.time()
        try:
            response = self._call(request, began + seconds)
            return Called(self._effect(delivery, response), self._result(delivery, response, began))
        except SecretError:
            return Called(Effect.NOT_YET, delivery.result(Outcome.QUEUED, Reason.API_KEY_UNAVAILABLE))
        except Exception as error:  # noqa: BLE001  # an error of this code must not keep other events from their results
            return Called(Effect.UNKNOWN, _unexpected(delivery, error))

    def _effect(self, delivery: Delivery, response: Response) -> Effect:
        match response.meaning:
            case Meaning.DONE:
                return Effect.APPLIED
            case Meaning.ALREADY_DONE:
                return Effect.REFUSED if delivery.may_have_used_idempotency_key else Effect.ALREADY_APPLIED
            case Meaning.TRY_AGAIN:
                return Effect.TOO_FAST if response.reason is Reason.RATE_LIMITED else Effect.UNKNOWN
            case Meaning.API_KEY_REFUSED:
                return Effect.NOT_YET
            case Meaning.CONTACT_UNKNOWN if self._contact_may_come(delivery):
                return Effect.NOT_YET
            case Meaning.CONTACT_UNKNOWN | Meaning.REFUSED:
                return Effect.REFUSED

    def _attempt(self, delivery: Delivery, request: LoopsRequest, deadline: float) -> Result:
        began = self._clock.time()
        try:
            response = self._call(request, min(deadline, began + LONGEST_CALL_SECONDS))
            return self._result(delivery, response, began)
        except SecretError:
            return delivery.result(Outcome.QUEUED, Reason.API_KEY_UNAVAILABLE)
        except Exception as error:  # noqa: BLE001  # an error of this code must not keep other events from their results
            return _unexpected(delivery, error)

    def _call(self, request: LoopsRequest, deadline: float) -> Response:
        """Call Loops; call once more if a refused API key was replaced in the secret."""
        api_key = self._api_keys.api_key()
        response = self._loops.send(request, api_key, max(self._time_until(deadline), 0))
        if response.meaning is not Meaning.API_KEY_REFUSED or self._time_until(deadline) < REFRESH_SECONDS:
            return response
        if not self._api_keys.refresh():
            return response
        new_api_key = self._api_keys.api_key()
        left = self._time_until(deadline)
        return self._loops.send(request, new_api_key, left) if new_api_key != api_key and left > 0 else response

    def _result(self, delivery: Delivery, response: Response, began: float) -> Result:
        outcome, reason = outcome_of(
            response,
            may_have_used_idempotency_key=delivery.may_have_used_idempotency_key,
            contact_may_come=response.meaning is Meaning.CONTACT_UNKNOWN and self._contact_may_come(delivery),
        )
        return delivery.result(outcome, reason, response.message, response, self._clock.time() - began)

    def _contact_may_come(self, delivery: Delivery) -> bool:
        waited = self._clock.time() - delivery.received_at
        return waited < UNKNOWN_CONTACT_WAITS_SECONDS and not is_test_event(delivery.event)

    def _idempotency_key_expired(self, delivery: Delivery) -> bool:
        if not delivery.subscription.action.keyed:
            return False
        age = self._clock.time() - first_seen(delivery.event, delivery.received_at)
        return age >= IDEMPOTENCY_KEY_REMEMBERED_SECONDS

    def _time_until(self, deadline: float) -> float:
        return deadline - self._clock.time()


def _concluded(delivery: Delivery, verdict: Verdict[Result]) -> Result:
    """Return the result for the ledger's verdict; it includes the response of a call, whatever the verdict."""
    called = verdict.response
    match verdict.conclusion:
        case Conclusion.DELIVERED | Conclusion.NOT_APPLIED if called is not None:
            result = called
        case Conclusion.DELIVERED | Conclusion.NOT_APPLIED:
            result = delivery.result(Outcome.DELIVERED)  # an earlier delivery of the same event
        case Conclusion.UNCHANGED:
            result = delivery.result(Outcome.UNCHANGED)
        case Conclusion.SUPERSEDED:
            result = delivery.result(Outcome.SUPERSEDED)
        case Conclusion.EVENT_UNKNOWN:
            result = delivery.result(Outcome.REJECTED, Reason.IDEMPOTENCY_KEY_EXPIRED)
        case Conclusion.NO_TURN:
            result = delivery.result(Outcome.QUEUED, Reason.NO_TIME_LEFT)
        case _ if called and called.outcome is Outcome.DELIVERED and delivery.may_have_used_idempotency_key:
            # The ledger could not record it, but a repeat would get a 409, which proves nothing once Loops refused an
            # attempt.
            result = called
        case Conclusion.CONTACT_BUSY | Conclusion.DELETION_BEGUN | Conclusion.LEDGER_UNAVAILABLE:
            result = replace(
                called or delivery.result(Outcome.QUEUED),
                outcome=Outcome.QUEUED,
                reason=_QUEUED_BY_LEDGER[verdict.conclusion],
                detail=None,
            )
    return replace(result, rule=verdict.rule, retry_after=verdict.retry_after)


_QUEUED_BY_LEDGER = {
    Conclusion.CONTACT_BUSY: Reason.CONTACT_BUSY,
    Conclusion.DELETION_BEGUN: Reason.DELETION_BEGUN,
    Conclusion.LEDGER_UNAVAILABLE: Reason.LEDGER_UNAVAILABLE,
}


def _unexpected(delivery: Delivery, error: Exception) -> Result:
    """Queue a delivery after an error in this code. The detail is the class, since the message may quote the event."""
    return delivery.result(Outcome.QUEUED, Reason.UNEXPECTED_ERROR, type(error).__name__)
