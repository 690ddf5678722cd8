"""Signatures and bearer tokens, on raw bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loops_destination.signature import Coverage, bearer_matches, sign, signable_parts, verify

SECRET = "sample-shared-secret"
EVENT = b'{"type":"identify","traits":{"brackets":"]}\\"[{"},"userId":"u"}'
OTHER = b'{"type":"track","userId":"v"}'


def test_the_signature_of_all_bytes_covers_the_body() -> None:
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
def test_the_signature_of_the_first_item_covers_that_item(body: bytes) -> None:
    """The HMAC of the first item covers it, wrapped or not, with any whitespace around it."""
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
def test_a_signature_covers_nothing_but_the_first_item(body: bytes) -> None:
    """The signature of an item covers it in no other place, and in no wrapper with another value."""
    assert verify(body, sign(EVENT, SECRET), [SECRET]) is Coverage.NOTHING


def test_a_signature_is_lowercase_hex() -> None:
    """A signature in capitals or with a prefix covers nothing: Segment sends lowercase hex."""
    signature = sign(EVENT, SECRET)
    assert verify(EVENT, signature.upper(), [SECRET]) is Coverage.NOTHING
    assert verify(EVENT, f"sha1={signature}", [SECRET]) is Coverage.NOTHING


def test_a_signature_under_any_of_the_secrets_covers_the_body() -> None:
    """A signature under the second of two secrets covers the body."""
    assert verify(EVENT, sign(EVENT, "older"), [SECRET, "older"]) is Coverage.BODY


def test_an_empty_secret_verifies_nothing() -> None:
    """A signature under an empty secret covers nothing."""
    assert verify(EVENT, sign(EVENT, ""), ["", ""]) is Coverage.NOTHING
    assert verify(EVENT, "", []) is Coverage.NOTHING


@given(st.binary(max_size=200), st.text(max_size=60))
def test_any_input_without_the_secret_is_not_covered(body: bytes, signature: str) -> None:
    """Random bytes under a random header are not covered, and raise nothing."""
    assert verify(body, signature, [SECRET]) is Coverage.NOTHING


@given(st.lists(st.sampled_from([b'"', b"\\", b"{", b"}", b"[", b"]", b",", b'"a"', b" ", b'{"json":'])))
def test_the_first_item_and_the_rest_are_slices_of_the_body(pieces: list[bytes]) -> None:
    """The first item is part of the body byte for byte, and the rest is the end of the body behind a bracket."""
    body = b"[" + b"".join(pieces)
    whole, *firsts = signable_parts(body)
    assert whole == (body, b"")
    for first in firsts:
        assert first.signed in body
        assert not first.rest or (first.rest[:1] == b"[" and body.endswith(first.rest[1:]))


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        (b"[ %s , %s ]" % (EVENT, OTHER), b"[ %s ]" % OTHER),
        (b'[{"json":%s},5]' % EVENT, b"[5]"),
        (b"[ %s ]" % EVENT, b""),
    ],
)
def test_the_rest_of_a_batch_is_a_batch(body: bytes, rest: bytes) -> None:
    """The items after the first are a batch of their own, and nothing follows an only item."""
    assert signable_parts(body) == [(body, b""), (EVENT, rest)]


def test_an_item_longer_than_an_event_is_not_searched_to_its_end() -> None:
    """A first item longer than the longest event is given up, since its sender is not known yet."""
    assert len(signable_parts(b"[" + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]")) == 1


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
def test_a_bearer_token_matches_exactly(authorization: str, matches: bool) -> None:
    """The scheme is compared without regard to case, the token exactly, and an empty token never matches."""
    assert bearer_matches(authorization, ["", "token-1"]) is matches
