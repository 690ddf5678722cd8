"""What is printed for people: colours, tables, questions and progress; for machines, JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import chain
from typing import Any, TextIO


class Style(StrEnum):
    """How a text stands out, as a terminal is told."""

    BOLD = "\033[1m"
    DIM = "\033[2m"
    GREEN = "\033[32m"
    RED = "\033[31m"
    YELLOW = "\033[33m"


WIDEST = 100
"""Columns; longer lines are hard to read."""

_PLAIN = "\033[0m"
_CLEAR_LINE = "\r\033[K"
_GAP = "  "


def painted(text: str, style: Style, stream: TextIO | None = None) -> str:
    """The text in this style, where the stream (standard output) is a terminal and NO_COLOR is not set."""
    stream = sys.stdout if stream is None else stream
    coloured = text and stream.isatty() and not os.environ.get("NO_COLOR")
    return f"{style}{text}{_PLAIN}" if coloured else text


def printable(text: str) -> str:
    """The text without what a terminal would obey; lines stay lines."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    return character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return printable(json.dumps(value, indent=2, ensure_ascii=False))


def print_json(value: Any) -> None:
    """JSON as machines read it, in ASCII."""
    print(json.dumps(value, indent=2))


def indented(text: str, blanks: int) -> str:
    """Each line that is not empty after so many blanks."""
    return "\n".join(f"{' ' * blanks}{line}".rstrip() for line in text.splitlines())


def wrapped(text: str, blanks: int) -> str:
    """The text after so many blanks, in lines that fit; those that are indented stay whole, as what a caret points at."""
    width = min(shutil.get_terminal_size().columns, WIDEST) - blanks
    lines = (textwrap.wrap(line, width) if not line.startswith(" ") else [line] for line in text.splitlines())
    return indented("\n".join(chain.from_iterable(lines)), blanks)


def beside(label: str, text: str, blanks: int) -> str:
    """The text in a column of its own, to the right of its label."""
    return f"{label:<{blanks}}{indented(text, blanks)[blanks:]}"


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> Iterator[str]:
    """The rows in columns as wide as they need; those with an index in `right` end at the right."""
    rows = [[printable(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield _GAP.join(cells).rstrip()


def say(text: str, style: Style | None = None) -> None:
    """A line of the command's result."""
    print(painted(text, style) if style else text)


def tell(text: str, style: Style | None = None) -> None:
    """A word to the person, on standard error: what is not the command's result."""
    print(painted(text, style, sys.stderr) if style else text, file=sys.stderr)


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether the person agrees; nobody does where there is no terminal to ask at."""
    if yes or not sys.stdin.isatty():
        return yes
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


class Progress:
    """One line on a terminal that is written over and over; nothing elsewhere."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Says how far it is."""
        if self._shows:
            print(f"{_CLEAR_LINE}{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leaves no trace of it."""
        self.show("")


@contextmanager
def progress() -> Iterator[Progress]:
    """A line of progress, gone at the end."""
    line = Progress()
    try:
        yield line
    finally:
        line.clear()


def number(count: int, singular: str, plural: str = "") -> str:
    """`1 letter`, `2 letters`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def age(seconds: float) -> str:
    """A time in its two largest units: `3 d 4 h`, `12 s`."""
    left = int(max(seconds, 0))
    parts: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts or name == "s":
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])
