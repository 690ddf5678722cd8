"""The parts of a request that are trusted, and the denials of the others."""

import json

import pytest

from loops_destination.errors import SecretUnavailable
from loops_destination.events import MAX_BODY_BYTES
from loops_destination.http_api import WebhookRequest
from loops_destination.outcomes import Denial
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.verification import Denied, Verifier
from tests.fakes import ManualClock

EVENT = b'{"type":"identify","userId":"u"}'
FORGED = b'{"type":"identify","userId":"forged"}'
CURRENT = {"apiKey": "key-1", "sharedSecret": "shared-1"}


class SecretsManager:
    """A Secrets Manager whose versions a test may change."""

    def __init__(self, current: dict[str, str], previous: dict[str, str] | None = None) -> None:
        self.versions: dict[str, dict[str, str] | None] = {"AWSCURRENT": current, "AWSPREVIOUS": previous}

    def __call__(self, stage: str) -> str | None:
        version = self.versions[stage]
        return json.dumps(version) if version is not None else None


def verifier_with(
    current: dict[str, str] = CURRENT, previous: dict[str, str] | None = None, *, trusting: bool = False
) -> Verifier:
    return Verifier(SecretStore(SecretsManager(current, previous), ManualClock()), trusting)


def signed(body: bytes, by: bytes | None = None, secret: str = "shared-1") -> WebhookRequest:
    return WebhookRequest(body, signature=sign(by if by is not None else body, secret))


def denial(verifier: Verifier, request: WebhookRequest) -> Denial:
    with pytest.raises(Denied) as denied:
        verifier.trusted_bodies(request)
    return denied.value.denial


def test_a_signed_body_is_trusted() -> None:
    """A signature over the whole body makes it trusted, be it an event or a batch."""
    for body in (EVENT, b"[%s,%s]" % (EVENT, EVENT)):
        assert verifier_with().trusted_bodies(signed(body)) == [body]


def test_a_batch_of_one_is_trusted_by_its_signed_item() -> None:
    """A signature over the only item is enough, and the trusted body is exactly the signed bytes."""
    assert verifier_with().trusted_bodies(signed(b"[ %s ]" % EVENT, by=EVENT)) == [EVENT]
    assert verifier_with().trusted_bodies(signed(b'[{"json":%s}]' % EVENT, by=EVENT)) == [EVENT]


def test_a_batch_with_unsigned_items_is_denied() -> None:
    """A batch of which only the first item is signed is denied with 503, so Segment keeps it while the deployer decides."""
    request = signed(b"[%s,%s]" % (EVENT, FORGED), by=EVENT)
    assert denial(verifier_with(), request) is Denial.UNSIGNED_BATCH_ITEMS
    assert Denial.UNSIGNED_BATCH_ITEMS.status == 503


def test_unsigned_items_can_be_trusted() -> None:
    """With `trust_unsigned_batch_items` the signed item and the items after it are trusted, as two bodies."""
    request = signed(b"[%s, %s]" % (EVENT, FORGED), by=EVENT)
    assert verifier_with(trusting=True).trusted_bodies(request) == [EVENT, b"[ %s]" % FORGED]


def test_a_bearer_token_makes_the_whole_body_trusted() -> None:
    """The bearer token verifies a whole batch, signed or not."""
    verifier = verifier_with(CURRENT | {"bearerToken": "token-1"})
    body = b"[%s,%s]" % (EVENT, EVENT)
    assert verifier.trusted_bodies(WebhookRequest(body, authorization="Bearer token-1")) == [body]
    assert verifier.trusted_bodies(WebhookRequest(body, sign(EVENT, "shared-1"), "Bearer token-1")) == [body]
    assert denial(verifier, WebhookRequest(body, authorization="Bearer token-2")) is Denial.BAD_SIGNATURE


@pytest.mark.parametrize(
    "request_",
    [
        WebhookRequest(EVENT),
        WebhookRequest(EVENT, signature="0" * 40),
        signed(EVENT, secret="other"),
        signed(EVENT, by=FORGED),
        signed(b'[{"json":%s,"json":%s}]' % (EVENT, FORGED), by=EVENT),
        signed(EVENT, secret=""),
        WebhookRequest(EVENT, authorization="Bearer "),
        WebhookRequest(b"", signature=""),
    ],
)
def test_a_request_without_a_valid_credential_is_denied(request_: WebhookRequest) -> None:
    """Without a valid signature or bearer token a request is denied as `bad-signature`, even where credentials are empty."""
    for current in (CURRENT, CURRENT | {"bearerToken": ""}, CURRENT | {"sharedSecret": "", "bearerToken": "token-1"}):
        assert denial(verifier_with(current, trusting=True), request_) is Denial.BAD_SIGNATURE


def test_the_previous_credentials_are_trusted() -> None:
    """The previous shared secret and bearer token verify too, so that a rotation needs no pause."""
    older = {"apiKey": "key-0", "sharedSecret": "shared-0", "bearerToken": "token-0"}
    verifier = verifier_with(CURRENT, older)
    assert verifier.trusted_bodies(signed(EVENT, secret="shared-0")) == [EVENT]
    assert verifier.trusted_bodies(WebhookRequest(EVENT, authorization="Bearer token-0")) == [EVENT]


def test_a_request_signed_with_a_new_secret_is_trusted_at_once() -> None:
    """A signature that no known version verifies makes the store refresh, and is then verified with the new secret."""
    manager = SecretsManager(CURRENT)
    verifier = Verifier(SecretStore(manager, ManualClock()))
    verifier.trusted_bodies(signed(EVENT))
    manager.versions["AWSCURRENT"] = CURRENT | {"sharedSecret": "shared-2"}
    assert verifier.trusted_bodies(signed(EVENT, secret="shared-2")) == [EVENT]


def test_a_bearer_token_that_was_just_added_is_trusted_at_once() -> None:
    """A batch with unsigned items makes the store refresh, and is then verified with the new bearer token."""
    manager = SecretsManager(CURRENT)
    verifier = Verifier(SecretStore(manager, ManualClock()))
    verifier.trusted_bodies(signed(EVENT))
    manager.versions["AWSCURRENT"] = CURRENT | {"bearerToken": "token-1"}
    body = b"[%s,%s]" % (EVENT, EVENT)
    assert verifier.trusted_bodies(WebhookRequest(body, sign(EVENT, "shared-1"), "Bearer token-1")) == [body]


@pytest.mark.parametrize(
    "current",
    [
        {},
        {"apiKey": "replace-me", "sharedSecret": "shared-1"},
        {"apiKey": "key-1"},
        {"apiKey": "key-1", "sharedSecret": "replace-me", "bearerToken": ""},
    ],
)
def test_requests_are_denied_until_the_secret_is_set_up(current: dict[str, str]) -> None:
    """Without an API key, or without anything to verify a sender with, every request is denied with 503."""
    assert denial(verifier_with(current), signed(EVENT)) is Denial.SECRET_NOT_SET_UP
    assert denial(verifier_with(current), signed(EVENT, secret="")) is Denial.SECRET_NOT_SET_UP
    assert Denial.SECRET_NOT_SET_UP.status == 503


def test_a_body_that_is_too_large_is_denied() -> None:
    """A body over the limit is denied with 413, although it is signed."""
    assert denial(verifier_with(), signed(b" " * (MAX_BODY_BYTES + 1))) is Denial.TOO_LARGE
    assert Denial.TOO_LARGE.status == 413


@pytest.mark.parametrize("stage", ["AWSPREVIOUS", "AWSCURRENT"])
def test_a_request_is_denied_with_503_while_a_version_cannot_be_read(stage: str) -> None:
    """While a version cannot be read, an unverified request is denied with 503: it may be signed with that version."""
    clock = ManualClock()
    manager = SecretsManager(CURRENT)
    down: set[str] = set()

    def fetch(asked: str) -> str | None:
        if asked in down:
            raise SecretUnavailable("down")
        return manager(asked)

    verifier = Verifier(SecretStore(fetch, clock))
    verifier.trusted_bodies(signed(EVENT))
    clock.sleep(400)
    down.add(stage)
    assert denial(verifier, signed(EVENT, secret="shared-0")) is Denial.SECRET_UNAVAILABLE
    down.clear()
    clock.sleep(400)
    assert denial(verifier, signed(EVENT, secret="shared-0")) is Denial.BAD_SIGNATURE


def test_a_cause_quotes_nothing_of_the_request() -> None:
    """The text of a denial, which is logged, contains neither the body nor the signature."""
    request = signed(EVENT, secret="other")
    with pytest.raises(Denied) as denied:
        verifier_with().trusted_bodies(request)
    assert str(denied.value) == "bad-signature"
