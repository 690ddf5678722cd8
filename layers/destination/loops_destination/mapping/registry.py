"""The registry of the directives, each with its check and its build side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loops_destination.mapping.builder import Build
from loops_destination.mapping.checker import Check


@dataclass(frozen=True, slots=True)
class Directive:
    """A word of the mapping language; `build` is called only with a value in which `check` found no problem."""

    check: Check
    build: Build


class Registry(dict[str, Directive]):
    """The directives by name."""

    def directive(self, name: str, check: Check) -> Callable[[Build], Build]:
        """Register the decorated function as the build of a directive."""

        def register(build: Build) -> Build:
            self[name] = Directive(check, build)
            return build

        return register

    @property
    def checks(self) -> dict[str, Check]:
        """The checks by the name of their directive."""
        return {name: directive.check for name, directive in self.items()}

    @property
    def builds(self) -> dict[str, Build]:
        """The builds by the name of their directive."""
        return {name: directive.build for name, directive in self.items()}
