"""Functions as Lambda runs them: their environments, contexts and errors."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.runtime import MAX_PAYLOAD_BYTES, Invocation, LambdaFunction, PayloadTooLarge
from local.sam_template import Function

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.local.conftest import Clock


def _invoke_at_once(function: LambdaFunction, count: int) -> list[Any]:
    payloads: list[Any] = []
    threads = [threading.Thread(target=lambda: payloads.append(function.invoke({}).payload)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return payloads


def test_an_environment_is_reused_until_a_freeze(make_function: Callable[..., LambdaFunction]) -> None:
    """Consecutive invocations share an environment with its state, until all are ended."""
    function = make_function("return self.calls")
    assert [function.invoke({}).payload for _ in range(3)] == [1, 2, 3]
    function.freeze()
    assert function.invoke({}).payload == 1


def test_a_busy_environment_ends_after_a_freeze(make_function: Callable[..., LambdaFunction]) -> None:
    """An environment that is busy while all are ended is not used again."""
    functions: list[LambdaFunction] = []
    functions.append(make_function("self.calls == 1 and self.shared[0].freeze(); return self.calls", shared=functions))
    assert [functions[0].invoke({}).payload for _ in range(2)] == [1, 1]


def test_concurrent_invocations_share_nothing(make_function: Callable[..., LambdaFunction]) -> None:
    """Concurrent invocations run in separate environments."""
    function = make_function("self.shared.wait(); return self.calls", shared=threading.Barrier(3, timeout=10))
    assert _invoke_at_once(function, 3) == [1, 1, 1]


def test_the_number_of_environments_is_limited(make_function: Callable[..., LambdaFunction]) -> None:
    """With one environment, invocations wait for each other, and none is lost."""
    function = make_function("return self.calls", environments=1)
    assert sorted(_invoke_at_once(function, 4)) == [1, 2, 3, 4]


def test_an_environment_has_its_variables_and_the_clock(
    make_function: Callable[..., LambdaFunction], clock: Clock
) -> None:
    """A handler gets the template's variables, overridden by those of this machine, and the stack's clock."""
    function = make_function("return [self.environ, self.clock.time()]", environ={"HERE": "local"})
    assert function.invoke({}).payload == [{"FROM": "template", "HERE": "local"}, clock.time()]


def test_a_handler_gets_a_context(make_function: Callable[..., LambdaFunction]) -> None:
    """The context has the function's name and memory and the request's id, and its remaining time follows the clock."""
    function = make_function(
        "before = context.get_remaining_time_in_millis(); self.clock.sleep(2.5); "
        "return [context.function_name, context.memory_limit_in_mb, context.invoked_function_arn, "
        "context.aws_request_id, before, context.get_remaining_time_in_millis()]"
    )
    invocation = function.invoke({})
    name, memory, arn, request_id, before, after = invocation.payload
    assert (name, memory) == ("Sample", 1024)
    assert arn == "arn:aws:lambda:us-east-1:123456789012:function:Sample"
    assert request_id == invocation.request_id
    assert (before, after, invocation.seconds) == (10_000, 7_500, 2.5)


def test_a_handler_gets_a_copy_of_the_event(make_function: Callable[..., LambdaFunction]) -> None:
    """A handler gets a copy of the event in JSON; changes to it have no effect outside."""
    event: dict[str, Any] = {"tuple": (1, 2)}
    assert make_function("event['changed'] = True; return event").invoke(event).payload["tuple"] == [1, 2]
    assert event == {"tuple": (1, 2)}


@pytest.mark.parametrize(
    ("body", "error_type"),
    [("raise ValueError('no such thing')", "ValueError"), ("return object()", "TypeError")],
)
def test_an_error_is_a_failed_invocation(
    make_function: Callable[..., LambdaFunction], body: str, error_type: str
) -> None:
    """An exception, or a result that is not JSON, becomes Lambda's error, and the environment stays usable."""
    function = make_function(f"if self.calls > 1: return self.calls\n        {body}")
    invocation = function.invoke({})
    assert invocation.failed
    assert invocation.payload["errorType"] == error_type
    assert invocation.payload["errorMessage"]
    assert function.invoke({}).payload == 2


def test_an_invocation_beyond_its_timeout_fails(make_function: Callable[..., LambdaFunction]) -> None:
    """An invocation that exceeds the function's timeout fails, and its environment is not used again."""
    function = make_function("self.clock.sleep(event['seconds']); return self.calls", timeout=3)
    assert function.invoke({"seconds": 3}).payload == 1
    invocation = function.invoke({"seconds": 3.5})
    assert invocation.failed
    assert "timed out after 3.00 seconds" in invocation.payload["errorMessage"]
    assert function.invoke({"seconds": 0}).payload == 1


def test_a_payload_has_a_limit(make_function: Callable[..., LambdaFunction]) -> None:
    """An event of up to 6 MB of JSON is accepted, a larger one is not."""
    function = make_function("return len(event)")
    assert function.invoke("x" * (MAX_PAYLOAD_BYTES - 2)).payload == MAX_PAYLOAD_BYTES - 2
    with pytest.raises(PayloadTooLarge):
        function.invoke("x" * (MAX_PAYLOAD_BYTES - 1))


def test_an_invocation_has_its_own_results(make_function: Callable[..., LambdaFunction]) -> None:
    """An invocation holds the results that the handler reported during it, and no earlier ones."""
    function = make_function("self.on_result(event); return None")
    assert [function.invoke(number).results for number in (1, 2)] == [(1,), (2,)]


def test_the_listener_is_called_after_every_invocation(make_function: Callable[..., LambdaFunction]) -> None:
    """The listener is called after successes and failures."""
    heard: list[Invocation] = []
    function = make_function("return 1 / event['by']", listener=heard.append)
    function.invoke({"by": 2})
    function.invoke({"by": 0})
    assert [(invocation.payload, invocation.failed) for invocation in heard[:1]] == [(0.5, False)]
    assert heard[1].failed


def test_a_function_without_its_module_is_an_error(clock: Clock, tmp_path: Path) -> None:
    """A handler that does not exist where the template says raises an error."""
    function = Function("Sample", tmp_path, "missing.handler", 3, 128, {}, [], [])
    with pytest.raises(FileNotFoundError, match=r"missing\.py"):
        LambdaFunction(function, clock, environ={})
