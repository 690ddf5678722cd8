"""The handler that Lambda calls, for the web functions and for redelivery."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from loops_destination.clock import Clock, SystemClock
from loops_destination.handlers.parts import Parts
from loops_destination.outcomes import Result

IN_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"  # a variable that Lambda sets

Invoke = Callable[[dict[str, Any], Any], dict[str, Any]]
"""Answers an invocation; takes Lambda's event and context."""


class LambdaHandler:
    """The handler of a function; `build` makes what answers its invocations, once per environment.

    In Lambda that happens when the function's module is imported, because a function's init has a whole processor and
    its invocations have a part of one. If it fails then, each invocation tries again, and Lambda logs the error.
    Elsewhere nothing is built, and no variable of `environ` is read, before the first invocation.
    """

    def __init__(
        self,
        service: str,
        build: Callable[[Parts], Invoke],
        environ: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
        on_result: Callable[[Result], None] | None = None,
    ) -> None:
        self._service = service
        self._build = build
        self._environ = environ
        self._clock = clock or SystemClock()
        self._on_result = on_result
        if IN_LAMBDA in environ:
            with suppress(Exception):
                _ = self._invoke

    def in_environment(
        self, environ: Mapping[str, str], clock: Clock, on_result: Callable[[Result], None] | None = None
    ) -> LambdaHandler:
        """Return the same handler for a new environment, as after a cold start; it shares nothing with this one.

        `on_result` is called with every result that the handler logs.
        """
        return LambdaHandler(self._service, self._build, environ, clock, on_result)

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer an invocation, and write its metrics."""
        answer = self._invoke(event, context)
        self._parts.telemetry.flush()
        return answer

    @cached_property
    def _parts(self) -> Parts:
        return Parts(self._service, self._environ, self._clock, self._on_result)

    @cached_property
    def _invoke(self) -> Invoke:
        return self._build(self._parts)
