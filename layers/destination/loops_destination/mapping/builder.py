"""From a checked definition to closures: what an event cannot change is settled here, once."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Any, NamedTuple

from loops_destination.javascript import UNDEFINED
from loops_destination.mapping.registry import Registry, Resolver, is_directive
from loops_destination.mapping.work import Charge, charge_whole
from loops_destination.paths import Getter, getter, step


class Constant:
    """A resolver that gives the same scalar (or `UNDEFINED`) for every event; containers are made anew each time."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, _event: Any) -> Any:
        return self.value

    def as_function(self) -> Resolver:
        """The same as a function, which takes half the time to call."""
        value = self.value
        return lambda _event: value


class _Lookup(NamedTuple):
    """What a resolver looks up, and what stands in for it where it is missing or null."""

    keys: tuple[str, ...]
    otherwise: Resolver | None


_Child = tuple[str, str, Resolver | None]
"""A member's name, the key of its value in the parent, and what stands in for a value that is missing or null."""

_Family = tuple[Getter, list[_Child]]


class Builder:
    """Makes the resolvers of one mapping, or of the part of it that a directive looks into.

    JavaScript keeps what resolved to undefined in its object or array until the very end, where another directive can
    still see it: `@merge` lets it hide an earlier value. Only what such a directive looks at pays for that: `kept` is
    how many levels of objects and arrays still hold `UNDEFINED`; below these it is left out (null in an array) at once.
    """

    def __init__(self, directives: Registry, kept: float = 0) -> None:
        self._directives = directives
        self._lookups: dict[Resolver, _Lookup] = {}
        self.kept = kept

    def keeping(self, levels: float) -> Builder:
        """A builder of what is looked into by that many levels; no fewer than this one keeps."""
        return self._with(max(levels, self.kept))

    def settled(self, resolver: Resolver, charge: Charge) -> Resolver:
        """What gives a value of another builder's, charged whole, with no more `UNDEFINED` in it than this builder keeps."""

        def settle(value: Any) -> Any:
            charge_whole(value, charge)
            return as_json(value, self.kept)

        return resolver if self.kept == math.inf else pipe(resolver, settle)

    def lookup(self, keys: tuple[str, ...], otherwise: Resolver | None = None) -> Resolver:
        """What looks up a path, and where it finds nothing or null, gives what `otherwise` does, if that is given.

        It never raises, so `otherwise` must not. An object looks up those of its members that have one parent together.
        """
        if isinstance(otherwise, Constant):
            otherwise = otherwise.as_function()
        resolver = getter(keys) if otherwise is None else _first_that_exists(getter(keys), otherwise)
        self._lookups[resolver] = _Lookup(keys, otherwise)
        return resolver

    def is_lookup(self, resolver: Resolver) -> bool:
        """Whether the resolver came of `lookup`: it gives a value of the event or a constant, and never raises."""
        return resolver in self._lookups

    def value(self, definition: Any, place: str) -> Resolver:
        """The resolver of any definition."""
        if is_directive(definition):
            name = next(key for key in definition if key != "_metadata")
            return self._directives[name].build(definition[name], f"{place}/{name}", self)
        inside = self._inside()
        if isinstance(definition, dict):
            return self._object({key: inside.value(item, f"{place}/{key}") for key, item in definition.items()})
        if isinstance(definition, list):
            return self._array([inside.value(item, f"{place}/{index}") for index, item in enumerate(definition)])
        return Constant(definition)

    def _object(self, members: dict[str, Resolver]) -> Resolver:
        template = {name: member.value if isinstance(member, Constant) else None for name, member in members.items()}
        if not self.kept:
            template = {name: value for name, value in template.items() if value is not UNDEFINED}
        families = self._families(members)
        settled = {name for _, children in families for name, _, _ in children}
        settled |= {name for name, member in members.items() if isinstance(member, Constant)}
        others = [(name, member) for name, member in members.items() if name not in settled]
        return _object(template, families, others, keeps_undefined=self.kept > 0)

    def _families(self, members: dict[str, Resolver]) -> list[_Family]:
        """The members whose values have a parent in common."""
        families: dict[tuple[str, ...], list[_Child]] = {}
        for name, member in members.items():
            lookup = self._lookups.get(member)
            if lookup and lookup.keys:
                families.setdefault(lookup.keys[:-1], []).append((name, lookup.keys[-1], lookup.otherwise))
        return [(getter(parent), children) for parent, children in families.items() if len(children) > 1]

    def _array(self, elements: list[Resolver]) -> Resolver:
        if self.kept:
            return lambda event: [element(event) for element in elements]
        return lambda event: [None if (value := element(event)) is UNDEFINED else value for element in elements]

    def for_each(self, shape: Any, place: str) -> Resolver:
        """What maps each element of an array by a definition."""
        resolve = self._inside().value(shape, place)
        if self.kept:
            return lambda array: [resolve(element) for element in array]
        return lambda array: [None if (value := resolve(element)) is UNDEFINED else value for element in array]

    def _inside(self) -> Builder:
        return self._with(max(0, self.kept - 1))

    def _with(self, kept: float) -> Builder:
        builder = copy(self)
        builder.kept = kept
        return builder


def pipe(resolver: Resolver, function: Callable[[Any], Any]) -> Resolver:
    """What applies `function` to the resolved value; at once when both it and the outcome are constant."""
    if isinstance(resolver, Constant):
        outcome = function(resolver.value)
        if not isinstance(outcome, (dict, list)):
            return Constant(outcome)
    return lambda event: function(resolver(event))


def _first_that_exists(find: Resolver, otherwise: Resolver) -> Resolver:
    """What Segment's defaults are made of: a value where it exists, else another; it is looked up only once."""

    def resolve(event: Any) -> Any:
        value = find(event)
        return otherwise(event) if value is UNDEFINED or value is None else value

    return resolve


def without_undefined(value: Any) -> Any:
    """A copy in which no object has undefined members; arrays keep theirs."""
    if isinstance(value, dict):
        return {key: without_undefined(item) for key, item in value.items() if item is not UNDEFINED}
    if isinstance(value, list):
        return [without_undefined(item) for item in value]
    return value


def as_json(value: Any, kept: float = 0) -> Any:
    """A copy as JSON can hold it, below its first `kept` levels: in arrays undefined becomes null."""
    if isinstance(value, dict):
        return {key: as_json(item, kept - 1) for key, item in value.items() if kept > 0 or item is not UNDEFINED}
    if isinstance(value, list):
        return [None if kept <= 0 and item is UNDEFINED else as_json(item, kept - 1) for item in value]
    return value


def _object(
    template: dict[str, Any], families: list[_Family], others: list[tuple[str, Resolver]], *, keeps_undefined: bool
) -> Resolver:
    def resolve(event: Any) -> dict[str, Any]:
        resolved = template.copy()
        for get_parent, children in families:
            parent = get_parent(event)
            if type(parent) is not dict:
                parent = {key: step(parent, key) for _, key, _ in children}
            for name, key, otherwise in children:
                value = parent.get(key, UNDEFINED)
                if otherwise is not None and (value is UNDEFINED or value is None):
                    value = otherwise(event)
                if value is UNDEFINED and not keeps_undefined:
                    del resolved[name]
                else:
                    resolved[name] = value
        for name, resolver in others:
            value = resolver(event)
            if value is UNDEFINED and not keeps_undefined:
                del resolved[name]
            else:
                resolved[name] = value
        return resolved

    return resolve
