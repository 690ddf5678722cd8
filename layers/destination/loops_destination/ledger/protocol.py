"""The ledger's protocol around a call of Loops: read, decide, lease, call, confirm.

A process may die between any two steps. Nothing is written before the lease; after it, the changed hashes are erased
and the lease runs out by itself, so the next delivery finds those values unknown and sends them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum, auto
from typing import Any, Generic, NamedTuple, TypeVar

from loops_destination.clock import Clock
from loops_destination.ledger import transitions
from loops_destination.ledger.decision import (
    BACKLOG_WAITS_SECONDS,
    DELETION_WAITS_MS,
    Decision,
    Periods,
    Rule,
    Verb,
    decide,
    is_busy,
)
from loops_destination.ledger.event_clock import EventClock
from loops_destination.ledger.facts import EMAIL, CallKind, Facts
from loops_destination.ledger.handover import Handover, claim, contact_write, has_left, holds_since_later, take_over
from loops_destination.ledger.hashes import Hasher
from loops_destination.ledger.record import (
    EVENT_KEPT_SECONDS,
    Alias,
    ContactRecord,
    EventState,
    Item,
    Lease,
    event_key,
)
from loops_destination.ledger.store_interface import CALL_SECONDS, LedgerStore, LedgerUnavailable, Write
from loops_destination.loops_request import LoopsRequest

LONGEST_CALL_SECONDS = 8.0
SHORTEST_CALL_SECONDS = 0.3  # a call that is given less is not worth its lease
LATE_PROCESSING_SECONDS = 10.0
"""The time after the end of a call during which Loops may still apply it."""
LEASE_SECONDS = 30.0
UNLEASED_SECONDS = DELETION_WAITS_MS / 1000 - 5.0
"""A call without a lease takes effect at most this long after the read that allowed it. A deletion waits longer than
this, because its wait is counted from before its mark is written, and the read may be a moment old.
"""
FRESH_SECONDS = 1.0
"""A decision that has waited longer than this for its turn is made again."""

_ATTEMPTS = 3  # to write an item that others write too
_PAUSE_SECONDS = 0.05  # before a leased contact is read again


R = TypeVar("R")


class Effect(Enum):
    """The effect of a call, as far as its response proves one."""

    APPLIED = auto()
    ALREADY_APPLIED = auto()  # 409 on an event: an earlier call with this idempotency key was applied
    TOO_FAST = auto()  # 429
    NOT_YET = auto()  # not applied, but it may succeed later: the API key was refused, the contact is unknown
    REFUSED = auto()
    UNKNOWN = auto()  # no response, 408, 5xx, an unreadable one


_PROVEN = {Effect.APPLIED, Effect.ALREADY_APPLIED}


class Called(NamedTuple, Generic[R]):
    """A call's effect, and the response that says so."""

    effect: Effect
    response: R


class Conclusion(StrEnum):
    """The result of a delivery under the ledger."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    NOT_APPLIED = "not-applied"  # the response says why, and what to do next
    CONTACT_BUSY = "contact-busy"
    DELETION_BEGUN = "deletion-begun"
    NO_TURN = "no-turn"
    LEDGER_UNAVAILABLE = "ledger-unavailable"
    EVENT_UNKNOWN = "event-unknown"


@dataclass(frozen=True, slots=True)
class Verdict(Generic[R]):
    """The conclusion, the rule that led to it, and the last response of Loops, if there was a call.

    `retry_after` is in seconds; None backs off by age.
    """

    conclusion: Conclusion
    rule: Rule
    response: R | None = field(default=None, repr=False)
    retry_after: float | None = None


class Ledger:
    """The memory of what Loops was last sent.

    `resend_unchanged_after` and `retry_for` are in seconds.
    """

    def __init__(
        self, store: LedgerStore, stack_id: str, clock: Clock, *, resend_unchanged_after: float, retry_for: float
    ) -> None:
        self._store = store
        self._hasher = Hasher(stack_id)
        self._clock = clock
        self._periods = Periods(round(resend_unchanged_after * 1000), round(retry_for * 1000))

    def facts(
        self,
        request: LoopsRequest,
        event: dict[str, Any],
        subscription: str,
        idempotency_key: str,
        arrived_at: float,
    ) -> Facts:
        """Return the facts of a delivery; `arrived_at` is in seconds since 1970."""
        clock = EventClock.of(event, subscription, idempotency_key, arrived_at)
        return Facts.of(request, clock, idempotency_key, self._hasher)

    def deliver(
        self,
        facts: Facts,
        call: Callable[[LoopsRequest, float], Called[R]],
        deadline: float,
        *,
        turn: Callable[[], bool] | None = None,
        patience: float = 0.0,
    ) -> Verdict[R]:
        """Send what must be sent, through `call(request, seconds)`; return by `deadline`.

        `turn` waits for the turn to call Loops, and returns False if none comes. `patience` is how many seconds to wait
        for a leased contact.
        """
        try:
            patient_until = self._clock.time() + patience
            store = _StoreInTime(self._store, self._clock, deadline - CALL_SECONDS)
            parts = store, self._clock, self._periods
            return _Attempt(*parts, facts, call, deadline, turn, patient_until).run()
        except _OutOfTime:
            return Verdict(Conclusion.CONTACT_BUSY, Rule.TOO_LATE)
        except LedgerUnavailable:
            return Verdict(Conclusion.LEDGER_UNAVAILABLE, Rule.LEDGER_UNAVAILABLE)

    def mark_unknown(self, idempotency_key: str) -> None:
        """Record that nobody knows if an event was delivered, so that a replay of it is rejected.

        Raises `LedgerUnavailable`.
        """
        key = event_key(idempotency_key)
        self._store.write(Write(key, {"state": EventState.UNKNOWN}, 0, EVENT_KEPT_SECONDS))


class _OutOfTime(LedgerUnavailable):
    """A read or write was not begun, because it might not have ended in time."""


@dataclass(frozen=True, slots=True)
class _StoreInTime:
    """A store whose reads and writes begin by `begin_until`, or raise `_OutOfTime`."""

    store: LedgerStore
    clock: Clock
    begin_until: float

    def read(self, key: str, *, consistent: bool = False) -> Item | None:
        self._check()
        return self.store.read(key, consistent=consistent)

    def write(self, *writes: Write) -> bool:
        self._check()
        return self.store.write(*writes)

    def _check(self) -> None:
        if self.clock.time() > self.begin_until:
            raise _OutOfTime("too late to ask the contact ledger's table")


@dataclass(frozen=True, slots=True)
class _Hold:
    """The right to make calls, which ends at `until`: a lease, or a fresh read of a contact that is not being deleted."""

    decision: Decision
    before: ContactRecord
    until: float
    lease: Lease | None = None


@dataclass(slots=True)
class _Attempt(Generic[R]):
    """One attempt to deliver."""

    store: LedgerStore
    clock: Clock
    periods: Periods
    facts: Facts
    call: Callable[[LoopsRequest, float], Called[R]]
    deadline: float
    turn: Callable[[], bool] | None
    patient_until: float
    lease_id: str = field(default_factory=lambda: secrets.token_hex(8))
    handover: Handover | None = None

    def run(self) -> Verdict[R]:
        if self.facts.kind is CallKind.EVENT and (known := self._known_event()) is not None:
            return known
        lost: list[_Hold] = []
        while len(lost) < _ATTEMPTS:
            read_at = self.clock.time()
            before = self._read_contact()
            if lost and before.lease is not None and before.lease.id == self.lease_id:
                return self._send(lost[-1])  # the lease was written after all; only the answer of DynamoDB was lost
            before, decision = self._decide(before)
            if decision.verb is Verb.SEND and self.turn is not None:
                if not self.turn():
                    return self._without_turn()
                self.turn = None
                if self.clock.time() - read_at > FRESH_SECONDS:
                    continue
            hold = self._hold(decision, before, read_at)
            patience = self.patient_until - self.clock.time()
            if decision.rule is Rule.CONTACT_LEASED and patience > 0:
                self.clock.sleep(min(_PAUSE_SECONDS, patience))
            elif decision.contact is not None and not self._write_contact(decision.contact, *self._handed_over()):
                lost.append(hold)
            elif decision.verb is Verb.SEND:
                return self._send(hold)
            else:
                return _verdict(decision)
        return Verdict(Conclusion.CONTACT_BUSY, Rule.CHANGED_MEANWHILE)

    def _known_event(self) -> Verdict[R] | None:
        item = self.store.read(event_key(self.facts.idempotency_key))
        if item is None:
            return None
        if item["state"] == EventState.DELIVERED:
            return Verdict(Conclusion.DELIVERED, Rule.EVENT_DELIVERED)
        return Verdict(Conclusion.EVENT_UNKNOWN, Rule.EVENT_UNKNOWN)

    def _decide(self, contact: ContactRecord) -> tuple[ContactRecord, Decision]:
        """Return the decision, and the contact that it is about: the contact as read, or one that took over an email."""
        self.handover = None
        decision = self._decide_about(contact, self.facts)
        key = self.facts.email_key
        if key is None or not decision.leased or EMAIL not in decision.changed:
            return contact, decision
        alias = Alias.from_item(self.store.read(key))
        if alias is not None and alias.clock > self.facts.clock:
            return (contact, decision) if alias.owner == self.facts.contact_key else self._without_email(contact)
        self.handover = claim(contact, self.facts, alias)
        if alias is None or alias.owner == self.facts.contact_key:
            return contact, decision
        return self._take_over(self.handover, decision, alias.owner)

    def _take_over(self, claimed: Handover, decision: Decision, owner: str) -> tuple[ContactRecord, Decision]:
        previous = self._read_contact(owner)
        if holds_since_later(previous, self.facts):
            self.handover = None
            return self._without_email(claimed.original)
        if is_busy(previous, self._now(), self.periods):
            return claimed.original, Decision(Verb.BUSY, Rule.OWNER_BUSY)
        if not previous.version or has_left(previous, self.facts):
            return claimed.original, decision
        self.handover = take_over(claimed, owner, previous)
        return self.handover.merged, self._decide_about(self.handover.merged, self.facts)

    def _without_email(self, contact: ContactRecord) -> tuple[ContactRecord, Decision]:
        """Decide about the other properties: by a later event, the email belongs to somebody else."""
        self.facts = self.facts.without_email()
        return contact, self._decide_about(contact, self.facts)

    def _handed_over(self) -> tuple[Write, ...]:
        return self.handover.writes if self.handover else ()

    def _decide_about(self, contact: ContactRecord, facts: Facts) -> Decision:
        now = self._now()
        return decide(contact, facts, now, Lease(self.lease_id, now + round(LEASE_SECONDS * 1000)), self.periods)

    def _hold(self, decision: Decision, before: ContactRecord, read_at: float) -> _Hold:
        lease = decision.contact.lease if decision.leased and decision.contact is not None else None
        until = read_at + UNLEASED_SECONDS if lease is None else lease.until / 1000
        return _Hold(decision, before, until, lease)

    def _send(self, hold: _Hold) -> Verdict[R]:
        called = self._call_in_time(self.facts.request_with(hold.decision.send), hold)
        if called is None:
            return self._too_late(hold)
        if called.effect is Effect.ALREADY_APPLIED and hold.decision.changed:
            return self._catch_up(hold)
        if called.effect in _PROVEN:
            return self._confirm(hold, hold.decision.send, called.response)
        return self._not_applied(hold, called)

    def _catch_up(self, hold: _Hold) -> Verdict[R]:
        """Update the contact with an event's unconfirmed properties, after Loops recognised the event as a repeat.

        Loops took them with the first call, but may have been sent older values since.
        """
        changed = hold.decision.changed
        called = self._call_in_time(self.facts.update_with(changed), hold)
        if called is None:
            return self._too_late(hold)
        if called.effect in _PROVEN:
            return self._confirm(hold, changed, called.response)
        if called.effect is Effect.REFUSED:
            self._record_event()  # so that a retry of the refused properties does not send the event again
        return self._not_applied(hold, called)

    def _too_late(self, hold: _Hold) -> Verdict[R]:
        self._give_back(hold, Effect.NOT_YET)
        return Verdict(Conclusion.CONTACT_BUSY, Rule.TOO_LATE)

    def _not_applied(self, hold: _Hold, called: Called[R]) -> Verdict[R]:
        retry_after: float | None = None
        if called.effect is not Effect.UNKNOWN:
            self._give_back(hold, called.effect)
        elif hold.lease is not None:  # Loops may apply the call until the lease ends, so the lease stays
            retry_after = max(hold.until - self.clock.time(), 0)
        if called.effect is Effect.TOO_FAST and self.facts.kind is CallKind.UPDATE:
            retry_after = BACKLOG_WAITS_SECONDS
        return Verdict(Conclusion.NOT_APPLIED, hold.decision.rule, called.response, retry_after)

    def _call_in_time(self, request: LoopsRequest, hold: _Hold) -> Called[R] | None:
        """Call Loops; return None, without a call, if it might outlast the deadline or be applied after the lease."""
        now = self.clock.time()
        seconds = min(LONGEST_CALL_SECONDS, self.deadline - CALL_SECONDS - now)  # so that confirming fits
        if seconds < SHORTEST_CALL_SECONDS or now + seconds + LATE_PROCESSING_SECONDS > hold.until:
            return None
        return self.call(request, seconds)

    def _confirm(self, hold: _Hold, sent: Sequence[str], response: R) -> Verdict[R]:
        """Record the success. If that fails, the delivery is queued, and its next attempt completes the record."""
        try:
            if hold.lease is not None and not self._settle(
                hold, lambda contact: transitions.confirm(contact, self.facts, sent, self._now())
            ):
                return Verdict(Conclusion.CONTACT_BUSY, Rule.LEASE_LOST, response)
            if self.facts.kind is CallKind.EVENT:
                self._record_event()
        except LedgerUnavailable:
            return Verdict(Conclusion.LEDGER_UNAVAILABLE, Rule.LEDGER_UNAVAILABLE, response)
        return Verdict(Conclusion.DELIVERED, hold.decision.rule, response)

    def _record_event(self) -> None:
        key = event_key(self.facts.idempotency_key)
        self.store.write(Write(key, {"state": EventState.DELIVERED}, None, EVENT_KEPT_SECONDS))

    def _give_back(self, hold: _Hold, effect: Effect) -> None:
        """End the lease after a call that was not applied; if that fails, it runs out by itself."""

        def given_back(contact: ContactRecord) -> ContactRecord:
            ended = transitions.give_back(contact, hold.before, self.facts, refused=effect is Effect.REFUSED)
            if self.handover is not None:
                ended = self.handover.undone(ended)
            if effect is Effect.TOO_FAST and self.facts.kind is CallKind.UPDATE:
                return transitions.wait(ended, self.facts, self._now())
            return ended

        undo = self.handover.undo if self.handover else ()
        with suppress(LedgerUnavailable):
            for others in (undo, undo[:1], ()):  # the previous owner may have changed meanwhile
                if hold.lease is None or self._settle(hold, given_back, *others):
                    return

    def _settle(self, hold: _Hold, transition: Callable[[ContactRecord], ContactRecord], *others: Write) -> bool:
        """Write the outcome of a call if this attempt still holds the lease; others may have moved clocks meanwhile."""
        assert hold.decision.contact is not None
        contact = replace(hold.decision.contact, version=hold.decision.contact.version + 1)
        for _ in range(_ATTEMPTS):
            if contact.lease is None or contact.lease.id != self.lease_id:
                return False
            if self._write_contact(transition(contact), *others):
                return True
            contact = self._read_contact(consistent=True)
        return False

    def _without_turn(self) -> Verdict[R]:
        """Queue a delivery that got no turn; of a contact's waiting updates, the newest goes first."""
        if self.facts.kind is not CallKind.UPDATE:
            return Verdict(Conclusion.NO_TURN, Rule.NO_TURN)
        for _ in range(_ATTEMPTS):
            contact = self._read_contact()
            waiting = transitions.wait(contact, self.facts, self._now())
            if waiting == contact or self._write_contact(waiting):
                break
        return Verdict(Conclusion.NO_TURN, Rule.NO_TURN, retry_after=BACKLOG_WAITS_SECONDS)

    def _read_contact(self, key: str | None = None, *, consistent: bool = False) -> ContactRecord:
        return ContactRecord.from_item(self.store.read(key or self.facts.contact_key, consistent=consistent))

    def _write_contact(self, contact: ContactRecord, *others: Write) -> bool:
        return self.store.write(contact_write(self.facts.contact_key, contact), *others)

    def _now(self) -> int:
        return round(self.clock.time() * 1000)


_CONCLUSIONS = {
    Verb.UNCHANGED: Conclusion.UNCHANGED,
    Verb.SUPERSEDED: Conclusion.SUPERSEDED,
    Verb.BUSY: Conclusion.CONTACT_BUSY,
    Verb.DELETION_BEGUN: Conclusion.DELETION_BEGUN,
}


def _verdict(decision: Decision) -> Verdict[R]:
    return Verdict(_CONCLUSIONS[decision.verb], decision.rule, retry_after=decision.retry_after)
