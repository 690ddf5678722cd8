"""Messages as they come back from a queue; the web functions, which only write messages, start without this."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from loops_destination.errors import DestinationError, NotAnEvent
from loops_destination.events import parse_object, too_deep
from loops_destination.messages import VERSION, Message, ascii_json, ascii_text
from loops_destination.outcomes import Reason

_PRINTABLE = r"^[^\x00-\x1f\x7f]{1,256}$"  # what SQS takes as an attribute


class UnreadableMessage(DestinationError):
    """A message on a queue that is not ours, or of a version that this code does not know."""


class _Head(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    version: Literal[1]
    action: str = Field(pattern=_PRINTABLE)
    subscription: str = Field(pattern=_PRINTABLE)
    key: str = Field(pattern=r"^[\x21-\x7e]{1,100}$")  # it becomes the value of a header
    received_at: AwareDatetime = Field(alias="receivedAt")
    reason: Reason
    detail: str | None = None
    attempts: int = Field(ge=0)
    refused: bool = False
    old_is_accepted: bool = Field(default=False, alias="oldIsAccepted")

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
        places = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}))
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
