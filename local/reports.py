"""A table of requests on the terminal: what came in, what was answered, and which calls Loops received."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TextIO

from rich.table import Table
from rich.text import Text

from segment_loops.console import console, printable

if TYPE_CHECKING:
    from local.sandbox import JournalEntry, Sandbox

WIDTHS = {"Sample": 10, "Request": 14, "Answer": 6, "Result": 44}
"""The columns and their widths in characters: 80 with the gaps between them."""

QUEUE = "(RetryQueue)"
"""The request of a row about messages on the RetryQueue."""


@dataclass(frozen=True, slots=True)
class CallSummary:
    """A call that Loops received: `PUT /contacts/update`, its contact or event, and the status; None after a reset."""

    request: str
    subject: str
    status: int | None

    def __str__(self) -> str:
        words = [self.request, self.subject] if self.succeeded else [self.request, f"({self.status})", self.subject]
        return " ".join(words)

    @property
    def succeeded(self) -> bool:
        return self.status == HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class Report:
    """A row of the table; `results` has one line for each delivery, or the reason of a denied request."""

    name: str
    request: str
    answer: str
    results: Sequence[str]
    calls: Sequence[CallSummary]


class NewCalls:
    """The calls that the sandbox has received since the last look; none where Loops is the real one."""

    def __init__(self, sandbox: Sandbox | None) -> None:
        self._sandbox = sandbox
        self._seen = 0

    def take(self) -> list[CallSummary]:
        """Return the calls received since the last time."""
        if self._sandbox is None:
            return []
        with self._sandbox.lock:
            calls = [_summary(entry) for entry in self._sandbox.journal.all()[self._seen :]]
        self._seen += len(calls)
        return calls


class ReportTable:
    """Prints reports row by row while things happen, so its columns have fixed widths."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = console(stream or sys.stdout)

    def print_headings(self) -> None:
        self._print(list(WIDTHS), "bold")

    def print_row(self, report: Report, *, expected: str = "") -> None:
        """Print a report; if `expected` says what should have happened instead, mark it as unexpected."""
        lines = [*report.results, *(f"→ {call}" for call in report.calls)]
        if expected:
            lines.append(f"UNEXPECTED, should be: {expected}")
        self._print([report.name, report.request, report.answer, "\n".join(lines)], "red" if expected else "")

    def print_line(self, text: str, style: str) -> None:
        self._console.print(Text(text, style), soft_wrap=True)

    def _print(self, cells: Sequence[str], style: str) -> None:
        row = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
        for width in WIDTHS.values():
            limit = width if self._console.is_terminal else None
            row.add_column(min_width=width, max_width=limit, overflow="fold")
        row.add_row(*(Text(printable(cell)) for cell in cells), style=style)
        self._console.print(row)


def result_lines(body: bytes) -> list[str]:
    """Return the webhook's answer in words: a line for each delivery, and one for its reason.

    An answer without deliveries is one line: its reason, or its text.
    """
    try:
        content = json.loads(body)
    except ValueError:
        return [body.decode(errors="replace")]
    results = content.get("results") or [{"outcome": content.get("reason") or content.get("message")}]
    return [line for result in results for line in result_words(result)]


def result_words(result: dict[str, Any]) -> list[str]:
    """Return the lines for one delivery's result: its action and outcome, and its reason."""
    line = " ".join(word for word in (result.get("action"), result.get("outcome") or "stored nowhere") if word)
    return [line, f"  {result['reason']}"] if result.get("reason") else [line]


def _summary(entry: JournalEntry) -> CallSummary:
    body = entry.body if isinstance(entry.body, dict) else {}
    subject = body.get("eventName") or body.get("email") or body.get("userId") or ""
    return CallSummary(f"{entry.method} {entry.path.removeprefix('/api/v1')}", str(subject), entry.status)
