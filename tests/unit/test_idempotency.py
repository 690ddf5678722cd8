import json
from uuid import UUID

import pytest

from loops_destination.idempotency import idempotency_key

EVENT = {"type": "track", "messageId": "m-1", "event": "Signed Up"}


def test_known_key() -> None:
    """The key of a delivery never changes between versions: a change would mail people twice."""
    assert idempotency_key(EVENT, "s-1") == "3c9007ef-d2b6-5ab4-bc43-53e15b9b3d83"


def test_form() -> None:
    """A key is a name-based UUID, well under the 100 characters that Loops allows, however long its parts are."""
    key = idempotency_key({"messageId": "m" * 10_000}, "s" * 10_000)
    assert UUID(key).version == 5
    assert str(UUID(key)) == key


def test_message_id_tells_the_event() -> None:
    """Segment's retry of an event has the key of the first try, whatever else in it or in its text changed."""
    assert idempotency_key({**EVENT, "sentAt": "later"}, "s-1", raw="other") == idempotency_key(
        EVENT, "s-1", raw="text"
    )


def test_subscriptions_have_their_own_keys() -> None:
    """One event under two subscriptions is two deliveries."""
    assert idempotency_key(EVENT, "s-1") != idempotency_key(EVENT, "s-2")


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
    """Two different pairs of messageId and subscription never share a key by how they are written."""
    keys = {idempotency_key({"messageId": message_id}, subscription) for message_id, subscription in (one, other)}
    assert len(keys) == 2


@pytest.mark.parametrize("message_id", [None, "", 5, ["m-1"], {"a": 1}, True])
def test_without_message_id_the_text_tells_the_event(message_id: object) -> None:
    """Without a usable messageId the same text has the same key, and another text another."""
    event = {"type": "track", "messageId": message_id}
    key = idempotency_key(event, "s-1", raw='{"type": "track"}')
    assert key == idempotency_key(event, "s-1", raw='{"type": "track"}')
    assert key != idempotency_key(event, "s-1", raw='{"type":"track"}')
    assert key != idempotency_key(event, "s-2", raw='{"type": "track"}')


def test_without_text_the_event_is_written() -> None:
    """Without the text, that of the event as compact ASCII JSON stands for it."""
    event = {"type": "track", "properties": {"city": "Köln", "half": "\ud83d"}}
    raw = json.dumps(event, separators=(",", ":"))
    assert raw.isascii()
    assert idempotency_key(event, "s-1") == idempotency_key(event, "s-1", raw=raw)


def test_text_is_no_message_id() -> None:
    """An event whose text reads like another's messageId is not that other."""
    assert idempotency_key({}, "s-1", raw="m-1") != idempotency_key(EVENT, "s-1")
