"""What waits on the queues."""

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
    Parcel,
    QueueName,
    ascii_text,
    body_message,
    unpack,
)
from loops_destination.outcomes import Reason
from loops_destination.received import UnreadableMessage, read_message
from tests.fakes import NOW

EVENT = '{"type":"track","n":1.10}'
MESSAGE = Message("key-1", NOW, Reason.RATE_LIMITED, event=EVENT, action="sendEvent", subscription="s", attempts=1)


def test_a_message_is_as_documented() -> None:
    """A message has the documented keys, in ASCII, with the event as it came."""
    text = MESSAGE.to_json()
    assert text.isascii()
    assert EVENT in text
    assert json.loads(text) == {
        "version": 1,
        "action": "sendEvent",
        "subscription": "s",
        "key": "key-1",
        "event": {"type": "track", "n": 1.1},
        "receivedAt": "2026-03-01T12:00:00.000Z",
        "reason": "rate-limited",
        "attempts": 1,
    }


def test_an_accepted_old_event_says_so() -> None:
    """A person's decision to send an old event stands in the message, and in every one that takes its place."""
    accepted = replace(MESSAGE, old_is_accepted=True)
    assert json.loads(accepted.to_json())["oldIsAccepted"] is True
    message, _ = read_message(accepted.because(Reason.REFUSED).to_json())
    assert message.old_is_accepted
    assert "oldIsAccepted" not in json.loads(MESSAGE.to_json())
    assert not read_message(MESSAGE.to_json())[0].old_is_accepted


def test_a_detail_is_kept_in_the_message() -> None:
    """What Loops said stands in the message, for a person to read."""
    text = MESSAGE.because(Reason.REFUSED, "Multiple contacts", 400).to_json()
    assert json.loads(text)["detail"] == "Multiple contacts"


def test_a_message_is_read_as_it_was_written() -> None:
    """Reading gives the delivery back, and its event."""
    message, event = read_message(MESSAGE.to_json())
    assert message.key == "key-1"
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
        {"key": "two words"},
        {"key": "line\nbreak"},
        {"key": "x" * 101},
        {"receivedAt": "yesterday"},
        {"receivedAt": "2026-03-01T12:00:00"},
        {"reason": "bored"},
        {"attempts": -1},
        {"event": None},
        {"event": [1]},
    ],
)
def test_a_message_that_is_not_ours_is_refused(change: dict[str, object]) -> None:
    """A message with anything missing or odd is unreadable, and the refusal does not quote it."""
    with pytest.raises(UnreadableMessage) as refusal:
        read_message(json.dumps(json.loads(MESSAGE.to_json()) | change))
    assert "yesterday" not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "5", "[]", "{", "{}", "[" * 100_000, '{"a":1}x'])
def test_any_other_text_is_refused(text: str) -> None:
    """What is no message at all is unreadable too."""
    with pytest.raises(UnreadableMessage):
        read_message(text)


@given(st.text())
def test_any_text_is_ascii_json(text: str) -> None:
    """Escaping what is beyond ASCII changes no JSON value, lone surrogates included."""
    source = json.dumps({"s": text}, ensure_ascii=False)
    assert ascii_text(source).isascii()
    assert json.loads(ascii_text(source)) == {"s": text}


def test_what_is_no_event_is_kept_whole() -> None:
    """A body that is no event can be had back from its dead letter, byte for byte."""
    body = b"\xff not an event"
    content = json.loads(body_message(body, NOW, Reason.NOT_AN_EVENT, "not UTF-8").to_json())
    assert content["action"] is None
    assert content["subscription"] is None
    assert "event" not in content
    assert unpack(content) == body


def test_a_body_too_long_for_a_message_is_cut() -> None:
    """A body that SQS would not take is cut, with what it takes to recognise the whole."""
    body = random.Random(1).randbytes(3_000_000)
    text = body_message(body, NOW, Reason.NOT_AN_EVENT, "").to_json()
    content = json.loads(text)
    assert len(text) < MAX_MESSAGE_BYTES
    assert content["truncated"] is True
    assert content["length"] == len(body)
    assert content["sha256"] == hashlib.sha256(body).hexdigest()
    assert body.startswith(unpack(content))
    assert len(unpack(content)) > MAX_KEPT_BODY_BYTES * 0.9


def test_the_same_body_has_the_same_key() -> None:
    """A body that comes twice is recognised by its key."""
    first, again, other = (body_message(body, NOW, Reason.NOT_AN_EVENT, "") for body in (b"a", b"a", b"b"))
    assert first.key == again.key != other.key


def test_dead_letters_carry_their_cause_as_attributes() -> None:
    """A dead letter can be chosen by reason, status, action and subscription without reading it."""
    letter = MESSAGE.because(Reason.REFUSED, "no", 400)
    assert Parcel(QueueName.DEAD_LETTER, letter).attributes == {
        "reason": "refused",
        "status": "400",
        "action": "sendEvent",
        "subscription": "s",
    }
    assert Parcel(QueueName.RETRY, letter).attributes == {}
    assert Parcel(QueueName.DEAD_LETTER, body_message(b"", NOW, Reason.NOT_AN_EVENT, "")).attributes == {
        "reason": "not-an-event"
    }


def test_a_message_shows_nothing_of_a_person() -> None:
    """The repr of a message, which could reach a traceback, holds no event and no detail."""
    letter = Message("k", NOW, Reason.REFUSED, event='{"email":"adam@loops.so"}', detail="adam@loops.so", body=b"adam")
    assert "adam" not in repr(letter)


@pytest.mark.parametrize(
    "event",
    ['{"n":1e400,"p":1.10,"q":12345678901234567890.5}', '{"a":",\\"event\\":{}","b":1}', '{ "spaced" : [1, 2] }'],
)
def test_an_event_stays_as_it_came_through_every_queue(event: str) -> None:
    """Reading a message and writing it again changes no digit of its event."""
    text = Message("k", NOW, Reason.TIMEOUT, event=event, action="a", subscription="s", detail=',"event":').to_json()
    again, _ = read_message(text)
    assert again.event == event
    assert read_message(again.to_json())[0].event == event


def test_a_message_that_another_program_wrote_is_read() -> None:
    """A message with its keys in another order, or with blanks, is the same message."""
    content = json.loads(MESSAGE.to_json())
    message, event = read_message(json.dumps(dict(reversed(content.items())), indent=1))
    assert (message.key, event) == ("key-1", content["event"])
    assert json.loads(message.event) == event


def test_a_refusal_is_not_forgotten() -> None:
    """Whatever a message is buried for, it says that Loops had refused it before; a refusal's own reason says it too."""
    buried = MESSAGE.because(Reason.UNKNOWN_CONTACT).because(Reason.SUBSCRIPTION_DISABLED)
    assert json.loads(buried.to_json())["refused"] is True
    assert read_message(buried.to_json())[0].may_have_used_idempotency_key
    assert "refused" not in json.loads(MESSAGE.because(Reason.UNKNOWN_CONTACT).to_json())
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
def test_a_message_that_could_not_be_stored_again_is_refused(change: dict[str, object]) -> None:
    """What would make its own dead letter impossible is unreadable from the start."""
    with pytest.raises(UnreadableMessage):
        read_message(json.dumps(json.loads(MESSAGE.to_json()) | change))
