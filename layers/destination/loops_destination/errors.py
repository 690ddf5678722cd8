"""The errors of this package. Callers branch on the class, never on the text.

DestinationError
├── DefinitionError            the mappings file is wrong: fix it; holds every problem, not only the first
│   ├── MappingError           a mapping is invalid, or cannot be resolved for one event
│   ├── TriggerError           a trigger is invalid
│   └── SubscriptionsError     the document of subscriptions is invalid
├── InvalidJson                a text is not JSON, or ambiguous JSON: fix the text
├── PayloadError               the mapped payload is invalid: this event can never succeed under this mapping
├── NotAnEvent                 the input is not a Segment event: it can never be delivered
├── SettingsError              an environment variable is missing or wrong: fix the stack
├── LedgerUnavailable          the contact ledger's table does not answer: queue the delivery, and guess nothing
└── SecretError                no delivery is possible until the secret can be read
    ├── SecretUnavailable      Secrets Manager does not give the secret: try again
    └── SecretNotSetUp         the secret is malformed or still holds a placeholder: a person must set it

An error that only one module raises and its caller catches is defined there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a definition.

    `path` is its place: keys and indices, each after a `/`. It is empty for the whole definition.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class DestinationError(Exception):
    """The base class of every error that this package raises on purpose."""


class DefinitionError(DestinationError):
    """A definition is invalid; `problems` holds everything that is wrong with it, and `str()` lists it line by line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class MappingError(DefinitionError):
    """The mapping is invalid, or cannot be resolved for this event."""


class TriggerError(DefinitionError):
    """The trigger is invalid; `position` is the offset of the problem in the expression, in characters, from 0."""

    def __init__(self, message: str, position: int = 0) -> None:
        self.position = position
        super().__init__([Problem("", message)])


class SubscriptionsError(DefinitionError):
    """The document of subscriptions, or one subscription in it, is invalid."""


class InvalidJson(DestinationError):
    """A text is not JSON, or repeats a key; `line` and `column` count from 1, and are None where no place is known."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        self.message = message
        self.line = line
        self.column = column
        super().__init__(message if line is None else f"{message}, at line {line}, column {column}")


class PayloadError(DestinationError):
    """The mapped payload is invalid, so nothing is sent.

    `problems` holds everything that is wrong with it, each with a field's name as its path; no message shows a value.
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


class NotAnEvent(DestinationError):
    """The input is not a Segment event."""


class SettingsError(DestinationError):
    """An environment variable is missing or wrong."""


class LedgerUnavailable(DestinationError):
    """The contact ledger's table gave no usable answer: queue the delivery, and guess nothing."""


class SecretError(DestinationError):
    """No delivery is possible until the secret can be read."""


class SecretUnavailable(SecretError):
    """Secrets Manager did not give a version of the secret that is needed."""


class SecretNotSetUp(SecretError):
    """The secret holds a placeholder, or does not have the documented shape."""
