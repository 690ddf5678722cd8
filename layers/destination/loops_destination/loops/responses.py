"""The meaning of a response from Loops, decided by its status and the request alone, since Loops' messages change.

This is the only module that knows Loops' statuses; their source is Loops' OpenAPI document. `response_to_outcome`
decides which outcome follows from a meaning.

    status           request                               meaning
    2xx with JSON    any                                   DONE
    2xx without      any                                   TRY_AGAIN: the response of a proxy, not of Loops
    401, 403         any                                   API_KEY_REFUSED
    429              any                                   TRY_AGAIN: rate-limited
    408, 5xx, none   any                                   TRY_AGAIN: trouble at Loops or on the way to it
    409              an event                              ALREADY_DONE: its idempotency key was used before
    404              a deletion                            DONE: the contact does not exist
    400, 404         a contact or an event with a userId   CONTACT_UNKNOWN: Loops cannot create the contact
                     and no email
    other 4xx        any                                   REFUSED
    other            any                                   TRY_AGAIN: unreadable
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum, auto
from http.client import BAD_REQUEST, INTERNAL_SERVER_ERROR, MULTIPLE_CHOICES, OK
from typing import Any

from pydantic_core import from_json

from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Reason

_COUNT = re.compile(r"[0-9]{1,9}\Z")
_MAX_MESSAGE_CHARACTERS = 500


class Meaning(Enum):
    """The meaning of a response for its delivery."""

    DONE = auto()
    ALREADY_DONE = auto()
    """A 409: Loops remembers the idempotency key for 24 hours.

    So an earlier attempt was taken, unless Loops refused that attempt and remembers its idempotency key all the same.
    """
    TRY_AGAIN = auto()
    API_KEY_REFUSED = auto()
    """The API key is wrong or was replaced: a refreshed one may be accepted."""
    CONTACT_UNKNOWN = auto()
    """The identify that creates the contact may still be on its way."""
    REFUSED = auto()
    """This request will never succeed."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response from Loops, or its absence (`status` is None).

    `message` is Loops' own text, of at most 500 characters; it may quote the event. `remaining` is how many calls the
    team has left in this second, or None if Loops did not say.
    """

    meaning: Meaning
    status: int | None = None
    reason: Reason | None = None
    message: str | None = field(default=None, repr=False)
    remaining: int | None = None


def no_response(reason: Reason) -> Response:
    """Return the response of a call that got none, or none that could be read."""
    return Response(Meaning.TRY_AGAIN, reason=reason)


def read_response(request: LoopsRequest, status: int, body: bytes, remaining: str | None) -> Response:
    """Return the response to a request; `remaining` is the header x-ratelimit-remaining."""
    meaning, reason = _meaning(request, status, body)
    message = None if meaning is Meaning.DONE or meaning is Meaning.ALREADY_DONE else _message(body)
    return Response(meaning, status, reason, message, _count(remaining))


def _meaning(request: LoopsRequest, status: int, body: bytes) -> tuple[Meaning, Reason | None]:
    is_event = request.path.endswith("/events/send")
    is_deletion = request.path.endswith("/contacts/delete")
    match status:
        case _ if OK <= status < MULTIPLE_CHOICES:
            return (Meaning.DONE, None) if _is_json(body) else (Meaning.TRY_AGAIN, Reason.UNREADABLE_RESPONSE)
        case _ if status < BAD_REQUEST:
            return Meaning.TRY_AGAIN, Reason.UNREADABLE_RESPONSE
        case _ if status >= INTERNAL_SERVER_ERROR:
            return Meaning.TRY_AGAIN, Reason.LOOPS_ERROR
        case 401 | 403:
            return Meaning.API_KEY_REFUSED, Reason.API_KEY_REFUSED
        case 408:
            return Meaning.TRY_AGAIN, Reason.LOOPS_ERROR
        case 429:
            return Meaning.TRY_AGAIN, Reason.RATE_LIMITED
        case 409 if is_event:
            return Meaning.ALREADY_DONE, None
        case 404 if is_deletion:
            return Meaning.DONE, None
        case 400 | 404 if request.names_contact_by_user_id_only and not is_deletion:
            return Meaning.CONTACT_UNKNOWN, Reason.UNKNOWN_CONTACT
        case _:
            return Meaning.REFUSED, Reason.REFUSED


def _is_json(body: bytes) -> bool:
    try:
        _parse(body)
    except (ValueError, RecursionError):
        return False
    return True


def _message(body: bytes) -> str | None:
    try:
        content = _parse(body)
    except (ValueError, RecursionError):
        return None
    message = content.get("message") if isinstance(content, dict) else None
    return message[:_MAX_MESSAGE_CHARACTERS] if isinstance(message, str) else None


def _parse(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:  # pydantic's parser rejects half a surrogate pair, which JSON allows
        return json.loads(body)


def _count(header: str | None) -> int | None:
    return int(header) if header is not None and _COUNT.match(header) else None
