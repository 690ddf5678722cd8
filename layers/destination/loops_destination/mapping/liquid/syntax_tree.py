"""A parsed template: expressions that evaluate themselves, and nodes that render themselves."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from loops_destination.javascript import UNDEFINED, is_falsy, string
from loops_destination.mapping.liquid.scope import LiquidError, Scope
from loops_destination.mapping.liquid.values import OPERATORS, is_true, member, numeric, plain, shown
from loops_destination.mapping.work import Charge, charge_whole

_ELEMENT = 16
_STEP = 10
"""Units of a node, beside those of its values."""


class Stop(Exception):
    """Ends the rendering. `break` and `continue` raise it, because this dialect has no loops."""


class Expression(ABC):
    """A part of a template that has a value."""

    __slots__ = ()

    @abstractmethod
    def evaluate(self, scope: Scope) -> Any:
        """Return the value: JSON, `UNDEFINED` or a `Word`."""


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A string, a number, a boolean or a word."""

    value: Any

    def evaluate(self, scope: Scope) -> Any:  # noqa: ARG002  a literal needs no scope
        return self.value


@dataclass(frozen=True, slots=True)
class Path(Expression):
    """A path such as `properties.products[0].name`; `base` is its start, None if that is a variable."""

    base: Expression | None
    keys: Sequence[Expression]

    def evaluate(self, scope: Scope) -> Any:
        keys = [key.evaluate(scope) for key in self.keys]
        for key in keys:
            if isinstance(key, (list, dict)):  # it becomes text
                charge_whole(key, scope.charge)
        value = scope.variable(string(plain(keys.pop(0)))) if self.base is None else plain(self.base.evaluate(scope))
        for key in keys:
            if isinstance(value, str):  # finding one UTF-16 unit takes all of them
                scope.charge(len(value))
            value = member(plain(value), key)
        return value


@dataclass(frozen=True, slots=True)
class Range(Expression):
    """A range `(1..5)`: the numbers from the first to the last."""

    first: Expression
    last: Expression

    def evaluate(self, scope: Scope) -> list[float]:
        """Return the numbers; none if an end is not a number."""
        ends = [self.first.evaluate(scope), self.last.evaluate(scope)]
        charge_whole(ends, scope.charge)
        first, last = map(numeric, ends)
        size = last - first + 1
        if not size > 0:
            return []
        scope.charge(size * _ELEMENT)
        return [first + step for step in range(math.ceil(size))]


@dataclass(frozen=True, slots=True)
class Operation(Expression):
    """An operator with its two operands."""

    name: str
    left: Expression
    right: Expression

    def evaluate(self, scope: Scope) -> bool:
        """Apply the operator; both operands are always evaluated."""
        left, right = self.left.evaluate(scope), self.right.evaluate(scope)
        scope.charge(_STEP)
        charge_whole(left, scope.charge)
        charge_whole(right, scope.charge)
        return OPERATORS[self.name](left, right)


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """`not`."""

    operand: Expression

    def evaluate(self, scope: Scope) -> bool:
        return not is_true(self.operand.evaluate(scope))


@dataclass(frozen=True, slots=True)
class NamedArgument(Expression):
    """A named argument of a filter."""

    name: str
    value: Expression

    def evaluate(self, scope: Scope) -> list[Any]:
        return [self.name, self.value.evaluate(scope)]


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter with its arguments; `work` returns the units that it costs beside its input and output.

    With `takes_words` the function gets an argument such as `empty` as a `Word`, otherwise as its JSON value.
    """

    name: str
    function: Callable[..., Any]
    work: Callable[..., float]
    arguments: Sequence[Expression]
    takes_words: bool = False

    def apply(self, value: Any, scope: Scope) -> Any:
        """Return the filtered value."""
        charge = partial(scope.charge, by=f"in the filter {self.name}")
        arguments = [argument.evaluate(scope) for argument in self.arguments]
        inputs = [plain(value), *(arguments if self.takes_words else map(plain, arguments))]
        charge_whole(inputs, charge)
        charge(self.work(*inputs))
        filtered = self.function(*inputs)
        charge_whole(filtered, charge)
        return filtered


@dataclass(frozen=True, slots=True)
class Filtered(Expression):
    """A value with its filters, from left to right."""

    value: Expression
    filters: Sequence[Filter]

    def evaluate(self, scope: Scope) -> Any:
        value = self.value.evaluate(scope)
        for each in self.filters:
            value = each.apply(value, scope)
        return value


class Node(ABC):
    """A part of a template that writes text."""

    __slots__ = ()

    @abstractmethod
    def render(self, scope: Scope, output: list[str]) -> None:
        """Append the text to the output."""


@dataclass(frozen=True, slots=True)
class PlainText(Node):
    """The text between tags."""

    text: str

    def render(self, scope: Scope, output: list[str]) -> None:
        scope.charge(len(self.text))
        output.append(self.text)


@dataclass(frozen=True, slots=True)
class Output(Node):
    """`{{ … }}` and `echo`."""

    expression: Expression

    def render(self, scope: Scope, output: list[str]) -> None:
        value = self.expression.evaluate(scope)
        scope.charge(_STEP)
        charge_whole(value, scope.charge)
        output.append(shown(value))


@dataclass(frozen=True, slots=True)
class Block(Node):
    """A sequence of nodes."""

    nodes: Sequence[Node]

    def render(self, scope: Scope, output: list[str]) -> None:
        for node in self.nodes:
            node.render(scope, output)


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """`if` and `unless`: renders the first branch whose condition holds, or else `otherwise`."""

    branches: Sequence[tuple[Expression, Block]]
    otherwise: Block

    def render(self, scope: Scope, output: list[str]) -> None:
        chosen = (block for condition, block in self.branches if is_true(condition.evaluate(scope)))
        next(chosen, self.otherwise).render(scope, output)


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """`assign`."""

    name: str
    expression: Expression

    def render(self, scope: Scope, output: list[str]) -> None:  # noqa: ARG002  writes no text
        scope.assigned[self.name] = self.expression.evaluate(scope)


@dataclass(frozen=True, slots=True)
class Capture(Node):
    """`capture`."""

    name: str
    block: Block

    def render(self, scope: Scope, output: list[str]) -> None:  # noqa: ARG002  writes to its variable
        captured: list[str] = []
        self.block.render(scope, captured)
        scope.assigned[self.name] = "".join(captured)


@dataclass(frozen=True, slots=True)
class Count(Node):
    """`increment`, which writes the number and then adds 1, and `decrement`, which subtracts 1 first."""

    name: str
    step: int

    def render(self, scope: Scope, output: list[str]) -> None:
        before, after = scope.count(self.name, self.step)
        scope.charge(_STEP)
        charge_whole(before, scope.charge)
        output.append(shown(before if self.step > 0 else after))


@dataclass(frozen=True, slots=True)
class Cycle(Node):
    """`cycle`: each time, tags with the same group and candidates write the next candidate."""

    group: Expression
    candidates: Sequence[Expression]
    written: str

    def render(self, scope: Scope, output: list[str]) -> None:
        group = self.group.evaluate(scope)
        charge_whole(group, scope.charge)
        key = f"{string(plain(group))}:{self.written}"
        turn = scope.cycles.get(key, 0)
        scope.cycles[key] = turn + 1
        value = plain(self.candidates[turn % len(self.candidates)].evaluate(scope))
        scope.charge(_STEP)
        charge_whole(value, scope.charge)
        if not is_falsy(value):  # LiquidJS prints neither 0 nor false here
            output.append(shown(value))


@dataclass(frozen=True, slots=True)
class End(Node):
    """`break` and `continue`."""

    def render(self, scope: Scope, output: list[str]) -> None:  # noqa: ARG002  writes no text
        raise Stop


@dataclass(frozen=True, slots=True)
class Template:
    """A whole template."""

    block: Block

    def render(self, event: Any, charge: Charge) -> str:
        """Return the text for an event; raise `LiquidError` if a filter fails."""
        output: list[str] = []
        try:
            self.block.render(Scope(event, charge), output)
        except Stop:
            pass
        except RecursionError:
            raise LiquidError("the value is nested too deeply") from None
        return "".join(output)


MISSING_OPERAND = Literal(UNDEFINED)
"""The value of an operand that is left out."""
