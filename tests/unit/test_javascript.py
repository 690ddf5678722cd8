from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loops_destination.javascript import (
    UNDEFINED,
    array_index,
    has_surrogates,
    in_order,
    is_falsy,
    is_number,
    join_surrogates,
    json_text,
    length,
    scalar_text,
    split_surrogates,
    trim,
    type_name,
    unit_at,
)

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize("value", [None, UNDEFINED, False, "", 0, 0.0, -0.0, NAN])
def test_falsy(value: Any) -> None:
    """The values that JavaScript counts as false are falsy."""
    assert is_falsy(value)


@pytest.mark.parametrize("value", [True, " ", "0", 1, -1, 0.1, INFINITY, [], {}, 10**30])
def test_truthy(value: Any) -> None:
    """All other values are not falsy, empty containers included."""
    assert not is_falsy(value)


@pytest.mark.parametrize(("value", "answer"), [(1, True), (1.5, True), (True, False), ("1", False), (None, False)])
def test_is_number(value: Any, answer: bool) -> None:
    """Integers and floats are numbers, booleans are not."""
    assert is_number(value) is answer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (12.0, "12"),
        (-12.0, "-12"),
        (0.5, "0.5"),
        (-0.0, "0"),
        (1234567.891, "1234567.891"),
        (9007199254740992.0, "9007199254740992"),
        (1.2345678901234568e20, "123456789012345680000"),
        (1e20, "100000000000000000000"),
        (999999999999999900000.0, "999999999999999900000"),
        (1e21, "1e+21"),
        (-1.5e21, "-1.5e+21"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (0.000001, "0.000001"),
        (0.00001234, "0.00001234"),
        (1e-7, "1e-7"),
        (-1.5e-7, "-1.5e-7"),
        (5e-324, "5e-324"),
        (0.1 + 0.2, "0.30000000000000004"),
        (NAN, "NaN"),
        (INFINITY, "Infinity"),
        (-INFINITY, "-Infinity"),
    ],
)
def test_scalar_text(value: Any, text: str) -> None:
    """A scalar prints as JavaScript's String prints it."""
    assert scalar_text(value) == text


def test_integers_print_exactly() -> None:
    """An integer above 2**53 keeps all its digits."""
    assert scalar_text(9007199254740993) == "9007199254740993"


@pytest.mark.parametrize(("sign", "text"), [(1, "Infinity"), (-1, "-Infinity")])
def test_integers_too_long_to_print(sign: int, text: str) -> None:
    """An integer that Python refuses to print is infinite, as in JavaScript, and null in JSON."""
    assert scalar_text(sign * 10**5000) == text
    assert json_text(sign * 10**5000) == "null"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (UNDEFINED, "null"),
        (True, "true"),
        (12.0, "12"),
        (1e-7, "1e-7"),
        (9007199254740993, "9007199254740993"),
        (NAN, "null"),
        (-INFINITY, "null"),
        ([], "[]"),
        ({}, "{}"),
        ([1, [2.0, {"a": None}], "x"], '[1,[2,{"a":null}],"x"]'),
        ({"a": UNDEFINED, "b": [UNDEFINED]}, '{"b":[null]}'),
        ({"a": UNDEFINED}, "{}"),
        ({"b": 1, "10": 2, "a": 3, "9": 4, "01": 5}, '{"9":4,"10":2,"b":1,"a":3,"01":5}'),
        ("é\u2028/", '"é\u2028/"'),
        ('"\\\b\f\n\r\t\x01\x7f', '"\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f"'),
        ("\ud83d", '"\\ud83d"'),
        ("\ud83d\ude00\ude00", '"😀\\ude00"'),
    ],
)
def test_json_text(value: Any, text: str) -> None:
    """A value is written as JSON.stringify writes it."""
    assert json_text(value) == text


@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.builds(float, st.integers(-(10**23), 10**23))
    | st.text(st.characters(exclude_categories=[]))
    | st.sampled_from(["5.0, 1e5]", '"0":', "1e+5}"])
)
def test_json_text_of_containers(value: Any) -> None:
    """A value has the same JSON text inside an array or object as it has alone."""
    text = json_text(value)
    assert json_text([value]) == f"[{text}]"
    assert json_text({"a": [value, 0.5]}) == f'{{"a":[{text},0.5]}}'


@pytest.mark.parametrize(
    ("indent", "text"),
    [
        (0, '{"a":[1,{}]}'),
        (1, '{\n "a": [\n  1,\n  {}\n ]\n}'),
        (99, '{\n          "a": [\n                    1,\n                    {}\n          ]\n}'),
        ("-", '{\n-"a": [\n--1,\n--{}\n-]\n}'),
        (None, '{"a":[1,{}]}'),
        (float("inf"), '{\n          "a": [\n                    1,\n                    {}\n          ]\n}'),
        (float("nan"), '{"a":[1,{}]}'),
    ],
)
def test_json_text_indented(indent: Any, text: str) -> None:
    """JSON is indented by a number of spaces, at most ten, or by a string."""
    assert json_text({"a": [1, {}]}, indent) == text


@pytest.mark.parametrize(("text", "trimmed"), [("\ufeff\xa0 x \n", "x"), ("\x1c\x85x", "\x1c\x85x")])
def test_trim(text: str, trimmed: str) -> None:
    """Trimming removes what JavaScript counts as blank, and nothing else."""
    assert trim(text) == trimmed


@pytest.mark.parametrize(("text", "units"), [("", 0), ("abc", 3), ("é", 1), ("a😀", 3), ("\ud83d", 1)])
def test_length(text: str, units: int) -> None:
    """The length of a text is its number of UTF-16 units."""
    assert length(text) == units


@pytest.mark.parametrize(
    ("text", "index", "unit"),
    [
        ("abc", 1, "b"),
        ("abc", 3, UNDEFINED),
        ("é", 0, "é"),
        ("a😀", 1, "\ud83d"),
        ("a😀", 2, "\ude00"),
        ("a😀", 3, UNDEFINED),
    ],
)
def test_unit_at(text: str, index: int, unit: Any) -> None:
    """A unit of a surrogate pair is a lone surrogate; an index beyond the end is undefined."""
    assert unit_at(text, index) == unit


@pytest.mark.parametrize("text", ["", "abc", "é", "a😀b", "\ud83dx"])
def test_surrogates(text: str) -> None:
    """Joining split surrogates restores the text, and only a lone surrogate counts as one."""
    split = split_surrogates(text)
    assert len(split) == length(text)
    assert join_surrogates(split) == text
    assert has_surrogates(split) is any("\ud800" <= character <= "\udfff" for character in split)


@pytest.mark.parametrize(
    ("key", "index"),
    [
        ("0", 0),
        ("10", 10),
        ("4294967294", 2**32 - 2),
        ("4294967295", None),
        ("9" * 5000, None),
        ("01", None),
        ("-1", None),
        ("1.0", None),
        ("", None),
        ("٣", None),
        ("a", None),
    ],
)
def test_array_index(key: str, index: int | None) -> None:
    """Only a plain decimal below 2**32 - 1 is an index."""
    assert array_index(key) == index


def test_in_order() -> None:
    """Members with an index as key come first, in ascending order, then the others as written."""
    members = {"b": 1, "2": 2, "a": 3, "10": 4, "0": 5}
    assert list(in_order(members)) == [("0", 5), ("2", 2), ("10", 4), ("b", 1), ("a", 3)]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (UNDEFINED, "nothing"),
        (True, "a boolean"),
        (1, "a number"),
        (1.5, "a number"),
        ("x", "a string"),
        ({}, "an object"),
        ([], "an array"),
        ({1}, "not a JSON value"),
    ],
)
def test_type_name(value: Any, name: str) -> None:
    """The type of a value has a name, so that a message need not show the value."""
    assert type_name(value) == name


def test_undefined_repr() -> None:
    """UNDEFINED is shown by its name."""
    assert repr(UNDEFINED) == "UNDEFINED"
