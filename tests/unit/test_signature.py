"""Signatures, on raw bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loops_destination.signature import Coverage, bearer_matches, first_element, sign, verify

SECRET = "sample-shared-secret"
EVENT = b'{"type":"identify","traits":{"brackets":"]}\\"[{"},"userId":"u"}'
OTHER = b'{"type":"track","userId":"v"}'


def test_a_whole_body_is_covered_by_its_signature() -> None:
    """The HMAC of all bytes covers the body."""
    assert verify(EVENT, sign(EVENT, SECRET), [SECRET]) is Coverage.BODY


@pytest.mark.parametrize(
    "body",
    [
        b"[%s,%s]" % (EVENT, OTHER),
        b" \r\n[ %s , %s ]" % (EVENT, OTHER),
        b"[%s]" % EVENT,
        b'[{"json":%s},{"json":%s}]' % (EVENT, OTHER),
        b'[{ "json" : %s } ]' % EVENT,
    ],
)
def test_a_batch_is_covered_in_its_first_element(body: bytes) -> None:
    """The HMAC of the first element covers that one, wrapped or not, whatever blanks stand around it."""
    assert verify(body, sign(EVENT, SECRET), [SECRET]) is Coverage.FIRST


@pytest.mark.parametrize(
    "body",
    [
        b"[%s,%s]" % (OTHER, EVENT),
        b'[{"json":%s,"json":%s}]' % (EVENT, OTHER),
        b'[{"json":%s,"other":1}]' % EVENT,
        b'[{"other":1,"json":%s}]' % EVENT,
        b"[%s" % EVENT,
        b"[%s;" % EVENT,
        EVENT + b" ",
        b"[]",
        b"[",
        b"",
    ],
)
def test_what_is_not_exactly_signed_is_not_covered(body: bytes) -> None:
    """A signature of one element vouches for no other place, and for no wrapper with a second value."""
    assert verify(body, sign(EVENT, SECRET), [SECRET]) is Coverage.NOTHING


def test_a_signature_counts_in_small_letters_only() -> None:
    """Segment writes lowercase hex without a prefix; nothing else is accepted."""
    signature = sign(EVENT, SECRET)
    assert verify(EVENT, signature.upper(), [SECRET]) is Coverage.NOTHING
    assert verify(EVENT, f"sha1={signature}", [SECRET]) is Coverage.NOTHING


def test_every_live_secret_verifies() -> None:
    """While a secret is rotated, the older one counts as well."""
    assert verify(EVENT, sign(EVENT, "older"), [SECRET, "older"]) is Coverage.BODY


def test_an_empty_secret_verifies_nothing() -> None:
    """A secret that was never set up does not open the door to whoever signs with nothing."""
    assert verify(EVENT, sign(EVENT, ""), ["", ""]) is Coverage.NOTHING
    assert verify(EVENT, "", []) is Coverage.NOTHING


@given(st.binary(max_size=200), st.text(max_size=60))
def test_nothing_that_is_sent_breaks_the_check(body: bytes, signature: str) -> None:
    """Any bytes under any header have an answer, and without the secret it is no."""
    assert verify(body, signature, [SECRET]) is Coverage.NOTHING


@given(st.lists(st.sampled_from([b'"', b"\\", b"{", b"}", b"[", b"]", b",", b'"a"', b" ", b'{"json":'])))
def test_the_first_element_is_a_part_of_the_body(pieces: list[bytes]) -> None:
    """What is sliced stands in the body byte for byte, and so does what follows it."""
    body = b"[" + b"".join(pieces)
    first = first_element(body)
    assert first is None or (first.signed in body and (first.is_alone or body.endswith(first.rest[1:])))


def test_an_element_longer_than_an_event_is_not_looked_for() -> None:
    """A body of brackets costs no more than an event's length, for its sender is not known yet."""
    assert first_element(b"[" + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]") is None


@pytest.mark.parametrize(
    ("authorization", "matches"),
    [
        ("Bearer token-1", True),
        ("bearer token-1", True),
        ("Bearer  token-1 ", True),
        ("Bearer token-2", False),
        ("Basic token-1", False),
        ("token-1", False),
        ("Bearer ", False),
        ("Bearer tokén", False),
        ("", False),
    ],
)
def test_a_bearer_token_is_compared_whole(authorization: str, matches: bool) -> None:
    """The scheme counts without regard to case, the token exactly, and an empty token never."""
    assert bearer_matches(authorization, ["", "token-1"]) is matches
