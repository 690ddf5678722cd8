"""Segment events in files: one event, a batch, or a sample request or message as a function receives it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from loops_destination.errors import NotAnEvent
from loops_destination.events import Arrival, parse_body
from loops_destination.http_api import decode_request
from segment_loops import PROJECT
from segment_loops.command_errors import CommandError
from segment_loops.json_values import json_object
from segment_loops.mappings_file import read_bytes

SAMPLES = PROJECT / "events"
"""The folder of the sample requests and messages."""


def read_events(file: str) -> list[Arrival]:
    """Return the events in the file, `-` being standard input; raise `CommandError` if there is none."""
    body = sys.stdin.buffer.read() if file == "-" else read_bytes(Path(file))
    name = "Standard input" if file == "-" else file
    try:
        events = [event for part in _bodies(body) for event in parse_body(part)]
    except NotAnEvent as error:
        raise CommandError(f"{name} contains no event: {error}.") from None
    if not events:
        raise CommandError(f"{name} contains no event: the batch is empty.")
    return events


def sample_events() -> Iterator[tuple[str, Arrival]]:
    """Yield each event in the files of `events/` with a name: that of the file, numbered if it holds several."""
    for path in sorted(SAMPLES.glob("*.json")):
        events = read_events(str(path))
        for number, event in enumerate(events, start=1):
            yield path.stem if len(events) == 1 else f"{path.stem}, event {number}", event


def _bodies(body: bytes) -> list[bytes]:
    """Return the request bodies in an HTTP request or in SQS messages; anything else is a body already."""
    content = json_object(body)
    if isinstance(content.get("Records"), list):
        return [_event_in(str(record.get("body"))) for record in content["Records"] if isinstance(record, dict)]
    if isinstance(content.get("body"), str) and "type" not in content:
        return [decode_request(content).body]
    if {"event", "receivedAt", "attempts"} <= content.keys():
        return [_event_in(body)]
    return [body]


def _event_in(message: str | bytes) -> bytes:
    return json.dumps(json_object(message).get("event")).encode()
