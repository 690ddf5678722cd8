"""Who is let in, and what every answer says of itself."""

from __future__ import annotations

import pytest
import urllib3

from local.stack import LocalStack
from tests.integration.studio.conftest import Client

CALLS = [
    ("GET", "/"),
    ("GET", "/studio/studio.js"),
    ("GET", "/studio/api/audience"),
    ("PUT", "/studio/api/mappings"),
    ("POST", "/studio/api/send"),
    ("POST", "/studio/api/faults"),
    ("POST", "/studio/api/faults/sqs"),
    ("DELETE", "/studio/api/faults"),
    ("POST", "/studio/api/queues/drop"),
]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "studio.example"},
        {"Host": "192.0.2.7:8787"},
        {"Origin": "https://studio.example"},
        {"Origin": "null"},
        {"Host": "127.0.0.1:8787", "Origin": "http://127.0.0.1:3000"},
    ],
    ids=lambda headers: "".join(f"{name}: {value}" for name, value in headers.items()),
)
def test_strangers_are_refused(client: Client, headers: dict[str, str]) -> None:
    """Under a foreign Host, and for a foreign Origin, another port among them, every page and call is refused."""
    refused = [client.call(method, path, {} if method != "GET" else None, **headers) for method, path in CALLS]
    assert [answer.status for answer in refused] == [403] * len(CALLS)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8787", "[::1]:8787"])
def test_names_of_this_machine_are_let_in(client: Client, host: str) -> None:
    """The page can be opened under each name of the loopback."""
    assert client.call("GET", "/", Host=host).status == 200


def test_a_form_of_another_page_changes_nothing(client: Client) -> None:
    """What is not declared as JSON, as no form of a page can, is refused before it is read."""
    answer = client.call("POST", "/studio/api/faults", {"kind": "reset"}, **{"Content-Type": "text/plain"})
    assert answer.status == 415
    assert client.stack.sandbox.faults.all() == []


def test_every_answer_keeps_others_out(client: Client) -> None:
    """Nothing from elsewhere is loaded by the page, and no other page shows it or reads it."""
    for path in ["/", "/studio/studio.css", "/studio/studio.js", "/studio/icon.svg", "/studio/api/status"]:
        headers = client.call("GET", path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["Cross-Origin-Resource-Policy"]) == (
            "nosniff",
            "same-origin",
        )


def test_there_is_nothing_else(client: Client) -> None:
    """What is neither the page nor a call of it is not found."""
    for path in ["/studio/", "/studio/api.py", "/studio/..%2fapi.py", "/studio/api/nothing"]:
        assert client.call("GET", path).status == 404


@pytest.mark.parametrize("body", [{}, {"event": 5}, {"event": "{}", "more": 1}, []])
def test_a_malformed_call_is_told(client: Client, body: object) -> None:
    """A call with another shape is answered 400 with what is wrong."""
    answer = client.call("POST", "/studio/api/send", body)
    assert (answer.status, answer.json["success"]) == (400, False)


def test_the_webhook_is_what_it_was(client: Client) -> None:
    """Beside the page the routes of the webhook are served as ever, to whoever signs."""
    assert client.call("POST", "/contacts", {}, Origin="https://segment.example").status == 401
    assert client.call("GET", "/contacts").status == 404


def test_a_stack_has_no_studio_unasked(pool: urllib3.PoolManager) -> None:
    """A stack that was not asked for it serves no page."""
    with LocalStack(polling=False) as stack:
        assert Client(stack, pool).call("GET", "/").status == 404
