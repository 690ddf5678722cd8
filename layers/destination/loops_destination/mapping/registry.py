"""The directives by name: what a mapping may write there, and what resolves it, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loops_destination.mapping.builder import Builder
    from loops_destination.mapping.checker import Check

Resolver = Callable[[Any], Any]
"""What gives a value for an event: a JSON value, or `UNDEFINED` where there is none."""

Build = Callable[[Any, str, "Builder"], Resolver]
"""What makes a directive's resolver from what is written under its name, at a place, with a builder for what is inside."""


@dataclass(frozen=True, slots=True)
class Directive:
    """One word of the mapping language; `build` is only called with what `check` found no problem in."""

    check: Check
    build: Build


class Registry(dict[str, Directive]):
    """The directives by name."""

    def directive(self, name: str, check: Check) -> Callable[[Build], Build]:
        """Registers the function that it decorates as what builds the directive."""

        def register(build: Build) -> Build:
            self[name] = Directive(check, build)
            return build

        return register


def is_directive(definition: Any) -> bool:
    """Whether the definition is meant as a directive: Segment keeps keys that start with `@` for them."""
    return isinstance(definition, dict) and any(isinstance(key, str) and key[:1] == "@" for key in definition)
