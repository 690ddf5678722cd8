"""Parses a trigger: each rule of the grammar is a method, with the rule in Wirth's notation as its docstring.

`and` and `or` have no precedence and cannot be mixed without parentheses. Segment applies the last of them to the whole
group, which nobody means.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal

from loops_destination.errors import TriggerError
from loops_destination.javascript import scalar_text
from loops_destination.trigger.conditions import (
    COMPARISONS,
    Clause,
    Compared,
    Condition,
    Containing,
    Equal,
    EventField,
    Group,
    Matching,
    Number,
    Scalar,
)
from loops_destination.trigger.error_position import error_at, printable
from loops_destination.trigger.tokenizer import Token, tokenize

MAX_LENGTH = 100_000
"""Characters: the limit of Segment's own lexer, about 3,000 conditions."""

MAX_DEPTH = 32
"""Groups inside groups. Each takes a few of the 1,000 stack frames that Python allows by default."""

PLAIN_FIELDS = ("type", "event", "name", "userId")
OBJECT_FIELDS = ("properties", "traits", "context")
KNOWN_FIELDS = f"{', '.join(PLAIN_FIELDS)}, {'.…, '.join(OBJECT_FIELDS)}.…"
KEYWORDS = frozenset({"and", "or", "contains", "match", "true", "false", "null"})

# A dot, an index (its brackets escaped by Segment's app), an escaped character, a character.
_PIECE = re.compile(r"(?P<dot>[ \t\r\n]*+\.[ \t\r\n]*+)|\\?\[(?P<index>[0-9]++)\\?\]|\\?(?P<character>.)", re.DOTALL)


def parse(expression: str) -> Clause:
    """Return the trigger as a tree of conditions; raise `TriggerError` with the position of the problem."""
    if not isinstance(expression, str):
        raise TriggerError('a trigger must be text, such as "type = \\"track\\""')
    if len(expression) > MAX_LENGTH:
        message = (
            f"a trigger can have {MAX_LENGTH:,} characters, this one has {len(expression):,}: use two subscriptions"
        )
        raise error_at(expression, MAX_LENGTH, message)
    return Parser(expression, tokenize(expression)).trigger()


class Parser:
    """A parser that reads the tokens once, from left to right."""

    def __init__(self, expression: str, tokens: Sequence[Token]) -> None:
        self._expression = expression
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def trigger(self) -> Clause:
        """Trigger = Expression end."""
        if self._next.kind == "end":
            raise self._problem(
                'the trigger is empty and would match nothing: write a condition, such as type = "track"'
            )
        clause = self.expression()
        if self._next.kind == "close":
            raise self._problem("this `)` has no `(`: remove it, or write a `(` before it")
        self._take("end", _advice_on_case(self._next.text) or "write `and` or `or` here")
        return clause

    def expression(self) -> Clause:
        """Expression = Primary ( { "and" Primary } | { "or" Primary } )."""
        parts, joiner = [self.primary()], self._next.text
        while self._next.kind == "joiner":
            if self._next.text != joiner:
                raise self._problem("`and` and `or` are mixed: group them with parentheses, as in (… and …) or …")
            self._take("joiner")
            parts.append(self.primary())
        return Group(joiner, tuple(parts)) if len(parts) > 1 else parts[0]

    def primary(self) -> Clause:
        """Primary = Group | Call | Comparison."""
        if self._next.kind == "open":
            return self.group()
        if self._next.kind in {"not", "function"}:
            return self.call()
        return self.comparison()

    def group(self) -> Clause:
        """Group = "(" Expression ")"."""
        opening = self._take("open")
        if self._depth == MAX_DEPTH:
            raise self._problem(f"groups can be nested {MAX_DEPTH} deep: use fewer parentheses", opening)
        self._depth += 1
        clause = self.expression()
        self._depth -= 1
        if self._next.kind == "end":
            raise self._problem("this `(` is never closed: write a `)` at its end", opening)
        self._take("close", _advice_on_case(self._next.text) or "write `and`, `or` or `)` here")
        return clause

    def call(self) -> Condition:
        """Call = [ "!" ] ( "contains" | "match" ) "(" Field "," Text ")"."""
        negated = self._next.kind == "not"
        if negated:
            self._take("not")
        function = self._take("function", "`!` can only come before contains or match; elsewhere, write !=").text
        usage = f'write {function}(field, "text")'
        self._take("open", usage)
        field = self.field()
        self._take("comma", usage)
        token = self._next
        text = self.text()
        self._take("close", usage)
        if function == "contains":
            return Containing(field, text, negated)
        if text.count("*") != 1 or not (text.startswith("*") or text.endswith("*")):
            raise self._problem(
                'match needs exactly one *, at the end or the start: "text*" or "*text"; otherwise use contains', token
            )
        return Matching(field, text, negated)

    def comparison(self) -> Condition:
        """Comparison = Field ( ( "=" | "!=" ) Literal | ( "<" | "<=" | ">" | ">=" ) Number )."""
        field = self.field()
        operator = self._take(
            "operator",
            f"write =, !=, <, <=, > or >= after a field; to test that it exists, write {printable(str(field)[:40])} != null",
        ).text
        if operator in COMPARISONS:
            return Compared(field, operator, self.number())
        return Equal(field, _expected(field, self.literal()), negated=operator == "!=")

    def field(self) -> EventField:
        """Field = PlainField | ObjectField Name { Name }, where a name is written .name or [index]."""
        token = self._take("field", f"a condition must begin with a field: {KNOWN_FIELDS}")
        field = EventField(_path(token.text))
        if field.root in PLAIN_FIELDS and len(field.path) > 1:
            raise self._problem(f"{field.root} has no fields of its own: remove what follows it", token)
        if field.root in OBJECT_FIELDS and len(field.path) == 1:
            raise self._problem(f"write a name after it: {field.root}.…", token)
        if field.root not in PLAIN_FIELDS + OBJECT_FIELDS:
            raise self._problem(_advice_on_field(token.text), token)
        return field

    def literal(self) -> Scalar:
        """Literal = text | number | "true" | "false" | "null"."""
        token = self._next
        if token.kind == "text":
            return self._take("text").text[1:-1]
        if token.kind == "constant":
            return {"true": True, "false": False, "null": None}[self._take("constant").text]
        if token.kind == "number":
            self._take("number")
            return self._number(token.text, token)
        if token.kind == "field":
            in_quotes = f'write text in quotes: "{printable(token.text[:40])}"'
            raise self._problem(_advice_on_case(token.text) or in_quotes)
        raise self._problem('write a "text", a number, true, false or null here')

    def text(self) -> str:
        """Text = text | number | "true" | "false"; numbers and booleans are taken as their text."""
        token = self._next
        value = self.literal()
        if value is None:
            raise self._problem(
                'write a "text" in quotes; to test for null, write field = null or field != null', token
            )
        return scalar_text(value)

    def number(self) -> Number:
        """Number = number | text; Segment also takes a number in quotes."""
        token = self._next
        text = token.text if token.kind == "number" else token.text[1:-1].strip()
        if token.kind not in {"number", "text"} or not re.fullmatch(r"[+-]?[0-9]++(?:\.[0-9]++)?", text):
            raise self._problem("<, <=, > and >= compare numbers: write a number, such as 5, -3 or 0.5")
        self._take(token.kind)
        return self._number(text, token)

    def _number(self, text: str, token: Token) -> Number:
        double = float(text)
        if math.isinf(double):
            raise self._problem("no event can contain a number this large: write it as text in quotes", token)
        if "." not in text:
            return int(Decimal(text))  # int(text) refuses more than 4,300 digits
        return int(double) if double.is_integer() else double

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self, kind: str, otherwise: str = "") -> Token:
        token = self._next
        if token.kind != kind:
            raise self._problem(otherwise)
        self._at += 1
        return token

    def _problem(self, message: str, token: Token | None = None) -> TriggerError:
        return error_at(self._expression, (token or self._next).position, message)


def _path(text: str) -> tuple[str, ...]:
    names: list[list[str]] = [[]]
    for piece in _PIECE.finditer(text):
        if piece["character"]:
            names[-1].append(piece["character"])
        elif piece["index"]:
            names += [[piece["index"]], []]
        else:
            names.append([])
    return tuple("".join(name) for name in names if name)


def _expected(field: EventField, value: Scalar) -> Scalar:
    """Return the value that `=` compares with; a plain field holds text, so a number becomes text, as at Segment."""
    if field.root in OBJECT_FIELDS or value is None or isinstance(value, str):
        return value
    if field.root == "userId" and isinstance(value, bool):
        return value
    return scalar_text(value)


def _advice_on_field(word: str) -> str:
    if word.lower() == "not":
        return "there is no `not`: write !=, !contains or !match"
    return _advice_on_case(word) or f"unknown field; use one of: {KNOWN_FIELDS}"


def _advice_on_case(word: str) -> str:
    return f"write keywords in lower case: {word.lower()}" if word.lower() in KEYWORDS - {word} else ""
