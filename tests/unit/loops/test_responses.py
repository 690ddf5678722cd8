"""What Loops' answers mean."""

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
    answer = read_response(request, status, body, None)
    return answer.meaning, answer.reason


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
def test_a_status_means_the_same_for_every_call(
    request_: LoopsRequest, status: int, expected: tuple[Meaning, Reason | None]
) -> None:
    """What asks for patience, for another key or for a person is told by the status alone."""
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
def test_some_statuses_depend_on_the_call(
    request_: LoopsRequest, status: int, expected: tuple[Meaning, Reason | None]
) -> None:
    """A used key is done, a contact that is gone is deleted, and one named by userId only may still come."""
    assert meaning(request_, status) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000, b'{"success"'])
def test_a_success_that_is_no_json_is_not_believed(body: bytes) -> None:
    """A 200 from something that is not Loops is tried again."""
    assert meaning(CONTACT, 200, body) == (Meaning.TRY_AGAIN, Reason.UNREADABLE_RESPONSE)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"email":"\\ud83d"}', b'{"n":1e999}'])
def test_any_json_is_a_success(body: bytes) -> None:
    """A success may say whatever JSON can, half a character too, for only its status counts."""
    assert read_response(CONTACT, 200, body, None).meaning is Meaning.DONE


def test_loops_message_is_kept_for_a_person() -> None:
    """What Loops said of a refusal is kept, cut to a length; of a success nothing is."""
    told = b'{"success":false,"message":"%s"}' % (b"x" * 1000)
    assert read_response(CONTACT, 400, told, None).message == "x" * 500
    assert read_response(CONTACT, 200, told, None).message is None
    for body in (b"", b"[]", b'{"message":5}', b"\xff"):
        assert read_response(CONTACT, 400, body, None).message is None


@pytest.mark.parametrize(
    ("header", "count"), [("3", 3), ("0", 0), (None, None), ("many", None), ("-1", None), ("²", None)]
)
def test_what_is_left_of_the_limit_is_read(header: str | None, count: int | None) -> None:
    """The header x-ratelimit-remaining is a number, or it is not there."""
    assert read_response(CONTACT, 200, b"{}", header).remaining == count


def test_silence_is_tried_again() -> None:
    """No answer at all keeps the delivery."""
    answer = no_response(Reason.TIMEOUT)
    assert (answer.meaning, answer.status, answer.reason) == (Meaning.TRY_AGAIN, None, Reason.TIMEOUT)
