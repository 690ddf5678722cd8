"""API Gateway's payload format 2.0."""

import base64
import json

import pytest

from loops_destination.http_api import Reply, decode_request, encode_reply


def test_a_request_is_decoded() -> None:
    """Body, signature, authorization and time come from the invocation's event."""
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


def test_a_base64_body_is_decoded_to_the_bytes_that_were_sent() -> None:
    """A body that API Gateway encoded as base64 is decoded, so that its signature can be verified."""
    raw = b'\xff{"a":1}'
    request = decode_request({"body": base64.b64encode(raw).decode(), "isBase64Encoded": True})
    assert request.body == raw


@pytest.mark.parametrize("event", [{}, {"body": None, "headers": None}, {"body": "%%%", "isBase64Encoded": True}])
def test_missing_parts_are_empty(event: dict[str, object]) -> None:
    """A request without a body, headers or context is decoded with empty parts."""
    request = decode_request(event)
    assert (request.body, request.signature, request.authorization, request.sent_at) == (b"", "", "", None)


def test_header_names_are_compared_without_regard_to_case() -> None:
    """A header is found although `sam local` does not lower its name."""
    assert decode_request({"headers": {"X-Signature": "abc"}}).signature == "abc"


def test_a_reply_is_json() -> None:
    """Every reply is JSON with results, and with the reason if the request was denied."""
    assert encode_reply(Reply(200, [{"outcome": "delivered"}])) == {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": '{"results":[{"outcome":"delivered"}]}',
    }
    assert json.loads(encode_reply(Reply(401, reason="bad-signature"))["body"]) == {
        "results": [],
        "reason": "bad-signature",
    }


def test_a_reply_is_never_too_long_for_lambda() -> None:
    """Of tens of thousands of results the reply keeps those that need attention, and counts the omitted ones."""
    results = [{"messageId": "m" * 100, "outcome": "delivered", "detail": "x" * 100} for _ in range(49_999)]
    response = encode_reply(Reply(207, [*results, {"messageId": "bad", "outcome": "rejected", "reason": "refused"}]))
    body = json.loads(response["body"])
    assert len(response["body"]) < 2_500_000
    assert body["results"][0]["messageId"] == "bad"
    assert body["omitted"] + len(body["results"]) == 50_000
