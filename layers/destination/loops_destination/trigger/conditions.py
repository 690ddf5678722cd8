"""What a trigger consists of. Each node turns itself into a predicate, prints itself, and tells what it found.

A predicate takes any JSON value: what is no event has no fields. Missing and null are the same to every condition.
"""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from loops_destination.javascript import UNDEFINED, is_number, scalar_text
from loops_destination.paths import Getter, getter

Number = int | float
Scalar = str | Number | bool | None
Predicate = Callable[[Any], bool]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one condition came to: its text, whether it held, and whether the outcome of the trigger rests on it."""

    condition: str
    held: bool
    decided: bool


@dataclass(frozen=True, slots=True)
class Field:
    """The place of a value in an event, name by name: `("properties", "products", "0", "sku")`."""

    path: tuple[str, ...]

    @property
    def root(self) -> str:
        """The name of the event's own field."""
        return self.path[0]

    def reader(self) -> Getter:
        """The function from an event to the value; a falsy value on the way is the answer, as it is at Segment."""
        root, walk = self.root, getter(self.path[1:])
        return lambda event: walk(event.get(root) if isinstance(event, dict) else None)

    def __str__(self) -> str:
        return self.root + "".join(map(_printed_name, self.path[1:]))


class Node(ABC):
    """A condition, or a group of them."""

    __slots__ = ()

    @abstractmethod
    def predicate(self) -> Predicate:
        """The node as a function from an event to its truth."""

    @abstractmethod
    def findings(self, event: Any, *, decides: bool) -> Iterator[Finding]:
        """What each condition came to, in the order of the text; none decides inside a node that does not."""


@dataclass(frozen=True, slots=True)
class Condition(Node):
    """A question asked of one field's value."""

    field: Field

    @abstractmethod
    def test(self) -> Predicate:
        """The question as a function from the value to its answer."""

    def predicate(self) -> Predicate:
        """The question, asked of an event."""
        read, test = self.field.reader(), self.test()
        return lambda event: test(read(event))

    def findings(self, event: Any, *, decides: bool) -> Iterator[Finding]:
        """The outcome of this one condition."""
        yield Finding(str(self), self.predicate()(event), decides)


@dataclass(frozen=True, slots=True)
class Equal(Condition):
    """`field = value` or `field != value`."""

    value: Scalar
    negated: bool

    def predicate(self) -> Predicate:
        """The question, asked of an event; `type = "track"`, which most triggers are, in one step."""
        if len(self.field.path) > 1 or not isinstance(self.value, str):
            return Condition.predicate(self)
        name, text, wanted = self.field.root, self.value, not self.negated

        def matches(event: Any) -> bool:
            return ((event.get(name) if isinstance(event, dict) else None) == text) is wanted

        return matches

    def test(self) -> Predicate:
        """Like equals like; a number is unequal only to another number, all else to whatever it is not."""
        expected, wanted = self.value, not self.negated
        if is_number(expected):
            return lambda value: is_number(value) and (value == expected) is wanted
        if isinstance(expected, str):
            return lambda value: (value == expected) is wanted
        if expected is None:
            return lambda value: (value is None or value is UNDEFINED) is wanted
        return lambda value: (value is expected) is wanted

    def __str__(self) -> str:
        return f"{self.field} {'!=' if self.negated else '='} {_printed_value(self.value)}"


@dataclass(frozen=True, slots=True)
class Compared(Condition):
    """`field < number`, or with another key of `COMPARISONS`."""

    operator: str
    number: Number

    def test(self) -> Predicate:
        """Only a number can be more or less than one."""
        compare, number = COMPARISONS[self.operator], self.number
        return lambda value: is_number(value) and compare(value, number)

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {_printed_value(self.number)}"


@dataclass(frozen=True, slots=True)
class Containing(Condition):
    """`contains(field, "text")` or `!contains(…)`; what is no string does neither."""

    text: str
    negated: bool

    def test(self) -> Predicate:
        """Whether the value is a string that does, or does not, contain the text."""
        text, wanted = self.text, not self.negated
        return lambda value: isinstance(value, str) and (text in value) is wanted

    def __str__(self) -> str:
        return f"{'!' * self.negated}contains({self.field}, {_printed_value(self.text)})"


@dataclass(frozen=True, slots=True)
class Matching(Condition):
    """`match(field, "text*")`, `match(field, "*text")` or `!match(…)`; what is no string does neither."""

    pattern: str
    negated: bool

    def test(self) -> Predicate:
        """Whether the value is a string that does, or does not, start or end as the pattern says."""
        wanted = not self.negated
        if self.pattern.endswith("*"):
            start = self.pattern[:-1]
            return lambda value: isinstance(value, str) and value.startswith(start) is wanted
        end = self.pattern[1:]
        return lambda value: isinstance(value, str) and value.endswith(end) is wanted

    def __str__(self) -> str:
        return f"{'!' * self.negated}match({self.field}, {_printed_value(self.pattern)})"


@dataclass(frozen=True, slots=True)
class Group(Node):
    """Two nodes or more, all joined by `and` or all by `or`."""

    joiner: str
    parts: tuple[Node, ...]

    def predicate(self) -> Predicate:
        """The parts in their order, up to the first that settles it: a false one under `and`, a true one under `or`."""
        parts = tuple(part.predicate() for part in self.parts)
        settling = self.joiner == "or"

        def matches(event: Any) -> bool:
            for part in parts:
                if part(event) is settling:
                    return settling
            return not settling

        return matches

    def findings(self, event: Any, *, decides: bool) -> Iterator[Finding]:
        """A group came out as it did because of those parts that came out so too."""
        outcome = self.predicate()(event)
        for part in self.parts:
            yield from part.findings(event, decides=decides and part.predicate()(event) is outcome)

    def __str__(self) -> str:
        return f" {self.joiner} ".join(f"({part})" if isinstance(part, Group) else str(part) for part in self.parts)


def _printed_name(name: str) -> str:
    # So that Segment's parser, too, reads it as one name: a `\` before what none can hold, before what none can begin
    # with, before a keyword, and before a digit that its bracket would make an index.
    return "." + re.sub(r"^(?=[0-9-]|(?:and|or|null)\Z)|[^A-Za-z0-9_-]|(?<=\[)[0-9]", r"\\\g<0>", name)


def _printed_value(value: Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"'{value}'" if '"' in value else f'"{value}"'
    # The language has no exponents.
    return f"{Decimal(repr(value)):f}" if isinstance(value, float) else scalar_text(value)
