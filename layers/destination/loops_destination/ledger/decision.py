"""The ledger's decision, a pure function: which values of a delivery to send now, and why the others are not sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from loops_destination.ledger import transitions
from loops_destination.ledger.event_clock import EventClock
from loops_destination.ledger.facts import CallKind, Facts, is_consent
from loops_destination.ledger.record import MAX_ITEM_BYTES, ContactRecord, Lease, item_bytes

DELETION_WAITS_MS = 30_000
"""The time between a deletion's two steps: longer than any call without a lease, so none arrives after the deletion."""
BACKLOG_WAITS_SECONDS = 30


class Verb(Enum):
    """The possible next steps of a delivery."""

    SEND = auto()
    UNCHANGED = auto()
    SUPERSEDED = auto()
    BUSY = auto()
    DELETION_BEGUN = auto()


class Rule(StrEnum):
    """The rule that decided, as the log names it."""

    # Send.
    NEW_VALUES = "new-values"
    NO_PROPERTIES = "no-properties"  # a call that writes no property takes no lease
    NOT_TRACKED = "not-tracked"  # the contact's item would be too large
    DELETION = "deletion"

    # Unchanged.
    EQUAL_VALUES = "equal-values"
    DELETED_ALREADY = "deleted-already"

    # Superseded.
    DELETED_LATER = "deleted-later"
    NEWER_VALUES = "newer-values"

    # The deletion has begun: its contact is marked.
    DELETION_WAITS = "deletion-waits"

    # Busy.
    CONTACT_LEASED = "contact-leased"
    CONTACT_DELETING = "contact-deleting"
    NEWER_WAITS = "newer-waits"
    OWNER_BUSY = "owner-busy"  # the email's previous owner is leased or being deleted
    CHANGED_MEANWHILE = "changed-meanwhile"  # another delivery wrote the item, each time
    TOO_LATE = "too-late"  # for a whole call
    LEASE_LOST = "lease-lost"  # it ran out before the call was confirmed

    # Decided outside the contact item.
    EVENT_DELIVERED = "event-delivered"
    EVENT_UNKNOWN = "event-unknown"
    NO_TURN = "no-turn"
    LEDGER_UNAVAILABLE = "ledger-unavailable"


@dataclass(frozen=True, slots=True)
class Decision:
    """The next step of a delivery, and the rule that decided it.

    `contact` must be written first; if its version is out of date by then, the decision is void. `send` are the
    properties to send, `changed` those whose value Loops may not have. `retry_after` is in seconds; None backs off by
    age.
    """

    verb: Verb
    rule: Rule
    contact: ContactRecord | None = None
    send: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    leased: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Periods:
    """Milliseconds until an equal value is sent again, and until a pending deletion stops blocking others."""

    resend_after: int
    deletion_lapses_after: int


def decide(contact: ContactRecord, facts: Facts, now: int, lease: Lease, periods: Periods) -> Decision:
    """Decide about a delivery; `lease` is the one that it would take."""
    if any(facts.clock < deletion for deletion in _deletions(contact)):
        return Decision(Verb.SUPERSEDED, Rule.DELETED_LATER)
    if facts.kind is CallKind.DELETION:
        return _decide_deletion(contact, facts, now, lease, periods)
    if _is_deleting(contact, now, periods):
        return Decision(Verb.BUSY, Rule.CONTACT_DELETING)
    if contact.untracked:
        names = tuple(facts.hashes)
        return Decision(Verb.SEND, Rule.NOT_TRACKED, send=names, changed=names)
    return _decide_values(contact, facts, now, lease, periods)


def is_busy(contact: ContactRecord, now: int, periods: Periods) -> bool:
    """Return True if a call about the contact may be under way, or a deletion is pending."""
    return _is_leased(contact, now) or _is_deleting(contact, now, periods)


def _decide_deletion(contact: ContactRecord, facts: Facts, now: int, lease: Lease, periods: Periods) -> Decision:
    """Mark the contact first and delete it later; until the confirmation, each attempt deletes again."""
    if contact.deleting is None or contact.deleting.clock != facts.clock or not _is_deleting(contact, now, periods):
        if facts.clock == contact.deleted_at:
            return Decision(Verb.UNCHANGED, Rule.DELETED_ALREADY)
        marked = transitions.mark_deleting(contact, facts, now)
        return Decision(Verb.DELETION_BEGUN, Rule.DELETION_WAITS, marked, retry_after=DELETION_WAITS_MS / 1000)
    left = contact.deleting.since + DELETION_WAITS_MS - now
    if left > 0:
        return Decision(Verb.DELETION_BEGUN, Rule.DELETION_WAITS, retry_after=left / 1000)
    if _is_leased(contact, now):
        return Decision(Verb.BUSY, Rule.CONTACT_LEASED)
    leased = transitions.take_lease(contact, tuple(contact.properties), lease)
    return Decision(Verb.SEND, Rule.DELETION, leased, leased=True)


def _decide_values(contact: ContactRecord, facts: Facts, now: int, lease: Lease, periods: Periods) -> Decision:
    live = transitions.live(contact, facts)
    changed = tuple(name for name in live if not _is_equal(contact, facts, name, now, periods))
    if facts.kind is CallKind.UPDATE:
        if facts.hashes and not live:
            return Decision(Verb.SUPERSEDED, Rule.NEWER_VALUES)
        if not changed and _is_known(contact):
            moved = transitions.move_forward(contact, facts)
            return Decision(Verb.UNCHANGED, Rule.EQUAL_VALUES, moved if moved != contact else None)
        if _newer_waits(contact, facts, now):
            return Decision(Verb.BUSY, Rule.NEWER_WAITS, retry_after=BACKLOG_WAITS_SECONDS)
    if not live:
        return Decision(Verb.SEND, Rule.NO_PROPERTIES)
    if _is_leased(contact, now):
        return Decision(Verb.BUSY, Rule.CONTACT_LEASED)
    return _send_values(contact, facts, live, changed, lease)


def _send_values(
    contact: ContactRecord, facts: Facts, live: list[str], changed: tuple[str, ...], lease: Lease
) -> Decision:
    """Send all live properties, so that a contact edited by hand in Loops heals, but no equal consent flag."""
    changing = frozenset(changed)
    send = tuple(name for name in live if name in changing or not is_consent(name))
    leased = transitions.take_lease(contact, changed, lease)
    if item_bytes(transitions.confirm(leased, facts, send, lease.until).to_item()) > MAX_ITEM_BYTES:
        names = tuple(facts.hashes)
        return Decision(Verb.SEND, Rule.NOT_TRACKED, transitions.untrack(contact), names, names)
    return Decision(Verb.SEND, Rule.NEW_VALUES, leased, send, changed, leased=True)


def _is_equal(contact: ContactRecord, facts: Facts, name: str, now: int, periods: Periods) -> bool:
    """Return True if Loops has exactly this value; a consent flag counts however long ago it was confirmed."""
    known = contact.properties.get(name)
    if known is None or known.hash != facts.hashes[name]:
        return False
    return is_consent(name) or now - known.confirmed_at <= periods.resend_after


def _is_known(contact: ContactRecord) -> bool:
    return any(known.hash is not None for known in contact.properties.values())


def _newer_waits(contact: ContactRecord, facts: Facts, now: int) -> bool:
    waiting = contact.waiting
    return waiting is not None and facts.clock < waiting.clock and now < waiting.since + transitions.WAIT_AT_MOST_MS


def _is_leased(contact: ContactRecord, now: int) -> bool:
    return contact.lease is not None and now < contact.lease.until


def _is_deleting(contact: ContactRecord, now: int, periods: Periods) -> bool:
    """Return True if a deletion is pending; it lapses, so that a lost deletion does not block the contact for ever."""
    return contact.deleting is not None and now < contact.deleting.since + periods.deletion_lapses_after


def _deletions(contact: ContactRecord) -> Iterator[EventClock]:
    if contact.deleted_at is not None:
        yield contact.deleted_at
    if contact.deleting is not None:  # a lapsed one too: nothing proves that Loops did not apply it
        yield contact.deleting.clock
