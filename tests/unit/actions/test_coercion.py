from collections.abc import Callable
from typing import Any

import pytest

from loops_destination.actions import ACTIONS
from loops_destination.actions.coercion import to_boolean, to_datetime, to_email, to_object, to_string
from loops_destination.errors import PayloadError

Coercion = Callable[[str, Any], Any]

ACCEPTED: dict[Coercion, list[tuple[Any, Any]]] = {
    to_string: [
        ("text", "text"),
        (" blank ", " blank "),
        ("\ud83d", "\ud83d"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (-3, "-3"),
        (0.5, "0.5"),
        (12.0, "12"),
        (-0.0, "0"),
        (1e21, "1e+21"),
        (1e-7, "1e-7"),
        (123456789012345678901234567890, "123456789012345678901234567890"),
        (float("inf"), "Infinity"),
        (["one"], "one"),
        ([7], "7"),
        ([True], "true"),
        ([""], ""),
        ([None], ""),
    ],
    to_email: [
        ("ada@example.com", "ada@example.com"),
        ("Ada.L+tag@Sub.Example.CO.UK", "Ada.L+tag@Sub.Example.CO.UK"),
        ("!#$%&'*+/=?^_`{|}~-@x.y", "!#$%&'*+/=?^_`{|}~-@x.y"),
        ("1@2.3", "1@2.3"),
        ("a@b--c.d-e.fg", "a@b--c.d-e.fg"),
        (f"{'a' * 100}@{'b' * 100}.c", f"{'a' * 100}@{'b' * 100}.c"),
        (["ada@example.com"], "ada@example.com"),
    ],
    to_boolean: [
        (True, True),
        (False, False),
        ("true", True),
        ("false", False),
        (1, True),
        (0, False),
        (1.0, True),
        (-0.0, False),
        ([True], True),
        (["false"], False),
        ([1], True),
        ([None], False),
    ],
    to_object: [
        ({}, {}),
        ({"a": None, "b": "", "c": [{}]}, {"a": None, "b": "", "c": [{}]}),
    ],
    to_datetime: [
        ("2025-05-05T14:17:38.089Z", "2025-05-05T14:17:38.089Z"),
        (1746454658089, 1746454658089),
        (-1.5, -1.5),
        (0, 0),
        (["2025-05-05"], "2025-05-05"),
        ([1746454658089], 1746454658089),
    ],
}

REFUSED: dict[Coercion, list[Any]] = {
    to_string: [{}, {"a": 1}, [], ["a", "b"], [["a"]], [{}]],
    to_email: [
        "not-an-email",
        "a@b",
        "@b.co",
        "a@.co",
        "a@b.",
        "a@b..co",
        ".a@b.co",
        "a.@b.co",
        "a..b@c.de",
        "a@-b.co",
        "a@b-.co",
        "a@b.c-",
        "a b@c.de",
        "a@b@c.de",
        "a@b.co ",
        "a@b.co\n",
        '"a"@b.co',
        "a@[127.0.0.1]",
        "ü@b.co",
        "a@ü.co",
        "\u212a@b.co",  # the Kelvin sign, which is a K to a regular expression that ignores case
        " ",
        5,
        True,
        [None],
        [],
        {},
    ],
    to_boolean: ["yes", "True", " true", "1", 2, -1, 0.5, [], ["yes"], [[True]], [True, True], {}],
    to_object: ["text", 5, True, [], [{}], [{"a": 1}]],
    to_datetime: ["not a date", " ", True, False, [], ["not a date"], [None], [True], [["2025-05-05"]], {}, [1, 2]],
}


def cases(table: dict[Coercion, list[Any]]) -> list[Any]:
    return [
        pytest.param(coerce, case, id=f"{coerce.__name__}-{index}")
        for coerce, listed in table.items()
        for index, case in enumerate(listed)
    ]


@pytest.mark.parametrize(("coerce", "case"), cases(ACCEPTED))
def test_accepted(coerce: Coercion, case: tuple[Any, Any]) -> None:
    """A value that Segment accepts is converted to the field's type."""
    value, expected = case
    coerced = coerce("field", value)
    assert coerced == expected
    assert type(coerced) is type(expected)


@pytest.mark.parametrize(("coerce", "value"), cases(REFUSED))
def test_refused(coerce: Coercion, value: Any) -> None:
    """A value that Segment refuses is refused with the field's name."""
    with pytest.raises(PayloadError, match=r"^field: must be ") as caught:
        coerce("field", value)
    assert [problem.path for problem in caught.value.problems] == ["field"]


def test_message_hides_the_value() -> None:
    """The message does not show the value, which may be personal data."""
    with pytest.raises(PayloadError) as caught:
        to_email("email", "secret")
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_every_type_has_cases() -> None:
    """The type of every action's field is tested with values that it accepts and values that it refuses."""
    used = {field.coerce for action in ACTIONS.values() for field in action.fields}
    assert used == ACCEPTED.keys() == REFUSED.keys()


def test_long_address_is_quick() -> None:
    """An address of the size of an event is refused without backtracking."""
    for address in ("a" * 200_000, "a." * 100_000, "a@" + "b." * 100_000, "a@" + "b-" * 100_000, "a@" + "b" * 200_000):
        with pytest.raises(PayloadError):
            to_email("email", address)
