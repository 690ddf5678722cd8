import re

import pytest

from loops_destination.errors import TriggerError
from loops_destination.trigger import Trigger
from loops_destination.trigger.parser import KNOWN_FIELDS, MAX_DEPTH, MAX_LENGTH
from loops_destination.trigger.tokenizer import MISTAKES

# Each faulty trigger, the offset of its problem, and words of the advice.
FAULTS: list[tuple[str, int, str]] = [
    ("", 0, "empty"),
    (" \n", 2, "empty"),
    # characters
    ('type = "track', 7, "no closing quote"),
    ("type = 'it's'", 12, "no closing quote"),
    ("type = \u201ctrack\u201d", 7, "straight quotes"),
    ("type = `track`", 7, "straight quotes"),
    ('type == "track"', 5, "write =, !="),
    ('type <> "track"', 5, "write =, !="),
    ("properties.n =< 5", 13, "write =, !="),
    ('event =~ "x"', 6, "write =, !="),
    ('type = "track" && event = "x"', 15, "write `and`"),
    ('type = "track" || event = "x"', 15, "write `or`"),
    ("properties.n = 1e5", 15, "digits alone"),
    ("properties.n = .5", 15, "digits alone"),
    ("properties.n = 5.", 15, "digits alone"),
    ("properties.n = 1.2.3", 15, "digits alone"),
    ("properties.n = --5", 15, "digits alone"),
    ("properties.n = -", 15, "digits alone"),
    ("properties.a[b] = 5", 12, "brackets around an index"),
    ("properties. = 5", 10, "a dot stands between two names"),
    ("properties.a\\", 12, "nothing follows"),
    ("traits.größe = 5", 9, "needs a `\\`"),
    ("type = #5", 7, "means nothing"),
    # fields
    ('foo = "x"', 0, KNOWN_FIELDS),
    ('anonymousId = "x"', 0, KNOWN_FIELDS),
    ("properties = 5", 0, "a name must follow: properties"),
    ('type.a = "x"', 0, "nothing can follow type"),
    ('userId[0] = "x"', 0, "nothing can follow userId"),
    ('not type = "x"', 0, "write !="),
    ('type = "x" AND event = "y"', 11, "small letters: and"),
    ('(type = "x" Or event = "y")', 12, "small letters: or"),
    ('type = "x", event = "y"', 10, "write `and` or `or`"),
    ('Contains(event, "x")', 0, "small letters: contains"),
    ('"track" = type', 0, "begins with a field"),
    # operators and values
    ("type", 4, "after a field comes ="),
    ('type is "track"', 5, "after a field comes ="),
    ('properties.plan like "x"', 16, "properties.plan != null asks"),
    ("type = track", 7, '"track"'),
    ("properties.paid = True", 18, "small letters: true"),
    ("type =", 6, "here must stand"),
    ("type = (5)", 7, "here must stand"),
    ('properties.n > "x"', 15, "compare numbers"),
    ("properties.n > true", 15, "compare numbers"),
    ("properties.n >", 14, "compare numbers"),
    (f"properties.n = {'9' * 400}", 15, "this large"),
    (f'properties.n > "-{"9" * 5000}.5"', 15, "this large"),
    # functions
    ("!type = 5", 1, "write !="),
    ('!(type = "x")', 1, "write !="),
    ('contains event, "x"', 9, 'write contains(field, "text")'),
    ('contains(event "x")', 15, 'write contains(field, "text")'),
    ('match(event, "x*"', 17, 'write match(field, "text")'),
    ("match(event)", 11, 'write match(field, "text")'),
    ('contains("x", event)', 9, "begins with a field"),
    ("contains(event, null)", 16, "field = null"),
    ("contains(event, x)", 16, "in quotes"),
    ('match(event, "x")', 13, "one *"),
    ('match(event, "")', 13, "one *"),
    ('match(event, "*x*")', 13, "one *"),
    ('match(event, "x*y")', 13, "one *"),
    ('match(event, "**")', 13, "one *"),
    ("match(event, 5)", 13, "one *"),
    # groups
    ('type = "a" and name = "b" or event = "c"', 26, "mixed"),
    ('type = "a" or name = "b" and event = "c"', 25, "mixed"),
    ('(type = "a" and name = "b" or event = "c")', 27, "mixed"),
    ('type = "a" event = "b"', 11, "write `and` or `or`"),
    ('(type = "a" event = "b")', 12, "write `and`, `or` or `)`"),
    ('(type = "a"', 0, "never closed"),
    ('type = "a")', 10, "closes nothing"),
    ("()", 1, "begins with a field"),
    ('type = "a" and', 14, "begins with a field"),
    ('and type = "a"', 0, "begins with a field"),
    (f"{'(' * (MAX_DEPTH + 1)}type = 5{')' * (MAX_DEPTH + 1)}", MAX_DEPTH, "fewer parentheses"),
    ("(" * MAX_LENGTH, MAX_DEPTH, "fewer parentheses"),
    (" " * (MAX_LENGTH + 1), MAX_LENGTH, "at most 100,000"),
]


@pytest.mark.parametrize(("expression", "position", "advice"), FAULTS, ids=[problem[0][:40] for problem in FAULTS])
def test_fault(expression: str, position: int, advice: str) -> None:
    """A faulty trigger is refused at the place of its problem, with what to write instead."""
    with pytest.raises(TriggerError, match=re.escape(advice)) as error:
        Trigger(expression)
    assert error.value.position == position


def test_mistakes_are_complete() -> None:
    """Each mistake that the tokenizer knows has its case above."""
    expected = {advice for _, _, advice in FAULTS}
    assert [advice for advice in MISTAKES.values() if not any(words in advice for words in expected)] == []


@pytest.mark.parametrize("value", [None, 5, {"type": "track"}, ["type"], b"type = 5"])
def test_no_text(value: object) -> None:
    """What is no text is refused as a trigger like any other problem."""
    with pytest.raises(TriggerError, match="a trigger is a text"):
        Trigger(value)  # type: ignore[arg-type]  # the wrong type is the case


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("type = track", ["type = track", "       ^"]),
        ('type = "a" and\n  event = b and\n  name = "c"', ["  event = b and", "          ^"]),
        (f"type = {'x' * 99}", [f"type = {'x' * 36}…", "       ^"]),
        (f'type = "{"x" * 99}" )', [f'…{"x" * 34}" )', f"{' ' * 37}^"]),
        ("type\t=\ttrack\r\n", ["type = track ", "       ^"]),
        ('type = "\ud800" x', ['type = " " x', "           ^"]),
        ("type", ["type", "    ^"]),
    ],
)
def test_caret(expression: str, shown: list[str]) -> None:
    """The message shows the line of the problem, cut to its surroundings and fit to print, with a caret under its place."""
    with pytest.raises(TriggerError) as error:
        Trigger(expression)
    assert str(error.value).splitlines()[-2:] == ["    " + line for line in shown]


def test_groups_as_deep_as_allowed() -> None:
    """The deepest group allowed is parsed, printed, explained and asked."""
    expression = 'type = "a" or type = "a"'
    for level in range(MAX_DEPTH):
        expression = f'({expression}) {"and" if level % 2 else "or"} type = "a"'
    trigger = Trigger(expression)
    assert trigger.matches({"type": "a"})
    assert str(trigger) == expression
    assert len(trigger.explain({"type": "a"})) == MAX_DEPTH + 2
