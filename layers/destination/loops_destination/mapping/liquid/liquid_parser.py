"""Parses a template into its syntax tree by LiquidJS's grammar; text that LiquidJS skips is skipped here too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from loops_destination.javascript import UNDEFINED, join_surrogates
from loops_destination.mapping.liquid import syntax_tree
from loops_destination.mapping.liquid.filters import DISABLED_FILTERS, FILTERS, WITH_WORDS, WORK, no_work
from loops_destination.mapping.liquid.syntax_tree import Block, Expression, Literal, Node, Template
from loops_destination.mapping.liquid.values import Word

DISABLED_TAGS = frozenset({"case", "for", "include", "layout", "render", "tablerow"})

MAX_DEPTH = 40
"""Levels of blocks, or of brackets: far more than 1,000 characters need."""

_BLANKS = (
    "\t\n\v\f\r \xa0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_LETTER = rf"(?:[-?_0-9A-Za-z]|[^\x00-\x7f{_BLANKS}\u201c\u201d])"

_OPENING = re.compile(r"\{[{%]")
_END_OF_RAW = re.compile(r"\{%-?\s*endraw\s*(-?)%\}")
_SKIPPED = re.compile(f"[{_BLANKS}]*")
_NAME = re.compile(f"{_LETTER}+")
_OPERATOR = re.compile(rf"[=!<>]=|[<>]|(?:contains|not|and|or)(?!{_LETTER})")
_WORD = re.compile(rf"(?:true|false|nil|null|empty|blank)(?!{_LETTER})")
_NUMBER = re.compile(rf"[+-]?[0-9]+(?:\.(?!\.)[0-9]*)?(?!{_LETTER}|\.(?!\.))")
_QUOTED = re.compile(r"""(["'])(?:\\.|(?!\1)[^\\])*(?:\1|\\?$)""", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([bfnrtv])|u([0-9a-fA-F]{0,4})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_WORDS = {"true": True, "false": False, "nil": Word.NIL, "null": Word.NIL, "empty": Word.EMPTY, "blank": Word.BLANK}
_PRECEDENCE = {"and": 0, "or": 0, "not": 1}
_COMPARISON = 2


class LiquidProblem(Exception):
    """The template is not valid Liquid, or uses a tag or filter that Segment disables."""


def parse(template: str) -> Template:
    """Return the template, ready to render; raise `LiquidProblem` if it is invalid."""
    block, _ = _TemplateParser(_tokens(template)).block()
    return Template(block)


class _TemplateToken(NamedTuple):
    kind: str  # "text", "output" or "tag"
    text: str  # of a tag: what follows its name
    name: str = ""


def _tokens(source: str) -> Iterator[_TemplateToken]:
    position, trims = 0, False
    while position < len(source):
        opening = _OPENING.search(source, position)
        start = opening.start() if opening else len(source)
        text = source[position:start].lstrip(_BLANKS) if trims else source[position:start]
        if not opening:
            yield _TemplateToken("text", text)
            return
        position = _end_of_output(source, start) if source[start + 1] == "{" else _end_of_tag(source, start)
        inside = source[start + 2 : position - 2]
        yield _TemplateToken("text", text.rstrip(_BLANKS) if inside[:1] == "-" else text)
        trims = inside[-1:] == "-"
        inside = inside.removeprefix("-").removesuffix("-")
        if source[start + 1] == "{":
            yield _TemplateToken("output", inside)
            continue
        token = _tag(inside)
        if token.name != "raw":
            yield token
            continue
        end = _END_OF_RAW.search(source, position)
        if not end:
            raise LiquidProblem("the tag raw is not closed")
        yield _TemplateToken("text", source[position : end.start()])
        position, trims = end.end(), bool(end.group(1))


def _end_of_output(source: str, start: int) -> int:
    position = start + 2
    while position < len(source):
        if source.startswith("}}", position):
            return position + 2
        quoted = _QUOTED.match(source, position)
        position = quoted.end() if quoted else position + 1
    raise LiquidProblem("an output {{ is not closed")


def _end_of_tag(source: str, start: int) -> int:
    end = source.find("%}", start + 2)
    if end < 0:
        raise LiquidProblem("a tag {% is not closed")
    return end + 2


def _tag(inside: str) -> _TemplateToken:
    text = inside.strip(_BLANKS)
    name = "#" if text.startswith("#") else _matched(_NAME, text, 0)
    if not name:
        raise LiquidProblem("a tag must have a name")
    return _TemplateToken("tag", text[len(name) :].lstrip(_BLANKS), name)


def _matched(pattern: re.Pattern[str], text: str, position: int) -> str:
    match = pattern.match(text, position)
    return match.group() if match else ""


class _TemplateParser:
    """Turns tokens into nodes, with one method for each tag."""

    def __init__(self, tokens: Iterator[_TemplateToken], depth: int = 0) -> None:
        self._tokens = tokens
        self._depth = depth
        self._tags: dict[str, Callable[[_TemplateToken], Node]] = {
            "#": self._inline_comment,
            "assign": self._assign,
            "block": self._block,
            "break": lambda _: syntax_tree.End(),
            "capture": self._capture,
            "comment": self._comment,
            "continue": lambda _: syntax_tree.End(),
            "cycle": self._cycle,
            "decrement": lambda tag: syntax_tree.Count(_Reader(tag.text).name(), -1),
            "echo": lambda tag: syntax_tree.Output(_Reader(tag.text).filtered()) if tag.text else Block(()),
            "if": self._choice,
            "increment": lambda tag: syntax_tree.Count(_Reader(tag.text).name(), 1),
            "liquid": self._liquid,
            "unless": self._choice,
        }

    def block(self, *ends: str) -> tuple[Block, _TemplateToken]:
        """Read the nodes up to one of the ending tags, or else to the end of the template; return them and that tag."""
        block: list[Node] = []
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise LiquidProblem(f"tags are nested more than {MAX_DEPTH} deep")
        for token in self._tokens:
            if token.kind == "tag" and token.name in ends:
                self._depth -= 1
                return Block(tuple(block)), token
            block.append(self._node(token))
        if ends:
            raise LiquidProblem(f"the tag {ends[-1]} is missing")
        return Block(tuple(block)), _TemplateToken("text", "")

    def _node(self, token: _TemplateToken) -> Node:
        if token.kind == "text":
            return syntax_tree.PlainText(token.text)
        if token.kind == "output":
            return syntax_tree.Output(_Reader(token.text).filtered())
        if token.name in DISABLED_TAGS:
            raise LiquidProblem(f"the tag {token.name} is disabled")
        if token.name not in self._tags:
            raise LiquidProblem(f"unexpected tag {token.name}")
        return self._tags[token.name](token)

    def _choice(self, tag: _TemplateToken) -> Node:
        end = f"end{tag.name}"
        condition = _Reader(tag.text).filtered()
        if tag.name == "unless":
            condition = syntax_tree.Not(condition)
        block, closing = self.block("elsif", "else", end)
        branches = [(condition, block)]
        while closing.name == "elsif":
            condition = _Reader(closing.text).filtered()
            block, closing = self.block("elsif", "else", end)
            branches.append((condition, block))
        otherwise, words = Block(()), closing.text
        if closing.name == "else":
            otherwise, closing = self.block("elsif", "else", end)
            words += closing.text
        while closing.name != end and tag.name == "unless":  # LiquidJS ignores further branches of `unless` alone
            _, closing = self.block("elsif", "else", end)
        if closing.name != end:
            raise LiquidProblem(f"{closing.name} cannot follow else")
        if words and tag.name == "if":
            raise LiquidProblem("nothing can follow else or endif in their tags")
        return syntax_tree.Choice(tuple(branches), otherwise)

    def _assign(self, tag: _TemplateToken) -> Node:
        reader = _Reader(tag.text)
        name = reader.name()
        if not name or not reader.skip("="):
            raise LiquidProblem("assign must be written as {% assign name = value %}")
        return syntax_tree.Assign(name, reader.filtered())

    def _capture(self, tag: _TemplateToken) -> Node:
        reader = _Reader(tag.text)
        name = reader.name() or reader.quoted()
        if name is None:
            raise LiquidProblem("capture must name a variable")
        block, _ = self.block("endcapture")
        return syntax_tree.Capture(name, block)

    def _cycle(self, tag: _TemplateToken) -> Node:
        reader = _Reader(tag.text)
        group = reader.value()
        if group is None or not reader.skip(":"):
            group, reader = Literal(UNDEFINED), _Reader(tag.text)
        candidates, written = reader.candidates()
        if not candidates:
            raise LiquidProblem("cycle must have candidates")
        return syntax_tree.Cycle(group, tuple(candidates), written)

    def _block(self, _tag: _TemplateToken) -> Node:
        block, _ = self.block("endblock")
        return block

    def _comment(self, _tag: _TemplateToken) -> Node:
        if not any(token.kind == "tag" and token.name == "endcomment" for token in self._tokens):
            raise LiquidProblem("the tag endcomment is missing")
        return Block(())

    def _inline_comment(self, tag: _TemplateToken) -> Node:
        if any(line.strip(_BLANKS)[:1] not in {"", "#"} for line in tag.text.split("\n")[1:]):
            raise LiquidProblem("every line of an inline comment must start with #")
        return Block(())

    def _liquid(self, tag: _TemplateToken) -> Node:
        lines = (_tag(line) for line in tag.text.split("\n") if line.strip(_BLANKS))
        block, _ = _TemplateParser(lines, self._depth).block()
        return block


class _Reader:
    """Turns the text inside a tag into expressions."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0

    def filtered(self) -> Expression:
        """Read an expression with its filters."""
        expression = self.expression()
        filters = tuple(self._filters())
        return syntax_tree.Filtered(expression, filters) if filters else expression

    def expression(self) -> Expression:
        """Read operands and operators; as in LiquidJS, `and` and `or` have the same precedence and the last binds first."""
        operands: list[Expression] = []
        operators: list[str] = []
        while True:
            if operator := self._take(_OPERATOR):
                while operators and _precedence(operators[-1]) > _precedence(operator):
                    _apply(operators.pop(), operands)
                operators.append(operator)
            elif (operand := self.value()) is not None:
                operands.append(operand)
            else:
                break
        while operators:
            _apply(operators.pop(), operands)
        if not operands:
            raise LiquidProblem(f"a value is missing, {self._place()}")
        return operands[0]

    def value(self) -> Expression | None:
        """Read a literal, a range or a path; None if there is none of them here."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise LiquidProblem(f"brackets are nested more than {MAX_DEPTH} deep")
        base = self._literal() or self._range()
        keys = self._keys(starts=base is None)
        self._depth -= 1
        return syntax_tree.Path(base, keys) if keys else base

    def candidates(self) -> tuple[list[Expression], str]:
        """Read the candidates of a cycle to the end; return them and their text."""
        candidates, start = [], self._position
        while not self._at_end():
            candidates.append(self.filtered())
            comma = self._text.find(",", self._position)
            self._position = comma + 1 if comma >= 0 else len(self._text)
        return candidates, self._text[start:]

    def name(self) -> str:
        """Read a name; empty if there is none here."""
        return self._take(_NAME)

    def quoted(self) -> str | None:
        """Read a string and return its content; None if there is none here."""
        written = self._take(_QUOTED)
        return join_surrogates(_ESCAPE.sub(_unescaped, written[1:-1])) if written else None

    def skip(self, character: str) -> bool:
        """Read the character if it comes next, and return True if it does."""
        self._take(_SKIPPED)
        if not self._text.startswith(character, self._position):
            return False
        self._position += 1
        return True

    def _take(self, pattern: re.Pattern[str]) -> str:
        if pattern is not _SKIPPED:
            self._position += len(_matched(_SKIPPED, self._text, self._position))
        taken = _matched(pattern, self._text, self._position)
        self._position += len(taken)
        return taken

    def _at_end(self) -> bool:
        self._take(_SKIPPED)
        return self._position >= len(self._text)

    def _next(self) -> str:
        return self._text[self._position : self._position + 1]

    def _literal(self) -> Expression | None:
        if word := self._take(_WORD):
            return Literal(_WORDS[word])
        if (text := self.quoted()) is not None:
            return Literal(text)
        if digits := self._take(_NUMBER):
            return Literal(float(digits) if "." in digits else int(digits))
        return None

    def _range(self) -> Expression | None:
        if not self.skip("("):
            return None
        first = self.value()
        self._take(_SKIPPED)
        if self._text.startswith("..", self._position):
            self._position += 2
            last = self.value()
            if first is not None and last is not None and self.skip(")"):
                return syntax_tree.Range(first, last)
        raise LiquidProblem(f"a range must be written as (1..5), {self._place()}")

    def _keys(self, *, starts: bool) -> tuple[Expression, ...]:
        keys: list[Expression] = []
        while True:
            if self._next() == "[":
                self._position += 1
                key = self.value()
                end = self._text.find("]", self._position)
                if end < 0:
                    raise LiquidProblem(f"a bracket is not closed, {self._place()}")
                self._position = end + 1
                keys.append(Literal("") if key is None else key)
            elif starts and not keys and (name := self.name()):
                keys.append(Literal(name))
            elif self._next() == "." and self._text[self._position + 1 : self._position + 2] != ".":
                self._position += 1
                if not (name := self.name()):
                    return tuple(keys)
                keys.append(Literal(name))
            else:
                return tuple(keys)

    def _filters(self) -> Iterator[syntax_tree.Filter]:
        while not self._at_end() and self._next() not in {")", ","}:
            if not self.skip("|"):
                raise LiquidProblem(f"a | is missing before a filter, {self._place()}")
            name = self.name()
            if not name:
                if self._at_end():
                    return
                raise LiquidProblem(f"a filter must have a name, {self._place()}")
            arguments = tuple(self._arguments(name))
            if name in DISABLED_FILTERS:
                raise LiquidProblem(f"the filter {name} is disabled")
            if name in FILTERS:  # LiquidJS ignores unknown filters
                yield syntax_tree.Filter(
                    name, FILTERS[name], WORK.get(name, no_work), arguments, takes_words=name in WITH_WORDS
                )

    def _arguments(self, name: str) -> Iterator[Expression]:
        separator = ":"
        while self.skip(separator):
            argument = self._argument()
            if argument is not None:
                yield argument
            separator = ","
        if not self._at_end() and self._next() not in {"|", ")", ","}:
            raise LiquidProblem(f"unexpected text after the filter {name}, {self._place()}")

    def _argument(self) -> Expression | None:
        self._take(_SKIPPED)
        start = self._position
        value = self.value()
        name = self._text[start : self._position]
        if value is None or not self.skip(":"):
            return value
        return syntax_tree.NamedArgument(name, self.value() or Literal(UNDEFINED))

    def _place(self) -> str:
        rest = self._text[self._position :]
        return f"before {rest[:20]!r}" if rest else "at the end"


def _precedence(operator: str) -> int:
    return _PRECEDENCE.get(operator, _COMPARISON)


def _apply(operator: str, operands: list[Expression]) -> None:
    right = operands.pop() if operands else syntax_tree.MISSING_OPERAND
    if operator == "not":
        operands.append(syntax_tree.Not(right))
        return
    left = operands.pop() if operands else syntax_tree.MISSING_OPERAND
    operands.append(syntax_tree.Operation(operator, left, right))


def _unescaped(match: re.Match[str]) -> str:
    letter, hexadecimal, octal, character = match.groups()
    if letter:
        return _ESCAPED[letter]
    if hexadecimal is not None:
        return chr(int(hexadecimal or "0", 16))
    return chr(int(octal, 8)) if octal else str(character)
