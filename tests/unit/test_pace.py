"""The pace of one environment."""

import pytest

from loops_destination.pace import ENVIRONMENTS, USED, Pacer
from tests.fakes import NOW, ManualClock

INTERVAL = ENVIRONMENTS / 10 / USED


def test_turns_are_evenly_spaced() -> None:
    """Of ten calls a second each environment makes five, evenly spaced, the first at once."""
    clock = ManualClock()
    pacer = Pacer(10, clock)
    turns = []
    for _ in range(4):
        assert pacer.wait_for_turn(NOW + 10)
        turns.append(clock.now - NOW)
    assert turns == pytest.approx([0, INTERVAL, 2 * INTERVAL, 3 * INTERVAL], rel=1e-3)


def test_all_environments_together_keep_the_limit() -> None:
    """Their turns within any second are no more than Loops allows the team."""
    assert ENVIRONMENTS / INTERVAL <= 10


def test_time_that_was_not_used_is_not_caught_up() -> None:
    """After a pause the pace is the same, not faster."""
    clock = ManualClock()
    pacer = Pacer(10, clock)
    pacer.wait_for_turn(NOW + 100)
    clock.sleep(50)
    for _ in range(3):
        pacer.wait_for_turn(NOW + 100)
    assert clock.now - NOW == pytest.approx(50 + 2 * INTERVAL, rel=1e-3)


def test_a_turn_after_the_deadline_is_refused_at_once() -> None:
    """Nobody waits for a turn that comes too late, and such a turn is not used up."""
    clock = ManualClock()
    pacer = Pacer(10, clock)
    assert pacer.wait_for_turn(NOW + 0.1)
    assert not pacer.wait_for_turn(NOW + 0.1)
    assert clock.now == NOW
    assert pacer.wait_for_turn(NOW + 1)
