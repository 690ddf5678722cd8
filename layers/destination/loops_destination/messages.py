"""What waits on the queues: one delivery a message, in ASCII JSON, complete enough to be sent a year later.

    {"version":1,"action","subscription","key","receivedAt","reason","detail"?,"refused"?,"attempts","event"}

`refused` says of one with another reason that Loops refused it before. The event stands there as it came, so that a redrive runs under the mapping and the API key of its own day. What is no
event has `body` (base64 of gzip, cut where SQS would not take it, then with `length`, `sha256` and `truncated`).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from loops_destination.errors import DestinationError, NotAnEvent
from loops_destination.events import parse_object, too_deep
from loops_destination.outcomes import REFUSALS, Reason

VERSION = 1
MAX_MESSAGE_BYTES = 1024 * 1024  # of a message, and of all messages of one call: SQS's quota since August 2025
MAX_KEPT_BODY_BYTES = 700 * 1024  # of a body that is no event, compressed; base64 makes it a third longer

_PRINTABLE = r"^[^\x00-\x1f\x7f]{1,256}$"  # what SQS takes as an attribute
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


_NAMESPACE = uuid.UUID("6f8b1c9e-9e0f-5b7a-8c55-3d2f0a4e7b61")


class UnreadableMessage(DestinationError):
    """A message on a queue that is not ours, or of a version that this code does not know."""


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery that waits. `event` is its JSON text in ASCII; `body` what came instead of an event.

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

    @property
    def may_have_used_its_key(self) -> bool:
        """Whether Loops refused the delivery before: then a 409 does not prove that it was taken."""
        return self.was_refused or self.reason in REFUSALS

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
        if self.was_refused and self.reason not in REFUSALS:
            head["refused"] = True
        head["attempts"] = self.attempts
        if self.body is not None:
            return json.dumps(head | _packed(self.body), separators=(",", ":"))
        return f'{json.dumps(head, separators=(",", ":"))[:-1]},"event":{self.event}}}'

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
        refused = self.may_have_used_its_key
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

    def store(self, parcels: Sequence[Parcel]) -> list[bool]:
        """Whether each is held now."""
        ...


class _Head(BaseModel):
    # Built when the first message is read: the web functions, which only write messages, start without it.
    model_config = ConfigDict(hide_input_in_errors=True, defer_build=True)

    version: Literal[1]
    action: str = Field(pattern=_PRINTABLE)
    subscription: str = Field(pattern=_PRINTABLE)
    key: str = Field(pattern=r"^[\x21-\x7e]{1,100}$")  # it becomes the value of a header
    received_at: AwareDatetime = Field(alias="receivedAt")
    reason: Reason
    detail: str | None = None
    attempts: int = Field(ge=0)
    refused: bool = False

    @field_validator("received_at")
    @classmethod
    def _is_of_our_time(cls, time: datetime) -> datetime:
        if not 2000 < time.year < 2200:  # noqa: PLR2004  # what every machine can count in seconds
            raise ValueError("a time of this century")
        return time


def read_message(text: str) -> tuple[Message, dict[str, Any]]:
    """A message from the RetryQueue, and its event; `UnreadableMessage` when there is none to deliver in it."""
    try:
        content = parse_object(text)
        head = _Head.model_validate(content)
    except NotAnEvent as error:
        raise UnreadableMessage(str(error)) from None
    except ValidationError as error:
        places = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}))
        raise UnreadableMessage(f"not a message of version {VERSION}: {places}") from None
    event = content.get("event")
    if not isinstance(event, dict) or too_deep(text, event):
        raise UnreadableMessage("the message holds no event")
    values = head.model_dump(exclude={"version", "received_at", "refused"})
    received_at = head.received_at.timestamp()
    return Message(received_at=received_at, event=_event_text(text, event), was_refused=head.refused, **values), event


def _event_text(text: str, event: dict[str, Any]) -> str:
    """The event's text as it stands in a message of ours: last, behind a key that no string before it can hold."""
    _, _, rest = text.partition(',"event":')
    with suppress(NotAnEvent):
        if parse_object(rest[:-1]) == event:
            return ascii_text(rest[:-1])
    return ascii_json(event)


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
