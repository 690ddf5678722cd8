"""The conditions of a trigger, and groups of them: each evaluates, prints and explains itself.

To evaluate itself, a clause compiles itself into a predicate. A predicate takes any JSON value; only an object has fields.
No condition distinguishes a missing field from null.
"""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
    """The result of one condition: its text, whether it held, and whether it decided the result of the trigger.

    `value` is what the event has in the condition's field; it is for people, and never part of a comparison or a log.
    """

    condition: str
    held: bool
    decided: bool
    value: Any = field(default=UNDEFINED, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EventField:
    """A path to a value in an event, such as `("properties", "products", "0", "sku")`."""

    path: tuple[str, ...]

    @property
    def root(self) -> str:
        """The first name: a field of the event itself."""
        return self.path[0]

    def reader(self) -> Getter:
        """Return a function from an event to the value; a falsy value on the way is the result, as it is at Segment."""
        root, walk = self.root, getter(self.path[1:])
        return lambda event: walk(event.get(root) if isinstance(event, dict) else None)

    def __str__(self) -> str:
        return self.root + "".join(map(_printed_name, self.path[1:]))


class Clause(ABC):
    """A condition, or a group of them."""

    __slots__ = ()

    @abstractmethod
    def predicate(self) -> Predicate:
        """Compile the clause into a function from an event to True or False."""

    @abstractmethod
    def findings(self, event: Any, *, decides: bool) -> Iterator[Finding]:
        """Yield the result of each condition, in the order of the text; with `decides=False` none of them decided."""


@dataclass(frozen=True, slots=True)
class Condition(Clause):
    """A test of one field's value."""

    field: EventField

    @abstractmethod
    def test(self) -> Predicate:
        """Compile the test into a function from the field's value to True or False."""

    def predicate(self) -> Predicate:
        """Read the field of the event, then test its value."""
        read, test = self.field.reader(), self.test()
        return lambda event: test(read(event))

    def findings(self, event: Any, *, decides: bool) -> Iterator[Finding]:
        """Yield the result of this one condition."""
        value = self.field.reader()(event)
        yield Finding(str(self), self.test()(value), decides, value)


@dataclass(frozen=True, slots=True)
class Equal(Condition):
    """`field = value` or `field != value`."""

    value: Scalar
    negated: bool

    def test(self) -> Predicate:
        """Compare values of the same type. `!=` a number holds only for another number; `!=` anything else for all others."""
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
        """Compare numbers; any other value fails."""
        compare, number = COMPARISONS[self.operator], self.number
        return lambda value: is_number(value) and compare(value, number)

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {_printed_value(self.number)}"


@dataclass(frozen=True, slots=True)
class Containing(Condition):
    """`contains(field, "text")` or `!contains(…)`; both fail for a value that is not a string."""

    text: str
    negated: bool

    def test(self) -> Predicate:
        """Search the text in a string."""
        text, wanted = self.text, not self.negated
        return lambda value: isinstance(value, str) and (text in value) is wanted

    def __str__(self) -> str:
        return f"{'!' * self.negated}contains({self.field}, {_printed_value(self.text)})"


@dataclass(frozen=True, slots=True)
class Matching(Condition):
    """`match(field, "text*")`, `match(field, "*text")` or `!match(…)`; both fail for a value that is not a string."""

    pattern: str
    negated: bool

    def test(self) -> Predicate:
        """Compare the start or the end of a string."""
        wanted = not self.negated
        if self.pattern.endswith("*"):
            start = self.pattern[:-1]
            return lambda value: isinstance(value, str) and value.startswith(start) is wanted
        end = self.pattern[1:]
        return lambda value: isinstance(value, str) and value.endswith(end) is wanted

    def __str__(self) -> str:
        return f"{'!' * self.negated}match({self.field}, {_printed_value(self.pattern)})"


@dataclass(frozen=True, slots=True)
class Group(Clause):
    """Two or more clauses, all joined by `and` or all by `or`."""

    joiner: str
    parts: tuple[Clause, ...]

    def predicate(self) -> Predicate:
        """Evaluate the parts in order, up to the first that settles the result: under `and` a false one, under `or` a true one."""
        parts = tuple(part.predicate() for part in self.parts)
        settling = self.joiner == "or"

        def matches(event: Any) -> bool:
            for part in parts:
                if part(event) is settling:
                    return settling
            return not settling

        return matches

    def findings(self, event: Any, *, decides: bool) -> Iterator[Finding]:
        """Yield the results of all parts; those with the result of the group decided it."""
        outcome = self.predicate()(event)
        for part in self.parts:
            yield from part.findings(event, decides=decides and part.predicate()(event) is outcome)

    def __str__(self) -> str:
        return f" {self.joiner} ".join(f"({part})" if isinstance(part, Group) else str(part) for part in self.parts)


def _printed_name(name: str) -> str:
    # A `\` makes Segment's parser read this as one name. It goes before a character that names cannot contain or begin
    # with, before a keyword, and before a digit in brackets, which would be an index.
    return "." + re.sub(r"^(?=[0-9-]|(?:and|or|null)\Z)|[^A-Za-z0-9_-]|(?<=\[)[0-9]", r"\\\g<0>", name)


def _printed_value(value: Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"'{value}'" if '"' in value else f'"{value}"'
    # Triggers have no exponents.
    return f"{Decimal(repr(value)):f}" if isinstance(value, float) else scalar_text(value)
