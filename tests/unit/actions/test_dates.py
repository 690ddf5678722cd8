import pytest

from loops_destination.actions.date_text import is_date

DATES = [
    # ISO 8601
    "2025",
    "2025-05",
    "2025-05-05",
    "20250505",
    "2025-05-05T14",
    "2025-05-05T14:17",
    "2025-05-05T14:17:38",
    "2025-05-05T14:17:38.089",
    "2025-05-05 14:17:38.089123",
    "2025-05-05T14:17Z",
    "2025-05-05t14:17:38z",
    "2025-05-05T14:17:38.089Z",
    "2025-05-05T14:17:38.089123456Z",
    "2025-05-05T14:17:38+02:00",
    "2025-05-05T14:17:38-0530",
    "2025-05-05T24:00:00Z",
    "2025-05-05T24:00:00.000Z",
    "2025-02-31T00:00:00Z",
    "2025T00:00Z",
    "2025/05/05",
    "2025-13-45",
    "2025-05-05 99:99",
    # as databases and languages print it
    "2025-05-05 14:17:38Z",
    "2025-05-05 14:17:38 UTC",
    "2025-05-05 14:17:38.089+00",
    "2025-05-05 14:17:38 +0200",
    # RFC 2822, and as people write it
    "Mon, 05 May 2025 14:17:38 +0200",
    "Mon, 05 May 2025 14:17:38 GMT",
    "Mon May 05 2025 14:17:38 GMT+0200 (Central European Summer Time)",
    "Mon May  5 14:17:38 2025",
    "Mon May  5 14:17:38 UTC 2025",
    "5 May 2025",
    "5-may-25",
    "May 5, 2025",
    "MAY 2025",
    "September 5",
    "5/31/2025, 2:17:38 PM",
    "12.31.2025",
    "2025.12.31",
    # numbers as JavaScript prints them: seconds, of whatever sign and length
    "0",
    "12",
    "1746454658",
    "1746454658089",
    "-1.5",
    "8640000000000",
]

NOT_DATES = [
    "",
    " ",
    "not a date",
    "yesterday",
    "true",
    "Mon",
    "May",
    "Order 66",
    "P1D",
    "2025-W19-1",
    "2025-05-05T14:17:38,089Z",
    "2025-05-05T25:00:00Z",
    "2025-05-05T24:00:01Z",
    "2025-05-05T14:60:00Z",
    "2025-05-05T14:17:60Z",
    "2025-13-05T00:00:00Z",
    "2025-05-32T00:00:00Z",
    "2025-05-05T14Z",
    "2025-05-05T14:17:38+25:00",
    "2025-05-05T14:17:38+02:60",
    "2025-05-05T14:17:38 Z",
    "2025-05-05x",
    "31.12.2025",
    "13/31/2025",
    "12/32/2025",
    "32 May 2025",
    "5 Foo 2025",
    "8640000000001",
    "NaN",
    "Infinity",
    "-Infinity",
]


@pytest.mark.parametrize("text", DATES)
def test_date(text: str) -> None:
    """A date as software or people write it, and as Segment accepts it, is a date."""
    assert is_date(text)


@pytest.mark.parametrize("text", NOT_DATES)
def test_not_a_date(text: str) -> None:
    """A text that nobody means as a date is not a date."""
    assert not is_date(text)


@pytest.mark.parametrize("head", ["5 May 2025", "Mon", "May", "2025", "2025-05-05 14:17"])
@pytest.mark.parametrize("filler", [" ", "T", "0", "-", "("])
def test_a_long_text_is_not_a_date(head: str, filler: str) -> None:
    """A text of the size of an event is not a date, although it begins like one."""
    assert not is_date(f"{head}{filler * 100_000}x")
