"""The texts that count as a date: those that Segment parses, with day.js and then JavaScript's `Date`.

In Node.js, `Date` parses nearly any text with a number in it, such as "Order 66". Here such texts are not dates,
because nobody means them as dates.
"""

from __future__ import annotations

import re
from functools import cache

from loops_destination.javascript import scalar_text

_LATEST_SECOND = 8.64e12  # ECMA-262, TimeClip: a time value ends 100 million days from 1970

# A year and what follows it, without an offset. The parts may be out of range: `Date` carries them over. No part gives
# back what it has taken: that never changes the result, and a long text is then read once only.
_LOCAL = re.compile(
    r"[0-9]{4}[-/]?+[0-9]{0,2}+[-/]?+[0-9]{0,2}+[Tt\s]*+[0-9]{0,2}+:?+[0-9]{0,2}+:?+[0-9]{0,2}+[.:]?+[0-9]*+"
)

# ISO 8601 with an offset, as ECMA-262 has it in "Date Time String Format".
_WITH_OFFSET = re.compile(
    r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?"
    r"T(?:(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]+)?)?|24:00(?::00(?:[.]0+)?)?)"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])",
    re.IGNORECASE,
)


def is_date(text: str) -> bool:
    """Return True for a number of seconds, a usual form of ISO 8601, RFC 2822, or a date as people write it."""
    if _WITH_OFFSET.fullmatch(text):  # first, because nearly every date has this form
        return True
    seconds = _number(text)
    if seconds is not None:
        return abs(seconds) <= _LATEST_SECOND
    return bool(_LOCAL.fullmatch(text) or _written().fullmatch(text))


def _number(text: str) -> float | None:
    """Return the number that JavaScript prints as exactly this text, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if scalar_text(number) == text else None


@cache
def _written() -> re.Pattern[str]:
    """Return the pattern of a date as people write it, RFC 2822 included; compiled on first use, as few events need it."""
    month, day = "(?:0?[1-9]|1[0-2])", "(?:0?[1-9]|[12][0-9]|3[01])"
    year, name = "(?:[0-9]{4}|[0-9]{2})", "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
    weekday, remark = r"(?:(?:sun|mon|tue|wed|thu|fri|sat)[a-z]*[,.]?\s+)?", r"(?:\s*\([^()]*\))?"
    time = r"(?:[01]?[0-9]|2[0-3]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.][0-9]+)?)?(?:\s+[ap]m)?"
    zone = r"(?:\s*(?:z|utc?|gmt|[ecmp][sd]t))?(?:\s*[+-][0-9]{1,2}(?::?[0-9]{2})?)?"
    dates = (
        rf"{day}[\s-]+{name}(?:[\s,.-]+{year})?",
        rf"{name}[\s.-]+{day}(?:[\s,-]+{year})?",
        rf"{name}[\s.-]+[0-9]{{4}}",
        rf"{month}[/.-]{day}[/.-]{year}",
        rf"[0-9]{{4}}[/.-]{month}[/.-]{day}",
    )
    forms = (
        rf"{weekday}(?:{'|'.join(dates)})(?:,?\s*{time})?{zone}{remark}",
        rf"{weekday}{name}\s+{day}\s+{time}{zone}\s+{year}",  # as C's asctime and Unix's date print it
    )
    return re.compile("|".join(forms), re.IGNORECASE)
