"""Every error of this package, drawn as a tree; each class is named by what the caller should do about it.

DestinationError
├── DefinitionError            the team's mappings file is wrong: mend it (tells all its problems at once)
│   ├── MappingError           a mapping, when it is constructed, or an event it cannot be resolved over
│   ├── TriggerError           a trigger
│   └── SubscriptionsError     the file of subscriptions
├── PayloadError               the mapped payload is invalid: this event can never succeed under this mapping
├── NotAnEvent                 what came in is no Segment event
├── SettingsError              an environment variable is missing or wrong: mend the stack
├── SecretError                no delivery is possible until the secret can be read
│   ├── SecretUnavailable      Secrets Manager does not answer: try again
│   └── SecretNotSetUp         the secret still holds its placeholder, or is malformed: a person puts the values in
└── LoopsUnreachable           Loops gave no usable answer: try again later
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one place; `path` has `/` between keys and indices, and is empty for the whole."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class DestinationError(Exception):
    """The root: catches everything that this package raises on purpose."""


class DefinitionError(DestinationError):
    """The mappings file must be mended; `problems` holds everything that is wrong with it, `str()` has a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class MappingError(DefinitionError):
    """The mapping is invalid, or cannot be resolved over this event."""


class TriggerError(DefinitionError):
    """The trigger is invalid; `position` is the offset of the problem in the expression, in characters from 0."""

    def __init__(self, message: str, position: int = 0) -> None:
        self.position = position
        super().__init__([Problem("", message)])


class SubscriptionsError(DefinitionError):
    """The file of subscriptions is invalid."""


class PayloadError(DestinationError):
    """The mapped payload is invalid, so Loops is not asked; `field` names the field, never its value."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(f"{field}: {message}")


class NotAnEvent(DestinationError):
    """What came in is no Segment event."""


class SettingsError(DestinationError):
    """An environment variable is missing or wrong."""


class SecretError(DestinationError):
    """No delivery is possible until the secret can be read."""


class SecretUnavailable(SecretError):
    """Secrets Manager does not answer, and nothing is cached."""


class SecretNotSetUp(SecretError):
    """The secret holds a placeholder, or is not of the documented shape."""


class LoopsUnreachable(DestinationError):
    """Loops gave no usable answer."""
