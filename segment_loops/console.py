"""Output for people, on a rich console, and JSON for programs.

Everything printed for people passes through here as plain text: rich markup in it is never interpreted, and texts of
unknown origin pass through `printable`, so that no event and no response of Loops can control the terminal.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, JustifyMethod, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

WIDEST = 100
"""Columns of running text; longer lines are hard to read."""

_UNLIMITED = 100_000
"""Columns where the output is not a terminal: nothing is wrapped or cut."""


def console(stream: TextIO) -> Console:
    """Return a console for the stream, in colour on a terminal unless `NO_COLOR` is set (https://no-color.org)."""
    width = None if stream.isatty() else _UNLIMITED
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def printable(text: str) -> str:
    """Return the text with control characters escaped as in JSON; line feeds stay."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    return character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]


def pretty(value: Any) -> str:
    """Return a value as indented JSON that is safe to print."""
    return printable(json.dumps(value, indent=2, ensure_ascii=False))


def print_json(value: Any) -> None:
    """Print JSON for programs, in ASCII."""
    print(json.dumps(value, indent=2))


def say(text: str | Text = "", style: str = "") -> None:
    """Print a line of the command's result to standard output."""
    console(sys.stdout).print(Text.assemble((text, style)) if isinstance(text, str) else text, soft_wrap=True)


def tell(text: str | Text = "", style: str = "") -> None:
    """Print a message for the person to standard error."""
    console(sys.stderr).print(Text.assemble((text, style)) if isinstance(text, str) else text, soft_wrap=True)


def show(renderable: RenderableType) -> None:
    """Print a table to standard output; without the padding at line ends where it is not a terminal."""
    out = console(sys.stdout)
    if out.is_terminal:
        out.print(renderable)
        return
    with out.capture() as captured:
        out.print(renderable)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def wrapped(text: str, indent: int) -> str:
    """Return the text wrapped to the terminal's width, and indented.

    Lines that begin with a space are not wrapped: they hold a trigger and the caret that points into it.
    """
    width = min(console(sys.stderr).width, WIDEST) - indent if sys.stderr.isatty() else _UNLIMITED
    lines = (textwrap.wrap(line, width) if not line.startswith(" ") else [line] for line in text.splitlines())
    return textwrap.indent("\n".join(part for parts in lines for part in parts), " " * indent)


def table(headings: Sequence[str], *, right: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    """Return an empty table without a frame.

    Columns named in `right` are right-aligned; cells of those named in `whole` are not wrapped.
    """
    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(headings), header_style="bold")
    for heading in headings:
        justify: JustifyMethod = "right" if heading in right else "left"
        result.add_column(heading, justify=justify, no_wrap=heading in whole, overflow="fold")
    return result


def add_row(rows: Table, cells: Sequence[str], style: str = "") -> None:
    """Add a row of texts, which may come from anywhere."""
    rows.add_row(*(Text(printable(cell).replace("\n", " ")) for cell in cells), style=style)


def labelled(rows: Sequence[tuple[str, str | Text]]) -> Table:
    """Return two columns: labels, and texts that are safe to print."""
    result = Table.grid(padding=(0, 2, 0, 0))
    result.add_column(no_wrap=True)
    result.add_column(overflow="fold")
    for label, text in rows:
        result.add_row(Text(label, "dim"), text if isinstance(text, Text) else Text(text))
    return result


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask a yes-or-no question; only "y" and "yes" agree.

    With `yes` nobody is asked. Without a terminal to ask at, the answer is no.
    """
    if yes or not sys.stdin.isatty():
        return yes
    try:
        answer = console(sys.stderr).input(Text(f"{question} [y/N] "))
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show the progress of long work on a terminal until the context ends; yield a function that takes the count.

    `total` is None while nobody knows it.
    """
    columns = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console(sys.stderr), transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task(description, total=total)
        yield lambda completed: shown.update(task, completed=completed)


def number(count: int, singular: str, plural: str = "") -> str:
    """Return `1 dead letter`, `2 dead letters`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def age(seconds: float) -> str:
    """Return a duration in its two largest units: `3 d 4 h`, `12 s`."""
    left = int(max(seconds, 0))
    parts: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts or name == "s":
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])
