"""Compiles a checked definition into a resolver: a function from an event to its mapped value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loops_destination.javascript import UNDEFINED
from loops_destination.mapping.checker import is_directive
from loops_destination.mapping.work import Charge

Resolver = Callable[[Any], Any]
"""A compiled definition. It returns a JSON value for an event, or `UNDEFINED` where there is none."""

Build = Callable[[Any, str, "Builder"], Resolver]
"""Compiles a directive: the value under its name, that value's place, and a builder for the definitions inside."""

_COPIED = 4
"""Units of copying one value."""


@dataclass(frozen=True, slots=True)
class Builder:
    """Compiles definitions; `builds` are the directives' builds by name.

    In JavaScript a member of an object can be `undefined`. Segment removes such members only when the whole mapping is
    resolved, so a directive can still see them: under `@merge` an undefined member hides an earlier value. For
    definitions that cannot see the difference, the builder drops undefined members at once, which saves a copy of the
    result. In an array, undefined becomes null.
    """

    builds: Mapping[str, Build]
    keeps_undefined: bool = False

    def keeping_undefined(self) -> Builder:
        """Return a builder for the definitions that a directive inspects; its own resolver then goes through `cleaned`."""
        return replace(self, keeps_undefined=True)

    def cleaned(self, resolver: Resolver, charge: Charge) -> Resolver:
        """Return a resolver that removes `UNDEFINED` from the result, unless this builder keeps it."""
        return resolver if self.keeps_undefined else lambda event: as_json(resolver(event), charge)

    def value(self, definition: Any, place: str) -> Resolver:
        """Compile any definition."""
        if is_directive(definition):
            name = next(key for key in definition if key != "_metadata")
            return self.builds[name](definition[name], f"{place}/{name}", self)
        if isinstance(definition, dict):
            return self._object([(key, self.value(item, f"{place}/{key}")) for key, item in definition.items()])
        if isinstance(definition, list):
            return self._array([self.value(item, f"{place}/{index}") for index, item in enumerate(definition)])
        return lambda _event: definition

    def for_each(self, shape: Any, place: str) -> Resolver:
        """Compile a definition that maps every element of an array."""
        resolve = self.value(shape, place)
        if self.keeps_undefined:
            return lambda array: [resolve(element) for element in array]
        return lambda array: [None if (value := resolve(element)) is UNDEFINED else value for element in array]

    def _object(self, members: list[tuple[str, Resolver]]) -> Resolver:
        if self.keeps_undefined:
            return lambda event: {name: resolve(event) for name, resolve in members}

        def resolve_object(event: Any) -> dict[str, Any]:
            resolved = {}
            for name, resolve in members:
                value = resolve(event)
                if value is not UNDEFINED:
                    resolved[name] = value
            return resolved

        return resolve_object

    def _array(self, elements: list[Resolver]) -> Resolver:
        if self.keeps_undefined:
            return lambda event: [resolve(event) for resolve in elements]
        return lambda event: [None if (value := resolve(event)) is UNDEFINED else value for resolve in elements]


def as_json(value: Any, charge: Charge) -> Any:
    """Return a copy without `UNDEFINED`: it is left out of objects and becomes null in arrays."""
    if isinstance(value, dict):
        charge(_COPIED * (1 + len(value)))
        return {
            key: as_json(item, charge) if isinstance(item, (dict, list)) else item
            for key, item in value.items()
            if item is not UNDEFINED
        }
    if isinstance(value, list):
        charge(_COPIED * (1 + len(value)))
        return [None if item is UNDEFINED else as_json(item, charge) for item in value]
    return value
