import re

import pytest

from loops_destination.errors import TriggerError
from loops_destination.trigger import Trigger
from loops_destination.trigger.parser import KNOWN_FIELDS, MAX_DEPTH, MAX_LENGTH
from loops_destination.trigger.tokenizer import MISTAKES

# Invalid triggers, each with the offset of its problem and part of the message.
PROBLEMS: list[tuple[str, int, str]] = [
    ("", 0, "empty"),
    (" \n", 2, "empty"),
    # characters
    ('type = "track', 7, "no closing quote"),
    ("type = 'it's'", 12, "no closing quote"),
    ("type = \u201ctrack\u201d", 7, "straight quotes"),
    ("type = `track`", 7, "straight quotes"),
    ('type == "track"', 5, "use one of: =, !="),
    ('type <> "track"', 5, "use one of: =, !="),
    ("properties.n =< 5", 13, "use one of: =, !="),
    ('event =~ "x"', 6, "use one of: =, !="),
    ('type = "track" && event = "x"', 15, "write `and`"),
    ('type = "track" || event = "x"', 15, "write `or`"),
    ("properties.n = 1e5", 15, "digits alone"),
    ("properties.n = .5", 15, "digits alone"),
    ("properties.n = 5.", 15, "digits alone"),
    ("properties.n = 1.2.3", 15, "digits alone"),
    ("properties.n = --5", 15, "digits alone"),
    ("properties.n = -", 15, "digits alone"),
    ("properties.a[b] = 5", 12, "brackets around an index"),
    ("properties. = 5", 10, "write a dot between two names"),
    ("properties.a\\", 12, "must be followed by a character"),
    ("traits.größe = 5", 9, "unexpected character"),
    ("type = #5", 7, "unexpected character"),
    # fields
    ('foo = "x"', 0, KNOWN_FIELDS),
    ('anonymousId = "x"', 0, KNOWN_FIELDS),
    ("properties = 5", 0, "write a name after it: properties"),
    ('type.a = "x"', 0, "type has no fields of its own"),
    ('userId[0] = "x"', 0, "userId has no fields of its own"),
    ('not type = "x"', 0, "write !="),
    ('type = "x" AND event = "y"', 11, "lower case: and"),
    ('(type = "x" Or event = "y")', 12, "lower case: or"),
    ('type = "x", event = "y"', 10, "write `and` or `or`"),
    ('Contains(event, "x")', 0, "lower case: contains"),
    ('"track" = type', 0, "must begin with a field"),
    # operators and values
    ("type", 4, "after a field"),
    ('type is "track"', 5, "after a field"),
    ('properties.plan like "x"', 16, "to test that it exists, write properties.plan != null"),
    ("type = track", 7, '"track"'),
    ("properties.paid = True", 18, "lower case: true"),
    ("type =", 6, "true, false or null here"),
    ("type = (5)", 7, "true, false or null here"),
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
    ('contains("x", event)', 9, "must begin with a field"),
    ("contains(event, null)", 16, "field = null"),
    ("contains(event, x)", 16, "in quotes"),
    ('match(event, "x")', 13, "exactly one *"),
    ('match(event, "")', 13, "exactly one *"),
    ('match(event, "*x*")', 13, "exactly one *"),
    ('match(event, "x*y")', 13, "exactly one *"),
    ('match(event, "**")', 13, "exactly one *"),
    ("match(event, 5)", 13, "exactly one *"),
    # groups
    ('type = "a" and name = "b" or event = "c"', 26, "mixed"),
    ('type = "a" or name = "b" and event = "c"', 25, "mixed"),
    ('(type = "a" and name = "b" or event = "c")', 27, "mixed"),
    ('type = "a" event = "b"', 11, "write `and` or `or`"),
    ('(type = "a" event = "b")', 12, "write `and`, `or` or `)`"),
    ('(type = "a"', 0, "never closed"),
    ('type = "a")', 10, "has no `(`"),
    ("()", 1, "must begin with a field"),
    ('type = "a" and', 14, "must begin with a field"),
    ('and type = "a"', 0, "must begin with a field"),
    (f"{'(' * (MAX_DEPTH + 1)}type = 5{')' * (MAX_DEPTH + 1)}", MAX_DEPTH, "fewer parentheses"),
    ("(" * MAX_LENGTH, MAX_DEPTH, "fewer parentheses"),
    (" " * (MAX_LENGTH + 1), MAX_LENGTH, "can have 100,000"),
]


@pytest.mark.parametrize(("expression", "position", "advice"), PROBLEMS, ids=[problem[0][:40] for problem in PROBLEMS])
def test_problem(expression: str, position: int, advice: str) -> None:
    """An invalid trigger is refused with the position of its problem and advice on what to write instead."""
    with pytest.raises(TriggerError, match=re.escape(advice)) as error:
        Trigger(expression)
    assert error.value.position == position


def test_mistakes_are_complete() -> None:
    """Each mistake in the tokenizer's table has a case above."""
    expected = {advice for _, _, advice in PROBLEMS}
    assert [advice for advice in MISTAKES.values() if not any(words in advice for words in expected)] == []


@pytest.mark.parametrize("value", [None, 5, {"type": "track"}, ["type"], b"type = 5"])
def test_trigger_must_be_text(value: object) -> None:
    """A trigger that is not text is refused with a TriggerError."""
    with pytest.raises(TriggerError, match="a trigger must be text"):
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
    """The message shows the part of the line around the problem, printable, with a caret under the position."""
    with pytest.raises(TriggerError) as error:
        Trigger(expression)
    assert str(error.value).splitlines()[-2:] == ["    " + line for line in shown]


def test_deepest_groups() -> None:
    """The deepest nesting allowed can be compiled, evaluated, printed and explained."""
    expression = 'type = "a" or type = "a"'
    for level in range(MAX_DEPTH):
        expression = f'({expression}) {"and" if level % 2 else "or"} type = "a"'
    trigger = Trigger(expression)
    assert trigger.matches({"type": "a"})
    assert str(trigger) == expression
    assert len(trigger.explain({"type": "a"})) == MAX_DEPTH + 2
