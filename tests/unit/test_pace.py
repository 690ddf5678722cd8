"""The pace of one environment."""

import pytest

from loops_destination.pace import Pacer
from tests.fakes import NOW, ManualClock


def test_turns_are_evenly_spaced() -> None:
    """At five calls a second a turn comes every fifth of a second, the first at once."""
    clock = ManualClock()
    pacer = Pacer(5, clock)
    turns = []
    for _ in range(4):
        assert pacer.wait_for_turn(NOW + 10)
        turns.append(clock.now - NOW)
    assert turns == pytest.approx([0, 0.2, 0.4, 0.6])


def test_time_that_was_not_used_is_not_caught_up() -> None:
    """After a pause the pace is the same, not faster."""
    clock = ManualClock()
    pacer = Pacer(5, clock)
    pacer.wait_for_turn(NOW + 100)
    clock.sleep(50)
    for _ in range(3):
        pacer.wait_for_turn(NOW + 100)
    assert clock.now - NOW == pytest.approx(50.4)


def test_a_turn_after_the_deadline_is_refused_at_once() -> None:
    """Nobody waits for a turn that comes too late, and such a turn is not used up."""
    clock = ManualClock()
    pacer = Pacer(5, clock)
    assert pacer.wait_for_turn(NOW + 0.1)
    assert not pacer.wait_for_turn(NOW + 0.1)
    assert clock.now == NOW
    assert pacer.wait_for_turn(NOW + 1)


def test_others_are_given_room() -> None:
    """When Loops says that hardly a call is left, the next turn comes later."""
    clock = ManualClock()
    pacer = Pacer(5, clock)
    pacer.wait_for_turn(NOW + 10)
    pacer.note(0)
    pacer.note(None)
    pacer.note(8)
    pacer.wait_for_turn(NOW + 10)
    assert clock.now - NOW == pytest.approx(0.4)
