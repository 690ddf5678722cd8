"""Functions as Lambda runs them: the real handlers, in environments that share nothing."""

from __future__ import annotations

import importlib.util
import json
import math
import threading
import traceback
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from segment_loops.local_addresses import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local.sam_template import Function
    from loops_destination.clock import Clock
    from loops_destination.outcomes import Result

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Lambda's quota for the payload of a synchronous invocation."""


class Handler(Protocol):
    """A handler, as a function's module defines it."""

    def in_environment(self, environ: Mapping[str, str], clock: Clock, on_result: Callable[[Result], None]) -> Handler:
        """Return the handler as it is after a cold start with these variables; `on_result` is called with every result."""
        ...

    def __call__(self, event: Any, context: Any) -> Any: ...


class PayloadTooLarge(Exception):
    """The event is larger than Lambda's quota of 6 MB."""


@dataclass(frozen=True, slots=True)
class Context:
    """The context that Lambda passes to a handler; `deadline` is in seconds by the clock."""

    function_name: str
    memory_limit_in_mb: int
    aws_request_id: str
    invoked_function_arn: str
    deadline: float
    clock: Clock = field(repr=False)
    function_version: str = "$LATEST"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left until the function's timeout, in milliseconds, at least 0."""
        return max(round((self.deadline - self.clock.time()) * 1000), 0)


@dataclass(frozen=True, slots=True)
class Invocation:
    """An invocation of a function.

    `payload` is the handler's result, or Lambda's description of an error if it `failed`. `started` is in seconds since
    1970; `seconds` is the duration. `results` are those of the deliveries that the handler logged.
    """

    function: str
    request_id: str
    event: Any = field(repr=False)
    payload: Any = field(repr=False)
    failed: bool
    started: float
    seconds: float
    results: Sequence[Result] = ()


class Killed(BaseException):
    """The environment died in the middle of an invocation, as when it runs out of memory."""


class _MortalClock:
    """The clock of an environment, which can be made to kill the environment after a number of readings.

    A thread cannot be killed from outside, but every function reads the clock again and again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.readings_left = math.inf

    def time(self) -> float:
        self._count_reading()
        return self._clock.time()

    def sleep(self, seconds: float) -> None:
        self._count_reading()
        self._clock.sleep(seconds)

    def _count_reading(self) -> None:
        self.readings_left -= 1
        if self.readings_left < 0:
            raise Killed


class _Environment(NamedTuple):
    handler: Handler
    clock: _MortalClock
    results: list[Result]


def ignore(_: object) -> None:
    """Do nothing; the default for a listener."""


class LambdaFunction:
    """A function with its environments.

    Each environment processes one invocation at a time; a new one is made while all are busy, up to `environments`, after
    which an invocation waits. `environ` is added to the template's variables. `listener` is called after every invocation.
    """

    def __init__(
        self,
        function: Function,
        clock: Clock,
        *,
        environ: Mapping[str, str],
        environments: int = 10,
        listener: Callable[[Invocation], None] = ignore,
    ) -> None:
        self.function = function
        self._environ = {**function.environment, **environ}
        self._clock = clock
        self._listener = listener
        self._handler = _load(function)
        self._idle: deque[_Environment] = deque()
        self._next_dies_after = math.inf
        self._slots = threading.BoundedSemaphore(environments)

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function.name}"

    def invoke(self, event: Any) -> Invocation:
        """Pass the event through JSON to the handler; raise `PayloadTooLarge` if it exceeds Lambda's quota."""
        payload = json.dumps(event)
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise PayloadTooLarge
        with self._slots:
            invocation = self._run(json.loads(payload))
        self._listener(invocation)
        return invocation

    def freeze(self) -> None:
        """End all environments, the busy ones after their invocation, so that the next invocations are cold starts."""
        self._idle = deque()

    def kill_next(self, readings: int) -> None:
        """Kill the next invocation once it has read the clock `readings` times."""
        self._next_dies_after = readings

    def _run(self, event: Any) -> Invocation:
        started = self._clock.time()
        request_id = str(uuid.uuid4())
        idle = self._idle  # `freeze` replaces it, and this environment must not return to the new one
        environment = self._environment()
        environment.clock.readings_left, self._next_dies_after = self._next_dies_after, math.inf
        environment.results.clear()
        payload, failed = self._answer(environment, event, self._context(request_id, started))
        results = tuple(environment.results)
        seconds = self._clock.time() - started
        if seconds > self.function.timeout:
            # A thread cannot be killed from outside: a late result is dropped, with its environment.
            payload, failed = _timed_out(request_id, self.function.timeout), True
        elif environment.clock.readings_left >= 0:
            environment.clock.readings_left = math.inf
            idle.append(environment)
        return Invocation(self.function.name, request_id, event, payload, failed, started, seconds, results)

    def _environment(self) -> _Environment:
        try:
            return self._idle.pop()
        except IndexError:
            clock = _MortalClock(self._clock)
            results: list[Result] = []
            return _Environment(self._handler.in_environment(self._environ, clock, results.append), clock, results)

    def _context(self, request_id: str, started: float) -> Context:
        deadline = started + self.function.timeout
        return Context(self.function.name, self.function.memory, request_id, self.arn, deadline, self._clock)

    def _answer(self, environment: _Environment, event: Any, context: Context) -> tuple[Any, bool]:
        try:
            return json.loads(json.dumps(environment.handler(event, context))), False
        except Killed:
            return {"errorMessage": "Runtime exited with error: signal: killed", "errorType": "Runtime.ExitError"}, True
        except Exception as error:  # noqa: BLE001  # Lambda answers for anything that a handler raises
            print(f"[ERROR] {''.join(traceback.format_exception(error))}")
            return _error(error, context.aws_request_id), True


def _load(function: Function) -> Handler:
    """Import the handler from its folder, so that modules of several functions may have the same name."""
    module_name, name = function.handler.rsplit(".", 1)
    spec = importlib.util.spec_from_file_location(f"{function.name}.{module_name}", function.code / f"{module_name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{function.code} has no {module_name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Handler = getattr(module, name)
    return handler


def _error(error: Exception, request_id: str) -> dict[str, Any]:
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def _timed_out(request_id: str, timeout: int) -> dict[str, str]:
    return {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after {timeout}.00 seconds",
    }
