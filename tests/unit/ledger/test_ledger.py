"""The promises of the ledger and each of its rules, without faults unless a test says otherwise."""

from dataclasses import replace

import pytest

from loops_destination.ledger import Called, Conclusion, Effect, Rule, transitions
from loops_destination.ledger.decision import Periods, decide
from loops_destination.ledger.record import MAX_ITEM_BYTES, ContactRecord, Lease, event_key, item_bytes
from loops_destination.loops_request import LoopsRequest
from tests.unit.ledger.ledgers import EMAIL, Bench, Sent, deletion, event, loses_its_response, responds, update
from tests.unit.ledger.simulation import PATHS

HOUR = 3600


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_nothing_stored_tells_who_or_what() -> None:
    """No item holds a user id, an email or a value: keys and values are hashes, and names of properties are readable."""
    bench = Bench()
    private = {"plan": "platinum", "nested": {"secret": "inner"}, "age": 4711, "\ud800odd": "lone", "=x": "sign"}
    bench.deliver(update(1, **private, subscribed=True, mailingLists={"list-1": False}))
    bench.deliver(event(2, **private))
    bench.deliver(update(3, **private, plan2="later"), loses_its_response(bench.loops))
    bench.deliver(deletion(4))
    stored = "".join(bench.items())
    for value in ("u-1", "adam", "loops.so", "platinum", "inner", "4711", "lone", "sign", "odd"):
        assert value not in stored
    assert {"plan", "nested", "age", "email", "subscribed", "mailingLists.list-1"} <= set(
        bench.item("contact#")["properties"]
    )


# Newest wins.


def test_each_property_has_its_own_clock(bench: Bench) -> None:
    """An older update still writes the properties that nothing newer has written, and those alone."""
    bench.deliver(update(2, x="new", mailingLists={"a": True}))
    assert bench.deliver(update(1, x="old", y="old", mailingLists={"a": False, "b": True})).rule is Rule.NEW_VALUES
    assert bench.calls[-1].body == {"userId": "u-1", "y": "old", "mailingLists": {"b": True}}
    assert bench.loops.contacts["u-1"] == {
        "email": EMAIL,
        "x": "new",
        "y": "old",
        "mailingLists.a": True,
        "mailingLists.b": True,
    }


def test_an_old_event_does_not_write_old_properties(bench: Bench) -> None:
    """An event goes out although its contact properties are superseded, without them and without a lease."""
    bench.deliver(update(2, x="new"))
    assert bench.deliver(event(1, x="old", email="old@loops.so")).rule is Rule.NO_PROPERTIES
    assert bench.calls[-1].body == {"userId": "u-1", "eventName": "e", "eventProperties": {"n": 1}}
    assert bench.value("email") == EMAIL


# Deleted stays deleted.


def test_a_deletion_has_two_steps(bench: Bench) -> None:
    """A deletion marks the contact first, and calls Loops once no call without a lease can be under way."""
    bench.deliver(update(1))
    first = bench.deliver(deletion(2))
    assert (first.conclusion, first.rule, first.retry_after) == (Conclusion.DELETION_BEGUN, Rule.DELETION_WAITS, 30)
    bench.clock.sleep(10)
    assert bench.deliver(deletion(2)).retry_after == 20
    assert len(bench.calls) == 1
    bench.clock.sleep(20)
    assert bench.deliver(deletion(2)).rule is Rule.DELETION
    assert bench.loops.contacts == {}
    assert bench.contact(deletion(2)).properties == {}
    assert bench.deliver(deletion(2)).rule is Rule.DELETED_ALREADY


def test_nothing_older_than_a_deletion_is_sent(bench: Bench) -> None:
    """After a deletion, and from its first step on, older updates, events and deletions are superseded."""
    for take in (bench.deliver, bench.delete):
        take(deletion(9))
        for old in (update(8), event(8), event(8, x="a"), deletion(8)):
            assert bench.deliver(old).rule is Rule.DELETED_LATER


def test_newer_deliveries_wait_for_a_deletion(bench: Bench) -> None:
    """While a deletion is pending, newer updates and events are busy; after it they are sent, unchanged values too."""
    bench.deliver(update(1, x="a", subscribed=True))
    bench.deliver(deletion(2))
    assert bench.deliver(update(3, x="a", subscribed=True)).rule is Rule.CONTACT_DELETING
    assert bench.deliver(event(3)).rule is Rule.CONTACT_DELETING
    bench.clock.sleep(30)
    bench.deliver(deletion(2))
    assert bench.deliver(update(3, x="a", subscribed=True)).conclusion is Conclusion.DELIVERED
    assert bench.value("subscribed") is True


def test_a_lost_deletion_blocks_nobody_for_ever(bench: Bench) -> None:
    """A pending deletion lapses after the time for retries, and begins again with its first step if it comes back."""
    bench.deliver(deletion(2))
    bench.clock.sleep(72 * HOUR)
    assert bench.deliver(update(3, x="a")).conclusion is Conclusion.DELIVERED
    assert bench.deliver(update(1, x="b")).rule is Rule.DELETED_LATER
    assert bench.deliver(deletion(2)).rule is Rule.DELETION_WAITS


@pytest.mark.parametrize("effect", [Effect.TOO_FAST, Effect.NOT_YET])
def test_a_deletion_that_is_tried_again_does_not_wait_again(effect: Effect, bench: Bench) -> None:
    """A deletion that Loops did not take for now stays pending, and its next attempt calls at once."""
    bench.deliver(deletion(2))
    bench.clock.sleep(30)
    assert bench.deliver(deletion(2), responds(effect)).conclusion is Conclusion.NOT_APPLIED
    assert bench.deliver(update(3)).rule is Rule.CONTACT_DELETING
    assert bench.deliver(deletion(2)).rule is Rule.DELETION


def test_a_refused_deletion_is_as_if_it_never_came(bench: Bench) -> None:
    """A deletion that Loops refused blocks nothing, and a person can redrive it."""
    bench.deliver(deletion(2))
    bench.clock.sleep(30)
    bench.deliver(deletion(2), responds(Effect.REFUSED))
    assert bench.deliver(update(1, x="a")).conclusion is Conclusion.DELIVERED
    assert bench.delete(deletion(2)).rule is Rule.DELETION


# Repeats cost nothing.


def test_a_repeat_is_not_sent(bench: Bench) -> None:
    """An update that changes nothing is not sent, and its repeat does not even write to the table."""
    bench.deliver(update(1, x=1, y={"a": 1, "b": 2}))
    assert bench.deliver(update(2, y={"b": 2, "a": 1.0}, x=1.0)).rule is Rule.EQUAL_VALUES
    writes = bench.store.writes
    assert bench.deliver(update(2, x=1)).rule is Rule.EQUAL_VALUES
    assert (len(bench.calls), bench.store.writes) == (1, writes)


def test_an_update_that_changes_anything_sends_everything(bench: Bench) -> None:
    """A changed update carries the unchanged properties too, so a contact that was edited in Loops heals."""
    bench.deliver(update(1, x="a", y="a"))
    bench.loops.contacts["u-1"]["x"] = "edited"
    bench.deliver(update(2, x="a", y="b"))
    assert (bench.value("x"), bench.value("y")) == ("a", "b")


def test_an_unchanged_update_is_sent_again_after_a_week(bench: Bench) -> None:
    """After ResendUnchangedAfterHours an equal update is sent again, without its consent flags."""
    bench.deliver(update(1, x="a", subscribed=True))
    bench.clock.sleep(168 * HOUR)
    assert bench.deliver(update(2, x="a", subscribed=True)).conclusion is Conclusion.UNCHANGED
    bench.clock.sleep(1)
    assert bench.deliver(update(3, x="a", subscribed=True)).conclusion is Conclusion.DELIVERED
    assert bench.calls[-1].body == {"userId": "u-1", "email": EMAIL, "x": "a", "mailingLists": {}}


def test_an_update_without_properties(bench: Bench) -> None:
    """An update that only names the person is sent until the ledger knows the contact."""
    bare = Sent("update", 1, {"mailingLists": {}})
    assert bench.deliver(bare, responds(Effect.NOT_YET)).rule is Rule.NO_PROPERTIES
    bench.deliver(update(2))
    assert bench.deliver(bare).conclusion is Conclusion.UNCHANGED


# An opt-out stands.


def test_consent_is_sent_once_per_change(bench: Bench) -> None:
    """A person who unsubscribes in Loops is not re-subscribed by the next identify, only by a new choice."""
    choices = {"subscribed": True, "mailingLists": {"a": True}}
    bench.deliver(update(1, **choices))
    bench.loops.contacts["u-1"]["subscribed"] = False
    bench.deliver(update(2, x="changes", **choices))
    bench.deliver(event(3, y="changes", subscribed=True))
    assert [call.body.get("subscribed") for call in bench.calls] == [True, None, None]
    assert bench.calls[1].body["mailingLists"] == {}
    bench.deliver(update(4, subscribed=False))
    bench.deliver(update(5, subscribed=True))
    assert bench.value("subscribed") is True


def test_an_equal_consent_flag_of_an_event_moves_its_clock(bench: Bench) -> None:
    """A flag that an event repeats is not sent, but keeps older choices out."""
    bench.deliver(update(1, subscribed=True))
    bench.deliver(event(3, subscribed=True))
    bench.deliver(update(2, subscribed=False))
    assert bench.value("subscribed") is True


# No replay mails again.


def test_a_delivered_event_is_not_sent_again(bench: Bench) -> None:
    """An event is sent once in 35 days, also when Loops has forgotten its idempotency key."""
    bench.deliver(update(1))
    bench.deliver(event(2))
    bench.loops.remembered.clear()
    bench.clock.sleep(34 * 24 * HOUR)
    assert bench.deliver(event(2)).rule is Rule.EVENT_DELIVERED
    assert len(bench.loops.events) == 1


def test_an_event_of_unknown_delivery_is_not_sent(bench: Bench) -> None:
    """An event whose idempotency key expired before a response came is for a person to decide."""
    bench.ledger.mark_unknown(event(2).name)
    assert bench.deliver(event(2)).conclusion is Conclusion.EVENT_UNKNOWN
    assert bench.calls == []


def test_a_delivered_event_never_becomes_unknown(bench: Bench) -> None:
    """Marking an event as unknown does not forget that it was delivered."""
    bench.deliver(update(1))
    bench.deliver(event(2))
    bench.ledger.mark_unknown(event(2).name)
    assert bench.deliver(event(2)).conclusion is Conclusion.DELIVERED


def test_a_refused_catch_up_does_not_send_the_event_again(bench: Bench) -> None:
    """When Loops refuses the contact properties of an event that it took, the event counts as delivered."""
    sent = event(2, x="a", email=EMAIL)
    bench.deliver(sent, loses_its_response(bench.loops))
    bench.clock.sleep(31)

    def refuses_updates(request: LoopsRequest, seconds: float) -> Called[str]:
        is_update = request.path.endswith("update")
        return Called(Effect.REFUSED, "400") if is_update else bench.loops.call(request, seconds)

    assert bench.deliver(sent, refuses_updates).conclusion is Conclusion.NOT_APPLIED
    assert bench.store.read(event_key(sent.name)) is not None


# Leases.


def test_events_of_a_person_do_not_wait_for_each_other(bench: Bench) -> None:
    """An event without contact properties goes out while a call about its contact is under way."""
    bench.deliver(update(1))
    bench.deliver(update(2, x="a"), responds(Effect.UNKNOWN))
    assert bench.deliver(update(3, x="b")).rule is Rule.CONTACT_LEASED
    assert bench.deliver(event(3)).conclusion is Conclusion.DELIVERED
    assert bench.deliver(event(4, x="c")).rule is Rule.CONTACT_LEASED


def test_a_web_function_waits_a_moment(bench: Bench) -> None:
    """A leased contact is read again for at most 300 ms before its delivery is queued."""
    bench.deliver(update(1), responds(Effect.UNKNOWN))
    began = bench.clock.time()
    assert bench.deliver(update(2), patience=0.3).rule is Rule.CONTACT_LEASED
    assert bench.clock.time() - began == pytest.approx(0.3)
    bench.clock.sleep(29.6)
    assert bench.deliver(update(2), patience=0.3).conclusion is Conclusion.DELIVERED


@pytest.mark.parametrize("effect", [Effect.TOO_FAST, Effect.NOT_YET, Effect.REFUSED])
def test_a_call_that_was_not_applied_gives_the_lease_back(effect: Effect, bench: Bench) -> None:
    """After a 429 or another 4xx the next call need not wait for the end of a lease."""
    verdict = bench.deliver(update(1, x="a"), responds(effect))
    assert (verdict.conclusion, verdict.response) == (Conclusion.NOT_APPLIED, effect.name)
    assert bench.deliver(update(2, x="b")).conclusion is Conclusion.DELIVERED


def test_no_call_without_time(bench: Bench) -> None:
    """With less time than a call is worth, the delivery is busy and the lease is given back."""
    facts = bench.facts(update(1))
    verdict = bench.ledger.deliver(facts, bench.loops.call, bench.clock.time() + 0.2)
    assert (verdict.conclusion, verdict.rule) == (Conclusion.CONTACT_BUSY, Rule.TOO_LATE)
    assert bench.contact(update(1)).lease is None


# Backlog.


def test_the_newest_update_that_waits_goes_first(bench: Bench) -> None:
    """Older updates make way for a newer one that waits for its turn, and are then superseded."""
    verdict = bench.deliver(update(5, x="e"), responds(Effect.TOO_FAST))
    assert verdict.retry_after == 30
    older = bench.deliver(update(4, x="d"))
    assert (older.rule, older.retry_after) == (Rule.NEWER_WAITS, 30)
    assert bench.deliver(update(5, x="e")).conclusion is Conclusion.DELIVERED
    assert bench.deliver(update(4, x="d")).conclusion is Conclusion.SUPERSEDED
    assert len(bench.calls) == 2


def test_an_update_without_a_turn_waits(bench: Bench) -> None:
    """An update that gets no turn is queued and makes older ones wait; one that needs no call takes no turn."""
    verdict = bench.deliver(update(5, x="e"), turn=lambda: False)
    assert (verdict.conclusion, verdict.retry_after) == (Conclusion.NO_TURN, 30)
    assert bench.deliver(update(6, x="f"), turn=lambda: False).conclusion is Conclusion.NO_TURN
    assert bench.deliver(update(5, x="e")).rule is Rule.NEWER_WAITS
    bench.deliver(update(6, x="f"))
    assert bench.deliver(update(7, x="f"), turn=lambda: False).conclusion is Conclusion.UNCHANGED
    assert bench.calls[0].body["x"] == "f"


def test_nobody_waits_for_ever(bench: Bench) -> None:
    """Older updates wait for 15 minutes at most, however often a newer one waits again."""
    bench.deliver(update(5), turn=lambda: False)
    bench.clock.sleep(14 * 60)
    bench.deliver(update(6), turn=lambda: False)
    assert bench.deliver(update(4)).rule is Rule.NEWER_WAITS
    bench.clock.sleep(60)
    assert bench.deliver(update(4)).conclusion is Conclusion.DELIVERED


def test_a_refused_update_keeps_nobody_waiting(bench: Bench) -> None:
    """When Loops refuses the update that others wait for, they go on."""
    bench.deliver(update(5), turn=lambda: False)
    bench.deliver(update(5), responds(Effect.REFUSED))
    assert bench.deliver(update(4)).conclusion is Conclusion.DELIVERED


# Emails that change hands.


def test_an_email_changes_hands(bench: Bench) -> None:
    """The new owner of an email takes over its consent, and the old owner's properties are unknown from then on."""
    bench.deliver(update(1, x="a", subscribed=True))
    second = Sent("update", 2, {"email": EMAIL.upper(), "x": "b", "subscribed": True}, user="u-2")
    bench.deliver(second)
    assert "subscribed" not in bench.calls[-1].body
    assert all(known.hash is None for known in bench.contact(update(1)).properties.values())
    assert bench.deliver(update(3, x="a")).conclusion is Conclusion.DELIVERED


def test_an_email_does_not_go_back_to_an_older_owner(bench: Bench) -> None:
    """An older delivery of somebody else does not take an email away from its newer owner."""
    bench.deliver(update(2, x="a"))
    bench.deliver(Sent("update", 1, {"email": EMAIL, "x": "b"}, user="u-2"))
    assert bench.calls[-1].body == {"userId": "u-2", "x": "b"}


def test_an_email_waits_for_its_busy_owner(bench: Bench) -> None:
    """While a call about the email's owner is under way, or the owner is being deleted, the email stays where it is."""
    other = Sent("update", 3, {"email": EMAIL}, user="u-2")
    bench.deliver(update(1))
    bench.deliver(update(2, x="a"), responds(Effect.UNKNOWN))
    assert bench.deliver(other).rule is Rule.OWNER_BUSY
    bench.clock.sleep(31)
    bench.deliver(deletion(2))
    assert bench.deliver(other).rule is Rule.OWNER_BUSY


# Contacts that are too large.


def test_a_contact_that_is_too_large_is_sent_whole(bench: Bench) -> None:
    """A contact whose item would pass 100 KB is not tracked: everything is sent, and only deletions are remembered."""
    bench.deliver(update(1, x="a"))
    large = {f"{number:04}{'n' * 90}": number for number in range(1000)}
    assert bench.deliver(update(2, **large)).rule is Rule.NOT_TRACKED
    assert bench.deliver(update(2, x="a")).rule is Rule.NOT_TRACKED
    assert bench.calls[-1].body["x"] == "a"
    assert max(item_bytes(item) for item in bench.items()) < MAX_ITEM_BYTES
    assert bench.delete(deletion(3)).rule is Rule.DELETION
    assert bench.deliver(update(2, x="a")).conclusion is Conclusion.SUPERSEDED
    assert bench.deliver(update(4, x="a")).rule is Rule.NEW_VALUES


class CountedName(str):
    """A property's name that counts how often it is compared with another name."""

    __slots__ = ()
    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        CountedName.comparisons += 1
        return str.__eq__(self, other)


def test_the_work_grows_with_the_number_of_properties(bench: Bench) -> None:
    """A delivery compares each name a few times, not with all the others: an event can hold tens of thousands of names."""
    names = [CountedName(f"property {number}") for number in range(1000)]
    facts = replace(
        bench.facts(update(1)),
        hashes=dict.fromkeys(names, "hash"),
        request=LoopsRequest("PUT", PATHS["update"][1], {"userId": "u-1", **dict.fromkeys(names, 1)}),
    )
    began = CountedName.comparisons
    decision = decide(ContactRecord(), facts, 0, Lease("lease", 30_000), Periods(1, 1))
    assert decision.rule is Rule.NEW_VALUES
    assert decision.contact is not None
    assert len(transitions.confirm(decision.contact, facts, decision.send, 1).properties) == len(names)
    assert len(facts.request_with(decision.send[1:]).body) == len(names)
    assert CountedName.comparisons - began < 20 * len(names)


def test_every_rule_and_conclusion_is_named_once() -> None:
    """The names that the log shows are distinct and readable."""
    for names in (Rule, Conclusion):
        values = [str(member) for member in names]
        assert len(set(values)) == len(values)
        assert all(value == value.lower() and " " not in value for value in values)


def test_a_delivery_without_a_response_comes_back_when_its_lease_has_ended(bench: Bench) -> None:
    """A delivery without a response is hidden until its lease has ended, and its next attempt then delivers it."""
    verdict = bench.deliver(update(1, x="a"), responds(Effect.UNKNOWN))
    assert (verdict.conclusion, verdict.retry_after) == (Conclusion.NOT_APPLIED, 30)
    assert verdict.retry_after is not None
    bench.clock.sleep(verdict.retry_after)
    assert bench.deliver(update(1, x="a")).conclusion is Conclusion.DELIVERED
