"""A small storm over HTTP, and storms that must fail."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from local.leaping_clock import LeapingClock
from local.storm import FACTOR, Storm, StormResult, stack_for_a_storm


def storm(*, ledger: bool = True, events: int = 100, **sabotage: Any) -> StormResult:
    clock = LeapingClock(FACTOR)
    with stack_for_a_storm(clock, ledger=ledger) as stack:
        return Storm(stack, clock, events=events, seed=11, **sabotage).run()


@pytest.mark.parametrize("ledger", [True, False], ids=["with the contact ledger", "without"])
def test_nothing_is_lost_and_nothing_is_sent_twice(*, ledger: bool) -> None:
    """While Loops, AWS and the functions fail, each event ends in one place, and with the ledger each contact is right."""
    count = storm(ledger=ledger)
    assert count.events_are_right, str(count)
    assert count.contacts_are_right or not ledger, str(count)
    assert count.delivered > 60
    assert count.filtered > 0
    assert count.rejected > 0


def test_a_lost_event_fails_the_storm() -> None:
    """An event that was acknowledged but is nowhere is counted as lost, and the result is not good."""
    count = storm(ledger=False, lose=lambda number: number % 10 == 0)
    assert count.lost > 0
    assert not count.events_are_right


def test_an_event_sent_twice_fails_the_storm() -> None:
    """An event retried with another messageId, and so another idempotency key, is counted as sent twice."""
    count = storm(ledger=False, events=200, resent=lambda event: event | {"messageId": str(uuid.uuid4())})
    assert count.sent_twice > 0
    assert not count.events_are_right


@pytest.mark.parametrize("field", ["queued", "lost", "sent_twice", "given_up"])
def test_a_result_is_good_only_if_it_adds_up(field: str) -> None:
    """A result with an event lost, sent twice, waiting, given up or unaccounted for is not good."""
    good = {"received": 4, "delivered": 1, "superseded": 1, "filtered": 1, "rejected": 1}
    nothing = {"queued": 0, "lost": 0, "sent_twice": 0, "given_up": 0, "stale": 0, "resurrected": 0}
    assert StormResult(**good, **nothing).events_are_right
    assert str(StormResult(**good, **nothing)) == (
        "received 4 delivered 1 superseded 1 filtered 1 rejected 1 queued 0 lost 0 sent-twice 0 stale 0 resurrected 0"
    )
    assert not StormResult(**good, **nothing | {field: 1}).events_are_right
    assert not StormResult(**good | {"delivered": 0}, **nothing).events_are_right


@pytest.mark.parametrize("field", ["stale", "resurrected"])
def test_contacts_are_right_only_without_an_old_value(field: str) -> None:
    """A result with a stale or a resurrected contact says so."""
    nothing = {"queued": 0, "lost": 0, "sent_twice": 0, "given_up": 0, "stale": 0, "resurrected": 0}
    good = {"received": 1, "delivered": 1, "superseded": 0, "filtered": 0, "rejected": 0}
    assert StormResult(**good, **nothing).contacts_are_right
    assert not StormResult(**good, **nothing | {field: 1}).contacts_are_right
