"""From a checked definition to closures: what an event cannot change is settled here, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loops_destination.javascript import UNDEFINED
from loops_destination.mapping.registry import Registry, Resolver, is_directive


class Constant:
    """A resolver that gives the same scalar (or `UNDEFINED`) for every event; containers are made anew each time."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, _event: Any) -> Any:
        return self.value


class Builder:
    """Makes the resolvers of one mapping.

    JavaScript keeps what resolved to undefined in its object until the very end, where another directive can still see
    it: `@merge` lets it hide an earlier value. Only a mapping with such a directive pays for that (`keeps_undefined`);
    the resolvers of any other leave it out at once.
    """

    def __init__(self, directives: Registry, *, keeps_undefined: bool) -> None:
        self._directives = directives
        self.keeps_undefined = keeps_undefined

    def value(self, definition: Any, place: str) -> Resolver:
        """The resolver of any definition."""
        if is_directive(definition):
            name = next(key for key in definition if key != "_metadata")
            return self._directives[name].build(definition[name], f"{place}/{name}", self)
        if isinstance(definition, dict):
            return self._object({key: self.value(item, f"{place}/{key}") for key, item in definition.items()})
        if isinstance(definition, list):
            return self._array([self.value(item, f"{place}/{index}") for index, item in enumerate(definition)])
        return Constant(definition)

    def _object(self, members: dict[str, Resolver]) -> Resolver:
        template = {key: member.value if isinstance(member, Constant) else None for key, member in members.items()}
        variables = [(key, member) for key, member in members.items() if not isinstance(member, Constant)]
        if self.keeps_undefined:
            return _object_with_undefined(template, variables)
        template = {key: value for key, value in template.items() if value is not UNDEFINED}
        return _object(template, variables)

    def _array(self, elements: list[Resolver]) -> Resolver:
        if self.keeps_undefined:
            return lambda event: [element(event) for element in elements]
        return lambda event: [None if (value := element(event)) is UNDEFINED else value for element in elements]

    def for_each(self, shape: Resolver) -> Resolver:
        """What maps each element of an array."""
        if self.keeps_undefined:
            return lambda array: [shape(element) for element in array]
        return lambda array: [None if (value := shape(element)) is UNDEFINED else value for element in array]


def pipe(resolver: Resolver, function: Callable[[Any], Any]) -> Resolver:
    """What applies `function` to the resolved value; at once when both it and the outcome are constant."""
    if isinstance(resolver, Constant):
        outcome = function(resolver.value)
        if not isinstance(outcome, dict | list):
            return Constant(outcome)
    return lambda event: function(resolver(event))


def without_undefined(value: Any) -> Any:
    """A copy in which no object has undefined members."""
    if isinstance(value, dict):
        return {key: without_undefined(item) for key, item in value.items() if item is not UNDEFINED}
    if isinstance(value, list):
        return [without_undefined(item) for item in value]
    return value


def as_json(value: Any) -> Any:
    """A copy as JSON can hold it: in arrays undefined becomes null."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items() if item is not UNDEFINED}
    if isinstance(value, list):
        return [None if item is UNDEFINED else as_json(item) for item in value]
    return value


def _object(template: dict[str, Any], variables: list[tuple[str, Resolver]]) -> Resolver:
    def resolve(event: Any) -> Any:
        resolved = template.copy()
        for key, resolver in variables:
            value = resolver(event)
            if value is UNDEFINED:
                del resolved[key]
            else:
                resolved[key] = value
        return resolved

    return resolve


def _object_with_undefined(template: dict[str, Any], variables: list[tuple[str, Resolver]]) -> Resolver:
    def resolve(event: Any) -> Any:
        resolved = template.copy()
        for key, resolver in variables:
            resolved[key] = resolver(event)
        return resolved

    return resolve
