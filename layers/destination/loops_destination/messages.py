"""The messages on the two queues, each one delivery in ASCII JSON, complete enough to be sent later.

    {"version":1,"action","subscription","idempotencyKey","receivedAt","reason","detail"?,"refused"?,"oldIsAccepted"?,
     "attempts","event"}

`refused`: Loops refused an earlier attempt, whatever `reason` says now. `oldIsAccepted`: a person decided to send the
event although it is old. The event is kept as it came, so that a redrive uses the mapping and the API key that are in
force by then. A message about a body that is not an event has `body` instead: base64 of gzip, cut if SQS would not take
it, and then with `length`, `sha256` and `truncated`.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from loops_destination.outcomes import REFUSED_REASONS, Reason

VERSION = 1
MAX_MESSAGE_BYTES = 1024 * 1024  # SQS's quota since August 2025, for a message and for all messages of one call
MAX_KEPT_BODY_BYTES = 700 * 1024  # of the compressed body; base64 makes it a third longer

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_NAMESPACE = uuid.UUID("6f8b1c9e-9e0f-5b7a-8c55-3d2f0a4e7b61")


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery that is stored on a queue, or a body that is not an event.

    `event` is the event's JSON text, empty if there is a `body`. `received_at` is when the event arrived here, in
    seconds since 1970. `status` is that of Loops' last response; it is stored as a message attribute only.
    """

    idempotency_key: str
    received_at: float
    reason: Reason
    event: str = field(default="", repr=False)
    body: bytes | None = field(default=None, repr=False)
    action: str | None = None
    subscription: str | None = None
    detail: str | None = field(default=None, repr=False)
    attempts: int = 0
    status: int | None = None
    was_refused: bool = False
    old_is_accepted: bool = False

    @property
    def may_have_used_idempotency_key(self) -> bool:
        """True if Loops refused an earlier attempt: a 409 then does not prove that Loops took the event."""
        return self.was_refused or self.reason in REFUSED_REASONS

    def to_json(self) -> str:
        """Return the message as the queues hold it."""
        head: dict[str, Any] = {
            "version": VERSION,
            "action": self.action,
            "subscription": self.subscription,
            "idempotencyKey": self.idempotency_key,
            "receivedAt": _timestamp(self.received_at),
            "reason": self.reason,
        }
        if self.detail is not None:
            head["detail"] = self.detail
        if self.was_refused and self.reason not in REFUSED_REASONS:
            head["refused"] = True
        if self.old_is_accepted:
            head["oldIsAccepted"] = True
        head["attempts"] = self.attempts
        if self.body is not None:
            return json.dumps(head | _packed(self.body), separators=(",", ":"))
        return f'{json.dumps(head, separators=(",", ":"))[:-1]},"event":{ascii_text(self.event)}}}'

    @property
    def attributes(self) -> Mapping[str, str]:
        """The message attributes by which dead letters are listed and selected."""
        given = {
            "reason": self.reason,
            "status": str(self.status) if self.status is not None else None,
            "action": self.action,
            "subscription": self.subscription,
        }
        return {name: value for name, value in given.items() if value}

    def with_reason(self, reason: Reason, detail: str | None = None, status: int | None = None) -> Message:
        """Return the same delivery with a new reason, which still records if Loops refused an earlier attempt."""
        refused = self.may_have_used_idempotency_key
        return replace(self, reason=reason, detail=detail, status=status, was_refused=refused)


class QueueName(StrEnum):
    """The two queues."""

    RETRY = "retry"
    DEAD_LETTER = "dead-letter"


class RoutedMessage(NamedTuple):
    """A message and the queue that it goes to; on the RetryQueue it stays hidden for `delay_seconds` at least."""

    queue: QueueName
    message: Message
    delay_seconds: int = 0

    @property
    def attributes(self) -> Mapping[str, str]:
        """The message's attributes on the DeadLetterQueue; none on the RetryQueue, where nobody reads them."""
        return self.message.attributes if self.queue is QueueName.DEAD_LETTER else {}


class MessageStore(Protocol):
    """A place that stores messages; `queues.Queues` is one."""

    def store(self, messages: Sequence[RoutedMessage], deadline: float) -> list[bool]:
        """Store the messages, and return for each one if it was stored by the deadline, in seconds since 1970."""
        ...


def body_message(body: bytes, received_at: float, reason: Reason, detail: str) -> Message:
    """Return a dead letter for a body that is not an event; the same body always has the same idempotency key."""
    return Message(
        idempotency_key=str(uuid.uuid5(_NAMESPACE, hashlib.sha256(body).hexdigest())),
        received_at=received_at,
        reason=reason,
        body=body,
        detail=detail,
    )


def ascii_text(text: str) -> str:
    """Return the same JSON text with every character beyond ASCII escaped."""
    # In JSON, only strings can hold such a character.
    return text if text.isascii() else _NOT_ASCII.sub(lambda run: json.dumps(run[0])[1:-1], text)


def ascii_json(value: Any) -> str:
    """Return the value as compact JSON in ASCII."""
    return json.dumps(value, separators=(",", ":"))


def unpack(content: Mapping[str, Any]) -> bytes:
    """Return the body in the parsed JSON of a message, as far as it was kept."""
    return gzip.decompress(base64.b64decode(content["body"]))


def _packed(body: bytes) -> dict[str, Any]:
    packed = _compressed(body)
    if len(packed) <= MAX_KEPT_BODY_BYTES:
        return {"body": base64.b64encode(packed).decode()}
    # Random bytes hardly grow when they are compressed, so a body that is cut to the limit fits whatever it holds.
    packed = _compressed(body[: MAX_KEPT_BODY_BYTES - 1024])
    return {
        "body": base64.b64encode(packed).decode(),
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "truncated": True,
    }


def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)  # without a time, the same body gives the same message


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
