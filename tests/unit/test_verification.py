"""Who is trusted with what."""

import json

import pytest

from loops_destination.errors import SecretUnavailable
from loops_destination.events import MAX_BODY_BYTES
from loops_destination.http_api import WebhookRequest
from loops_destination.outcomes import Denial
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.verification import Denied, Gatekeeper
from tests.fakes import ManualClock

EVENT = b'{"type":"identify","userId":"u"}'
FORGED = b'{"type":"identify","userId":"forged"}'
CURRENT = {"apiKey": "key-1", "sharedSecret": "shared-1"}


class Manager:
    """Stands for Secrets Manager, with versions that a test may change."""

    def __init__(self, current: dict[str, str], previous: dict[str, str] | None = None) -> None:
        self.versions: dict[str, dict[str, str] | None] = {"AWSCURRENT": current, "AWSPREVIOUS": previous}

    def __call__(self, stage: str) -> str | None:
        version = self.versions[stage]
        return json.dumps(version) if version is not None else None


def gatekeeper(
    current: dict[str, str] = CURRENT, previous: dict[str, str] | None = None, *, trusting: bool = False
) -> Gatekeeper:
    return Gatekeeper(SecretStore(Manager(current, previous), ManualClock()), trusting)


def signed(body: bytes, by: bytes | None = None, secret: str = "shared-1") -> WebhookRequest:
    return WebhookRequest(body, signature=sign(by if by is not None else body, secret))


def refusal(keeper: Gatekeeper, request: WebhookRequest) -> Denial:
    with pytest.raises(Denied) as refused:
        keeper.admit(request)
    return refused.value.denial


def test_a_signed_body_is_trusted_whole() -> None:
    """A signature over all bytes lets in a single event and a batch alike."""
    for body in (EVENT, b"[%s,%s]" % (EVENT, EVENT)):
        assert gatekeeper().admit(signed(body)) == [body]


def test_a_batch_of_one_is_trusted_by_its_element() -> None:
    """A signature over the only element is enough, and what is parsed are the very bytes it covers."""
    assert gatekeeper().admit(signed(b"[ %s ]" % EVENT, by=EVENT)) == [EVENT]
    assert gatekeeper().admit(signed(b'[{"json":%s}]' % EVENT, by=EVENT)) == [EVENT]


def test_the_rest_of_a_batch_is_not_trusted() -> None:
    """Events that nobody signed are kept by Segment while the deployer decides."""
    request = signed(b"[%s,%s]" % (EVENT, FORGED), by=EVENT)
    assert refusal(gatekeeper(), request) is Denial.UNSIGNED_BATCH_ITEMS
    assert Denial.UNSIGNED_BATCH_ITEMS.status == 503


def test_a_deployer_may_trust_the_rest() -> None:
    """With TrustUnsignedBatchItems the signed element and the others are let in, each from its own bytes."""
    request = signed(b"[%s, %s]" % (EVENT, FORGED), by=EVENT)
    assert gatekeeper(trusting=True).admit(request) == [EVENT, b"[ %s]" % FORGED]


def test_a_bearer_token_is_trusted_with_everything() -> None:
    """The token of the custom header vouches for a whole batch, signed or not."""
    keeper = gatekeeper(CURRENT | {"bearerToken": "token-1"})
    body = b"[%s,%s]" % (EVENT, EVENT)
    assert keeper.admit(WebhookRequest(body, authorization="Bearer token-1")) == [body]
    assert keeper.admit(WebhookRequest(body, sign(EVENT, "shared-1"), "Bearer token-1")) == [body]
    assert refusal(keeper, WebhookRequest(body, authorization="Bearer token-2")) is Denial.BAD_SIGNATURE


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
def test_everyone_else_is_refused(request_: WebhookRequest) -> None:
    """Without a valid signature or token nothing is let in, also where secrets are empty."""
    for current in (CURRENT, CURRENT | {"bearerToken": ""}, CURRENT | {"sharedSecret": "", "bearerToken": "token-1"}):
        assert refusal(gatekeeper(current, trusting=True), request_) is Denial.BAD_SIGNATURE


def test_what_was_signed_before_a_rotation_is_trusted() -> None:
    """Both live versions of secret and token count, so a rotation needs no pause."""
    older = {"apiKey": "key-0", "sharedSecret": "shared-0", "bearerToken": "token-0"}
    keeper = gatekeeper(CURRENT, older)
    assert keeper.admit(signed(EVENT, secret="shared-0")) == [EVENT]
    assert keeper.admit(WebhookRequest(EVENT, authorization="Bearer token-0")) == [EVENT]


def test_a_secret_that_just_changed_is_read_anew() -> None:
    """A signature under a secret newer than the cached one is verified after one look at Secrets Manager."""
    manager = Manager(CURRENT)
    keeper = Gatekeeper(SecretStore(manager, ManualClock()))
    keeper.admit(signed(EVENT))
    manager.versions["AWSCURRENT"] = CURRENT | {"sharedSecret": "shared-2"}
    assert keeper.admit(signed(EVENT, secret="shared-2")) == [EVENT]


def test_a_token_that_was_just_added_is_read_anew() -> None:
    """After the deployer added the bearer token, the batches that Segment kept are let in at once."""
    manager = Manager(CURRENT)
    keeper = Gatekeeper(SecretStore(manager, ManualClock()))
    keeper.admit(signed(EVENT))
    manager.versions["AWSCURRENT"] = CURRENT | {"bearerToken": "token-1"}
    body = b"[%s,%s]" % (EVENT, EVENT)
    assert keeper.admit(WebhookRequest(body, sign(EVENT, "shared-1"), "Bearer token-1")) == [body]


@pytest.mark.parametrize(
    "current",
    [
        {},
        {"apiKey": "replace-me", "sharedSecret": "shared-1"},
        {"apiKey": "key-1"},
        {"apiKey": "key-1", "sharedSecret": "replace-me", "bearerToken": ""},
    ],
)
def test_until_the_secret_is_set_up_segment_keeps_everything(current: dict[str, str]) -> None:
    """Without an API key, or without anything to verify a sender by, every request is answered 503."""
    assert refusal(gatekeeper(current), signed(EVENT)) is Denial.SECRET_NOT_SET_UP
    assert refusal(gatekeeper(current), signed(EVENT, secret="")) is Denial.SECRET_NOT_SET_UP
    assert Denial.SECRET_NOT_SET_UP.status == 503


def test_what_is_larger_than_segment_sends_is_refused() -> None:
    """A body over the limit is not even hashed."""
    assert refusal(gatekeeper(), signed(b" " * (MAX_BODY_BYTES + 1))) is Denial.TOO_LARGE
    assert Denial.TOO_LARGE.status == 413


@pytest.mark.parametrize("stage", ["AWSPREVIOUS", "AWSCURRENT"])
def test_nobody_is_turned_away_while_a_version_cannot_be_read(stage: str) -> None:
    """What may be signed with a version that Secrets Manager does not give is answered 503, for 401 would lose it."""
    clock = ManualClock()
    manager = Manager(CURRENT)
    down: set[str] = set()

    def fetch(asked: str) -> str | None:
        if asked in down:
            raise SecretUnavailable("down")
        return manager(asked)

    keeper = Gatekeeper(SecretStore(fetch, clock))
    keeper.admit(signed(EVENT))
    clock.sleep(400)
    down.add(stage)
    assert refusal(keeper, signed(EVENT, secret="shared-0")) is Denial.SECRET_UNAVAILABLE
    down.clear()
    clock.sleep(400)
    assert refusal(keeper, signed(EVENT, secret="shared-0")) is Denial.BAD_SIGNATURE
