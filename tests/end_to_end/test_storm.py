"""A small storm over real HTTP, and that a storm can fail."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from local.storm import Count, FastClock, Storm, stack_for_a_storm


def storm(**sabotage: Any) -> Count:
    clock = FastClock()
    with stack_for_a_storm(clock) as stack:
        return Storm(stack, clock, events=150, seed=11, **sabotage).run()


def test_nothing_is_lost_and_nothing_is_sent_twice() -> None:
    """While Loops, SQS, Secrets Manager and the functions fail, each event is delivered, filtered or rejected, once."""
    count = storm()
    assert count.is_good, str(count)
    assert count.delivered > 100
    assert count.filtered > 0
    assert count.rejected > 0


def test_a_dropped_acknowledgement_is_noticed() -> None:
    """An event that was acknowledged and is nowhere is counted as lost, and the storm has failed."""
    count = storm(lose=lambda number: number % 10 == 0)
    assert count.lost > 0
    assert not count.is_good


def test_a_wrong_idempotency_key_is_noticed() -> None:
    """An event that comes again under another messageId, and so another key, is counted as sent twice."""
    count = storm(resent=lambda event: event | {"messageId": str(uuid.uuid4())})
    assert count.sent_twice > 0
    assert not count.is_good


@pytest.mark.parametrize("field", ["queued", "lost", "sent_twice", "given_up"])
def test_a_count_is_good_only_when_it_adds_up(field: str) -> None:
    """Anything lost, sent twice, left over or unaccounted for makes the run fail, and its line says so."""
    good = {"received": 3, "delivered": 1, "filtered": 1, "rejected": 1}
    nothing = {"queued": 0, "lost": 0, "sent_twice": 0, "given_up": 0}
    assert Count(**good, **nothing).is_good
    assert str(Count(**good, **nothing)) == "received 3 delivered 1 filtered 1 rejected 1 queued 0 lost 0 sent-twice 0"
    assert not Count(**good, **nothing | {field: 1}).is_good
    assert not Count(**good | {"delivered": 0}, **nothing).is_good
