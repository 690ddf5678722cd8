"""The limit on requests a second, counted in either way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from local.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.sandbox.rate_limit import Window
    from tests.integration.sandbox.conftest import Client, Clock


API_KEY = "a-key"


@pytest.fixture
def limited(serve: Callable[..., Client], clock: Clock) -> Callable[..., Client]:
    def started(limit: int | None = 3, window: Window = "fixed") -> Client:
        return serve(Sandbox(API_KEY, clock=clock, sleep=clock.sleep, limit=limit, window=window))

    return started


def statuses(client: Client, count: int) -> list[int]:
    return [client.update(email="ada@example.com").status for _ in range(count)]


@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_the_limit_holds_within_a_second(limited: Callable[..., Client], clock: Clock, window: Window) -> None:
    """As many requests as allowed pass, the next is answered 429 without effect, and a second later requests pass again."""
    client = limited(window=window)
    assert statuses(client, 5) == [200, 200, 200, 429, 429]
    assert [each.effect for each in client.server.sandbox.journal.all()] == [True] * 3 + [False] * 2
    clock.now += 1
    assert statuses(client, 4) == [200, 200, 200, 429]


@pytest.mark.parametrize(("window", "passed"), [("fixed", 3), ("sliding", 1)])
def test_the_windows_differ_at_the_turn_of_a_second(
    limited: Callable[..., Client], clock: Clock, window: Window, passed: int
) -> None:
    """A fixed window starts anew with each second of the clock; a sliding one counts the last second."""
    client = limited(window=window)
    clock.now += 0.5
    assert statuses(client, 1) == [200]
    clock.now += 0.4
    assert statuses(client, 2) == [200, 200]
    clock.now += 0.7
    assert statuses(client, 4) == [200] * passed + [429] * (4 - passed)


def test_the_default_is_ten_a_second(serve: Callable[..., Client], clock: Clock) -> None:
    """By default the sandbox has Loops' documented limit."""
    client = serve(Sandbox(API_KEY, clock=clock, sleep=clock.sleep))
    assert statuses(client, 11) == [200] * 10 + [429]


def test_every_response_has_the_remaining_requests(limited: Callable[..., Client]) -> None:
    """The headers count down, also on refused requests, and a 429 has none left."""
    client = limited()
    answers = [
        client.call("GET", "/api/v1/nowhere"),
        client.call("GET", "/api/v1/events/send"),
        client.call("PUT", "/api/v1/contacts/update", b"{"),
        client.call("GET", "/api/v1/lists"),
        client.call("GET", "/api/v1/lists", Authorization=""),
    ]
    assert [answer.status for answer in answers] == [404, 405, 400, 429, 401]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"3"}
    assert not any("Retry-After" in answer.headers for answer in answers)


def test_requests_without_the_api_key_do_not_count(limited: Callable[..., Client]) -> None:
    """Requests without the API key do not count."""
    client = limited(limit=1)
    assert [client.call("GET", "/api/v1/lists", Authorization="").status for _ in range(3)] == [401] * 3
    assert statuses(client, 2) == [200, 429]


def test_the_limit_can_be_switched_off(limited: Callable[..., Client]) -> None:
    """Without a limit every request passes, and no header mentions one."""
    client = limited(limit=None)
    assert statuses(client, 30) == [200] * 30
    assert not any(name.lower().startswith("x-ratelimit") for name in client.call("GET", "/api/v1/lists").headers)


@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_the_limit_holds_under_concurrency(limited: Callable[..., Client], window: Window) -> None:
    """Concurrent requests do not exceed the limit."""
    client = limited(limit=10, window=window)
    with ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(lambda _: client.call("GET", "/api/v1/lists").status, range(40)))
    assert sorted(answered) == [200] * 10 + [429] * 30
