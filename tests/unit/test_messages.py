"""The messages on the queues, written and read."""

import hashlib
import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loops_destination.messages import (
    MAX_KEPT_BODY_BYTES,
    MAX_MESSAGE_BYTES,
    Message,
    QueueName,
    RoutedMessage,
    ascii_text,
    body_message,
    unpack,
)
from loops_destination.outcomes import Reason
from loops_destination.received_messages import UnreadableMessage, read_message
from tests.fakes import NOW

EVENT = '{"type":"track","n":1.10}'
MESSAGE = Message(
    idempotency_key="key-1",
    received_at=NOW,
    reason=Reason.RATE_LIMITED,
    event=EVENT,
    action="sendEvent",
    subscription="s",
    attempts=1,
)


def test_a_message_is_as_documented() -> None:
    """A message is ASCII JSON with the documented fields, and the event as it came."""
    text = MESSAGE.to_json()
    assert text.isascii()
    assert EVENT in text
    assert json.loads(text) == {
        "version": 1,
        "action": "sendEvent",
        "subscription": "s",
        "idempotencyKey": "key-1",
        "event": {"type": "track", "n": 1.1},
        "receivedAt": "2026-03-01T12:00:00.000Z",
        "reason": "rate-limited",
        "attempts": 1,
    }


def test_a_message_says_that_a_person_accepted_an_old_event() -> None:
    """The decision to send an old event is in the message, and in each one that replaces it."""
    accepted = replace(MESSAGE, old_is_accepted=True)
    assert json.loads(accepted.to_json())["oldIsAccepted"] is True
    message, _ = read_message(accepted.with_reason(Reason.REFUSED).to_json())
    assert message.old_is_accepted
    assert "oldIsAccepted" not in json.loads(MESSAGE.to_json())
    assert not read_message(MESSAGE.to_json())[0].old_is_accepted


def test_a_detail_is_kept_in_the_message() -> None:
    """A message has Loops' own message as its detail."""
    text = MESSAGE.with_reason(Reason.REFUSED, "Multiple contacts", 400).to_json()
    assert json.loads(text)["detail"] == "Multiple contacts"


def test_a_message_is_read_as_it_was_written() -> None:
    """Reading a message gives the same delivery and its event."""
    message, event = read_message(MESSAGE.to_json())
    assert message.idempotency_key == "key-1"
    assert message.received_at == NOW
    assert (message.action, message.subscription, message.attempts) == ("sendEvent", "s", 1)
    assert event == {"type": "track", "n": 1.1}
    assert read_message(message.to_json()) == (message, event)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"action": None},
        {"subscription": 5},
        {"idempotencyKey": "two words"},
        {"idempotencyKey": "line\nbreak"},
        {"idempotencyKey": "x" * 101},
        {"receivedAt": "yesterday"},
        {"receivedAt": "2026-03-01T12:00:00"},
        {"reason": "bored"},
        {"attempts": -1},
        {"event": None},
        {"event": [1]},
    ],
)
def test_a_message_with_a_wrong_field_is_unreadable(change: dict[str, object]) -> None:
    """A message with a missing or wrong field is unreadable, and the error does not quote it."""
    with pytest.raises(UnreadableMessage) as error:
        read_message(json.dumps(json.loads(MESSAGE.to_json()) | change))
    assert "yesterday" not in str(error.value)


@pytest.mark.parametrize("text", ["", "5", "[]", "{", "{}", "[" * 100_000, '{"a":1}x'])
def test_any_other_text_is_unreadable(text: str) -> None:
    """A text that is not a message is unreadable."""
    with pytest.raises(UnreadableMessage):
        read_message(text)


@given(st.text())
def test_any_text_can_be_written_in_ascii(text: str) -> None:
    """Escaping the characters beyond ASCII changes no JSON value, even one with a lone surrogate."""
    source = json.dumps({"s": text}, ensure_ascii=False)
    assert ascii_text(source).isascii()
    assert json.loads(ascii_text(source)) == {"s": text}


def test_a_body_that_is_not_an_event_is_kept_whole() -> None:
    """A dead letter gives back a body that is not an event, byte for byte."""
    body = b"\xff not an event"
    content = json.loads(body_message(body, NOW, Reason.NOT_AN_EVENT, "not UTF-8").to_json())
    assert content["action"] is None
    assert content["subscription"] is None
    assert "event" not in content
    assert unpack(content) == body


def test_a_body_too_long_for_a_message_is_cut() -> None:
    """A body that is too long for SQS is cut; its length and hash identify the whole body."""
    body = random.Random(1).randbytes(3_000_000)
    text = body_message(body, NOW, Reason.NOT_AN_EVENT, "").to_json()
    content = json.loads(text)
    assert len(text) < MAX_MESSAGE_BYTES
    assert content["truncated"] is True
    assert content["length"] == len(body)
    assert content["sha256"] == hashlib.sha256(body).hexdigest()
    assert body.startswith(unpack(content))
    assert len(unpack(content)) > MAX_KEPT_BODY_BYTES * 0.9


def test_the_same_body_has_the_same_idempotency_key() -> None:
    """A body that arrives twice has the same idempotency key, and another body has another one."""
    first, again, other = (body_message(body, NOW, Reason.NOT_AN_EVENT, "") for body in (b"a", b"a", b"b"))
    assert first.idempotency_key == again.idempotency_key != other.idempotency_key


def test_a_dead_letter_has_its_reason_as_attributes() -> None:
    """A dead letter has its reason, status, action and subscription as message attributes."""
    letter = MESSAGE.with_reason(Reason.REFUSED, "no", 400)
    assert RoutedMessage(QueueName.DEAD_LETTER, letter).attributes == {
        "reason": "refused",
        "status": "400",
        "action": "sendEvent",
        "subscription": "s",
    }
    assert RoutedMessage(QueueName.RETRY, letter).attributes == {}
    assert RoutedMessage(QueueName.DEAD_LETTER, body_message(b"", NOW, Reason.NOT_AN_EVENT, "")).attributes == {
        "reason": "not-an-event"
    }


def test_the_repr_of_a_message_shows_nothing_of_a_person() -> None:
    """The repr of a message, which a traceback may show, has no event, body or detail."""
    letter = Message(
        idempotency_key="k",
        received_at=NOW,
        reason=Reason.REFUSED,
        event='{"email":"adam@loops.so"}',
        detail="adam@loops.so",
        body=b"adam",
    )
    assert "adam" not in repr(letter)


@pytest.mark.parametrize(
    "event",
    ['{"n":1e400,"p":1.10,"q":12345678901234567890.5}', '{"a":",\\"event\\":{}","b":1}', '{ "spaced" : [1, 2] }'],
)
def test_an_event_stays_as_it_came_through_every_queue(event: str) -> None:
    """Reading a message and writing it again changes no character of its event."""
    message = Message(
        idempotency_key="k", received_at=NOW, reason=Reason.TIMEOUT, event=event, action="a", subscription="s"
    )
    text = replace(message, detail=',"event":').to_json()
    again, _ = read_message(text)
    assert again.event == event
    assert read_message(again.to_json())[0].event == event


def test_a_message_of_another_program_can_be_read() -> None:
    """A message with its fields in another order, or with blanks, is the same message."""
    content = json.loads(MESSAGE.to_json())
    message, event = read_message(json.dumps(dict(reversed(content.items())), indent=1))
    assert (message.idempotency_key, event) == ("key-1", content["event"])
    assert json.loads(message.event) == event


def test_a_message_remembers_that_loops_refused_the_event() -> None:
    """Whatever its later reason is, a message says that Loops refused the event before."""
    buried = MESSAGE.with_reason(Reason.UNKNOWN_CONTACT).with_reason(Reason.SUBSCRIPTION_DISABLED)
    assert json.loads(buried.to_json())["refused"] is True
    assert read_message(buried.to_json())[0].may_have_used_idempotency_key
    assert "refused" not in json.loads(MESSAGE.with_reason(Reason.UNKNOWN_CONTACT).to_json())
    assert not read_message(MESSAGE.to_json())[0].may_have_used_idempotency_key


@pytest.mark.parametrize(
    "change",
    [
        {"receivedAt": "0001-01-01T00:00:00+05:00"},
        {"subscription": "a\0b"},
        {"subscription": "x" * 257},
        {"action": "\n"},
        {"refused": "perhaps"},
        {"oldIsAccepted": "perhaps"},
    ],
)
def test_a_message_that_could_not_be_stored_again_is_unreadable(change: dict[str, object]) -> None:
    """A field that SQS would not take in a dead letter makes a message unreadable."""
    with pytest.raises(UnreadableMessage):
        read_message(json.dumps(json.loads(MESSAGE.to_json()) | change))
