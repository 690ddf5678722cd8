from typing import Any

import pytest

from loops_destination.javascript import UNDEFINED
from loops_destination.paths import compile_path, split

EVENT: dict[str, Any] = {
    "userId": "u-1",
    "zero": 0,
    "no": False,
    "empty": "",
    "null": None,
    "text": "a😀",
    "list": [{"id": 1}, [2, 3]],
    "traits": {
        "email": "ada@example.com",
        "zip code": "N1",
        "it's": 1,
        "its": 2,
        "a": {"b": {"c": {"d": 4}}},
        "[x]": 5,
        "0": "zero",
        "": 6,
    },
}


class Event(dict[str, Any]):
    pass


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("a[0].b", ("a", "0", "b")),
        ("a[0][1]", ("a", "0", "1")),
        ("a['c d']", ("a", "c d")),
        ('a["c d"].e', ("a", "c d", "e")),
        ("a['b.c']", ("a", "b", "c")),
        ("a[b]", ("a[b]",)),
        ("a[-1]", ("a[-1",)),
        ("a['']", ("a", "")),
        ("a..b.", ("a", "b")),
        ("", ()),
    ],
)
def test_split(path: str, keys: tuple[str, ...]) -> None:
    """A path is split at dots, and at brackets around an index or a quoted name."""
    assert split(path) == keys


@pytest.mark.parametrize("path", ["", ".", "$."])
def test_whole_event(path: str) -> None:
    """Each of the three forms of the empty path gives the whole event."""
    assert compile_path(path)(EVENT) is EVENT


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.userId", "u-1"),
        ("userId", "u-1"),
        ("$.traits.email", "ada@example.com"),
        ("$.traits['zip code']", "N1"),
        ("$.traits.it's", 2),
        ("$.traits.a.b.c.d", 4),
        ("$.traits.[x]", 5),
        ("$.traits[0]", "zero"),
        ("$.traits['']", 6),
        ("$.list[0].id", 1),
        ("$.list.1.0", 2),
        ("$.list.length", 2),
        ("$.text.length", 3),
        ("$.text[0]", "a"),
        ("$.text[1]", "\ud83d"),
        ("$.null", None),
        ("$.null.x", None),
        ("$.zero.x", 0),
        ("$.no.x.y.z", False),
        ("$.empty.length", ""),
    ],
)
def test_found(path: str, found: Any) -> None:
    """A path finds its value; a falsy value on the way ends the walk and is the result."""
    assert compile_path(path)(EVENT) == found


@pytest.mark.parametrize(
    "path",
    [
        "$.nope",
        "$.nope.x",
        "$.nope.x.y",
        "$.traits.nope",
        "$.traits.a.nope.c",
        "$.userId.name",
        "$.text[3]",
        "$.list[2]",
        "$.list[-1]",
        "$.list.01",
        "$.list.first",
        "$.$.userId.x",
        "$.traits.a.b.c.d.e",
        "$.list[99999999999999999999]",
    ],
)
def test_not_found(path: str) -> None:
    """A path to something missing gives UNDEFINED."""
    assert compile_path(path)(EVENT) is UNDEFINED


@pytest.mark.parametrize("path", ["id", "traits.email", "a.b.c"])
@pytest.mark.parametrize("value", [None, 0, False, "", UNDEFINED])
def test_falsy_value(path: str, value: Any) -> None:
    """Any path of a falsy value gives that value."""
    assert compile_path(path)(value) is value


@pytest.mark.parametrize("path", ["a", "a.a", "a.a.a"])
def test_subclasses(path: str) -> None:
    """A subclass of dict is walked like a dict."""
    event = Event(a=Event(a=Event(a=1)))
    assert compile_path(path)(event) == compile_path(path)({"a": {"a": {"a": 1}}})


def test_only_the_first_root_is_optional() -> None:
    """The first `$.` is removed, wherever it is, and no other."""
    assert compile_path("a$.b")({"ab": 1}) == 1
    assert compile_path("$.$.b")({"$": {"b": 2}}) == 2


def test_a_dollar_alone_is_a_name() -> None:
    """The path `$` finds the property `$`, and never the whole event."""
    assert compile_path("$")({"$": 5}) == 5
    assert compile_path("$")(EVENT) is UNDEFINED
