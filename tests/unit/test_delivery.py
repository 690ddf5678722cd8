"""A delivery: one event under one subscription, brought to Loops."""

from typing import Any

import pytest

from loops_destination.delivery import (
    IDEMPOTENCY_KEY_REMEMBERED_SECONDS,
    LONGEST_CALL_SECONDS,
    UNKNOWN_CONTACT_WAITS_SECONDS,
    Deliverer,
    Delivery,
    prepare,
)
from loops_destination.loops import Response
from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Outcome, Reason, Result
from loops_destination.subscriptions import Subscription
from tests.fakes import (
    API_KEY_REFUSED,
    CONTACT,
    DONE,
    DOWN,
    EVENT,
    IDENTIFY,
    NOW,
    REFUSED,
    TOO_FAST,
    TRACK,
    UNKNOWN,
    USED,
    Keyring,
    ManualClock,
    ScriptedLoops,
)

IDENTIFY_DELIVERY = Delivery(subscription=CONTACT, event=IDENTIFY, idempotency_key="key", received_at=NOW)
TRACK_DELIVERY = Delivery(subscription=EVENT, event=TRACK, idempotency_key="key", received_at=NOW)


class SlowKeyring(Keyring):
    """Takes a second to give its API key."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__("api-key")
        self._clock = clock

    def api_key(self) -> str:
        self._clock.sleep(1)
        return super().api_key()


class Attempt:
    """One attempt to deliver, with Loops, the clock and the API keys that it used."""

    def __init__(
        self,
        *responses: Response,
        delivery: Delivery = IDENTIFY_DELIVERY,
        api_keys: Keyring | None = None,
        clock: ManualClock | None = None,
        call_seconds: float = 0.0,
        seconds: float = 2.0,
    ) -> None:
        self.clock = clock or ManualClock()
        self.api_keys = api_keys or Keyring("api-key")
        self.loops = ScriptedLoops(*responses, clock=self.clock, seconds=call_seconds)
        deliverer = Deliverer(self.loops, self.api_keys, self.clock)
        self.result = deliverer.deliver(delivery, request_of(delivery), deadline=self.clock.now + seconds)


def request_of(delivery: Delivery) -> LoopsRequest:
    request = prepare(delivery)
    assert isinstance(request, LoopsRequest)
    return request


@pytest.mark.parametrize(
    ("response", "outcome", "reason"),
    [
        (DONE, Outcome.DELIVERED, None),
        (USED, Outcome.DELIVERED, None),
        (DOWN, Outcome.QUEUED, Reason.LOOPS_ERROR),
        (TOO_FAST, Outcome.QUEUED, Reason.RATE_LIMITED),
        (API_KEY_REFUSED, Outcome.QUEUED, Reason.API_KEY_REFUSED),
        (UNKNOWN, Outcome.QUEUED, Reason.UNKNOWN_CONTACT),
        (REFUSED, Outcome.REJECTED, Reason.REFUSED),
    ],
)
def test_a_response_decides_the_outcome(response: Response, outcome: Outcome, reason: Reason | None) -> None:
    """Each response of Loops leads to its outcome and reason, and the result has the response's status."""
    result = Attempt(response).result
    assert (result.outcome, result.reason, result.status) == (outcome, reason, response.status)


def test_an_unknown_contact_is_waited_for_an_hour() -> None:
    """A delivery for an unknown contact is queued for an hour after its arrival, then rejected."""
    almost = ManualClock(NOW + UNKNOWN_CONTACT_WAITS_SECONDS - 1)
    over = ManualClock(NOW + UNKNOWN_CONTACT_WAITS_SECONDS)
    assert Attempt(UNKNOWN, delivery=TRACK_DELIVERY, clock=almost).result.outcome is Outcome.QUEUED
    late = Attempt(UNKNOWN, delivery=TRACK_DELIVERY, clock=over).result
    assert (late.outcome, late.reason) == (Outcome.REJECTED, Reason.UNKNOWN_CONTACT)


def test_a_test_event_for_an_unknown_contact_is_rejected_at_once() -> None:
    """A test event of Segment does not wait for its contact, because a person waits for its result."""
    event = TRACK | {"messageId": "segment-test-message-1"}
    delivery = Delivery(subscription=EVENT, event=event, idempotency_key="key", received_at=NOW)
    assert Attempt(UNKNOWN, delivery=delivery).result.outcome is Outcome.REJECTED


def test_a_409_after_a_refusal_by_loops_is_rejected() -> None:
    """If Loops refused an earlier attempt, a 409 does not prove that it took the event, so the delivery is rejected."""
    delivery = Delivery(
        subscription=EVENT,
        event=TRACK,
        idempotency_key="key",
        received_at=NOW,
        may_have_used_idempotency_key=True,
    )
    result = Attempt(USED, delivery=delivery).result
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.IDEMPOTENCY_KEY_ALREADY_USED)


def test_any_other_409_is_delivered() -> None:
    """If no attempt was refused, a 409 proves that Loops took the event in an earlier one."""
    assert Attempt(USED, delivery=TRACK_DELIVERY).result.outcome is Outcome.DELIVERED


def test_a_delivery_without_a_turn_is_queued_without_a_call() -> None:
    """When `turn` returns False, Loops is not called and the delivery is queued."""
    loops = ScriptedLoops(DONE)
    deliverer = Deliverer(loops, Keyring("api-key"), ManualClock())
    result = deliverer.deliver(IDENTIFY_DELIVERY, request_of(IDENTIFY_DELIVERY), deadline=NOW + 2, turn=lambda: False)
    assert (result.outcome, result.reason) == (Outcome.QUEUED, Reason.NO_TIME_LEFT)
    assert loops.calls == []


def test_an_idempotency_key_that_expires_during_the_wait_for_a_turn_is_not_sent() -> None:
    """The idempotency key's age is checked after the wait for a turn, so that no event is mailed twice."""
    clock = ManualClock(NOW + IDEMPOTENCY_KEY_REMEMBERED_SECONDS - 4 * 3600 - 5)
    loops = ScriptedLoops(DONE)

    def turn() -> bool:
        clock.sleep(5)
        return True

    deliverer = Deliverer(loops, Keyring("api-key"), clock)
    result = deliverer.deliver(TRACK_DELIVERY, request_of(TRACK_DELIVERY), deadline=clock.now + 10, turn=turn)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.IDEMPOTENCY_KEY_EXPIRED)
    assert loops.calls == []


def test_a_call_has_the_longest_time_that_any_call_has() -> None:
    """However far away the deadline is, a call takes 8 s at most; its duration is in the result."""
    attempt = Attempt(DOWN, call_seconds=60, seconds=100)
    assert [seconds for _, _, seconds in attempt.loops.calls] == [LONGEST_CALL_SECONDS]
    assert attempt.result.seconds == LONGEST_CALL_SECONDS


def test_after_a_rotation_the_call_is_repeated_with_the_new_api_key() -> None:
    """When Loops refuses the API key and the secret has a new one, the call is made again with that."""
    attempt = Attempt(API_KEY_REFUSED, DONE, api_keys=Keyring("old", "new"))
    assert attempt.result.outcome is Outcome.DELIVERED
    assert [api_key for _, api_key, _ in attempt.loops.calls] == ["old", "new"]


def test_a_refused_api_key_that_did_not_change_is_not_sent_again() -> None:
    """When Loops refuses the API key and the secret has the same one, the delivery is queued after one call."""
    attempt = Attempt(API_KEY_REFUSED, DONE, api_keys=Keyring("old"))
    assert attempt.result.reason is Reason.API_KEY_REFUSED
    assert attempt.api_keys.refreshes == 1


def test_a_change_of_another_part_of_the_secret_repeats_no_call() -> None:
    """A rotation of the shared secret alone does not repeat the call."""
    attempt = Attempt(API_KEY_REFUSED, DONE, api_keys=Keyring("same", "same"))
    assert attempt.result.reason is Reason.API_KEY_REFUSED


def test_without_time_left_no_call_is_repeated() -> None:
    """When the first call used up the time, the delivery is queued."""
    attempt = Attempt(API_KEY_REFUSED, DONE, api_keys=Keyring("old", "new"), call_seconds=5)
    assert attempt.result.outcome is Outcome.QUEUED
    assert len(attempt.loops.calls) == 1


@pytest.mark.parametrize(("seconds", "refreshes"), [(2.5, 1), (1.5, 0)])
def test_the_secret_is_read_again_only_if_there_is_time(seconds: float, refreshes: int) -> None:
    """A refused API key is not read again when a slow Secrets Manager could delay the answer."""
    attempt = Attempt(API_KEY_REFUSED, api_keys=Keyring("old", "new"), seconds=seconds)
    assert attempt.api_keys.refreshes == refreshes


def test_reading_the_api_key_counts_towards_the_deadline() -> None:
    """A call has only the time that reading the API key leaves."""
    clock = ManualClock()
    attempt = Attempt(DONE, api_keys=SlowKeyring(clock), clock=clock, seconds=2.5)
    assert [seconds for _, _, seconds in attempt.loops.calls] == [1.5]


def test_without_an_api_key_a_delivery_is_queued() -> None:
    """When the secret cannot be read, the delivery is queued without a call."""
    result = Attempt(DONE, api_keys=Keyring()).result
    assert (result.outcome, result.reason) == (Outcome.QUEUED, Reason.API_KEY_UNAVAILABLE)


def test_an_invalid_payload_is_rejected_with_its_fields() -> None:
    """An event with several invalid fields is rejected; the detail names each of them and quotes nothing."""
    event = {"type": "identify", "traits": {"email": "adam at loops.so"}}
    result = prepare(Delivery(subscription=CONTACT, event=event, idempotency_key="key", received_at=NOW))
    assert isinstance(result, Result)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.INVALID_PAYLOAD)
    assert result.detail is not None
    assert [problem.split(":")[0] for problem in result.detail.split("; ")] == ["email", "userId"]
    assert "adam" not in (result.detail or "")


def test_a_mapping_that_fails_is_rejected() -> None:
    """An event over which Segment's mapping would fail is rejected."""
    subscription = Subscription.from_json(
        {"name": "s", "action": "sendEvent", "mapping": {"eventName": {"@path": {"@path": "$.n"}}, "userId": "u"}}
    )
    result = prepare(Delivery(subscription=subscription, event={"n": 5}, idempotency_key="key", received_at=NOW))
    assert isinstance(result, Result)
    assert result.reason is Reason.MAPPING_FAILED


def test_a_result_names_its_event_subscription_and_action() -> None:
    """A delivery's result has the messageId, the subscription's id and the action's slug."""
    result = TRACK_DELIVERY.result(Outcome.REJECTED, Reason.REFUSED, "no")
    assert (result.message_id, result.subscription, result.action) == ("m-2", "events", "sendEvent")


class Faulty:
    """A subscription, and a Loops, that raise errors which nothing expects."""

    enabled = True

    def __init__(self, subscription: Subscription) -> None:
        self.id, self.action = subscription.id, subscription.action

    def request(self, event: object, key: object) -> LoopsRequest:
        raise RecursionError(f"quotes {event} {key}")

    def send(self, request: object, api_key: object, seconds: object) -> Response:
        raise ZeroDivisionError(f"quotes {request} {api_key} {seconds}")


def test_an_unexpected_error_queues_the_delivery() -> None:
    """An unexpected error in a mapping or a call queues the delivery; the detail is the error's class and no more."""
    faulty: Any = Faulty(EVENT)
    result = prepare(Delivery(subscription=faulty, event=TRACK, idempotency_key="key", received_at=NOW))
    assert isinstance(result, Result)
    assert (result.outcome, result.detail) == (Outcome.QUEUED, "RecursionError")
    deliverer = Deliverer(faulty, Keyring("k"), ManualClock())
    result = deliverer.deliver(TRACK_DELIVERY, request_of(TRACK_DELIVERY), deadline=NOW + 2)
    assert (result.outcome, result.reason) == (Outcome.QUEUED, Reason.UNEXPECTED_ERROR)
    assert result.detail == "ZeroDivisionError"
