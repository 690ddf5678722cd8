"""A Loops of a few lines: contacts with properties, and the idempotency keys of events."""

from __future__ import annotations

from typing import Any

from loops_destination.ledger import Called, Effect
from loops_destination.loops_request import LoopsRequest


class SmallLoops:
    """Applies requests. A contact is made by an email, and is known by its userId."""

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, Any]] = {}
        self.events: list[str] = []
        self.remembered: set[str] = set()

    def apply(self, request: LoopsRequest) -> Effect:
        user, action = request.body["userId"], request.path.rpartition("/")[2]
        if action == "delete":
            self.contacts.pop(user, None)
            return Effect.APPLIED
        key = request.headers.get("Idempotency-Key", "")
        if action == "send" and key in self.remembered:
            return Effect.ALREADY_APPLIED
        if user not in self.contacts and "email" not in request.body:
            return Effect.NOT_YET
        self.contacts.setdefault(user, {}).update(flat(request.body))
        if action == "send":
            self.remembered.add(key)
            self.events.append(key)
        return Effect.APPLIED

    def call(self, request: LoopsRequest, seconds: float) -> Called[str]:  # noqa: ARG002  # it responds at once
        effect = self.apply(request)
        return Called(effect, effect.name)


def flat(body: dict[str, Any]) -> dict[str, Any]:
    """The contact properties of a body, with one name for each mailing list."""
    properties = {
        name: value
        for name, value in body.items()
        if name not in {"userId", "eventName", "eventProperties", "mailingLists"}
    }
    return properties | {f"mailingLists.{name}": value for name, value in body.get("mailingLists", {}).items()}
