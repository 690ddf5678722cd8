"""One team at Loops: its state, its journal, and the faults to simulate."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from local.sandbox.assumptions import Assumptions
from local.sandbox.contact_change import ChangeReader, ContactChange, plain_values, stored_email
from local.sandbox.contacts import Contact, Contacts
from local.sandbox.faults import Faults
from local.sandbox.journal import Journal
from local.sandbox.loops_events import LoopsEvents
from local.sandbox.properties import Properties
from local.sandbox.rate_limit import Window, rate_limit
from local.sandbox.used_idempotency_keys import LONGEST_IDEMPOTENCY_KEY, UsedIdempotencyKeys
from segment_loops.json_app import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from local.sandbox.event_patterns import EventPattern
    from local.sandbox.lists import MailingList

REQUESTS_PER_SECOND = 10
"""Loops' documented limit for a team."""


class Sandbox:
    """The state behind the API, and the rules that concern several parts of it.

    `clock` returns the time in seconds, and `sleep` waits. `limit` is in requests a second, None for no limit. `api_key`
    and `assumptions` may be changed at any time. Hold `lock` to read the state while requests are in progress.
    """

    def __init__(  # noqa: PLR0913  # every setting has a default, and is passed by name
        self,
        api_key: str = "sandbox-key",
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
        limit: int | None = REQUESTS_PER_SECOND,
        window: Window = "fixed",
        team_name: str = "Sandbox",
        lists: Iterable[MailingList] = (),
        event_patterns: Iterable[EventPattern] = (),
        assumptions: Assumptions | None = None,
    ) -> None:
        self.api_key = api_key
        self.clock = clock
        self.sleep = sleep
        self.team_name = team_name
        self.lists = {each.id: each for each in lists}
        self.event_patterns = {each.event_name: each for each in event_patterns}
        self.assumptions = assumptions or Assumptions()
        self.faults = Faults()
        # Reentrant, so that it may be held over a call that acquires it too.
        self.lock = threading.RLock()
        self._limit = limit
        self._window = window
        self.reset()

    def reset(self) -> None:
        """Forget everything but the settings: contacts, properties, events, idempotency keys, requests and faults."""
        with self.lock:
            self.contacts = Contacts()
            self.properties = Properties()
            self.events = LoopsEvents()
            self.idempotency_keys = UsedIdempotencyKeys()
            self.journal = Journal()
            self.rate_limit = rate_limit(self._limit, self._window)
            self.faults.clear()

    def create_contact(self, body: Mapping[str, Any]) -> Contact:
        """Implement `POST /v1/contacts/create`; raise `ApiError` (400, 409)."""
        change = self._read_change(body)
        return self._learn(change, self.contacts.add(change, self.clock()))

    def update_contact(self, body: Mapping[str, Any]) -> Contact:
        """Implement `PUT /v1/contacts/update`; raise `ApiError` (400)."""
        return self._save(self._read_change(body), unknown="userId not found, and a new contact needs an email.")

    def send_event(self, body: Mapping[str, Any], idempotency_key: str | None) -> None:
        """Implement `POST /v1/events/send`; raise `ApiError` (400, 409).

        The caller records whether the idempotency key is used up, once the response is known.
        """
        now = self.clock()
        if idempotency_key is not None and len(idempotency_key) > LONGEST_IDEMPOTENCY_KEY:
            raise ApiError(400, f"Idempotency-Key must be at most {LONGEST_IDEMPOTENCY_KEY} characters.")
        if idempotency_key is not None and self.idempotency_keys.used(idempotency_key, now):
            if self.assumptions.repeated_event == "success" and self.idempotency_keys.used_by(idempotency_key, body):
                return
            raise ApiError(409, "Idempotency key has been used already.")
        name, properties, contact_fields = _event_parts(body)
        plain = plain_values(properties, self.assumptions)
        contact = self._save(self._read_change(contact_fields), unknown="Contact not found.")
        self.events.add(name, plain, contact, idempotency_key, now)

    def leave(self, email: str, list_id: str | None = None) -> None:
        """Unsubscribe the person from a list, or from everything, as in Loops; raise `ApiError` (404) if unknown."""
        with self.lock:
            self._known(email).leave(list_id)

    def suppress(self, email: str) -> None:
        """Suppress the person, as Loops does after a hard bounce; raise `ApiError` (404) if unknown."""
        with self.lock:
            self._known(email).suppressed = True

    def _known(self, email: str) -> Contact:
        contact = self.contacts.find(stored_email(email, self.assumptions))
        if contact is None:
            raise ApiError(404, "Contact not found.")
        return contact

    def _read_change(self, body: Mapping[str, Any]) -> ContactChange:
        return ChangeReader(self.properties, self.lists, self.assumptions).read(body)

    def _save(self, change: ContactChange, *, unknown: str) -> Contact:
        return self._learn(change, self.contacts.save(change, self.clock(), unknown=unknown))

    def _learn(self, change: ContactChange, contact: Contact) -> Contact:
        """Add the properties of a contact that has been saved, and so of none that was refused."""
        for name, value in change.properties.items():
            self.properties.learn(name, value)
        return contact


def _event_parts(body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """Return the event's name, its properties, and the other fields, which are the contact's."""
    name, properties = body.get("eventName"), body.get("eventProperties")
    if not isinstance(name, str) or not name:
        raise ApiError(400, "eventName is required.")
    if ":" in name:
        raise ApiError(400, "eventName must not contain a colon.")
    if properties is not None and not isinstance(properties, dict):
        raise ApiError(400, "eventProperties must be an object.")
    rest = {field: value for field, value in body.items() if field not in {"eventName", "eventProperties"}}
    return name, properties or {}, rest
