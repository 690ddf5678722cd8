"""Access to the studio, and the headers of its answers."""

from __future__ import annotations

import pytest
import urllib3

from local.stack import LocalStack
from tests.integration.studio.conftest import Client

CALLS = [
    ("GET", "/"),
    ("GET", "/studio/js/app.js"),
    ("GET", "/studio/api/contacts"),
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
def test_other_hosts_and_origins_are_denied(client: Client, headers: dict[str, str]) -> None:
    """Every page and call is denied under a foreign Host and for a foreign Origin, including another port."""
    answers = [client.call(method, path, {} if method != "GET" else None, **headers) for method, path in CALLS]
    assert [answer.status for answer in answers] == [403] * len(CALLS)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8787", "[::1]:8787"])
def test_loopback_names_are_allowed(client: Client, host: str) -> None:
    """The page can be opened under each name of the loopback interface."""
    assert client.call("GET", "/", Host=host).status == 200


def test_a_form_of_another_page_changes_nothing(client: Client) -> None:
    """A body that is not declared as JSON, as forms cannot, is denied before it is read."""
    answer = client.call("POST", "/studio/api/faults", {"kind": "reset"}, **{"Content-Type": "text/plain"})
    assert answer.status == 415
    assert client.stack.sandbox.faults.all() == []


def test_every_answer_keeps_others_out(client: Client) -> None:
    """The headers forbid the page to load anything from other sites, and other sites to show or read it."""
    for path in ["/", "/studio/css/base.css", "/studio/js/app.js", "/studio/icon.svg", "/studio/api/status"]:
        headers = client.call("GET", path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["Cross-Origin-Resource-Policy"]) == (
            "nosniff",
            "same-origin",
        )


def test_nothing_else_is_served(client: Client) -> None:
    """Paths other than the page's files and calls are not found."""
    for path in ["/studio/", "/studio/routes.py", "/studio/..%2froutes.py", "/studio/api/nothing"]:
        assert client.call("GET", path).status == 404


@pytest.mark.parametrize("body", [{}, {"event": 5}, {"event": "{}", "more": 1}, []])
def test_a_malformed_call_is_answered_400(client: Client, body: object) -> None:
    """A call with an invalid body is answered 400 with a message."""
    answer = client.call("POST", "/studio/api/send", body)
    assert (answer.status, answer.json["success"]) == (400, False)


def test_the_webhook_works_beside_the_page(client: Client) -> None:
    """The webhook's routes answer under any Host and Origin, and deny unsigned requests."""
    assert client.call("POST", "/contacts", {}, Origin="https://segment.example").status == 401
    assert client.call("GET", "/contacts").status == 404


def test_a_stack_without_a_studio_serves_no_page(pool: urllib3.PoolManager) -> None:
    """A stack to which no studio is attached serves no page."""
    with LocalStack(polling=False) as stack:
        assert Client(stack, pool).call("GET", "/").status == 404
