"""Splits a trigger into tokens, with one table of the language and one of common mistakes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loops_destination.trigger.error_position import error_at

# A keyword ends where a name would: `order` does not begin with `or`.
_END_OF_NAME = r"(?![A-Za-z0-9_\\.\[-])"

RULES = {
    "blank": r"[ \t\r\n]++",
    "joiner": rf"(?:and|or){_END_OF_NAME}",
    "function": rf"(?:contains|match){_END_OF_NAME}",
    "constant": rf"(?:true|false|null){_END_OF_NAME}",
    "field": r"(?:[A-Za-z_]|\\.)(?:[A-Za-z0-9_-]|\\.|\[[0-9]++\]|[ \t\r\n]*+\.[ \t\r\n]*+(?=[A-Za-z0-9_\\-]))*",
    "number": r"[+-]?[0-9]++(?:\.[0-9]++)?(?![A-Za-z0-9_.])",
    "text": r"\"[^\"]*+\"|'[^']*+'",
    "operator": r"(?:[!<>]=|[=<>])(?![=<>~])",
    "not": r"!(?![=<>~])",
    "open": r"\(",
    "close": r"\)",
    "comma": r",",
}
"""The kinds of tokens; the first that matches is taken.

None can match the same characters in two ways, so that the time is linear in the length of the text.
"""

MISTAKES = {
    r"[\"']": "this text has no closing quote; there are no escapes, so write a text that contains \" in '…'",
    r"[\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019`]": "write text in straight quotes: \"…\" or '…'",
    r"[=!<>~]+": "unknown operator; use one of: =, !=, <, <=, >, >=",
    r"&+": "write `and`",
    r"\|+": "write `or`",
    r"[+-]|\.?[0-9]": "write a number with digits alone, such as 5, -3 or 0.5",
    r"[.\[\]]": "write a dot between two names and brackets around an index, as in properties.products[0].sku",
    r"\\": "a `\\` must be followed by a character",
    r"(?s:.)": "unexpected character: write a `\\` before it in a name, or put text in quotes",
}

_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in RULES.items()), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a trigger: its kind (a key of `RULES`, or `"end"`), its characters, and their offset."""

    kind: str
    text: str
    position: int


def tokenize(expression: str) -> list[Token]:
    """Return the tokens without blanks, then one of kind `"end"`; raise `TriggerError` where no rule matches."""
    tokens, position = [], 0
    while position < len(expression):
        found = _TOKEN.match(expression, position)
        if found is None:
            raise error_at(expression, position, _advice(expression, position))
        kind = str(found.lastgroup)
        if kind != "blank":
            tokens.append(Token(kind, found.group(), position))
        position = found.end()
    return [*tokens, Token("end", "", position)]


def _advice(expression: str, position: int) -> str:
    return next(advice for pattern, advice in MISTAKES.items() if re.compile(pattern).match(expression, position))
