"""Bad input of every kind is answered, and no event is lost: over HTTP, on the whole stack."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from local.__main__ import main
from local.sandbox import Fault
from local.stack import SHARED_SECRET, LocalStack
from loops_destination.messages import unpack
from loops_destination.signature import sign
from tests.fakes import lines

EMAIL = "adam@loops.so"
TRAIT = "a-trait-that-no-log-may-contain"
IDENTIFY = {"type": "identify", "userId": "u-secret", "traits": {"email": EMAIL, "favoriteColor": TRAIT}}


@pytest.fixture(scope="module")
def log() -> list[str]:
    """The output of the functions in all earlier tests."""
    return []


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(polling=False) as stack:
        yield stack


@pytest.fixture(autouse=True)
def calm(stack: LocalStack, log: list[str], capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """After each test, end all faults, restore the secret and start cold."""
    yield
    log.append(capsys.readouterr().out)
    stack.aws.recover()
    stack.sandbox.faults.clear()
    stack.put_secret(apiKey=stack.sandbox.api_key, sharedSecret=SHARED_SECRET)
    stack.freeze()


def post(
    stack: LocalStack, body: bytes, signature: str | None = None, path: str = "/contacts", **headers: str
) -> tuple[int, dict[str, Any]]:
    given = {"Content-Type": "application/json", "X-Signature": signature or sign(body, SHARED_SECRET)} | headers
    answer = urllib3.request("POST", stack.gateway.root + path, body=body, headers=given, timeout=30, retries=False)
    return answer.status, json.loads(answer.data)


def event(message_id: str, **fields: Any) -> bytes:
    return json.dumps(IDENTIFY | {"messageId": message_id} | fields).encode()


def buried(stack: LocalStack) -> list[dict[str, Any]]:
    return [json.loads(dead_letter) for dead_letter in stack.dead_letters()]


@pytest.mark.parametrize("signature", ["none", "0" * 40, sign(b"another body", SHARED_SECRET)])
def test_a_request_without_a_valid_signature_is_denied(stack: LocalStack, signature: str) -> None:
    """A request with a missing or wrong signature is answered 401, and nothing is stored."""
    before = len(stack.dead_letters()), len(stack.waiting()), len(stack.sandbox.journal.all())
    assert post(stack, event("unsigned"), signature) == (401, {"results": [], "reason": "bad-signature"})
    assert (len(stack.dead_letters()), len(stack.waiting()), len(stack.sandbox.journal.all())) == before


@pytest.mark.parametrize(
    "body", [b"no json", b"\xff\xfe\xfd", b"[" * 100_000, b"5", b""], ids=["text", "bytes", "deep", "number", "empty"]
)
def test_a_signed_body_that_is_not_an_event_is_kept(stack: LocalStack, body: bytes) -> None:
    """A signed body that is not an event is answered 400, and kept byte for byte."""
    status, answer = post(stack, body)
    assert status == 400
    assert [result["reason"] for result in answer["results"]] == ["not-an-event"]
    assert body in [unpack(each) for each in buried(stack) if "body" in each]


def test_a_request_larger_than_segment_sends_is_denied(stack: LocalStack) -> None:
    """A body of 5.5 MB and an event of 300 KB are answered 413."""
    assert post(stack, b" " * 5_500_000)[0] == 413
    assert post(stack, event("large", traits={"x": "y" * 300_000}))[0] == 413


def test_a_number_among_events_does_not_affect_them(stack: LocalStack) -> None:
    """Of an array with an event and a number, the event is delivered and the number kept."""
    status, answer = post(stack, b"[%s,5]" % event("beside-a-number"))
    assert status == 207
    assert [result["outcome"] for result in answer["results"]] == ["delivered", "rejected"]


def test_the_unsigned_rest_of_a_batch_stays_with_segment(stack: LocalStack) -> None:
    """A batch of which only the first element is signed is answered 503, until a bearer token is configured and sent."""
    first, second = event("first"), event("second")
    batch = b"[%s,%s]" % (first, second)
    signature = sign(first, SHARED_SECRET)
    assert post(stack, batch, signature) == (503, {"results": [], "reason": "unsigned-batch-items"})
    stack.put_secret(apiKey=stack.sandbox.api_key, sharedSecret=SHARED_SECRET, bearerToken="token-1")
    stack.freeze()
    assert post(stack, batch, signature, Authorization="Bearer token-1")[0] == 200
    assert post(stack, b"[%s]" % first, signature)[0] == 200


def test_a_repeated_key_in_a_wrapper_is_denied(stack: LocalStack) -> None:
    """`[{"json":SIGNED,"json":FORGED}]` is denied, and the forged event reaches neither Loops nor a queue."""
    signed, forged = event("signed"), event("forged", userId="forged")
    assert post(stack, b'[{"json":%s,"json":%s}]' % (signed, forged), sign(signed, SHARED_SECRET))[0] == 401
    assert "forged" not in json.dumps([entry.body for entry in stack.sandbox.journal.all()])


def test_an_event_without_a_user_is_kept(stack: LocalStack) -> None:
    """An event without a userId is answered 400 with the field, and kept."""
    status, answer = post(stack, event("without-user", userId=None))
    assert status == 400
    assert answer["results"][0]["detail"].startswith("userId")
    assert "without-user" in [each["event"]["messageId"] for each in buried(stack) if "event" in each]


@pytest.mark.parametrize("values", [{"apiKey": "replace-me", "sharedSecret": SHARED_SECRET}, {}])
def test_before_the_secret_is_set_up_segment_keeps_everything(stack: LocalStack, values: dict[str, str]) -> None:
    """While the secret holds the placeholder, every event is answered 503."""
    stack.put_secret(**values)
    stack.freeze()
    assert post(stack, event("too-early")) == (503, {"results": [], "reason": "secret-not-set-up"})


def test_without_secrets_manager_segment_keeps_everything(stack: LocalStack) -> None:
    """While a cold function cannot read the secret, every event is answered 503."""
    stack.aws.outage("secretsmanager")
    stack.freeze()
    assert post(stack, event("no-secret")) == (503, {"results": [], "reason": "secret-unavailable"})


def test_without_loops_and_sqs_segment_keeps_everything(stack: LocalStack) -> None:
    """With Loops down an event is answered 202, with SQS down too 503, and with only SQS down 200."""

    def of_somebody_else(message_id: str) -> bytes:
        return event(message_id, userId=f"u-{message_id}", traits={"email": f"{message_id}@loops.so"})

    stack.sandbox.faults.add(Fault(kind="status", status=503, times=None))
    assert post(stack, of_somebody_else("queued"))[0] == 202
    stack.aws.outage("sqs")
    stack.freeze()
    status, answer = post(stack, of_somebody_else("nowhere"))
    assert (status, answer["results"][0]["outcome"]) == (503, None)
    stack.sandbox.faults.clear()
    stack.freeze()
    assert post(stack, of_somebody_else("delivered"))[0] == 200


@pytest.mark.parametrize("count", [1, 51])
def test_an_invalid_mappings_file_starts_nothing(tmp_path: Path, count: int) -> None:
    """An unknown action, and more than fifty subscriptions, are errors before anything is served."""
    faulty = [{"name": f"s{number}", "action": "sendMail" if count == 1 else "sendEvent"} for number in range(count)]
    mappings = tmp_path / "mappings.json"
    mappings.write_text(json.dumps(faulty), "utf-8")
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        assert main(["run", "--once", "--mappings", str(mappings)]) == 1
    assert ("sendMail" if count == 1 else "50") in errors.getvalue()


def test_no_log_contains_personal_data(log: list[str]) -> None:
    """No line that the functions wrote in these tests contains an email, a trait, a userId or a secret."""
    written = "".join(log)
    assert len([line for line in lines(written) if line.get("outcome")]) > 10
    for secret in (EMAIL, TRAIT, "u-secret", "sandbox-key", SHARED_SECRET, "token-1", "loops.so"):
        assert secret not in written
