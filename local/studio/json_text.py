"""JSON as people write it: where its parts stand, what is wrong with it, and how a file of it is laid out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

WIDTH = 100
"""Columns that an object or array may take on one line."""

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]|[^\s{}\[\]:,"]+')


class FaultyText(Exception):
    """The text is not JSON; `line` is from 1, None where no line is to blame."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.message = message
        self.line = line
        super().__init__(message)


def read(text: str) -> Any:
    """The value; `FaultyText` for what is not JSON, and for an object with the same key twice."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        message = "nothing is here" if not text.strip() else f"{error.msg}, at column {error.colno}"
        raise FaultyText(f"this is not JSON: {message}", error.lineno) from None
    except ValueError:  # an integer of more digits than Python converts
        raise FaultyText("a number is too long") from None
    except RecursionError:
        raise FaultyText("this is nested too deeply") from None


def line_of(text: str, path: str) -> int:
    """The line, from 1, on which the part at this path begins; that of the nearest part around it where it is missing."""
    lines = _lines(text)
    while path not in lines:
        path = path.rpartition("/")[0]
    return lines[path]


def laid_out(value: Any) -> str:
    """The value as a file holds it: two blanks a level, what has no inner structure on one line where that fits."""
    return _laid_out(value, "", 0)


@dataclass(slots=True)
class _Open:
    """An object or array that is being read; `key` is the current one, None while the next is awaited."""

    path: str
    is_object: bool
    key: str | None = None
    index: int = 0

    @property
    def place(self) -> str:
        return f"{self.path}/{self.key if self.is_object else self.index}"

    def awaits_key(self) -> bool:
        return self.is_object and self.key is None


def _lines(text: str) -> dict[str, int]:
    """The line of every part by its path. The text is JSON, so that brackets and commas say it all."""
    lines = {"": 1}
    around: list[_Open] = []
    line, position = 1, 0
    for part in _PART.finditer(text):
        line += text.count("\n", position, part.start())
        position = part.start()
        _take(part[0], around, lines, line)
    return lines


def _take(part: str, around: list[_Open], lines: dict[str, int], line: int) -> None:
    if part in {"}", "]"}:
        around.pop()
    elif part == ",":
        around[-1].key = None
        around[-1].index += 1
    elif around and around[-1].awaits_key():
        around[-1].key = json.loads(part)
        lines[around[-1].place] = line
    else:
        place = around[-1].place if around else ""
        lines.setdefault(place, line)
        if part in {"{", "["}:
            around.append(_Open(place, is_object=part == "{"))


def _laid_out(value: Any, indent: str, before: int) -> str:
    """`before` is how many characters stand on the line already."""
    if not isinstance(value, dict | list) or not value:
        return _plain(value)
    if not any(isinstance(item, dict | list) for item in (value.values() if isinstance(value, dict) else value)):
        line = _on_one_line(value)
        if before + len(line) <= WIDTH:
            return line
    inner = indent + "  "
    if isinstance(value, list):
        items = [inner + _laid_out(item, inner, len(inner)) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    heads = {key: f"{inner}{_plain(key)}: " for key in value}
    members = [head + _laid_out(value[key], inner, len(head)) for key, head in heads.items()]
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


def _on_one_line(value: dict[str, Any] | list[Any]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    return f"{{ {', '.join(f'{_plain(key)}: {_plain(item)}' for key, item in value.items())} }}"


def _plain(value: Any) -> str:
    """In ASCII where it has a lone surrogate, which UTF-8 cannot hold."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if any("\ud800" <= character <= "\udfff" for character in text) else text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise FaultyText(f"an object has the key {json.dumps(key)} more than once")
        value[key] = item
    return value


def _refuse_constant(name: str) -> None:
    raise FaultyText(f"{name} is no JSON value")
