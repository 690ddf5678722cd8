"""One event under one subscription."""

from typing import Any

import pytest

from loops_destination.delivery import (
    UNKNOWN_CONTACT_WAITS_SECONDS,
    Breaker,
    Deliverer,
    Delivery,
    answer_status,
    prepare,
)
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
    Response,
    ScriptedLoops,
)


class SlowKeyring(Keyring):
    """Takes a second to give its key."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__("api-key")
        self._clock = clock

    def api_key(self) -> str:
        self._clock.sleep(1)
        return super().api_key()


def attempt(
    *answers: Response, delivery: Delivery | None = None, keys: Keyring | None = None, clock: ManualClock | None = None
) -> Result:
    delivery = delivery or Delivery(CONTACT, IDENTIFY, "key", NOW)
    request = prepare(delivery)
    assert isinstance(request, LoopsRequest)
    deliverer = Deliverer(ScriptedLoops(*answers), keys or Keyring("api-key"), clock or ManualClock())
    return deliverer.attempt(delivery, request, 2)


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
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
def test_an_answer_becomes_an_outcome(answer: Response, outcome: Outcome, reason: Reason | None) -> None:
    """Done is delivered, trouble is queued, a refusal is rejected, each with its reason and Loops' status."""
    result = attempt(answer)
    assert (result.outcome, result.reason, result.status) == (outcome, reason, answer.status)


def test_a_contact_is_waited_for_an_hour() -> None:
    """A delivery that Loops does not know the contact of is kept for an hour from its arrival, then rejected."""
    delivery = Delivery(EVENT, TRACK, "key", NOW)
    almost = ManualClock(NOW + UNKNOWN_CONTACT_WAITS_SECONDS - 1)
    over = ManualClock(NOW + UNKNOWN_CONTACT_WAITS_SECONDS)
    assert attempt(UNKNOWN, delivery=delivery, clock=almost).outcome is Outcome.QUEUED
    late = attempt(UNKNOWN, delivery=delivery, clock=over)
    assert (late.outcome, late.reason) == (Outcome.REJECTED, Reason.UNKNOWN_CONTACT)


def test_a_test_event_is_answered_at_once() -> None:
    """Whoever sends a test event from Segment wants to know now, so an unknown contact is a rejection."""
    event = TRACK | {"messageId": "segment-test-message-1"}
    assert attempt(UNKNOWN, delivery=Delivery(EVENT, event, "key", NOW)).outcome is Outcome.REJECTED


def test_a_used_key_after_a_refusal_is_for_a_person() -> None:
    """A key that a refused attempt may have used up proves nothing, so the event is not taken for sent."""
    result = attempt(USED, delivery=Delivery(EVENT, TRACK, "key", NOW, may_have_used_idempotency_key=True))
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.IDEMPOTENCY_KEY_ALREADY_USED)


def test_a_used_key_after_trouble_is_delivered() -> None:
    """A key that was used when the last answer was lost is the proof that Loops has the event."""
    delivery = Delivery(EVENT, TRACK, "key", NOW)
    assert attempt(USED, delivery=delivery).outcome is Outcome.DELIVERED


def test_a_refused_key_is_read_anew_once() -> None:
    """After a rotation the first refusal brings the new key, and the call is made again with it."""
    loops = ScriptedLoops(API_KEY_REFUSED, DONE)
    keys = Keyring("old", "new")
    delivery = Delivery(CONTACT, IDENTIFY, "key", NOW)
    request = prepare(delivery)
    assert isinstance(request, LoopsRequest)
    assert Deliverer(loops, keys, ManualClock()).attempt(delivery, request, 2).outcome is Outcome.DELIVERED
    assert [key for _, key, _ in loops.calls] == ["old", "new"]


def test_a_key_that_did_not_change_is_not_tried_again() -> None:
    """A refusal of the same key is final for now: a person has to act, and the event waits."""
    keys = Keyring("old")
    assert attempt(API_KEY_REFUSED, DONE, keys=keys).reason is Reason.API_KEY_REFUSED
    assert keys.refreshes == 1


def test_another_part_of_the_secret_is_no_new_key() -> None:
    """A rotation of the shared secret alone does not repeat the call."""
    assert attempt(API_KEY_REFUSED, DONE, keys=Keyring("same", "same")).reason is Reason.API_KEY_REFUSED


def test_a_repeat_needs_time() -> None:
    """When the first call used up the time, the new key waits for the next try."""
    clock = ManualClock()
    loops = ScriptedLoops(API_KEY_REFUSED, DONE, clock=clock, seconds=5)
    delivery = Delivery(CONTACT, IDENTIFY, "key", NOW)
    request = prepare(delivery)
    assert isinstance(request, LoopsRequest)
    assert Deliverer(loops, Keyring("old", "new"), clock).attempt(delivery, request, 2).outcome is Outcome.QUEUED
    assert len(loops.calls) == 1


@pytest.mark.parametrize(("seconds", "refreshes"), [(2.5, 1), (1.5, 0)])
def test_a_refresh_needs_time(seconds: float, refreshes: int) -> None:
    """The secret is read again only when there is time for it, so that a slow Secrets Manager delays no answer."""
    keys = Keyring("old", "new")
    delivery = Delivery(CONTACT, IDENTIFY, "key", NOW)
    request = prepare(delivery)
    assert isinstance(request, LoopsRequest)
    Deliverer(ScriptedLoops(API_KEY_REFUSED), keys, ManualClock()).attempt(delivery, request, seconds)
    assert keys.refreshes == refreshes


def test_reading_the_api_key_counts_towards_the_time_of_an_attempt() -> None:
    """A call of Loops is given only the time that reading the API key has left."""
    clock = ManualClock()
    loops = ScriptedLoops(DONE)
    delivery = Delivery(CONTACT, IDENTIFY, "key", NOW)
    request = prepare(delivery)
    assert isinstance(request, LoopsRequest)
    Deliverer(loops, SlowKeyring(clock), clock).attempt(delivery, request, 2.5)
    assert [seconds for _, _, seconds in loops.calls] == [1.5]


def test_without_a_key_the_event_waits() -> None:
    """When the secret cannot be read, nothing is tried and nothing is lost."""
    result = attempt(DONE, keys=Keyring())
    assert (result.outcome, result.reason) == (Outcome.QUEUED, Reason.API_KEY_UNAVAILABLE)


def test_a_payload_that_can_never_succeed_is_rejected_with_its_field() -> None:
    """An event without what the action requires is rejected before Loops is asked; the detail names the field."""
    result = prepare(Delivery(CONTACT, {"type": "identify", "traits": {"email": "adam@loops.so"}}, "key", NOW))
    assert isinstance(result, Result)
    assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.INVALID_PAYLOAD)
    assert "userId" in (result.detail or "")
    assert "adam" not in (result.detail or "")


def test_a_mapping_that_cannot_be_resolved_is_rejected() -> None:
    """Where Segment's mapping would fail, the event is rejected."""
    subscription = Subscription.from_json(
        {"name": "s", "action": "sendEvent", "mapping": {"eventName": {"@path": {"@path": "$.n"}}, "userId": "u"}}
    )
    result = prepare(Delivery(subscription, {"n": 5}, "key", NOW))
    assert isinstance(result, Result)
    assert result.reason is Reason.MAPPING_FAILED


def test_a_result_says_whose_it_is() -> None:
    """A result carries messageId, subscription and action, as answers show them."""
    result = Delivery(EVENT, TRACK, "key", NOW).result(Outcome.REJECTED, Reason.REFUSED, "no")
    assert result.as_json() == {
        "messageId": "m-2",
        "subscription": "events",
        "action": "sendEvent",
        "outcome": "rejected",
        "reason": "refused",
        "detail": "no",
    }


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], 200),
        ([Outcome.DELIVERED, Outcome.FILTERED], 200),
        ([Outcome.DELIVERED, Outcome.QUEUED], 202),
        ([Outcome.REJECTED], 400),
        ([Outcome.REJECTED, Outcome.REJECTED], 400),
        ([Outcome.REJECTED, Outcome.FILTERED], 207),
        ([Outcome.REJECTED, Outcome.QUEUED], 207),
        ([Outcome.DELIVERED, None], 503),
        ([Outcome.REJECTED, None], 503),
        ([None], 503),
    ],
)
def test_one_rule_answers_for_all_results(outcomes: list[Outcome | None], status: int) -> None:
    """Anything stored nowhere is 503, all rejected 400, some rejected 207, any queued 202, all else 200."""
    assert answer_status([Result(outcome) for outcome in outcomes]) == status


QUEUED = Result(Outcome.QUEUED, Reason.LOOPS_ERROR)


def test_the_breaker_opens_at_a_429() -> None:
    """When Loops asks for less, it is left alone for ten seconds."""
    clock = ManualClock()
    breaker = Breaker(clock)
    breaker.note(Result(Outcome.QUEUED, Reason.RATE_LIMITED))
    assert breaker.is_open
    clock.sleep(10)
    assert not breaker.is_open


def test_the_breaker_opens_at_the_third_trouble_in_a_row() -> None:
    """One failure is chance; three in a row are an outage. A success in between starts the count anew."""
    breaker = Breaker(ManualClock())
    for result in (QUEUED, QUEUED, Result(Outcome.DELIVERED), QUEUED, QUEUED):
        breaker.note(result)
    assert not breaker.is_open
    breaker.note(QUEUED)
    assert breaker.is_open


@pytest.mark.parametrize(("remaining", "is_open"), [(0, True), (2, True), (3, False), (None, False)])
def test_the_breaker_opens_when_loops_has_hardly_room(remaining: int | None, is_open: bool) -> None:
    """When an answer says that the team's limit is nearly used up, the rest is left to the queue's pace."""
    breaker = Breaker(ManualClock())
    breaker.note(Result(Outcome.DELIVERED, remaining=remaining))
    assert breaker.is_open is is_open


def test_the_breaker_stays_open_longer_each_time() -> None:
    """When it has to open again soon after, it doubles its pause up to a minute; after a calm time it starts anew."""
    clock = ManualClock()
    breaker = Breaker(clock)
    pauses = []
    for calm in (0, 0, 0, 0, 0, 61):
        clock.sleep(calm)
        breaker.note(Result(Outcome.QUEUED, Reason.RATE_LIMITED))
        began = clock.now
        while breaker.is_open:
            clock.sleep(1)
        pauses.append(clock.now - began)
    assert pauses == [10, 20, 40, 60, 60, 10]


def test_an_unknown_contact_is_no_trouble_of_loops() -> None:
    """Deliveries that wait for their contact do not stop the others."""
    breaker = Breaker(ManualClock())
    for _ in range(5):
        breaker.note(Result(Outcome.QUEUED, Reason.UNKNOWN_CONTACT))
    assert not breaker.is_open


class Surprising:
    """A Loops, and a subscription, with a problem that nobody thought of."""

    enabled = True

    def __init__(self, subscription: Subscription) -> None:
        self.id, self.action = subscription.id, subscription.action

    def request(self, event: object, key: object) -> LoopsRequest:
        raise RecursionError(f"quotes {event} {key}")

    def send(self, request: object, api_key: object, seconds: object) -> Response:
        raise ZeroDivisionError(f"quotes {request} {api_key} {seconds}")


def test_a_fault_of_our_own_keeps_the_event() -> None:
    """An error that nobody thought of queues its event, by the kind of error alone, and raises nothing."""
    surprising: Any = Surprising(EVENT)
    result = prepare(Delivery(surprising, TRACK, "key", NOW))
    assert isinstance(result, Result)
    assert (result.outcome, result.detail) == (Outcome.QUEUED, "RecursionError")
    request = prepare(Delivery(EVENT, TRACK, "key", NOW))
    assert isinstance(request, LoopsRequest)
    result = Deliverer(surprising, Keyring("k"), ManualClock()).attempt(Delivery(EVENT, TRACK, "key", NOW), request, 2)
    assert (result.outcome, result.reason) == (Outcome.QUEUED, Reason.UNEXPECTED_ERROR)
    assert result.detail == "ZeroDivisionError"
