"""The breaker of a web function."""

import pytest

from loops_destination.breaker import Breaker
from loops_destination.outcomes import Outcome, Reason, Result
from tests.fakes import ManualClock

FAILED = Result(outcome=Outcome.QUEUED, reason=Reason.LOOPS_ERROR)
RATE_LIMITED = Result(outcome=Outcome.QUEUED, reason=Reason.RATE_LIMITED)


def test_the_breaker_opens_after_a_429() -> None:
    """After one 429 the breaker is open for ten seconds."""
    clock = ManualClock()
    breaker = Breaker(clock)
    breaker.record(RATE_LIMITED)
    assert breaker.is_open
    clock.sleep(10)
    assert not breaker.is_open


def test_a_success_that_the_ledger_could_not_record_is_no_failure() -> None:
    """A delivery that Loops took, and that is queued because of the contact ledger, does not open the breaker."""
    breaker = Breaker(ManualClock())
    for _ in range(4):
        breaker.record(Result(outcome=Outcome.QUEUED, reason=Reason.LEDGER_UNAVAILABLE, status=200))
    assert not breaker.is_open


def test_the_breaker_opens_after_three_failures_in_a_row() -> None:
    """Three failures in a row open the breaker; a success in between starts the count again."""
    breaker = Breaker(ManualClock())
    for result in (FAILED, FAILED, Result(outcome=Outcome.DELIVERED), FAILED, FAILED):
        breaker.record(result)
    assert not breaker.is_open
    breaker.record(FAILED)
    assert breaker.is_open


@pytest.mark.parametrize(("remaining", "is_open"), [(0, True), (2, True), (3, False), (None, False)])
def test_the_breaker_opens_near_the_limit(remaining: int | None, is_open: bool) -> None:
    """A response that leaves fewer than three calls in this second opens the breaker."""
    breaker = Breaker(ManualClock())
    breaker.record(Result(outcome=Outcome.DELIVERED, remaining=remaining))
    assert breaker.is_open is is_open


def test_the_breaker_stays_open_longer_each_time() -> None:
    """If the breaker opens again soon, its pause doubles, up to a minute; after a quiet time it is ten seconds again."""
    clock = ManualClock()
    breaker = Breaker(clock)
    pauses = []
    for quiet in (0, 0, 0, 0, 0, 61):
        clock.sleep(quiet)
        breaker.record(RATE_LIMITED)
        began = clock.now
        while breaker.is_open:
            clock.sleep(1)
        pauses.append(clock.now - began)
    assert pauses == [10, 20, 40, 60, 60, 10]


def test_unknown_contacts_do_not_open_the_breaker() -> None:
    """Deliveries that wait for their contact do not count as failures of Loops."""
    breaker = Breaker(ManualClock())
    for _ in range(5):
        breaker.record(Result(outcome=Outcome.QUEUED, reason=Reason.UNKNOWN_CONTACT))
    assert not breaker.is_open
