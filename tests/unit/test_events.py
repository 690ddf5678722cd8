"""The events in a request's body."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loops_destination.errors import NotAnEvent
from loops_destination.events import (
    MAX_DEPTH,
    MAX_EVENT_BYTES,
    age_on_arrival,
    first_seen,
    is_test_event,
    parse_body,
    parse_object,
)
from tests.fakes import NOW


def test_an_event_keeps_its_text() -> None:
    """The text of an event is what was sent, digit for digit."""
    text = '{"type":"track", "n": 1.10, "big": 12345678901234567890}'
    (arrival,) = parse_body(f" {text}\n".encode())
    assert arrival.text == text
    assert arrival.event == {"type": "track", "n": 1.1, "big": 12345678901234567890}


def test_a_batch_is_parsed_item_by_item() -> None:
    """The items of a batch come in order with their text, wrapped ones unwrapped, and those that are not events in place."""
    arrivals = parse_body(b'[{"type":"page"}, {"json": {"type": "track"}} ,5]')
    assert [arrival.text for arrival in arrivals] == ['{"type":"page"}', '{"type": "track"}', "5"]
    assert [arrival.event for arrival in arrivals] == [{"type": "page"}, {"type": "track"}, None]


def test_an_empty_batch_has_no_items() -> None:
    """An empty array and an empty `batch` have no items."""
    assert parse_body(b" [ ] ") == []
    assert parse_body(b' { "batch" : [ ] } ') == []


@pytest.mark.parametrize(
    "body",
    [
        '{"batch":[%s,%s,5]}',
        ' { "sentAt" : "now", "context": {"batch": [1]}, "batch" : [ %s , %s,5 ] , "integrations":{} }\n',
        '{"\\u0062atch":[%s,%s,5],"type":null}',
    ],
)
def test_a_batch_of_segments_http_api_is_parsed(body: str) -> None:
    """`{"batch": […]}` is parsed into its items, each with its text, whatever other keys the object has."""
    first, second = '{"type":"track","n":1.10}', '{"type": "page"}'
    arrivals = parse_body((body % (first, second)).encode())
    assert [arrival.text for arrival in arrivals] == [first, second, "5"]
    assert [arrival.event for arrival in arrivals] == [json.loads(first), json.loads(second), None]


def test_an_event_may_have_a_key_batch() -> None:
    """An object with a type is an event, even with a key `batch`."""
    (arrival,) = parse_body(b'{"type":"track","batch":[{"type":"track"}]}')
    assert arrival.event == {"type": "track", "batch": [{"type": "track"}]}


@pytest.mark.parametrize("batch", ["null", "{}", '"x"', "5"])
def test_a_batch_that_is_not_an_array_is_not_a_batch(batch: str) -> None:
    """An object whose `batch` is not an array is not a batch."""
    with pytest.raises(NotAnEvent, match="no type"):
        parse_body(f'{{"batch":{batch}}}'.encode())


def test_batches_do_not_nest() -> None:
    """A batch within a batch is not an event, so no body is scanned again and again."""
    (inner, event) = parse_body(b'{"batch":[{"batch":[{"type":"track"}]},{"type":"track"}]}')
    assert (inner.event, inner.text) == (None, '{"batch":[{"type":"track"}]}')
    assert event.event is not None
    (item,) = parse_body(b'[{"batch":[{"type":"track"}]}]')
    assert item.event is None


def test_a_body_with_two_batches_is_not_an_event() -> None:
    """A body with the key `batch` twice is not an event, because either could be meant."""
    with pytest.raises(NotAnEvent, match="batch more than once"):
        parse_body(b'{"batch":[{"type":"track"}],"batch":[]}')


@pytest.mark.parametrize(
    "event", ["{}", '{"email":"a@b.co"}', '{"type":null}', '{"type":""}', '{"type":5}', '{"type":[]}']
)
def test_an_object_without_a_type_is_not_an_event(event: str) -> None:
    """An object whose type is not text is not an event, alone, in a batch or wrapped, and the problem says where to look."""
    with pytest.raises(NotAnEvent, match="data mapping in Segment"):
        parse_body(event.encode())
    arrivals = parse_body(f'[{event},{{"json":{event}}}]'.encode())
    assert [(arrival.text, arrival.event) for arrival in arrivals] == [(event, None)] * 2
    assert all("data mapping in Segment" in arrival.problem for arrival in arrivals)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "character 0"),
        (b"not json", "character 0"),
        (b"5", "JSON object"),
        (b'"text"', "JSON object"),
        (b'{"a":1} x', "character 7"),
        (b"[1", "comma or closing bracket"),
        (b"[1 2]", "comma or closing bracket"),
        (b"[1,]", "character 3"),
        (b"[1] 2", "goes on"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "-Infinity"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "character 0"),
        (b"[" * 100_000, "deep"),
        (b'{"a":' * 100_000, "deep"),
    ],
)
def test_a_body_that_is_not_an_event_is_rejected_with_its_problem(body: bytes, message: str) -> None:
    """A body that is neither an event nor a batch raises `NotAnEvent`, which says what is wrong and where."""
    with pytest.raises(NotAnEvent, match=message):
        parse_body(body)


@pytest.mark.parametrize(
    "item",
    [
        b'{"json":{"type":"a"},"json":{"type":"b"}}',
        b'{"json":5}',
        b'{"json":{"json":{"type":"a"}}}',
        b'{"\\u006ason":{"type":"a"}}',
        b"[]",
        b"null",
    ],
)
def test_a_malformed_wrapper_is_not_an_event(item: bytes) -> None:
    """A wrapper contains one event under one key; any other is not an event, because it could mean two things."""
    (arrival,) = parse_body(b"[%s]" % item)
    assert arrival.event is None
    assert arrival.problem


def test_nesting_is_limited() -> None:
    """An event nested as deep as the limit is an event, and one nested deeper is not."""
    fits = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    (arrival, deeper) = parse_body(f'[{{"type":"track","a":{fits}}},{{"type":"track","a":[{fits}]}}]'.encode())
    assert arrival.event is not None
    assert (deeper.event, deeper.problem) == (None, f"objects and arrays are nested more than {MAX_DEPTH} deep")


def test_a_long_list_is_not_deep() -> None:
    """A long list of objects is not nested deeply."""
    (arrival,) = parse_body(json.dumps({"type": "track", "list": [{}] * 1000}).encode())
    assert arrival.event is not None


def test_an_integer_of_any_length_is_read() -> None:
    """An integer with more digits than Python converts is infinite, as JavaScript reads it."""
    (arrival,) = parse_body(b'{"type":"track","n":1%s,"m":-1%s,"i":7}' % (b"0" * 5000, b"0" * 5000))
    assert arrival.event == {"type": "track", "n": float("inf"), "m": float("-inf"), "i": 7}


@pytest.mark.parametrize(
    "value", ["1e400", "-0", "0.1e1", '"\\ud800"', '"\\ude00\\ud83d"', '"\\ud83d\\ude00\\/"', str(10**400)]
)
def test_an_event_is_parsed_as_python_parses_json(value: str) -> None:
    """Both parsers return what Python's `json` returns, half a surrogate pair included."""
    text = f'{{"type":"track","a":{value},"a":[{value}]}}'
    (arrival,) = parse_body(text.encode())
    assert repr(arrival.event) == repr(json.loads(text))
    assert repr(parse_object(text)) == repr(json.loads(text))


@pytest.mark.parametrize(("character", "count"), [("x", MAX_EVENT_BYTES), ("é", MAX_EVENT_BYTES // 2)])
def test_an_event_is_measured_in_bytes(character: str, count: int) -> None:
    """An event over the limit is too large, whatever the width of its characters."""
    (fits,) = parse_body(json.dumps({"type": "track", "s": character * (count - 30)}, ensure_ascii=False).encode())
    (exceeds,) = parse_body(json.dumps({"type": "track", "s": character * count}, ensure_ascii=False).encode())
    assert not fits.too_large
    assert exceeds.too_large


@pytest.mark.parametrize("value", [None, 5, "", {"a": 1}])
def test_a_message_id_is_text(value: object) -> None:
    """A messageId that is not text, or empty, counts as missing."""
    (arrival,) = parse_body(json.dumps({"type": "track", "messageId": value}).encode())
    assert arrival.message_id is None


def test_test_events_are_recognised() -> None:
    """An event of Segment's event tester is recognised by its messageId."""
    assert is_test_event({"messageId": "segment-test-message-abc"})
    assert not is_test_event({"messageId": "m-1"})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_json_is_parsed_or_rejected(value: object) -> None:
    """Every JSON array is parsed as a batch, and every other value without a type raises `NotAnEvent`."""
    body = json.dumps(value).encode()
    if isinstance(value, list):
        assert len(parse_body(body)) == len(value)
    else:
        with pytest.raises(NotAnEvent):
            parse_body(body)


@given(st.binary(max_size=100))
def test_any_bytes_are_parsed_or_rejected(body: bytes) -> None:
    """No bytes raise anything but `NotAnEvent`."""
    with suppress(NotAnEvent):
        assert isinstance(parse_body(body), list)


def test_parse_object_accepts_one_object_only() -> None:
    """A text that is not one JSON object raises `NotAnEvent`."""
    assert parse_object(' {"a":1} ') == {"a": 1}
    for text in ("[]", "1", '{"a":1}{"b":2}', ""):
        with pytest.raises(NotAnEvent):
            parse_object(text)


@pytest.mark.parametrize(
    ("received", "seen"),
    [
        ("2026-03-01T11:00:00.000Z", NOW - 3600),
        ("2026-03-01T01:00:00.000Z", NOW - 4 * 3600),
        ("2026-03-01T12:00:00.000Z", NOW),
        ("2026-03-01T12:01:00.000Z", NOW),
        ("2026-03-01T12:01:00.001Z", NOW - 4 * 3600),
        ("no time", NOW - 4 * 3600),
        (None, NOW - 4 * 3600),
        (5, NOW - 4 * 3600),
    ],
)
def test_an_event_is_first_seen_when_segment_received_it(received: object, seen: float) -> None:
    """An event is first seen at its `receivedAt`, at most four hours before its arrival; without a credible one, four hours before."""
    assert first_seen({"receivedAt": received}, NOW) == seen


@pytest.mark.parametrize(
    ("event", "age"),
    [
        ({"receivedAt": "2026-03-01T11:00:00.000Z", "timestamp": "2026-01-01T00:00:00Z"}, 3600),
        ({"receivedAt": None, "timestamp": "2026-03-01T10:00:00Z"}, 7200),
        ({"receivedAt": "lately", "timestamp": "2026-03-01T11:00:00+01:00"}, 7200),
        ({"timestamp": "2026-03-01T10:00:00"}, 7200),
        ({"timestamp": "2026-03-01T13:00:00Z"}, -3600),
        ({"timestamp": 1772366400000}, 0),
        ({"timestamp": "0001-01-01T00:00:00+23:00"}, 63_908_046_000),
        ({}, 0),
    ],
)
def test_the_age_of_an_event_counts_from_when_segment_received_it(event: dict[str, object], age: float) -> None:
    """The age counts from `receivedAt`, or else from `timestamp`, in UTC if neither has a zone; without both it is 0."""
    assert age_on_arrival(event, NOW) == age
