"""A table that is printed line by line while things happen, so its columns have fixed widths."""

from __future__ import annotations

import os
from itertools import zip_longest
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.reports import Report

COLUMNS = {"sample": 10, "request": 14, "answer": 6, "outcome": 31, "Loops got": 38, "as expected": 11}
"""The headings, and the widths in characters: 120 with the blanks between them."""

_BOLD, _GREEN, _RED, _PLAIN = "\033[1m", "\033[32m", "\033[31m", "\033[0m"


class Table:
    """Prints reports; in colour on a terminal whose user has not set NO_COLOR (https://no-color.org)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR")

    def head(self) -> None:
        """The headings."""
        self._print(self._painted(_line(list(COLUMNS)), _BOLD))

    def row(self, report: Report, *, as_expected: bool | None = None) -> None:
        """As many lines as the report's longest cell has; `as_expected` None for what nobody expected anything of."""
        verdict = {True: "ok", False: "UNEXPECTED", None: ""}[as_expected]
        first = [report.name], [report.request], [report.answer]
        lines = zip_longest(*first, report.outcomes, list(map(str, report.calls)), [verdict], fillvalue="")
        for cells in lines:
            self._print(self._painted(_line(cells), _RED if as_expected is False else _PLAIN))

    def verdict(self, text: str, *, good: bool) -> None:
        """A line on how it went."""
        self._print(self._painted(text, _GREEN if good else _RED))

    def _painted(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._coloured and colour != _PLAIN else text

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def _line(cells: Sequence[str]) -> str:
    fitted = (_fitted(cell, width) for cell, width in zip(cells, COLUMNS.values(), strict=True))
    return "  ".join(fitted).rstrip()


def _fitted(text: str, width: int) -> str:
    """The text without what a terminal would obey, in exactly so many characters."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return f"{shown[: width - 1]}…" if len(shown) > width else shown.ljust(width)
