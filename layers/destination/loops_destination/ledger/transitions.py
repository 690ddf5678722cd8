"""The changes that a contact item can go through, as pure functions from one contact to the next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from loops_destination.ledger.facts import CallKind, Facts, is_consent
from loops_destination.ledger.record import ContactRecord, Lease, Mark, Property

WAIT_AT_MOST_MS = 15 * 60 * 1000
"""The longest time that older updates of a contact wait behind a newer one."""


def take_lease(contact: ContactRecord, changed: Collection[str], lease: Lease) -> ContactRecord:
    """Lease the contact and erase the hashes of what changes: until the call is confirmed, nobody knows the value."""
    erased = {name: replace(contact.properties[name], hash=None) for name in changed if name in contact.properties}
    return replace(contact, lease=lease, properties={**contact.properties, **erased})


def confirm(contact: ContactRecord, facts: Facts, sent: Collection[str], now: int) -> ContactRecord:
    """Record that Loops has this delivery's values, and end the lease; a deletion clears all properties.

    A property that was live but was not sent, an equal consent flag, only moves its clock forward.
    """
    if facts.kind is CallKind.DELETION:
        return _confirm_deletion(contact, facts)
    properties, names = dict(contact.properties), frozenset(sent)
    for name in live(contact, facts):
        if name in names:
            properties[name] = Property(facts.clock, facts.hashes[name], now)
        else:
            properties[name] = replace(properties[name], clock=facts.clock)
    return _without_wait(replace(contact, properties=properties, lease=None), facts)


def _confirm_deletion(contact: ContactRecord, facts: Facts) -> ContactRecord:
    pending = contact.deleting if contact.deleting and contact.deleting.clock > facts.clock else None
    return ContactRecord(version=contact.version, deleted_at=facts.clock, deleting=pending)


def give_back(contact: ContactRecord, before: ContactRecord, facts: Facts, *, refused: bool) -> ContactRecord:
    """End the lease of a call that Loops did not apply: whatever was confirmed `before` the call still holds.

    A refused deletion is no longer pending, and a refused update no longer waits for its turn.
    """
    restored = {
        name: replace(known, hash=before.properties[name].hash, confirmed_at=before.properties[name].confirmed_at)
        for name, known in contact.properties.items()
        if known.hash is None and name in before.properties
    }
    given_back = replace(contact, lease=None, properties={**contact.properties, **restored})
    if not refused:
        return given_back
    if given_back.deleting is not None and given_back.deleting.clock == facts.clock:
        given_back = replace(given_back, deleting=None)
    return _without_wait(given_back, facts)


def move_forward(contact: ContactRecord, facts: Facts) -> ContactRecord:
    """Move the clocks of equal properties forward, so that nothing older than this delivery can change them."""
    moved = {name: replace(contact.properties[name], clock=facts.clock) for name in live(contact, facts)}
    return _without_wait(replace(contact, properties={**contact.properties, **moved}), facts)


def mark_deleting(contact: ContactRecord, facts: Facts, now: int) -> ContactRecord:
    """Take the first of a deletion's two steps: from now on no call about the contact begins."""
    return replace(contact, deleting=Mark(facts.clock, now))


def wait(contact: ContactRecord, facts: Facts, now: int) -> ContactRecord:
    """Record that an update waits for its turn. The wait counts from the first update, so that it comes to an end."""
    waiting = contact.waiting
    if waiting is None or now >= waiting.since + WAIT_AT_MOST_MS:
        return replace(contact, waiting=Mark(facts.clock, now))
    return replace(contact, waiting=Mark(facts.clock, waiting.since)) if facts.clock > waiting.clock else contact


def untrack(contact: ContactRecord) -> ContactRecord:
    """Forget the properties of a contact that is too large to be remembered."""
    return replace(contact, properties={}, lease=None, untracked=True)


def take_over(contact: ContactRecord, previous: ContactRecord) -> ContactRecord:
    """Take over the consent entries of the email's previous owner: Loops keeps them with the email."""
    consent = {
        name: known
        for name, known in previous.properties.items()
        if is_consent(name) and (name not in contact.properties or contact.properties[name].clock < known.clock)
    }
    return replace(contact, properties={**contact.properties, **consent})


def undo_take_over(contact: ContactRecord, merged: ContactRecord, original: ContactRecord) -> ContactRecord:
    """Remove what `take_over` added to `original`; the hash of what has moved forward since becomes unknown."""
    properties = dict(contact.properties)
    for name, known in merged.properties.items():
        before = original.properties.get(name)
        if known == before or name not in properties:
            continue
        if properties[name].clock != known.clock:
            properties[name] = replace(properties[name], hash=None)
        elif before is None:
            del properties[name]
        else:
            properties[name] = before
    return replace(contact, properties=properties)


def disown(previous: ContactRecord) -> ContactRecord:
    """Erase the hashes of an email's previous owner: Loops has no such contact any more.

    A lease that has run out ends, so that its holder cannot confirm afterwards.
    """
    erased = {name: replace(known, hash=None) for name, known in previous.properties.items()}
    return replace(previous, properties=erased, lease=None)


def forget(contact: ContactRecord, *, consent: bool) -> ContactRecord:
    """Forget the properties, so that the next update sends all of its values; the consent entries only with `consent`.

    Deletions are still known, so deleted stays deleted. A lease that has run out ends, as in `disown`.
    """
    kept = {name: known for name, known in contact.properties.items() if is_consent(name) and not consent}
    return replace(contact, properties=kept, lease=None, untracked=False)


def distrust(contact: ContactRecord) -> ContactRecord:
    """Erase the hashes of all properties but the consent entries: what Loops has may be newer.

    The clocks stay, so nothing older is sent; the next update sends all of its values.
    """
    erased = {
        name: known if is_consent(name) else replace(known, hash=None) for name, known in contact.properties.items()
    }
    return replace(contact, properties=erased)


def live(contact: ContactRecord, facts: Facts) -> list[str]:
    """Return the properties without a clock, or with one not newer than the delivery's."""
    return [
        name for name in facts.hashes if name not in contact.properties or contact.properties[name].clock <= facts.clock
    ]


def _without_wait(contact: ContactRecord, facts: Facts) -> ContactRecord:
    settled = contact.waiting is not None and contact.waiting.clock <= facts.clock
    return replace(contact, waiting=None) if settled else contact
