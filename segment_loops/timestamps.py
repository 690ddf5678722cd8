"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(seconds: float) -> str:
    """Return a time in seconds since 1970 as in the log: `2026-03-01T12:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def readable(stamp: str) -> str:
    """Return a timestamp as a table shows it: `2026-03-01 12:00:00.000`, in UTC."""
    return stamp.replace("T", " ").removesuffix("Z")
