"""Checks the contacts after a storm: each must be the result of its events, applied in the order of their clocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


class ChangeKind(Enum):
    """The kinds of event that change a contact."""

    IDENTIFY = auto()
    TRACK = auto()  # with an email, so that it creates the contact
    DELETE = auto()


class Change(NamedTuple):
    """An event's change of a contact. `order` is the event's place among all; an identify writes it as `step`."""

    user: str
    kind: ChangeKind
    order: int


class Call(NamedTuple):
    """A call that Loops received, in the order of their arrival; `order` is that of its event, None for a deletion."""

    user: str
    order: int | None


@dataclass(frozen=True)
class WrongContacts:
    """The users whose contact is wrong: `stale` has a value that is not the newest, `resurrected` should not exist."""

    stale: frozenset[str]
    resurrected: frozenset[str]


def wrong_contacts(changes: Iterable[Change], calls: Sequence[Call], steps: Mapping[str, int | None]) -> WrongContacts:
    """Return the users whose contact is not as their events leave it.

    A user has at most one deletion. `steps` is the `step` of each contact that exists; None for one without. A deletion
    that is first seen after something newer was sent still deletes the contact: the newer values return with the next
    identify. Until then it may have those of any event after the deletion.
    """
    by_user: defaultdict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_user[change.user].append(change)
    calls_by_user: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        calls_by_user[call.user].append(call)
    stale, resurrected = set(), set()
    for user, of_user in by_user.items():
        deleted = max((change.order for change in of_user if change.kind is ChangeKind.DELETE), default=-1)
        newer = [change for change in of_user if change.order > deleted and change.kind is not ChangeKind.DELETE]
        if user in steps and not newer:
            resurrected.add(user)
        elif not _is_right(newer, calls_by_user[user], exists=user in steps, step=steps.get(user)):
            stale.add(user)
    return WrongContacts(frozenset(stale), frozenset(resurrected))


def _is_right(newer: Sequence[Change], calls: Sequence[Call], *, exists: bool, step: int | None) -> bool:
    """Return True if a contact is as the events after its deletion leave it."""
    if not newer:
        return not exists
    newest = max((change.order for change in newer if change.kind is ChangeKind.IDENTIFY), default=None)
    if exists and step == newest:
        return True
    lost = {change.order for change in newer} if newest is None else {newest}
    is_newer = step is None or any(change.order == step for change in newer)
    return is_newer and _was_deleted_afterwards(lost, calls)


def _was_deleted_afterwards(orders: set[int], calls: Sequence[Call]) -> bool:
    """Return True if the first call that deletes the contact came after a call for one of these events."""
    deletion = next((index for index, call in enumerate(calls) if call.order is None), -1)
    return any(call.order in orders for call in calls[: max(deletion, 0)])
