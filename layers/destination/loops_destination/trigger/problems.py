"""How a problem in a trigger is shown: the message, the line it is on, and a caret under its place."""

from __future__ import annotations

from loops_destination.errors import TriggerError

# Characters of the line shown on each side of the caret: with the indent, no wider than a terminal of 80.
REACH = 36


def problem(expression: str, position: int, message: str) -> TriggerError:
    """The error for a problem at this offset of the expression."""
    return TriggerError(f"{message}\n{_pointed(expression, position)}", position)


def printable(text: str) -> str:
    """The text with as many characters, fit for any log or terminal: what cannot be printed becomes a blank."""
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
