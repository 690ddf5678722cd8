"""Dates as Loops reads them: milliseconds since 1970, or one of a few ISO 8601 forms."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def read_date(value: Any) -> str:
    """Return the date as `2026-01-31T12:00:00.000Z`; raise `ValueError` for a value of no documented form.

    Numbers are milliseconds, so that seconds give a date in January 1970, as in Loops.
    """
    return _instant(value).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _instant(value: Any) -> datetime:
    if isinstance(value, str) and _ISO.fullmatch(value):
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not _is_milliseconds(value):
        raise ValueError("not a date of a documented form")
    try:
        return _EPOCH + timedelta(milliseconds=float(value))
    except OverflowError:
        raise ValueError("outside the calendar") from None


def _is_milliseconds(value: Any) -> bool:
    if isinstance(value, str):
        return _MILLISECONDS.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)
