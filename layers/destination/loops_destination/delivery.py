"""One event under one subscription: mapped, sent, and what became of it. It knows no AWS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from loops_destination.clock import Clock
from loops_destination.errors import MappingError, PayloadError, SecretError
from loops_destination.events import age_on_arrival, is_test_event, message_id
from loops_destination.loops.responses import Meaning, Response
from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Outcome, Reason, Result
from loops_destination.subscriptions import Subscription

UNKNOWN_CONTACT_WAITS_SECONDS = 3600
"""How long a delivery that names its contact by userId only waits for the identify that makes the contact known."""

REFRESH_SECONDS = 2.0
"""The most that reading both versions of the secret takes; with less time left, a refused API key is not read anew."""


class Keys(Protocol):
    """Where the API key comes from."""

    def api_key(self) -> str: ...

    def refresh(self) -> bool:
        """Reads it anew; whether anything changed."""
        ...


class Loops(Protocol):
    """Calls Loops; `LoopsClient` does."""

    def send(self, request: LoopsRequest, api_key: str, seconds: float) -> Response: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event under one subscription.

    `may_have_used_idempotency_key`: Loops refused it before. `old_is_accepted`: a person decided to send it whatever its age.
    """

    subscription: Subscription
    event: dict[str, Any] = field(repr=False)
    key: str
    received_at: float
    may_have_used_idempotency_key: bool = False
    old_is_accepted: bool = False

    @property
    def action(self) -> str:
        return self.subscription.action.slug

    def result(
        self,
        outcome: Outcome,
        reason: Reason | None = None,
        detail: str | None = None,
        response: Response | None = None,
    ) -> Result:
        """What became of it, under the names that responses and logs know it by; `response` is Loops', if it gave one."""
        status, remaining = (response.status, response.remaining) if response is not None else (None, None)
        known_as = message_id(self.event), self.subscription.id, self.action
        return Result(outcome, reason, detail, status, remaining, *known_as)


def too_old(delivery: Delivery, arrived: float, max_age_seconds: float) -> Result | None:
    """Reject an event of `sendEvent` that was too old when it arrived: a replay must not mail people again.

    None for every other delivery. Segment's test events are sent at any age.
    """
    if not delivery.subscription.action.keyed or delivery.old_is_accepted or is_test_event(delivery.event):
        return None
    age = age_on_arrival(delivery.event, arrived)
    if age <= max_age_seconds:
        return None
    detail = f"{age / 3600:,.0f} hours old on arrival; MaxEventAgeHours is {max_age_seconds / 3600:g}"
    return delivery.result(Outcome.REJECTED, Reason.TOO_OLD, detail)


def prepare(delivery: Delivery) -> LoopsRequest | Result:
    """What to ask of Loops, or the rejection of an event that can never succeed under this mapping."""
    try:
        return delivery.subscription.request(delivery.event, delivery.key)
    except PayloadError as error:
        return delivery.result(Outcome.REJECTED, Reason.INVALID_PAYLOAD, str(error))
    except MappingError as error:
        return delivery.result(Outcome.REJECTED, Reason.MAPPING_FAILED, str(error))
    except Exception as error:  # noqa: BLE001  # one event's surprise must not keep the others from their response
        return _surprise(delivery, error)


class Deliverer:
    """Brings deliveries to Loops."""

    def __init__(self, loops: Loops, keys: Keys, clock: Clock) -> None:
        self._loops = loops
        self._keys = keys
        self._clock = clock

    def attempt(self, delivery: Delivery, request: LoopsRequest, seconds: float) -> Result:
        """Tries once, within so many seconds."""
        try:
            return self._judge(delivery, self._ask(request, seconds))
        except SecretError:
            return delivery.result(Outcome.QUEUED, Reason.API_KEY_UNAVAILABLE)
        except Exception as error:  # noqa: BLE001  # likewise
            return _surprise(delivery, error)

    def _ask(self, request: LoopsRequest, seconds: float) -> Response:
        deadline = self._clock.time() + seconds
        key = self._keys.api_key()
        response = self._loops.send(request, key, max(deadline - self._clock.time(), 0))
        if response.meaning is not Meaning.API_KEY_REFUSED or deadline - self._clock.time() < REFRESH_SECONDS:
            return response
        if not self._keys.refresh():
            return response
        left = deadline - self._clock.time()
        renewed = self._keys.api_key()
        return self._loops.send(request, renewed, left) if renewed != key and left > 0 else response

    def _judge(self, delivery: Delivery, response: Response) -> Result:
        reason, detail = response.reason, response.message
        match response.meaning:
            case Meaning.DONE:
                return delivery.result(Outcome.DELIVERED, response=response)
            case Meaning.ALREADY_DONE:
                # Whether a refused attempt uses up its key is unknown, so this may never have been sent.
                if delivery.may_have_used_idempotency_key:
                    return delivery.result(Outcome.REJECTED, Reason.IDEMPOTENCY_KEY_ALREADY_USED, response=response)
                return delivery.result(Outcome.DELIVERED, response=response)
            case Meaning.TRY_AGAIN | Meaning.API_KEY_REFUSED:
                return delivery.result(Outcome.QUEUED, reason, detail, response)
            case Meaning.CONTACT_UNKNOWN if self._contact_may_come(delivery):
                return delivery.result(Outcome.QUEUED, reason, detail, response)
            case Meaning.CONTACT_UNKNOWN | Meaning.REFUSED:
                return delivery.result(Outcome.REJECTED, reason, detail, response)

    def _contact_may_come(self, delivery: Delivery) -> bool:
        waited = self._clock.time() - delivery.received_at
        return waited < UNKNOWN_CONTACT_WAITS_SECONDS and not is_test_event(delivery.event)


class Breaker:
    """Stops a web function from trying, when Loops has no room or fails again and again; the queue has its pace.

    It stops for ten seconds, and for twice as long, up to a minute, each time that it has to stop again soon after:
    while a backlog is drained at the full rate, each call of a web function costs another its place.
    """

    PAUSE_SECONDS = 10
    LONGEST_PAUSE_SECONDS = 60
    TROUBLES = 3
    """Troubles in a row that open it; a 429 does at once."""
    ROOM = 3
    """Calls that Loops has left in this second, below which it is left alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._troubles = 0
        self._pause = self.PAUSE_SECONDS
        self._paused_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether to leave Loops alone now."""
        return self._clock.time() < self._paused_until

    def note(self, result: Result) -> None:
        """Takes in what became of a try."""
        trouble = result.outcome is Outcome.QUEUED and result.reason is not Reason.UNKNOWN_CONTACT
        self._troubles = self._troubles + 1 if trouble else 0
        crowded = result.remaining is not None and result.remaining < self.ROOM
        if crowded or result.reason is Reason.RATE_LIMITED or self._troubles >= self.TROUBLES:
            self._open()

    def _open(self) -> None:
        now = self._clock.time()
        soon = now < self._paused_until + self._pause
        self._pause = min(2 * self._pause, self.LONGEST_PAUSE_SECONDS) if soon else self.PAUSE_SECONDS
        self._paused_until = now + self._pause
        self._troubles = 0


def answer_status(results: Sequence[Result]) -> int:
    """The one HTTP status for all the results of a request."""
    outcomes = [result.outcome for result in results]
    if None in outcomes:
        return 503
    if outcomes and all(outcome is Outcome.REJECTED for outcome in outcomes):
        return 400
    if Outcome.REJECTED in outcomes:
        return 207
    return 202 if Outcome.QUEUED in outcomes else 200


def _surprise(delivery: Delivery, error: Exception) -> Result:
    """The event is kept and tried again; the kind of error tells where to look, and quotes nothing."""
    return delivery.result(Outcome.QUEUED, Reason.UNEXPECTED_ERROR, type(error).__name__)
