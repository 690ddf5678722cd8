"""The pace of redelivery in one environment."""

import pytest

from loops_destination.pace import ENVIRONMENTS, USED, Pacer
from tests.fakes import NOW, ManualClock

INTERVAL = ENVIRONMENTS / 10 / USED


def test_turns_are_evenly_spaced() -> None:
    """At a limit of ten calls a second, each environment has five turns a second, evenly spaced, the first at once."""
    clock = ManualClock()
    pacer = Pacer(10, clock)
    turns = []
    for _ in range(4):
        assert pacer.wait_for_turn(NOW + 10)
        turns.append(clock.now - NOW)
    assert turns == pytest.approx([0, INTERVAL, 2 * INTERVAL, 3 * INTERVAL], rel=1e-3)


def test_all_environments_together_keep_the_limit() -> None:
    """The turns of all environments within a second stay below the limit."""
    assert ENVIRONMENTS / INTERVAL <= 10


def test_unused_turns_are_not_made_up_for() -> None:
    """After a pause, turns are as far apart as before."""
    clock = ManualClock()
    pacer = Pacer(10, clock)
    pacer.wait_for_turn(NOW + 100)
    clock.sleep(50)
    for _ in range(3):
        pacer.wait_for_turn(NOW + 100)
    assert clock.now - NOW == pytest.approx(50 + 2 * INTERVAL, rel=1e-3)


def test_a_turn_that_comes_too_late_is_not_waited_for() -> None:
    """A turn after the deadline is neither waited for nor used up."""
    clock = ManualClock()
    pacer = Pacer(10, clock)
    assert pacer.wait_for_turn(NOW + 0.1)
    assert not pacer.wait_for_turn(NOW + 0.1)
    assert clock.now == NOW
    assert pacer.wait_for_turn(NOW + 1)
