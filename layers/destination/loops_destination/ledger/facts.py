"""A delivery as the ledger sees it: the contact, the clock, and which properties the request would write."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from loops_destination.actions import ACTIONS
from loops_destination.ledger.event_clock import EventClock
from loops_destination.ledger.hashes import Hasher, value_hash
from loops_destination.loops_request import LoopsRequest

EMAIL = "email"
SUBSCRIBED = "subscribed"
MAILING_LISTS = "mailingLists"

_MAX_NAME_LENGTH = 100
_NOT_A_PROPERTY = {"userId", "eventName", "eventProperties"}
_UPDATE = ACTIONS["createOrUpdateContact"]


class CallKind(Enum):
    """The three kinds of call."""

    UPDATE = auto()
    EVENT = auto()
    DELETION = auto()


_KINDS = {
    _UPDATE.path: CallKind.UPDATE,
    ACTIONS["sendEvent"].path: CallKind.EVENT,
    ACTIONS["deleteContact"].path: CallKind.DELETION,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """A request and its place in the order of events; `hashes` has the hash of each contact property it writes."""

    kind: CallKind
    clock: EventClock
    idempotency_key: str
    contact_key: str
    email_key: str | None
    hashes: Mapping[str, str]
    request: LoopsRequest = field(repr=False)

    @classmethod
    def of(cls, request: LoopsRequest, clock: EventClock, idempotency_key: str, hasher: Hasher) -> Facts:
        """Return the facts of a request as an action built it."""
        kind = _KINDS[request.path]
        user_id = request.body["userId"]
        email = request.body.get(EMAIL)
        salts = {False: hasher.value_salt(user_id), True: hasher.shared_salt}
        properties = {} if kind is CallKind.DELETION else {name: value for name, _, value in _properties(request.body)}
        return cls(
            kind=kind,
            clock=clock,
            idempotency_key=idempotency_key,
            contact_key=hasher.contact_key(user_id),
            email_key=hasher.email_key(email) if isinstance(email, str) and EMAIL in properties else None,
            hashes={
                # Emails of two contacts are compared when one takes the email of the other; their case does not matter.
                name: value_hash(hasher.shared_salt, name, value.lower())
                if name == EMAIL and isinstance(value, str)
                else value_hash(salts[is_consent(name)], name, value)
                for name, value in properties.items()
            },
            request=request,
        )

    def without_email(self) -> Facts:
        """Return the facts of the same delivery without the email, which belongs to somebody else by now."""
        hashes = {name: digest for name, digest in self.hashes.items() if name != EMAIL}
        return replace(self, email_key=None, hashes=hashes)

    def request_with(self, names: Collection[str]) -> LoopsRequest:
        """Return the request with these contact properties only."""
        if self.kind is CallKind.DELETION or len(names) == sum(1 for _ in _properties(self.request.body)):
            return self.request
        kept = {key: value for key, value in self.request.body.items() if key in _NOT_A_PROPERTY}
        return replace(self.request, body=kept | _body(self.request.body, names))

    def update_with(self, names: Collection[str]) -> LoopsRequest:
        """Return a contact update with these contact properties of an event."""
        body = {"userId": self.request.body["userId"]} | _body(self.request.body, names)
        return LoopsRequest(_UPDATE.method, _UPDATE.path, body)


def is_consent(name: str) -> bool:
    """Return True if a property decides which emails a person gets."""
    return name in {SUBSCRIBED, MAILING_LISTS} or name.startswith(f"{MAILING_LISTS}.")


def _properties(body: dict[str, Any]) -> Iterator[tuple[str, str | None, Any]]:
    """Yield each contact property of a body: its name in the ledger, its mailing list if it is one, and its value."""
    for key, value in body.items():
        if key == MAILING_LISTS and isinstance(value, dict):
            for list_id, choice in value.items():
                yield _name(list_id, prefix=f"{MAILING_LISTS}."), list_id, choice
        elif key not in _NOT_A_PROPERTY:
            yield _property_name(key), None, value


def _body(body: dict[str, Any], wanted: Collection[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    names = frozenset(wanted)
    for key, value in body.items():
        if key == MAILING_LISTS and isinstance(value, dict):
            lists = {list_id: choice for name, list_id, choice in _properties({key: value}) if name in names}
            kept[key] = {str(list_id): choice for list_id, choice in lists.items()}
        elif key not in _NOT_A_PROPERTY and _property_name(key) in names:
            kept[key] = value
    return kept


def _property_name(key: str) -> str:
    return f"={value_hash(b'name', '', key)}" if key.startswith(f"{MAILING_LISTS}.") else _name(key)


def _name(key: str, prefix: str = "") -> str:
    """Return the key as it is, or its hash if it is empty, long, unprintable or looks like a hash."""
    readable = 0 < len(key) <= _MAX_NAME_LENGTH and key.isprintable() and not key.startswith("=")
    return prefix + (key if readable else f"={value_hash(b'name', '', key)}")
