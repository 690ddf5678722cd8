"""An email that changes hands: the items that are written together with the new owner's lease, and their undoing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loops_destination.ledger import transitions
from loops_destination.ledger.facts import EMAIL, Facts
from loops_destination.ledger.record import CONTACT_KEPT_SECONDS, Alias, ContactRecord
from loops_destination.ledger.store_interface import Write


@dataclass(frozen=True, slots=True)
class Handover:
    """A contact's claim of an email, and of the consent entries that its previous owner had with it.

    `original` is the new owner's contact before the claim, `merged` the contact with those entries. `writes` are written
    in one transaction with the lease. If Loops did not apply the call, `undo` is written in one transaction with the end
    of the lease. Both begin with the alias.
    """

    original: ContactRecord
    merged: ContactRecord
    writes: tuple[Write, ...]
    undo: tuple[Write, ...]

    def undone(self, contact: ContactRecord) -> ContactRecord:
        """Return the contact without the consent entries that it took over."""
        return transitions.undo_take_over(contact, self.merged, self.original)


def claim(contact: ContactRecord, facts: Facts, alias: Alias | None) -> Handover:
    """Claim the email of a delivery for its contact; nothing else changes."""
    assert facts.email_key is not None
    key, version = facts.email_key, alias.version if alias else 0
    taken = Alias(facts.contact_key, facts.clock)
    former, kept_seconds = (taken, 0) if alias is None else (alias, CONTACT_KEPT_SECONDS)  # 0: as if there were none
    return Handover(
        original=contact,
        merged=contact,
        writes=(Write(key, taken.to_item(), version, CONTACT_KEPT_SECONDS),),
        undo=(Write(key, former.to_item(), version + 1, kept_seconds),),
    )


def take_over(claimed: Handover, owner: str, previous: ContactRecord) -> Handover:
    """Take over what Loops keeps with the email: its consent entries. The previous owner's values become unknown."""
    restored = replace(previous, version=previous.version + 1)
    return Handover(
        original=claimed.original,
        merged=transitions.take_over(claimed.original, previous),
        writes=(*claimed.writes, contact_write(owner, transitions.disown(previous))),
        undo=(*claimed.undo, contact_write(owner, restored)),
    )


def has_left(previous: ContactRecord, facts: Facts) -> bool:
    """Return True if the previous owner has confirmed another email since."""
    held = previous.properties.get(EMAIL)
    return held is not None and held.hash is not None and held.hash != facts.hashes[EMAIL]


def holds_since_later(previous: ContactRecord, facts: Facts) -> bool:
    """Return True if the previous owner still had this email after the delivery's event."""
    held = previous.properties.get(EMAIL)
    return held is not None and held.hash == facts.hashes[EMAIL] and held.clock > facts.clock


def contact_write(key: str, contact: ContactRecord) -> Write:
    """Return the write of a contact, if its item has not changed since it was read."""
    return Write(key, contact.to_item(), contact.version, CONTACT_KEPT_SECONDS)
