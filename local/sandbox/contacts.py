"""The audience: contacts, known by email or user id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.sandbox.refusal import Refusal

if TYPE_CHECKING:
    from local.sandbox.contact_change import ContactChange


@dataclass(slots=True)
class Contact:
    """One person. `created` and `updated` are seconds by the sandbox's clock; `left` are the lists left in person."""

    id: str
    email: str
    created: float
    updated: float
    user_id: str | None = None
    subscribed: bool = True
    properties: dict[str, Any] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)

    def apply(self, change: ContactChange, now: float) -> None:
        """Writes what the change gives and keeps the rest."""
        self.email = change.email or self.email
        self.user_id = change.user_id or self.user_id
        if change.subscribed is not None:
            self.subscribed = change.subscribed
        for list_id, member in change.lists.items():
            self._set_membership(list_id, member=member)
        self.properties |= change.properties
        self.updated = now

    def leave(self, list_id: str | None) -> None:
        """What the links in an email's footer do: the person leaves one list, or opts out of everything."""
        if list_id is None:
            self.subscribed = False
        else:
            self.lists.discard(list_id)
            self.left.add(list_id)

    def as_found(self) -> dict[str, Any]:
        """The contact as `GET /v1/contacts/find` shows it."""
        return {
            "id": self.id,
            "email": self.email,
            "firstName": None,
            "lastName": None,
            "source": "API",
            "subscribed": self.subscribed,
            "userGroup": "",
            "userId": self.user_id,
            "mailingLists": dict.fromkeys(sorted(self.lists), True),
            "optInStatus": None,
            **self.properties,
        }

    def as_json(self) -> dict[str, Any]:
        """All that is known of the contact."""
        return {
            "id": self.id,
            "email": self.email,
            "userId": self.user_id,
            "subscribed": self.subscribed,
            "properties": self.properties,
            "lists": sorted(self.lists),
            "left": sorted(self.left),
            "created": self.created,
            "updated": self.updated,
        }

    def _set_membership(self, list_id: str, *, member: bool) -> None:
        """The API cannot bring back who opted out, or who left this list in person."""
        if not member:
            self.lists.discard(list_id)
        elif self.subscribed and list_id not in self.left:
            self.lists.add(list_id)


class Contacts:
    """All contacts, oldest first; no two share an email or a user id."""

    def __init__(self) -> None:
        self._made = 0
        self._by_id: dict[str, Contact] = {}
        self._by_email: dict[str, Contact] = {}
        self._by_user_id: dict[str, Contact] = {}

    def all(self) -> list[Contact]:
        """Every contact there is now."""
        return list(self._by_id.values())

    def find(self, email: str | None = None, user_id: str | None = None) -> Contact | None:
        """The contact that matches either identifier; Refusal (400) when each belongs to another contact."""
        by_email = self._by_email.get(email) if email is not None else None
        by_user_id = self._by_user_id.get(user_id) if user_id is not None else None
        if by_email and by_user_id and by_email is not by_user_id:
            raise Refusal(400, "Multiple contacts found for the given criteria")
        return by_email or by_user_id

    def add(self, change: ContactChange, now: float) -> Contact:
        """A new contact; Refusal (400) without an email, and (409) when an identifier is taken."""
        if change.email is None:
            raise Refusal(400, "email is required.")
        if change.email in self._by_email or change.user_id in self._by_user_id:
            raise Refusal(409, "Email or userId is already on list.")
        self._made += 1
        return self._write(Contact(f"contact-{self._made}", change.email, created=now, updated=now), change, now)

    def save(self, change: ContactChange, now: float, *, unknown: str) -> Contact:
        """The matching contact, changed, or a new one; Refusal (400, `unknown`) when that would lack an email."""
        contact = self.find(change.email, change.user_id)
        if contact is not None:
            return self._write(contact, change, now)
        if change.email is None:
            raise Refusal(400, unknown)
        return self.add(change, now)

    def remove(self, email: str | None, user_id: str | None) -> Contact:
        """Forgets the contact; Refusal (404) when there is none."""
        contact = self.find(email, user_id)
        if contact is None:
            raise Refusal(404, "Contact not found.")
        self._unlink(contact)
        return contact

    def _write(self, contact: Contact, change: ContactChange, now: float) -> Contact:
        self._unlink_identifiers(contact)
        contact.apply(change, now)
        self._by_id[contact.id] = contact
        self._by_email[contact.email] = contact
        if contact.user_id is not None:
            self._by_user_id[contact.user_id] = contact
        return contact

    def _unlink(self, contact: Contact) -> None:
        self._unlink_identifiers(contact)
        del self._by_id[contact.id]

    def _unlink_identifiers(self, contact: Contact) -> None:
        self._by_email.pop(contact.email, None)
        self._by_user_id.pop(contact.user_id or "", None)
