import pytest

from loops_destination.errors import InvalidJson
from loops_destination.subscriptions import read_json


def test_json_is_read() -> None:
    """JSON becomes the value that json.loads gives."""
    assert read_json(' {"a": [1, 2.5, null, "é"]} ') == {"a": [1, 2.5, None, "é"]}


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "not JSON: it is empty, at line 1, column 1", (1, 1)),
        ("[1,\n 2", "not JSON: Expecting ',' delimiter, at line 2, column 3", (2, 3)),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', 'an object has the key "c" more than once', (None, None)),
        ('{"a": 1, "a": 1, "b": 1, "b": 1}', 'an object has the key "a", "b" more than once', (None, None)),
        ("[NaN]", "not JSON: NaN is not a JSON value", (None, None)),
        ("[-Infinity]", "not JSON: -Infinity is not a JSON value", (None, None)),
        ("9" * 5000, "a number is too long", (None, None)),
        ("[" * 100_000, "nested too deeply", (None, None)),
    ],
)
def test_other_text_is_refused(text: str, message: str, place: tuple[int | None, int | None]) -> None:
    """A text that is not JSON, or repeats a key, is refused with a message and, if known, its place."""
    with pytest.raises(InvalidJson) as refused:
        read_json(text)
    assert str(refused.value) == message
    assert (refused.value.line, refused.value.column) == place
