from typing import Any

import pytest

from loops_destination.ledger.hashes import Hasher, canonical, value_hash

STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/loops/1"


def test_known_hashes() -> None:
    """Hashes never change between versions: a change would send every contact again, its consent included."""
    hasher = Hasher(STACK)
    assert hasher.contact_key("u-1") == "contact#AHmgKscoWdF-sZgl6hTDEw"
    assert hasher.email_key("Adam@Loops.so") == "email#bffGL6qPWcGDH_a7T-3hLQ"
    assert value_hash(hasher.value_salt("u-1"), "plan", "pro") == "aLIh-llHaGZhq8nb"
    assert value_hash(hasher.shared_salt, "subscribed", value=True) == "GJeA9uUs55E7D3AY"


def test_salts() -> None:
    """Equal people have different keys in two stacks, and equal values different hashes for two people or properties."""
    one, two = Hasher("one"), Hasher("two")
    assert one.contact_key("u-1") != two.contact_key("u-1")
    hashes = {
        value_hash(hasher.value_salt(user), name, "pro")
        for hasher in (one, two)
        for user in ("u-1", "u-2")
        for name in ("plan", "tier")
    }
    assert len(hashes) == 8


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (100, 1e2, True),
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, True),
        (0.0, -0.0, True),
        (1, True, False),
        (1, "1", False),
        (None, "", False),
        ([1, 2], [2, 1], False),
        (2**53, 2**53 + 1, False),
        ("é", "e\u0301", False),
    ],
)
def test_equal_values(one: Any, other: Any, equal: bool) -> None:
    """Two JSON values are equal when Loops sees the same value."""
    assert (canonical(one) == canonical(other)) is equal


def test_any_text_has_a_hash() -> None:
    """Half a surrogate pair, which UTF-8 cannot hold, is hashed like any other text."""
    assert Hasher(STACK).contact_key("\ud800") != Hasher(STACK).contact_key("\ud801")
    assert value_hash(b"salt", "x", "\ud800") != value_hash(b"salt", "x", "\ud801")
