"""Cuts a trigger into tokens: one table for what the language knows, one for what people write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loops_destination.trigger.problems import problem

# A keyword is one only when the name ends with it: `order` does not begin with `or`.
_END_OF_NAME = r"(?![A-Za-z0-9_\\.\[-])"

# In this order; the first that fits is taken. No rule can read the same characters in two ways, so each is read a fixed
# number of times, whatever stands there.
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

MISTAKES = {
    r"[\"']": "this text has no closing quote; a text has no escapes, so one with a \" in it stands in '…'",
    r"[\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019`]": "text stands in straight quotes: \"…\" or '…'",
    r"[=!<>~]+": "there is no such operator: write =, !=, <, <=, > or >=",
    r"&+": "write `and`",
    r"\|+": "write `or`",
    r"[+-]|\.?[0-9]": "a number is written in digits alone, such as 5, -3 or 0.5",
    r"[.\[\]]": "a dot stands between two names and brackets around an index, as in properties.products[0].sku",
    r"\\": "nothing follows the `\\`",
    r"(?s:.)": "this character means nothing here: in a name it needs a `\\` before it, and text stands in quotes",
}

_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in RULES.items()), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a trigger: a key of `RULES` or `"end"`, the characters as they stand, and their offset."""

    kind: str
    text: str
    position: int


def tokenize(expression: str) -> list[Token]:
    """The tokens without the blanks, closed by one of kind `"end"`; `TriggerError` where no rule fits."""
    tokens, position = [], 0
    while position < len(expression):
        found = _TOKEN.match(expression, position)
        if found is None:
            raise problem(expression, position, _advice(expression, position))
        kind = str(found.lastgroup)
        if kind != "blank":
            tokens.append(Token(kind, found.group(), position))
        position = found.end()
    return [*tokens, Token("end", "", position)]


def _advice(expression: str, position: int) -> str:
    return next(advice for pattern, advice in MISTAKES.items() if re.compile(pattern).match(expression, position))
