"""API Gateway's payload format 2.0."""

import base64
import json

import pytest

from loops_destination.http_api import Reply, decode_request, encode_reply


def test_a_request_is_decoded() -> None:
    """Body, signature, authorization and time are taken from the invocation's event."""
    request = decode_request(
        {
            "headers": {"x-signature": "abc", "authorization": "Bearer t"},
            "requestContext": {"timeEpoch": 1_772_366_400_500},
            "body": '{"a":"é"}',
            "isBase64Encoded": False,
        }
    )
    assert request.body == '{"a":"é"}'.encode()
    assert (request.signature, request.authorization, request.sent_at) == ("abc", "Bearer t", 1_772_366_400.5)


def test_a_base64_body_is_decoded_to_the_bytes_that_came() -> None:
    """What is no text comes as base64, and is verified as the bytes that were sent."""
    raw = b'\xff{"a":1}'
    request = decode_request({"body": base64.b64encode(raw).decode(), "isBase64Encoded": True})
    assert request.body == raw


@pytest.mark.parametrize("event", [{}, {"body": None, "headers": None}, {"body": "%%%", "isBase64Encoded": True}])
def test_what_is_missing_is_empty(event: dict[str, object]) -> None:
    """A request without body, headers or context is decoded, for the signature to refuse it."""
    request = decode_request(event)
    assert (request.body, request.signature, request.authorization, request.sent_at) == (b"", "", "", None)


def test_header_names_have_no_case() -> None:
    """`sam local` passes header names as they came."""
    assert decode_request({"headers": {"X-Signature": "abc"}}).signature == "abc"


def test_a_reply_is_json() -> None:
    """Every answer is JSON with results, and says why a whole request was refused."""
    assert encode_reply(Reply(200, [{"outcome": "delivered"}])) == {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": '{"results":[{"outcome":"delivered"}]}',
    }
    assert json.loads(encode_reply(Reply(401, reason="bad-signature"))["body"]) == {
        "results": [],
        "reason": "bad-signature",
    }


def test_an_answer_is_never_too_long_for_lambda() -> None:
    """With tens of thousands of results those that ask for attention are told first, and the rest is counted."""
    results = [{"messageId": "m" * 100, "outcome": "delivered", "detail": "x" * 100} for _ in range(49_999)]
    answer = encode_reply(Reply(207, [*results, {"messageId": "bad", "outcome": "rejected", "reason": "refused"}]))
    body = json.loads(answer["body"])
    assert len(answer["body"]) < 2_500_000
    assert body["results"][0]["messageId"] == "bad"
    assert body["omitted"] + len(body["results"]) == 50_000
