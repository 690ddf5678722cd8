"""JSON as people write it: the line of each part, and the layout of a file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

WIDTH = 100
"""The longest line, in characters, on which an object or array is written whole."""

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]|[^\s{}\[\]:,"]+')


def line_of(text: str, path: str) -> int:
    """Return the line, from 1, on which the part at this path begins.

    If there is no such part, return the line of the innermost part that would contain it.
    """
    lines = _lines(text)
    while path not in lines:
        path = path.rpartition("/")[0]
    return lines[path]


def laid_out(value: Any) -> str:
    """Return the value indented by two spaces a level; flat objects and arrays are on one line if they fit."""
    return _laid_out(value, "", 0)


@dataclass(slots=True)
class _Open:
    """An object or array that is being read; `key` is the current key, None while the next one is expected."""

    path: str
    is_object: bool
    key: str | None = None
    index: int = 0

    @property
    def place(self) -> str:
        return f"{self.path}/{self.key if self.is_object else self.index}"

    def expects_key(self) -> bool:
        return self.is_object and self.key is None


def _lines(text: str) -> dict[str, int]:
    """Return the line of every part by its path. The text must be JSON."""
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
    elif around and around[-1].expects_key():
        around[-1].key = json.loads(part)
        lines[around[-1].place] = line
    else:
        place = around[-1].place if around else ""
        lines.setdefault(place, line)
        if part in {"{", "["}:
            around.append(_Open(place, is_object=part == "{"))


def _laid_out(value: Any, indent: str, before: int) -> str:
    """Lay out the value; `before` is the number of characters already on its first line."""
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
    """Return JSON on one line; in ASCII if it contains a lone surrogate, which UTF-8 cannot encode."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if any("\ud800" <= character <= "\udfff" for character in text) else text
