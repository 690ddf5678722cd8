"""The meaning of Loops' responses."""

import pytest

from loops_destination.loops.responses import Meaning, no_response, read_response
from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Reason

CONTACT = LoopsRequest("PUT", "/api/v1/contacts/update", {"email": "adam@loops.so", "userId": "u"})
UNNAMED_CONTACT = LoopsRequest("PUT", "/api/v1/contacts/update", {"userId": "u"})
EVENT = LoopsRequest("POST", "/api/v1/events/send", {"email": "adam@loops.so", "eventName": "E"})
UNNAMED_EVENT = LoopsRequest("POST", "/api/v1/events/send", {"userId": "u", "eventName": "E"})
DELETION = LoopsRequest("POST", "/api/v1/contacts/delete", {"userId": "u"})
ALL = [CONTACT, UNNAMED_CONTACT, EVENT, UNNAMED_EVENT, DELETION]


def meaning(request: LoopsRequest, status: int, body: bytes = b"{}") -> tuple[Meaning, Reason | None]:
    response = read_response(request, status, body, None)
    return response.meaning, response.reason


@pytest.mark.parametrize("request_", ALL, ids=lambda request: f"{request.path}-{len(request.body)}")
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, (Meaning.DONE, None)),
        (201, (Meaning.DONE, None)),
        (301, (Meaning.TRY_AGAIN, Reason.UNREADABLE_RESPONSE)),
        (401, (Meaning.API_KEY_REFUSED, Reason.API_KEY_REFUSED)),
        (403, (Meaning.API_KEY_REFUSED, Reason.API_KEY_REFUSED)),
        (405, (Meaning.REFUSED, Reason.REFUSED)),
        (408, (Meaning.TRY_AGAIN, Reason.LOOPS_ERROR)),
        (413, (Meaning.REFUSED, Reason.REFUSED)),
        (422, (Meaning.REFUSED, Reason.REFUSED)),
        (429, (Meaning.TRY_AGAIN, Reason.RATE_LIMITED)),
        (500, (Meaning.TRY_AGAIN, Reason.LOOPS_ERROR)),
        (503, (Meaning.TRY_AGAIN, Reason.LOOPS_ERROR)),
        (599, (Meaning.TRY_AGAIN, Reason.LOOPS_ERROR)),
    ],
)
def test_most_statuses_mean_the_same_for_every_request(
    request_: LoopsRequest, status: int, expected: tuple[Meaning, Reason | None]
) -> None:
    """Success, an API key that is refused, trouble at Loops and most refusals depend on the status alone."""
    assert meaning(request_, status) == expected


@pytest.mark.parametrize(
    ("request_", "status", "expected"),
    [
        (EVENT, 409, (Meaning.ALREADY_DONE, None)),
        (UNNAMED_EVENT, 409, (Meaning.ALREADY_DONE, None)),
        (CONTACT, 409, (Meaning.REFUSED, Reason.REFUSED)),
        (DELETION, 409, (Meaning.REFUSED, Reason.REFUSED)),
        (CONTACT, 400, (Meaning.REFUSED, Reason.REFUSED)),
        (EVENT, 404, (Meaning.REFUSED, Reason.REFUSED)),
        (UNNAMED_CONTACT, 400, (Meaning.CONTACT_UNKNOWN, Reason.UNKNOWN_CONTACT)),
        (UNNAMED_CONTACT, 404, (Meaning.CONTACT_UNKNOWN, Reason.UNKNOWN_CONTACT)),
        (UNNAMED_EVENT, 400, (Meaning.CONTACT_UNKNOWN, Reason.UNKNOWN_CONTACT)),
        (UNNAMED_EVENT, 404, (Meaning.CONTACT_UNKNOWN, Reason.UNKNOWN_CONTACT)),
        (DELETION, 404, (Meaning.DONE, None)),
        (DELETION, 400, (Meaning.REFUSED, Reason.REFUSED)),
    ],
)
def test_some_statuses_depend_on_the_request(
    request_: LoopsRequest, status: int, expected: tuple[Meaning, Reason | None]
) -> None:
    """A 409 means that an event was sent before, a 404 that a contact is deleted, and 400 or 404 that a contact without an email is unknown."""
    assert meaning(request_, status) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000, b'{"success"'])
def test_a_success_without_json_is_tried_again(body: bytes) -> None:
    """A 200 without JSON, as from a proxy, is tried again."""
    assert meaning(CONTACT, 200, body) == (Meaning.TRY_AGAIN, Reason.UNREADABLE_RESPONSE)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"email":"\\ud83d"}', b'{"n":1e999}'])
def test_a_success_with_any_json_is_done(body: bytes) -> None:
    """A 2xx with any JSON value, half a surrogate pair included, means that the request is done."""
    assert read_response(CONTACT, 200, body, None).meaning is Meaning.DONE


def test_the_message_of_a_failure_is_kept() -> None:
    """Loops' message is kept for every failure, up to 500 characters, and for no success."""
    body_with_message = b'{"success":false,"message":"%s"}' % (b"x" * 1000)
    assert read_response(CONTACT, 400, body_with_message, None).message == "x" * 500
    assert read_response(CONTACT, 200, body_with_message, None).message is None
    for body in (b"", b"[]", b'{"message":5}', b"\xff"):
        assert read_response(CONTACT, 400, body, None).message is None


@pytest.mark.parametrize(
    ("header", "count"), [("3", 3), ("0", 0), (None, None), ("many", None), ("-1", None), ("²", None)]
)
def test_the_remaining_calls_are_read(header: str | None, count: int | None) -> None:
    """The header x-ratelimit-remaining is read if it is a whole number."""
    assert read_response(CONTACT, 200, b"{}", header).remaining == count


def test_a_missing_response_is_tried_again() -> None:
    """No response means to try again, with the reason and without a status."""
    response = no_response(Reason.TIMEOUT)
    assert (response.meaning, response.status, response.reason) == (Meaning.TRY_AGAIN, None, Reason.TIMEOUT)
