"""One team at Loops: what it has, what it was told, and what is to go wrong."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from local.sandbox.assumptions import Assumptions
from local.sandbox.contact_change import ChangeReader, ContactChange, plain_values
from local.sandbox.contacts import Contact, Contacts
from local.sandbox.events import Events
from local.sandbox.faults import Faults
from local.sandbox.properties import Properties
from local.sandbox.rate_limit import Window, rate_limit
from local.sandbox.refusal import Refusal
from local.sandbox.request_log import Journal
from local.sandbox.used_idempotency_keys import LONGEST_KEY, IdempotencyKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from local.sandbox.lists import MailingList

REQUESTS_PER_SECOND = 10
"""Loops' documented limit for a team."""


class Sandbox:
    """The state behind the API, and the rules that span several parts of it.

    `clock` gives the time in seconds and `sleep` waits for so many; all times come from them. `limit` is in requests
    a second, None for no limit. `api_key` and `assumptions` may be changed at any time. Who reads while requests are
    under way holds `lock`.
    """

    def __init__(  # noqa: PLR0913  # a team has so many settings; all but the key go by name
        self,
        api_key: str = "sandbox-key",
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
        limit: int | None = REQUESTS_PER_SECOND,
        window: Window = "fixed",
        team_name: str = "Sandbox",
        lists: Iterable[MailingList] = (),
        assumptions: Assumptions | None = None,
    ) -> None:
        self.api_key = api_key
        self.clock = clock
        self.sleep = sleep
        self.team_name = team_name
        self.lists = {each.id: each for each in lists}
        self.assumptions = assumptions or Assumptions()
        self.faults = Faults()
        # Reentrant, so that a test may hold it over a call that takes it too.
        self.lock = threading.RLock()
        self._limit = limit
        self._window = window
        self.reset()

    def reset(self) -> None:
        """Forgets contacts, custom properties, events, keys, requests, faults and what was taken of the limit."""
        with self.lock:
            self.contacts = Contacts()
            self.properties = Properties()
            self.events = Events()
            self.keys = IdempotencyKeys()
            self.journal = Journal()
            self.rate_limit = rate_limit(self._limit, self._window)
            self.faults.clear()

    def create_contact(self, body: Mapping[str, Any]) -> Contact:
        """`POST /v1/contacts/create`; Refusal (400, 409)."""
        change = self._read_change(body)
        return self._learn(change, self.contacts.add(change, self.clock()))

    def update_contact(self, body: Mapping[str, Any]) -> Contact:
        """`PUT /v1/contacts/update`; Refusal (400)."""
        return self._save(self._read_change(body), unknown="userId not found, and a new contact needs an email.")

    def send_event(self, body: Mapping[str, Any], key: str | None) -> None:
        """`POST /v1/events/send`; Refusal (400, 409). Whether the key is used up is settled when it is answered."""
        now = self.clock()
        if key is not None and len(key) > LONGEST_KEY:
            raise Refusal(400, f"Idempotency-Key must be at most {LONGEST_KEY} characters.")
        if key is not None and self.keys.used(key, now):
            raise Refusal(409, "Idempotency key has been used already.")
        name, properties, contact_fields = _event_parts(body)
        plain = plain_values(properties, self.assumptions)
        contact = self._save(self._read_change(contact_fields), unknown="Contact not found.")
        self.events.add(name, plain, contact, key, now)

    def leave(self, email: str, list_id: str | None = None) -> None:
        """The person leaves a list, or opts out of everything, as by an email's footer; Refusal (404)."""
        with self.lock:
            contact = self.contacts.find(email)
            if contact is None:
                raise Refusal(404, "Contact not found.")
            contact.leave(list_id)

    def _read_change(self, body: Mapping[str, Any]) -> ContactChange:
        return ChangeReader(self.properties, self.lists, self.assumptions).read(body)

    def _save(self, change: ContactChange, *, unknown: str) -> Contact:
        return self._learn(change, self.contacts.save(change, self.clock(), unknown=unknown))

    def _learn(self, change: ContactChange, contact: Contact) -> Contact:
        """A property comes into being with the contact that has it, so not with one that was refused."""
        for name, value in change.properties.items():
            self.properties.learn(name, value)
        return contact


def _event_parts(body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """The event's name, its properties, and the rest, which is the contact's."""
    name, properties = body.get("eventName"), body.get("eventProperties")
    if not isinstance(name, str) or not name:
        raise Refusal(400, "eventName is required.")
    if ":" in name:
        raise Refusal(400, "eventName must not contain a colon.")
    if properties is not None and not isinstance(properties, dict):
        raise Refusal(400, "eventProperties must be an object.")
    rest = {field: value for field, value in body.items() if field not in {"eventName", "eventProperties"}}
    return name, properties or {}, rest
