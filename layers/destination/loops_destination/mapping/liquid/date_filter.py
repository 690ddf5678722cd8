"""Dates as LiquidJS parses and formats them; the default time zone is UTC, as in Lambda."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from loops_destination.javascript import UNDEFINED, is_number, string, trim
from loops_destination.mapping.liquid.scope import LiquidError
from loops_destination.mapping.liquid.values import shown

DEFAULT_FORMAT = "%A, %B %-e, %Y at %-l:%M %P %z"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d?)(?:-(?P<day>\d\d?))?)?"
    r"(?:(?:T|\s+)(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?"
    r"\s*(?P<zone>[zZ]|[+-]\d\d(?::?\d\d)?)?"
)
_ZONE = re.compile(r"([+-])(\d\d):?(\d\d)?")
_WRITTEN = (
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%B %d %Y",
    "%b %d %Y",
    "%d %B %Y",
    "%d %b %Y",
    "%a %b %d %Y",
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DIRECTIVE = re.compile(r"%([-_0^#:]+)?([0-9]+)?([EO])?(.)")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NOON = 12
_LONGEST = 100
"""Characters of a date, or of the name of a time zone; a longer text is neither."""
_READING = 4_000
"""Units of trying every format of a date."""
_WRITING = 20
"""Units of a directive in a pattern."""
_WIDTHS = dict.fromkeys("CdeHIklmMSUWy", 2) | {"j": 3, "L": 3, "Y": 4}
_PADDED_WITH_BLANKS = frozenset("aAbBceklpP")


def read(value: Any, zone: Any = UNDEFINED) -> datetime | None:
    """Return the moment of a value, in a time zone given as minutes west of Greenwich or by name; None if it is not a date."""
    moment = _moment(value)
    try:
        return moment.astimezone(_zone(zone)) if moment else None
    except OverflowError:
        return None


def write(moment: datetime, pattern: str) -> str:
    """Format the moment by a `strftime` pattern."""
    pieces: list[str] = []
    position = 0
    for match in _DIRECTIVE.finditer(pattern):
        pieces += pattern[position : match.start()], _written(moment, match)
        position = match.end()
    return "".join(pieces) + pattern[position:]


def work(value: Any, pattern: str = "") -> int:
    """Return the units of reading a date and of writing it by the pattern."""
    is_iso = isinstance(value, str) and _ISO.fullmatch(trim(value))
    reading = _READING if isinstance(value, str | list) and not is_iso else 0
    return reading + sum(_WRITING + _width(width) for _, width, _, _ in _DIRECTIVE.findall(pattern))


def _moment(value: Any) -> datetime | None:
    if isinstance(value, list):  # JavaScript reads a date from its text
        return _read_text(string(value))
    if value in ("now", "today"):
        return datetime.now(UTC)
    if isinstance(value, str):
        return _since_epoch(float(value)) if value.isascii() and value.isdecimal() else _read_text(value)
    if isinstance(value, bool):
        return _EPOCH + timedelta(milliseconds=value)
    return _since_epoch(value) if is_number(value) else None


def _since_epoch(seconds: float) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=math.trunc(seconds * 1000))
    except (OverflowError, ValueError):
        return None


def _read_text(text: str) -> datetime | None:
    text = trim(text)
    match = _ISO.fullmatch(text)
    if match:
        return _read_iso(match)
    if len(text) > _LONGEST:
        return None
    for pattern in (date + time for date in _WRITTEN for time in _TIMES):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read_iso(match: re.Match[str]) -> datetime | None:
    zone = _ZONE.match(match["zone"] or "")
    offset = timedelta(hours=int(zone[2]), minutes=int(zone[3] or 0)) if zone else timedelta()
    milliseconds = int((match["fraction"] or "0").ljust(3, "0")[:3])
    try:
        day = datetime(int(match["year"]), int(match["month"] or 1), 1, tzinfo=UTC)
        clock = timedelta(
            days=int(match["day"] or 1) - 1,
            hours=int(match["hour"] or 0),
            minutes=int(match["minute"] or 0),
            seconds=int(match["second"] or 0),
            milliseconds=milliseconds,
        )
        return day + clock + (offset if zone and zone[1] == "-" else -offset)
    except (OverflowError, ValueError):
        return None


def _zone(zone: Any) -> tzinfo:
    if zone is None or zone is UNDEFINED:
        return UTC
    try:
        return timezone(timedelta(minutes=-zone)) if is_number(zone) else _zone_named(shown(zone))
    except (ValueError, OverflowError, OSError, KeyError):
        raise LiquidError("unknown time zone") from None


def _zone_named(name: str) -> ZoneInfo:
    if len(name) > _LONGEST:
        raise ValueError(name)
    return ZoneInfo(name)


def _written(moment: datetime, match: re.Match[str]) -> str:
    flags, width, letter = match[1] or "", match[2], match[4]
    if letter not in _LETTERS:
        return match[0]
    text = _LETTERS[letter](moment)
    if letter in "zZ":
        text = _offset(moment, ":" if ":" in flags else "") if letter == "z" or not text else text
    elif letter == "N":
        digits = int(width[:4]) if width else 9
        text = text[:digits].ljust(digits, "0")
    return _padded(_cased(text, flags), letter, flags, width)


def _cased(text: str, flags: str) -> str:
    if "^" in flags:
        return text.upper()
    if "#" in flags:
        return text.upper() if re.search("[a-z]", text) else text.lower()
    return text


def _padded(text: str, letter: str, flags: str, width: str | None) -> str:
    blank = " " if "_" in flags or (letter in _PADDED_WITH_BLANKS and "0" not in flags) else "0"
    size = 0 if "-" in flags else _width(width) or _WIDTHS.get(letter, 0)
    if blank == "0" and text.startswith("-"):
        return "-" + text[1:].rjust(size - 1, blank)
    return text.rjust(size, blank)


def _width(width: str | None) -> int:
    return int((width or "0")[:9])


def _offset(moment: datetime, colon: str) -> str:
    minutes = int((moment.utcoffset() or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{colon}{rest:02}"


def _zone_name(moment: datetime) -> str:
    if moment.tzinfo is UTC:
        return "UTC"
    return getattr(moment.tzinfo, "key", "")


def _week(moment: datetime, first_day: int) -> str:
    since_first_day = (moment.weekday() - first_day) % 7
    return str((moment.timetuple().tm_yday - 1 - since_first_day + 7) // 7)


def ordinal(day: int) -> str:
    """Return the ending of an ordinal day: `st`, `nd`, `rd` or `th`."""
    return "th" if day in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _day(moment: datetime) -> str:
    return f"{moment.month}/{moment.day}/{moment.year}"


def _time(moment: datetime) -> str:
    return f"{moment.hour % 12 or 12}:{moment:%M:%S} {'AM' if moment.hour < _NOON else 'PM'}"


_LETTERS: dict[str, Callable[[datetime], str]] = {
    "a": lambda moment: _DAYS[moment.weekday()][:3],
    "A": lambda moment: _DAYS[moment.weekday()],
    "b": lambda moment: _MONTHS[moment.month - 1][:3],
    "h": lambda moment: _MONTHS[moment.month - 1][:3],
    "B": lambda moment: _MONTHS[moment.month - 1],
    "c": lambda moment: f"{_day(moment)}, {_time(moment)}",
    "C": lambda moment: str(moment.year // 100),
    "d": lambda moment: str(moment.day),
    "e": lambda moment: str(moment.day),
    "H": lambda moment: str(moment.hour),
    "I": lambda moment: str(moment.hour % 12 or 12),
    "j": lambda moment: str(moment.timetuple().tm_yday),
    "k": lambda moment: str(moment.hour),
    "l": lambda moment: str(moment.hour % 12 or 12),
    "L": lambda moment: str(moment.microsecond // 1000),
    "m": lambda moment: str(moment.month),
    "M": lambda moment: str(moment.minute),
    "N": lambda moment: f"{moment.microsecond // 1000:03}",
    "p": lambda moment: "AM" if moment.hour < _NOON else "PM",
    "P": lambda moment: "am" if moment.hour < _NOON else "pm",
    "q": lambda moment: ordinal(moment.day),
    "s": lambda moment: str(math.floor(moment.timestamp())),
    "S": lambda moment: str(moment.second),
    "u": lambda moment: str(moment.isoweekday()),
    "U": lambda moment: _week(moment, 6),
    "w": lambda moment: str(moment.isoweekday() % 7),
    "W": lambda moment: _week(moment, 0),
    "x": _day,
    "X": _time,
    "y": lambda moment: str(moment.year % 100),
    "Y": lambda moment: str(moment.year),
    "z": lambda _: "",
    "Z": _zone_name,
    "t": lambda _: "\t",
    "n": lambda _: "\n",
    "%": lambda _: "%",
}
