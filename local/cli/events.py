"""Segment events in a file: one, a batch, or a sample request or message as a function gets it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from local.cli.errors import CommandError
from local.cli.mappings import read_bytes
from loops_destination.errors import NotAnEvent
from loops_destination.events import Arrival, parse_body
from loops_destination.http_api import decode_request


def read_events(file: str) -> list[Arrival]:
    """The events in the file, `-` for standard input; `CommandError` when it holds none."""
    body = sys.stdin.buffer.read() if file == "-" else read_bytes(Path(file))
    name = "standard input" if file == "-" else file
    try:
        events = [event for part in _bodies(body) for event in parse_body(part)]
    except NotAnEvent as error:
        raise CommandError(f"{name} holds no event: {error}") from None
    if not events:
        raise CommandError(f"{name} holds no event: the batch is empty")
    return events


def _bodies(body: bytes) -> list[bytes]:
    """The bodies of requests in what a function gets: of an HTTP request, or of messages; else what there is."""
    content = _object(body)
    if isinstance(content.get("Records"), list):
        return [_event_text(str(record.get("body"))) for record in content["Records"] if isinstance(record, dict)]
    if isinstance(content.get("body"), str) and "type" not in content:
        return [decode_request(content).body]
    if "event" in content and "receivedAt" in content and "idempotencyKey" in content:
        return [_event_text(body.decode())]
    return [body]


def _event_text(message: str) -> bytes:
    """The event in a message of the queues."""
    return json.dumps(_object(message.encode()).get("event")).encode()


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
