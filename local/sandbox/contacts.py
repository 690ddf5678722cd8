"""The audience: contacts, identified by email or userId."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from segment_loops.json_app import ApiError

if TYPE_CHECKING:
    from local.sandbox.contact_change import ContactChange


@dataclass(slots=True)
class Contact:
    """One person.

    `created` and `updated` are in seconds by the sandbox's clock. `left` holds the mailing lists that the person left.
    `suppressed`: Loops sends the person nothing, because mail to this address bounced or was reported as spam.
    """

    id: str
    email: str
    created: float
    updated: float
    user_id: str | None = None
    subscribed: bool = True
    properties: dict[str, Any] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    suppressed: bool = False

    def apply(self, change: ContactChange, now: float) -> None:
        """Write the values of the change, and keep the others."""
        self.email = change.email or self.email
        self.user_id = change.user_id or self.user_id
        if change.subscribed is not None:
            self.subscribed = change.subscribed
        for list_id, member in change.lists.items():
            self._set_membership(list_id, member=member)
        self.properties |= change.properties
        self.updated = now

    def leave(self, list_id: str | None) -> None:
        """Unsubscribe from one list, or from everything, as by the links in an email's footer."""
        if list_id is None:
            self.subscribed = False
        else:
            self.lists.discard(list_id)
            self.left.add(list_id)

    def as_found(self) -> dict[str, Any]:
        """Return the contact as `GET /v1/contacts/find` shows it."""
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
        """Return everything known of the contact."""
        return {
            "id": self.id,
            "email": self.email,
            "userId": self.user_id,
            "subscribed": self.subscribed,
            "properties": self.properties,
            "lists": sorted(self.lists),
            "left": sorted(self.left),
            "suppressed": self.suppressed,
            "created": self.created,
            "updated": self.updated,
        }

    def _set_membership(self, list_id: str, *, member: bool) -> None:
        """Set a membership; the API cannot bring back a person who opted out, or who left this list."""
        if not member:
            self.lists.discard(list_id)
        elif self.subscribed and list_id not in self.left:
            self.lists.add(list_id)


class Contacts:
    """All contacts, the oldest first; emails and userIds are unique."""

    def __init__(self) -> None:
        self._made = 0
        self._by_id: dict[str, Contact] = {}
        self._by_email: dict[str, Contact] = {}
        self._by_user_id: dict[str, Contact] = {}

    def all(self) -> list[Contact]:
        """Return every contact."""
        return list(self._by_id.values())

    def find(self, email: str | None = None, user_id: str | None = None) -> Contact | None:
        """Return the contact with either identifier; raise `ApiError` (400) if they belong to two contacts."""
        by_email = self._by_email.get(email) if email is not None else None
        by_user_id = self._by_user_id.get(user_id) if user_id is not None else None
        if by_email and by_user_id and by_email is not by_user_id:
            raise ApiError(400, "Multiple contacts found for the given criteria")
        return by_email or by_user_id

    def add(self, change: ContactChange, now: float) -> Contact:
        """Add a contact; raise `ApiError` (400) without an email, and (409) if an identifier is taken."""
        if change.email is None:
            raise ApiError(400, "email is required.")
        if change.email in self._by_email or change.user_id in self._by_user_id:
            raise ApiError(409, "Email or userId is already on list.")
        self._made += 1
        return self._write(Contact(f"contact-{self._made}", change.email, created=now, updated=now), change, now)

    def save(self, change: ContactChange, now: float, *, unknown: str) -> Contact:
        """Change the matching contact, or add one; raise `ApiError` (400) with the message `unknown` if it has no email."""
        contact = self.find(change.email, change.user_id)
        if contact is not None:
            return self._write(contact, change, now)
        if change.email is None:
            raise ApiError(400, unknown)
        return self.add(change, now)

    def remove(self, email: str | None, user_id: str | None) -> Contact:
        """Delete the contact and return it; raise `ApiError` (404) if there is none."""
        contact = self.find(email, user_id)
        if contact is None:
            raise ApiError(404, "Contact not found.")
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
