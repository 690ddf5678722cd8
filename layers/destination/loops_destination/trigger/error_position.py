"""Errors that show their position: the message, the line of the problem, and a caret under its position."""

from __future__ import annotations

from loops_destination.errors import TriggerError

REACH = 36
"""Characters shown on each side of the caret; with the indent they fit a terminal of 80 columns."""


def error_at(expression: str, position: int, message: str) -> TriggerError:
    """Return an error about this offset of the expression."""
    return TriggerError(f"{message}\n{_pointed(expression, position)}", position)


def printable(text: str) -> str:
    """Replace each unprintable character with a space; the length stays the same."""
    return "".join(character if character.isprintable() else " " for character in text)


def _pointed(expression: str, position: int) -> str:
    line_start = expression.rfind("\n", 0, position) + 1
    line_end = expression.find("\n", position)
    line_end = len(expression) if line_end < 0 else line_end
    start, end = max(line_start, position - REACH), min(line_end, position + REACH)
    before = "…" if start > line_start else ""
    after = "…" if end < line_end else ""
    caret = " " * (len(before) + position - start) + "^"
    return f"    {before}{printable(expression[start:end])}{after}\n    {caret}"
