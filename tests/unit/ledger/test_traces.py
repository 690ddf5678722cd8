"""The shortest traces that ended in a wrong contact before there was a rule against each."""

import pytest

from loops_destination.ledger import Called, Conclusion, Effect, LedgerUnavailable, Rule, Write
from loops_destination.loops_request import LoopsRequest
from tests.unit.ledger.fake_store import FakeStore
from tests.unit.ledger.ledgers import Bench, Sent, crashes_after, deletion, event, loses_its_response, responds, update
from tests.unit.ledger.simulation import Crash

A_LEASE = 31


@pytest.fixture
def bench() -> Bench:
    return Bench()


def fails_to_confirm(bench: Bench) -> None:
    """Let the table go down after the next call of Loops, once."""
    apply = bench.loops.apply

    def then_down(request: LoopsRequest) -> Effect:
        bench.store.down = True
        bench.loops.apply = apply  # type: ignore[method-assign]
        return apply(request)

    bench.loops.apply = then_down  # type: ignore[method-assign]


def test_an_unchanged_value_keeps_older_ones_out(bench: Bench) -> None:
    """An update that changes nothing still counts: what is older than it cannot change the value any more."""
    assert bench.deliver(update(1, x="a")).conclusion is Conclusion.DELIVERED
    assert bench.deliver(update(3, x="a")).conclusion is Conclusion.UNCHANGED
    assert bench.deliver(update(2, x="b")).conclusion is Conclusion.SUPERSEDED
    assert bench.value("x") == "a"
    assert len(bench.calls) == 1


def test_a_lost_response_leaves_the_value_unknown(bench: Bench) -> None:
    """After a call without a response, a newer update is sent even if it only repeats the last confirmed value."""
    bench.deliver(update(1, x="a"))
    assert bench.deliver(update(2, x="b"), loses_its_response(bench.loops)).conclusion is Conclusion.NOT_APPLIED
    assert bench.value("x") == "b"
    bench.clock.sleep(A_LEASE)
    assert bench.deliver(update(3, x="a")).conclusion is Conclusion.DELIVERED
    assert bench.deliver(update(2, x="b")).conclusion is Conclusion.SUPERSEDED
    assert bench.value("x") == "a"


def test_a_call_that_was_not_confirmed_is_repeated(bench: Bench) -> None:
    """When confirming fails, the update is queued, and its repeat wins over what was sent in between."""
    fails_to_confirm(bench)
    assert bench.deliver(update(3, x="b")).conclusion is Conclusion.LEDGER_UNAVAILABLE
    bench.store.down = False
    bench.clock.sleep(A_LEASE)
    assert bench.deliver(update(2, x="a")).conclusion is Conclusion.DELIVERED
    assert bench.deliver(update(3, x="b")).conclusion is Conclusion.DELIVERED
    assert bench.value("x") == "b"


def test_a_newer_update_waits_for_a_late_one(bench: Bench) -> None:
    """After a timeout no call begins before Loops can no longer apply the old one, so the newer one comes last."""
    late: list[LoopsRequest] = []

    def timeout(request: LoopsRequest, _seconds: float) -> Called[str]:
        late.append(request)
        return Called(Effect.UNKNOWN, "timeout")

    bench.deliver(update(1, x="a"), timeout)
    assert bench.deliver(update(2, x="b")).rule is Rule.CONTACT_LEASED
    bench.loops.apply(late[0])
    bench.clock.sleep(A_LEASE)
    assert bench.deliver(update(2, x="b")).conclusion is Conclusion.DELIVERED
    assert bench.value("x") == "b"


def test_a_409_does_not_prove_an_events_contact_properties(bench: Bench) -> None:
    """An event that was applied before a crash writes its contact properties again after the 409."""
    with pytest.raises(Crash):
        bench.deliver(event(3, x="b", email="adam@loops.so"), crashes_after(bench.loops))
    bench.clock.sleep(A_LEASE)
    bench.deliver(update(2, x="a"))
    assert bench.value("x") == "a"
    assert bench.deliver(event(3, x="b", email="adam@loops.so")).conclusion is Conclusion.DELIVERED
    assert bench.value("x") == "b"
    assert len(bench.loops.events) == 1


def test_an_event_that_was_not_confirmed_is_repeated(bench: Bench) -> None:
    """When confirming an event fails, it is queued, and its repeat writes its contact properties again."""
    fails_to_confirm(bench)
    sent = event(3, x="b", email="adam@loops.so")
    assert bench.deliver(sent).conclusion is Conclusion.LEDGER_UNAVAILABLE
    bench.store.down = False
    bench.clock.sleep(A_LEASE)
    bench.deliver(update(2, x="a"))
    assert bench.deliver(sent).conclusion is Conclusion.DELIVERED
    assert bench.value("x") == "b"
    assert len(bench.loops.events) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_event_under_two_subscriptions_has_one_outcome(order: tuple[int, int], bench: Bench) -> None:
    """Deliveries of one instant end with the same value in whatever order they arrive."""
    deliveries = [
        Sent("update", 1, {"email": "adam@loops.so", "x": value}, subscription=subscription)
        for subscription, value in (("s", "a"), ("t", "b"))
    ]
    for place in order:
        bench.deliver(deliveries[place])
    assert bench.value("x") == "b"


def test_a_repeated_deletion_spares_a_later_sign_up(bench: Bench) -> None:
    """A deletion whose response got lost is finished before a later sign-up is sent, and not repeated after it."""
    bench.deliver(update(1, x="a"))
    bench.deliver(deletion(3))
    bench.clock.sleep(30)
    assert bench.deliver(deletion(3), loses_its_response(bench.loops)).conclusion is Conclusion.NOT_APPLIED
    bench.clock.sleep(A_LEASE)
    assert bench.deliver(update(4, x="b")).rule is Rule.CONTACT_DELETING
    assert bench.deliver(deletion(3)).conclusion is Conclusion.DELIVERED
    assert bench.deliver(update(4, x="b")).conclusion is Conclusion.DELIVERED
    assert bench.deliver(deletion(3)).conclusion is Conclusion.UNCHANGED
    assert bench.value("x") == "b"


def test_no_event_without_a_lease_arrives_after_a_deletion(bench: Bench) -> None:
    """A deletion calls Loops only when every event that was read before its first step has been applied or never will."""
    bench.deliver(update(1))
    reached: list[str] = []

    def deletes_meanwhile(request: LoopsRequest, seconds: float) -> Called[str]:
        assert bench.ledger.deliver(bench.facts(deletion(3)), bench.loops.call, bench.clock.time() + 60).rule is (
            Rule.DELETION_WAITS
        )
        bench.clock.sleep(seconds + 10)
        assert bench.ledger.deliver(bench.facts(deletion(3)), bench.loops.call, bench.clock.time() + 60).rule is (
            Rule.DELETION_WAITS
        )
        reached.append("event")
        return bench.loops.call(request, seconds)

    assert bench.deliver(event(2), deletes_meanwhile).conclusion is Conclusion.DELIVERED
    assert reached
    bench.clock.sleep(30)
    assert bench.deliver(deletion(3)).conclusion is Conclusion.DELIVERED
    assert bench.deliver(event(2.5)).conclusion is Conclusion.SUPERSEDED


def test_an_event_reads_again_after_a_long_turn(bench: Bench) -> None:
    """An event without a lease that waited for its turn sees a deletion that came meanwhile."""
    bench.deliver(update(1))

    def turn() -> bool:
        bench.delete(deletion(3))
        return True

    assert bench.deliver(event(2), turn=turn).conclusion is Conclusion.SUPERSEDED
    assert bench.loops.events == []


def test_a_call_that_began_late_is_not_made(bench: Bench) -> None:
    """No call begins that Loops might apply after the lease has ended: the process was too slow, so it gives it back."""
    store = SlowToWrite(bench)
    bench.ledger._store = store
    assert bench.deliver(update(1, x="a")).rule is Rule.TOO_LATE
    assert bench.calls == []
    assert bench.contact(update(1)).lease is None


class SlowToWrite(FakeStore):
    """A table whose caller sleeps for most of the lease after the first write."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.clock)
        self.items = bench.store.items
        self._expires_at = bench.store._expires_at
        self._slow = True

    def write(self, *writes: Write) -> bool:
        written = super().write(*writes)
        if self._slow:
            self._slow = False
            self._clock.sleep(13)
        return written


def test_a_refused_call_does_not_repeat_consent(bench: Bench) -> None:
    """A refused update changes nothing, so a confirmed opt-in is still known and is not sent again."""
    bench.deliver(update(1, subscribed=True))
    assert bench.deliver(update(2, subscribed=False), responds(Effect.REFUSED)).conclusion is Conclusion.NOT_APPLIED
    bench.deliver(update(3, subscribed=True, x="a"))
    assert "subscribed" not in bench.calls[-1].body


def test_a_lost_answer_of_the_table_keeps_the_lease(bench: Bench) -> None:
    """When the table took the lease but its answer got lost, and a repeat reports another version, the call goes on."""
    table = FakeStore.write
    answers = iter([False])

    class Forgetful(FakeStore):
        def write(self, *writes: Write) -> bool:
            return table(self, *writes) and next(answers, True)

    bench.store = Forgetful(bench.clock)
    bench.ledger._store = bench.store
    assert bench.deliver(update(1, x="a")).conclusion is Conclusion.DELIVERED
    assert len(bench.calls) == 1


def test_the_table_down_sends_nothing(bench: Bench) -> None:
    """While the table does not answer, nothing reaches Loops and nothing is guessed."""
    bench.store.down = True
    assert bench.deliver(update(1)).conclusion is Conclusion.LEDGER_UNAVAILABLE
    assert bench.deliver(event(1)).conclusion is Conclusion.LEDGER_UNAVAILABLE
    assert bench.deliver(deletion(1)).conclusion is Conclusion.LEDGER_UNAVAILABLE
    assert bench.calls == []
    with pytest.raises(LedgerUnavailable):
        bench.ledger.mark_unknown("key")
