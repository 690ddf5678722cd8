"""The sample events on the page: those in events/, one entry for each event in a file."""

from __future__ import annotations

import json
from typing import Any

from local import PROJECT
from local.cli.events import read_events

EVENTS = PROJECT / "events"


def samples() -> list[dict[str, str]]:
    """`[{"name", "event"}]`, the event as text to edit."""
    return [
        {"name": name, "event": pretty(arrival.text)}
        for path in sorted(EVENTS.glob("*.json"))
        for name, arrival in _named(path.stem, read_events(str(path)))
    ]


def pretty(text: str) -> str:
    """The event in lines; as it is where it is no JSON."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _named(stem: str, arrivals: list[Any]) -> list[tuple[str, Any]]:
    if len(arrivals) == 1:
        return [(stem, arrivals[0])]
    return [(f"{stem}, event {number}", arrival) for number, arrival in enumerate(arrivals, start=1)]
