"""The seam between the studio and the stack that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from segment_loops.dead_letter_queue import DeadLetter, DeadLetterQueue
from segment_loops.event_preview import Preview
from segment_loops.trigger_explanation import TriggerExplanation


@dataclass(frozen=True, slots=True)
class LoopsCall:
    """A call that Loops received, and its response.

    `time` is in seconds since 1970; `status` is None if the connection was reset; `fault` is the simulated fault, if any.
    """

    time: float
    status: int | None
    body: Any
    fault: str | None

    def as_json(self) -> dict[str, Any]:
        return {"time": self.time, "status": self.status, "body": self.body, "fault": self.fault}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a stack lets the studio do and see; the page leaves out the rest.

    `contacts`: the contacts and events that Loops has. `events`: the text of delivered events. `faults`: failures can be
    simulated. `send`: events can be posted to the webhook.
    """

    contacts: bool
    events: bool
    faults: bool
    send: bool


@dataclass(slots=True)
class DeliveryRecord:
    """One event under one subscription, or a denied request.

    `time` is when it arrived and `last` when it was last tried, in seconds since 1970. `status` is the webhook's answer.
    `event` is text, empty if the stack does not know it; `event_name`, `email` and `user_id` are None then. `attempts`
    counts the attempts to deliver it; `calls` holds those that the sandbox received. `preview` shows how the event was
    mapped at the last attempt, and `explanations` hold the result of every subscription's trigger when the event arrived.
    """

    id: int
    time: float
    path: str
    status: int | None = None
    outcome: str = ""
    reason: str | None = None
    detail: str | None = None
    event: str = field(default="", repr=False)
    type: str | None = None
    event_name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    user_id: str | None = field(default=None, repr=False)
    message_id: str | None = None
    subscription: str | None = None
    action: str | None = None
    idempotency_key: str | None = None
    attempts: int = 0
    last: float = 0.0
    calls: list[LoopsCall] = field(default_factory=list)
    preview: Preview | None = field(default=None, repr=False)
    explanations: Sequence[TriggerExplanation] = field(default=(), repr=False)

    def as_row(self) -> dict[str, Any]:
        """Return what the list of deliveries shows."""
        return {
            "id": self.id,
            "time": self.time,
            "last": self.last,
            "path": self.path,
            "type": self.type,
            "eventName": self.event_name,
            "email": self.email,
            "userId": self.user_id,
            "messageId": self.message_id,
            "subscription": self.subscription,
            "action": self.action,
            "outcome": self.outcome,
            "reason": self.reason,
            "detail": self.detail,
            "status": self.status,
            "attempts": self.attempts,
        }

    def as_json(self) -> dict[str, Any]:
        """Return the whole record."""
        return self.as_row() | {
            "idempotencyKey": self.idempotency_key,
            "event": self.event,
            "calls": [each.as_json() for each in self.calls],
            "preview": self.preview.as_json() if self.preview else None,
            "explanations": [each.as_json() for each in self.explanations],
        }


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message on the RetryQueue; `next_at` is when it can be received, in seconds since 1970."""

    id: str
    body: str = field(repr=False)
    next_at: float


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """The webhook's answer to a posted body."""

    status: int
    content: Any


class Backend(Protocol):
    """A stack that the studio can show. Its methods are called from several threads.

    A method that cannot do or show something raises `ApiError`, whose message the page shows.
    """

    @property
    def mappings(self) -> Path:
        """The mappings file that the studio edits."""

    @property
    def loops_url(self) -> str:
        """The base URL of the Loops that the stack delivers to."""

    @property
    def is_sandboxed(self) -> bool:
        """True if that Loops is a sandbox without real contacts."""

    @property
    def capabilities(self) -> Capabilities:
        """What this stack lets the studio do and see."""

    def versions(self) -> Mapping[str, str]:
        """Return a version for each of `deliveries`, `queues` and `contacts`; it changes whenever one of them changes.

        The page asks for them every second, and for the contents only after a change.
        """

    def time(self) -> float:
        """Return the stack's time, in seconds since 1970."""

    def reload_mappings(self) -> None:
        """Make the functions read the mappings file again."""

    def post(self, body: bytes, path: str = "") -> WebhookAnswer:
        """Sign the body and post it to a path of the webhook, by default to the one that runs all actions."""

    @property
    def kept_deliveries(self) -> int:
        """The number of deliveries that the stack remembers at most."""

    def deliveries(self) -> list[DeliveryRecord]:
        """Return the latest deliveries, the newest first."""

    def contacts(self) -> Sequence[dict[str, Any]]:
        """Return the contacts in Loops, the newest first."""

    def known_contact(self, user_id: str) -> dict[str, Any] | None:
        """Return what the contact ledger knows of a contact, as `contact_ledger.contact_as_json`; None if nothing."""

    def loops_events(self) -> Sequence[dict[str, Any]]:
        """Return the events that Loops processed, the newest first."""

    def waiting(self) -> list[WaitingMessage]:
        """Return the messages on the RetryQueue."""

    @property
    def dead_letter_count(self) -> int:
        """The number of dead letters, which the page asks for every second; an approximate one will do."""

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters."""

    def dead_letter_queue(self) -> AbstractContextManager[DeadLetterQueue]:
        """Return a context with the queue to redrive dead letters from, or to drop them."""

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that the sandbox will simulate."""

    @property
    def sqs_is_down(self) -> bool:
        """True while an outage of SQS is simulated."""

    def add_fault(self, definition: bytes) -> dict[str, Any]:
        """Simulate the fault defined in JSON; raise `ApiError` (400) for an invalid definition."""

    def stop_sqs(self) -> None:
        """Simulate an outage of SQS."""

    def clear_faults(self) -> None:
        """Simulate no more faults, neither of Loops nor of SQS."""
