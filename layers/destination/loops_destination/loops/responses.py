"""What an response of Loops means, told by its status alone; its texts change.

Source: the statuses of Loops' OpenAPI document. This table is the only place that knows them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from pydantic_core import from_json

from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Reason

_COUNT = re.compile(r"[0-9]{1,9}\Z")
_MAX_MESSAGE = 500  # characters of Loops' message that are kept


class Meaning(Enum):
    """What an response asks for."""

    DONE = auto()
    ALREADY_DONE = auto()  # the Idempotency-Key was used before
    TRY_AGAIN = auto()
    API_KEY_REFUSED = auto()
    CONTACT_UNKNOWN = auto()  # refused, but perhaps only because the contact's identify is still on its way
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Response:
    """An response of Loops, or its absence (`status` None).

    `remaining` is how many calls the team has left in this second, None when Loops did not say.
    """

    meaning: Meaning
    status: int | None = None
    reason: Reason | None = None
    message: str | None = field(default=None, repr=False)
    remaining: int | None = None


def no_response(reason: Reason) -> Response:
    """Loops did not response, or not so that it could be read."""
    return Response(Meaning.TRY_AGAIN, reason=reason)


def read_response(request: LoopsRequest, status: int, body: bytes, remaining: str | None) -> Response:
    """The response to this request; `remaining` is the header x-ratelimit-remaining."""
    meaning, reason = _meaning(request, status, body)
    message = _message(body) if meaning not in {Meaning.DONE, Meaning.ALREADY_DONE} else None
    return Response(meaning, status, reason, message, _count(remaining))


def _meaning(request: LoopsRequest, status: int, body: bytes) -> tuple[Meaning, Reason | None]:
    deletes = request.path.endswith("/contacts/delete")
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        # A page of some proxy is no word of Loops.
        return (Meaning.DONE, None) if _is_json(body) else (Meaning.TRY_AGAIN, Reason.UNREADABLE_RESPONSE)
    if status == HTTPStatus.CONFLICT and request.path.endswith("/events/send"):
        return Meaning.ALREADY_DONE, None
    if status == HTTPStatus.NOT_FOUND and deletes:
        return Meaning.DONE, None
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Meaning.API_KEY_REFUSED, Reason.API_KEY_REFUSED
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Meaning.TRY_AGAIN, Reason.RATE_LIMITED
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Meaning.TRY_AGAIN, Reason.LOOPS_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return Meaning.TRY_AGAIN, Reason.UNREADABLE_RESPONSE
    if (
        status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
        and request.names_contact_by_user_id_only
        and not deletes
    ):
        return Meaning.CONTACT_UNKNOWN, Reason.UNKNOWN_CONTACT
    return Meaning.REFUSED, Reason.REFUSED


def _is_json(body: bytes) -> bool:
    try:
        _parsed(body)
    except (ValueError, RecursionError):
        return False
    return True


def _message(body: bytes) -> str | None:
    try:
        response = _parsed(body)
    except (ValueError, RecursionError):
        return None
    message = response.get("message") if isinstance(response, dict) else None
    return message[:_MAX_MESSAGE] if isinstance(message, str) else None


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:  # half a surrogate pair is JSON all the same
        return json.loads(body)


def _count(header: str | None) -> int | None:
    return int(header) if header is not None and _COUNT.match(header) else None
