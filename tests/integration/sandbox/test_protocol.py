"""Rules for every request: the API key, methods, paths and JSON bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3

if TYPE_CHECKING:
    from local.sandbox import Sandbox
    from tests.integration.sandbox.conftest import Client


ENDPOINTS = {
    "/api/v1/api-key": {"GET"},
    "/api/v1/contacts/create": {"POST"},
    "/api/v1/contacts/delete": {"POST"},
    "/api/v1/contacts/find": {"GET"},
    "/api/v1/contacts/properties": {"GET", "POST"},
    "/api/v1/contacts/update": {"PUT"},
    "/api/v1/events/send": {"POST"},
    "/api/v1/lists": {"GET"},
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def test_a_valid_api_key_shows_its_team(client: Client) -> None:
    """The API key's endpoint answers with the team's name."""
    answer = client.call("GET", "/api/v1/api-key")
    assert (answer.status, answer.json) == (200, {"success": True, "teamName": "Sandbox"})


@pytest.mark.parametrize("given", ["", "Bearer other", "Bearer", "a-key", "Basic YS1rZXk6"])
@pytest.mark.parametrize("path", [*ENDPOINTS, "/api/v1/nowhere"])
def test_every_path_requires_the_api_key(client: Client, path: str, given: str) -> None:
    """Without the valid API key every path is answered 401 in Loops' words."""
    answer = client.call("POST", path, {"email": "ada@example.com"}, Authorization=given)
    refusal = {"success": False, "message": "Invalid API key", "error": "Invalid API key"}
    assert (answer.status, answer.json) == (401, refusal)


def test_the_api_key_can_be_changed(client: Client, sandbox: Sandbox) -> None:
    """Once the team's API key has changed, the old one is answered 401."""
    sandbox.api_key = "new-key"
    assert client.call("GET", "/api/v1/api-key").status == 401
    assert client.call("GET", "/api/v1/api-key", Authorization="Bearer new-key").status == 200


@pytest.mark.parametrize("path", ENDPOINTS)
def test_other_methods_are_answered_405(client: Client, path: str) -> None:
    """A method that an endpoint does not have is answered 405 in JSON, with the methods it has."""
    for method in METHODS:
        if method not in ENDPOINTS[path]:
            answer = client.call(method, path)
            assert (answer.status, answer.json["success"]) == (405, False)
            assert set(answer.headers["Allow"].split(", ")) - {"HEAD"} == ENDPOINTS[path]


@pytest.mark.parametrize(
    "path",
    ["/", "/api", "/api/v2/contacts/update", "/api/v1/contacts/update/", "/api/v1//lists", "/api/v1/contacts/bulk"],
)
def test_other_paths_are_answered_404(client: Client, path: str) -> None:
    """An unknown path is answered 404 in JSON, and never redirected."""
    answer = client.call("GET", path)
    assert (answer.status, answer.json["success"]) == (404, False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"email=ada@example.com",
        b'{"email": "ada@example.com"',
        b'{"email": "ada@example.com", "n": NaN}',
        b'{"email": "ada@example.com", "n": 1e999}',
        b'\xff\xfe{"email": "ada@example.com"}',
        b"[" * 200_000,
        b"[]",
        b'"ada@example.com"',
        b"null",
    ],
    ids=range(10),
)
@pytest.mark.parametrize(
    ("method", "path"), [(m, path) for path, methods in ENDPOINTS.items() for m in methods - {"GET"}]
)
def test_a_body_must_be_a_json_object(client: Client, sandbox: Sandbox, method: str, path: str, body: bytes) -> None:
    """A body that is not a JSON object is answered 400 and has no effect."""
    answer = client.call(method, path, body)
    assert (answer.status, answer.json["success"]) == (400, False)
    assert sandbox.contacts.all() == []


def test_every_answer_is_json(client: Client) -> None:
    """Every response has the content type of JSON."""
    answers = [client.call(method, path) for method in METHODS for path in [*ENDPOINTS, "/api/v1/nowhere", "/"]]
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}


def test_a_chunked_body_is_read_whole(client: Client, sandbox: Sandbox) -> None:
    """A body without a length is passed on whole, and its connection stays usable."""
    pieces = iter([b'{"email": ', b'"ada@example.com"}'])
    for body in (pieces, b'{"email": "bob@example.com"}'):
        response = client.pool.request(
            "PUT", "/api/v1/contacts/update", body=body, headers={"Authorization": "Bearer a-key"}
        )
        assert response.status == 200
    assert [contact.email for contact in sandbox.contacts.all()] == ["ada@example.com", "bob@example.com"]


def test_lone_surrogates_are_kept(client: Client) -> None:
    """A text that is not valid Unicode is stored, and shown escaped."""
    assert client.call("PUT", "/api/v1/contacts/update", b'{"email": "a@b.c", "bio": "\\ud800"}').status == 200
    assert client.find(email="a@b.c")[0]["bio"] == "\ud800"
    assert client.call("GET", "/sandbox/requests").json[0]["body"]["bio"] == "\ud800"


def test_the_base_url_replaces_that_of_loops(client: Client) -> None:
    """The server's `url` takes the place of Loops' base URL, with paths under /v1."""
    response = urllib3.request("GET", f"{client.server.url}/v1/api-key", headers={"Authorization": "Bearer a-key"})
    assert response.status == 200
