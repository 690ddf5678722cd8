import json
from uuid import UUID

import pytest

from loops_destination.idempotency import idempotency_key_of

EVENT = {"type": "track", "messageId": "m-1", "event": "Signed Up"}


def test_known_key() -> None:
    """The idempotency key of a delivery is the same in every version: a new one would send emails twice."""
    assert idempotency_key_of(EVENT, "s-1") == "3c9007ef-d2b6-5ab4-bc43-53e15b9b3d83"


def test_form() -> None:
    """An idempotency key is a name-based UUID, well under Loops' limit of 100 characters, whatever it is made from."""
    idempotency_key = idempotency_key_of({"messageId": "m" * 10_000}, "s" * 10_000)
    assert UUID(idempotency_key).version == 5
    assert str(UUID(idempotency_key)) == idempotency_key


def test_message_id_identifies_the_event() -> None:
    """Events with the same messageId have the same idempotency key, whatever else is different."""
    assert idempotency_key_of({**EVENT, "sentAt": "later"}, "s-1", raw="other") == idempotency_key_of(
        EVENT, "s-1", raw="text"
    )


def test_subscriptions_have_their_own_idempotency_keys() -> None:
    """An event has a different idempotency key under each subscription."""
    assert idempotency_key_of(EVENT, "s-1") != idempotency_key_of(EVENT, "s-2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "bc"), ("ab", "c")),
        (("a", "b"), ("b", "a")),
        (('a","b', "c"), ("a", 'b","c')),
        (("\ud83d", "s"), ("\\ud83d", "s")),
    ],
)
def test_parts_do_not_run_together(one: tuple[str, str], other: tuple[str, str]) -> None:
    """No quote or escape in a messageId or subscription id gives two different pairs the same idempotency key."""
    keys = {idempotency_key_of({"messageId": message_id}, subscription) for message_id, subscription in (one, other)}
    assert len(keys) == 2


@pytest.mark.parametrize("message_id", [None, "", 5, ["m-1"], {"a": 1}, True])
def test_without_message_id_the_text_identifies_the_event(message_id: object) -> None:
    """Without a usable messageId, the idempotency key depends on the event's text and the subscription."""
    event = {"type": "track", "messageId": message_id}
    idempotency_key = idempotency_key_of(event, "s-1", raw='{"type": "track"}')
    assert idempotency_key == idempotency_key_of(event, "s-1", raw='{"type": "track"}')
    assert idempotency_key != idempotency_key_of(event, "s-1", raw='{"type":"track"}')
    assert idempotency_key != idempotency_key_of(event, "s-2", raw='{"type": "track"}')


def test_without_message_id_and_text() -> None:
    """Without a messageId and a text, the event is identified by its compact ASCII JSON."""
    event = {"type": "track", "properties": {"city": "Köln", "half": "\ud83d"}}
    raw = json.dumps(event, separators=(",", ":"))
    assert raw.isascii()
    assert idempotency_key_of(event, "s-1") == idempotency_key_of(event, "s-1", raw=raw)


def test_text_is_not_a_message_id() -> None:
    """An event whose text equals another event's messageId has an idempotency key of its own."""
    assert idempotency_key_of({}, "s-1", raw="m-1") != idempotency_key_of(EVENT, "s-1")
