"""What waits on the queues: one delivery a message, in ASCII JSON, complete enough to be sent a year later.

    {"version":1,"action","subscription","key","receivedAt","reason","detail"?,"refused"?,"oldIsAccepted"?,"attempts",
     "event"}

`refused`: Loops refused an earlier attempt, whatever `reason` says now. `oldIsAccepted`: a person decided to send the
event although it is old. The event stands there as it came, so that a redrive runs under the mapping and the API key of
its own day. What is no event has `body` (base64 of gzip, cut where SQS would not take it, then with `length`, `sha256`
and `truncated`).
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
MAX_MESSAGE_BYTES = 1024 * 1024  # of a message, and of all messages of one call: SQS's quota since August 2025
MAX_KEPT_BODY_BYTES = 700 * 1024  # of a body that is no event, compressed; base64 makes it a third longer

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_NAMESPACE = uuid.UUID("6f8b1c9e-9e0f-5b7a-8c55-3d2f0a4e7b61")


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery that waits. `event` is its JSON text; `body` what came instead of an event.

    `status` is Loops' last answer; it goes into the message attributes only.
    """

    key: str
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
        """Whether Loops refused the delivery before: then a 409 does not prove that it was taken."""
        return self.was_refused or self.reason in REFUSED_REASONS

    def to_json(self) -> str:
        """The message as the queues hold it."""
        head: dict[str, Any] = {
            "version": VERSION,
            "action": self.action,
            "subscription": self.subscription,
            "key": self.key,
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
        """What a dead letter is listed and chosen by."""
        given = {
            "reason": self.reason,
            "status": str(self.status) if self.status is not None else None,
            "action": self.action,
            "subscription": self.subscription,
        }
        return {name: value for name, value in given.items() if value}

    def because(self, reason: Reason, detail: str | None = None, status: int | None = None) -> Message:
        """The same delivery with what is known of it now."""
        refused = self.may_have_used_idempotency_key
        return replace(self, reason=reason, detail=detail, status=status, was_refused=refused)


class QueueName(StrEnum):
    """The two queues."""

    RETRY = "retry"
    DEAD_LETTER = "dead-letter"


class Parcel(NamedTuple):
    """A message and the queue it belongs on."""

    queue: QueueName
    message: Message

    @property
    def attributes(self) -> Mapping[str, str]:
        """Dead letters are chosen by theirs; nobody reads those of a message that is tried again by itself."""
        return self.message.attributes if self.queue is QueueName.DEAD_LETTER else {}


def body_message(body: bytes, received_at: float, reason: Reason, detail: str) -> Message:
    """The dead letter for what is no event; the same body has the same key."""
    return Message(
        str(uuid.uuid5(_NAMESPACE, hashlib.sha256(body).hexdigest())), received_at, reason, body=body, detail=detail
    )


class Storage(Protocol):
    """Where messages wait; `queues.Queues` is one."""

    def store(self, parcels: Sequence[Parcel], deadline: float) -> list[bool]:
        """Return by the deadline, in seconds since 1970, and say for each parcel if it is held."""
        ...


def ascii_text(text: str) -> str:
    """The same JSON with every character beyond ASCII escaped; only strings can hold one."""
    return text if text.isascii() else _NOT_ASCII.sub(lambda run: json.dumps(run[0])[1:-1], text)


def ascii_json(value: Any) -> str:
    """The value as compact JSON in ASCII."""
    return json.dumps(value, separators=(",", ":"))


def unpack(content: Mapping[str, Any]) -> bytes:
    """The body in a message for what is no event, as far as it was kept."""
    return gzip.decompress(base64.b64decode(content["body"]))


def _packed(body: bytes) -> dict[str, Any]:
    packed = _compressed(body)
    if len(packed) <= MAX_KEPT_BODY_BYTES:
        return {"body": base64.b64encode(packed).decode()}
    # Compressed, noise is hardly longer than it was; so what is cut to the limit fits, whatever it holds.
    packed = _compressed(body[: MAX_KEPT_BODY_BYTES - 1024])
    return {
        "body": base64.b64encode(packed).decode(),
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "truncated": True,
    }


def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)  # no time: the same body is the same message


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
