"""Event patterns: the events that a workflow listens for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.sandbox import EventPattern, Sandbox
from tests.integration.sandbox.conftest import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.sandbox.conftest import Client

PATH = "/api/v1/event-patterns"


@pytest.fixture
def client(serve: Callable[..., Client]) -> Client:
    patterns = [EventPattern(f"p{number}", f"event {number}", {"plan": "string"}) for number in range(12)]
    return serve(Sandbox(API_KEY, limit=None, event_patterns=patterns))


def test_a_pattern_is_found_by_its_exact_name(client: Client) -> None:
    """A pattern is shown with the types of its properties; a name in another case is answered 404."""
    assert client.call("GET", f"{PATH}/by-name/event%203").json == {
        "id": "p3",
        "eventName": "event 3",
        "eventProperties": [{"name": "plan", "type": "string"}],
        "incomingWebhookPlatform": None,
    }
    assert client.call("GET", f"{PATH}/by-name/Event%203").status == 404


def test_patterns_are_listed_in_pages(client: Client) -> None:
    """Each page names the cursor of the next, and the last page names none."""
    first = client.call("GET", f"{PATH}?perPage=10").json
    rest = client.call("GET", f"{PATH}?perPage=10&cursor={first['pagination']['nextCursor']}").json
    assert [each["id"] for each in first["data"] + rest["data"]] == [f"p{number}" for number in range(12)]
    assert rest["pagination"]["nextCursor"] is None


@pytest.mark.parametrize("query", ["perPage=9", "perPage=51", "perPage=x", "cursor=unknown"])
def test_an_invalid_page_is_refused(client: Client, query: str) -> None:
    """A size outside of 10 to 50, or an unknown cursor, is answered 400."""
    assert client.call("GET", f"{PATH}?{query}").status == 400
