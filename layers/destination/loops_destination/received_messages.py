"""Messages as they are received from a queue.

The web functions only write messages, so they start without this module and its pydantic model.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from loops_destination.errors import DestinationError, NotAnEvent
from loops_destination.events import parse_object, too_deep
from loops_destination.messages import VERSION, Message, ascii_json, ascii_text
from loops_destination.outcomes import Reason

_PRINTABLE = r"^[^\x00-\x1f\x7f]{1,256}$"  # SQS takes these as an attribute


class UnreadableMessage(DestinationError):
    """A message on a queue was written by another program, or in a version that this code does not know."""


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message as SQS hands it to the function.

    `sent_at` is its SentTimestamp, in seconds since 1970, and `receives` its ApproximateReceiveCount.
    """

    message_id: str
    receipt: str
    body: str = field(repr=False)
    sent_at: float
    receives: int = 1


class _Head(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    version: Literal[1]
    action: str = Field(pattern=_PRINTABLE)
    subscription: str = Field(pattern=_PRINTABLE)
    idempotency_key: str = Field(alias="idempotencyKey", pattern=r"^[\x21-\x7e]{1,100}$")  # it is sent as a header
    received_at: AwareDatetime = Field(alias="receivedAt")
    reason: Reason
    detail: str | None = None
    attempts: int = Field(ge=0)
    refused: bool = False
    old_is_accepted: bool = Field(default=False, alias="oldIsAccepted")

    @field_validator("received_at")
    @classmethod
    def _is_plausible(cls, time: datetime) -> datetime:
        if not 2000 < time.year < 2200:  # noqa: PLR2004  # seconds since 1970 that every platform can convert
            raise ValueError("must be a time of this century")
        return time


def read_message(text: str) -> tuple[Message, dict[str, Any]]:
    """Return the message in this text and its event; raise `UnreadableMessage` if there is no delivery in it."""
    try:
        content = parse_object(text)
        head = _Head.model_validate(content)
    except NotAnEvent as error:
        raise UnreadableMessage(str(error)) from None
    except ValidationError as error:
        fields = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}))
        raise UnreadableMessage(f"this is not a message of version {VERSION}; missing or wrong: {fields}") from None
    event = content.get("event")
    if not isinstance(event, dict) or too_deep(text, event):
        raise UnreadableMessage("the message has no event, or one that is nested too deeply")
    values = head.model_dump(exclude={"version", "received_at", "refused"})
    received_at = head.received_at.timestamp()
    return Message(received_at=received_at, event=_event_text(text, event), was_refused=head.refused, **values), event


def _event_text(text: str, event: dict[str, Any]) -> str:
    """Return the event's text exactly as it is in the message, so that its numbers keep every digit.

    In a message that this program wrote, the event comes last, after the first `,"event":` that is not in a string:
    quotes inside strings are escaped. A message written by another program gets its event as new JSON.
    """
    _, _, rest = text.partition(',"event":')
    with suppress(NotAnEvent):
        if parse_object(rest[:-1]) == event:
            return ascii_text(rest[:-1])
    return ascii_json(event)
