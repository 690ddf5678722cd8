import json
from typing import Any

import pytest

from loops_destination.trigger import Trigger

MISSING: dict[str, Any] = {"type": "track", "userId": "u"}


def event(value: Any) -> dict[str, Any]:
    """An event that holds the value in each kind of field."""
    return {"userId": value, "name": value, "event": value, "type": value, "properties": {"n": value}}


# Each condition, and among these values the ones it holds for.
VALUES = ["x", "5", "true", "", 5, 5.0, -3, 0, True, False, None, [], ["x"], {}, {"x": 1}]
CONDITIONS: dict[str, list[Any]] = {
    'properties.n = "x"': ["x"],
    'properties.n = ""': [""],
    "properties.n = 5": [5, 5.0],
    "properties.n != 5": [-3, 0],
    'properties.n = "5"': ["5"],
    "properties.n = true": [True],
    "properties.n = false": [False],
    "properties.n = null": [None],
    "properties.n != null": [value for value in VALUES if value is not None],
    "properties.n < 0": [-3],
    "properties.n <= 0": [-3, 0],
    "properties.n > 0": [5, 5.0],
    "properties.n >= 0": [5, 5.0, 0],
    'properties.n > "0"': [5, 5.0],
    'contains(properties.n, "r")': ["true"],
    'contains(properties.n, "")': ["x", "5", "true", ""],
    '!contains(properties.n, "r")': ["x", "5", ""],
    "contains(properties.n, 5)": ["5"],
    "contains(properties.n, true)": ["true"],
    'match(properties.n, "t*")': ["true"],
    'match(properties.n, "*e")': ["true"],
    'match(properties.n, "*")': ["x", "5", "true", ""],
    '!match(properties.n, "t*")': ["x", "5", ""],
    '!match(properties.n, "*e")': ["x", "5", ""],
    "userId = 5": ["5"],
    "userId = true": [True],
    "userId > 0": [5, 5.0],
    "name = 5": ["5"],
    "event = 5": ["5"],
    "type = 5": ["5"],
    "name = true": ["true"],
    "event = true": ["true"],
    "type = true": ["true"],
    "event = null": [None],
    "type = null": [None],
}
NEGATIONS = {
    'properties.n = "x"': 'properties.n != "x"',
    "properties.n = true": "properties.n != true",
    "properties.n = null": "properties.n != null",
    "userId = 5": "userId != 5",
    "userId = true": "userId != true",
    "name = true": "name != true",
    "event = null": "event != null",
}


@pytest.mark.parametrize(("condition", "held"), CONDITIONS.items())
def test_condition(condition: str, held: list[Any]) -> None:
    """A condition holds for the values of the documented types, and for no other."""
    matches = Trigger(condition).matches
    assert [repr(value) for value in VALUES if matches(event(value))] == [repr(value) for value in held]


@pytest.mark.parametrize(("condition", "negation"), NEGATIONS.items())
@pytest.mark.parametrize("example", [MISSING, {}, *map(event, VALUES)], ids=json.dumps)
def test_negation(condition: str, negation: str, example: dict[str, Any]) -> None:
    """`!=` of a text, a boolean or null holds exactly where `=` does not, also where the field is missing."""
    assert Trigger(negation).matches(example) is not Trigger(condition).matches(example)


@pytest.mark.parametrize(
    "condition",
    ["= 5", "!= 5", "< 5", "<= 5", "> 5", ">= 5", '= "x"', "= true", "!= null"],
)
def test_missing(condition: str) -> None:
    """A comparison with a number, an equality and `!= null` do not hold for a missing field."""
    assert not Trigger(f"properties.n {condition}").matches(MISSING)


@pytest.mark.parametrize("call", ['contains(name, "")', '!contains(name, "")', 'match(name, "*")', '!match(name, "*")'])
def test_missing_in_call(call: str) -> None:
    """contains, match and their negations do not hold for a missing field."""
    assert not Trigger(call).matches(MISSING)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("properties.a.b", {"a": {"b": "x"}}),
        ("properties . a .\tb", {"a": {"b": "x"}}),
        (r"properties.a\.b", {"a.b": "x"}),
        (r"properties.a\ b", {"a b": "x"}),
        (r"properties.\é", {"é": "x"}),
        (r"properties.\😀", {"😀": "x"}),
        (r"properties.a\\b", {"a\\b": "x"}),
        (r"properties.price\ \[EUR\]", {"price [EUR]": "x"}),
        (r"properties.a\[\0\]", {"a[0]": "x"}),
        ("properties.and", {"and": "x"}),
        ("properties.c-d_e", {"c-d_e": "x"}),
        ("properties.list.1", {"list": ["w", "x"]}),
        ("properties.list[1]", {"list": ["w", "x"]}),
        (r"properties.list\[1\]", {"list": ["w", "x"]}),
        (r"properties.list.\1", {"list": ["w", "x"]}),
        ("properties.list[0].sku", {"list": [{"sku": "x"}]}),
        ("properties.word[1]", {"word": "wx"}),
        ("properties.a.1", {"a": {"1": "x"}}),
        ("properties.empty.of.anything", {"empty": "x"[:0], "of": "x"}),
    ],
)
def test_field(field: str, value: Any) -> None:
    """A field finds nested names, names with any characters, and indices in every notation."""
    expected = "" if "empty" in field else "x"
    assert Trigger(f'{field} = "{expected}"').matches({"properties": value})


@pytest.mark.parametrize(
    ("condition", "properties"),
    [
        ("properties.a.b = 0", {"a": 0}),
        ("properties.a.b = false", {"a": False}),
        ('properties.a.b = ""', {"a": ""}),
        ("properties.a.b = null", {"a": None}),
        ("properties.a.length = 2", {"a": [1, 2]}),
        ("properties.a.length = 2", {"a": "ab"}),
        ("properties.a.b = null", {"a": ["b"]}),
        ("properties.a.b = null", {"a": 7}),
        ("properties.a[2] = null", {"a": [1, 2]}),
        (r"properties.a.\-1 = null", {"a": [1, 2]}),
        ("properties.a = 0", 0),
    ],
)
def test_walk(condition: str, properties: Any) -> None:
    """A field is looked up as in JavaScript: a falsy value on the way is the result, arrays and strings have a length."""
    assert Trigger(condition).matches({"properties": properties})


@pytest.mark.parametrize(
    "expression", ["type='track'", ' type\t=\n"track"\r\n', '((type = "track"))', r'\type = "track"']
)
def test_writing(expression: str) -> None:
    """Either kind of quotes, any blanks, and needless parentheses and escapes give the same trigger."""
    assert Trigger(expression).matches({"type": "track"})
    assert str(Trigger(expression)) == 'type = "track"'


@pytest.mark.parametrize("letters", [(a, b, c) for a in "tf" for b in "tf" for c in "tf"], ids="".join)
@pytest.mark.parametrize(
    ("expression", "meaning"),
    [
        ("{} and {} and {}", lambda a, b, c: a and b and c),
        ("{} or {} or {}", lambda a, b, c: a or b or c),
        ("({} and {}) or {}", lambda a, b, c: (a and b) or c),
        ("{} and({} or {})", lambda a, b, c: a and (b or c)),
        ("({} or {})and {}", lambda a, b, c: (a or b) and c),
        ("(({}) or ({} and {}))", lambda a, b, c: a or (b and c)),
        ('{} and (contains(name, "e") and {}) and {}', lambda a, b, c: a and b and c),
    ],
)
def test_group(expression: str, meaning: Any, letters: tuple[str, str, str]) -> None:
    """Groups combine as they are written, also nested ones and those that contain a function."""
    text = expression.format(*(f'name = "{"event" if letter == "t" else "other"}"' for letter in letters))
    assert Trigger(text).matches({"name": "event"}) is meaning(*(letter == "t" for letter in letters))


def test_integers_are_exact() -> None:
    """Integers above 2**53 are compared exactly, as numbers and as the text of a userId."""
    assert Trigger("properties.n = 9007199254740993").matches({"properties": {"n": 2**53 + 1}})
    assert not Trigger("properties.n = 9007199254740993").matches({"properties": {"n": 2**53}})
    assert Trigger("userId = 12345678901234567890").matches({"userId": "12345678901234567890"})


def test_numbers_as_text() -> None:
    """A number that is compared with text is converted as JavaScript prints it."""
    for written, text in [
        ("+5", "5"),
        ("007", "7"),
        ("5.0", "5"),
        ("-0.0", "0"),
        ("0.50", "0.5"),
        ("0.0000001", "1e-7"),
    ]:
        assert Trigger(f"userId = {written}").matches({"userId": text})


@pytest.mark.parametrize("value", [None, 0, 5, False, True, "", "type", [], ["type"], 1.5])
def test_value_without_fields(value: Any) -> None:
    """A value that is not an object has no fields."""
    assert not Trigger('type = "type" or properties.length > 0 or userId = false or name != null').matches(value)
    assert Trigger('type != "type" and properties.a = null').matches(value)
