"""The server: connections, ports and outages, and the program that runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import urllib3

from local.sandbox import PortInUse, Sandbox, SandboxServer
from local.sandbox.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.sandbox.conftest import Client


def test_a_connection_serves_many_requests(client: Client) -> None:
    """Every kind of answer leaves the connection open for the next request."""
    for path in ("/api/v1/lists", "/api/v1/nowhere", "/sandbox/requests", "/api/v1/lists"):
        client.call("POST", path, {"email": "ada@example.com"})
        client.call("GET", path, Authorization="")
    assert client.pool.num_connections == 1


def test_a_connection_closes_on_request(client: Client) -> None:
    """A client that asks for the connection to be closed gets it closed."""
    assert client.call("GET", "/api/v1/lists", Connection="close").headers["Connection"] == "close"
    assert client.call("GET", "/api/v1/lists").status == 200


def test_a_port_in_use_is_an_error(client: Client) -> None:
    """Listening on a port in use raises an error with the port."""
    port = client.server.port
    with pytest.raises(PortInUse, match=f"Port {port} ") as caught, SandboxServer(Sandbox(), port=port):
        pass
    assert caught.value.port == port


def test_an_invalid_address_is_the_systems_error(sandbox: Sandbox) -> None:
    """An address of another machine raises the operating system's error."""
    with pytest.raises(OSError, match="assign") as caught, SandboxServer(sandbox, host="192.0.2.1"):
        pass
    assert not isinstance(caught.value, PortInUse)


def test_an_outage_ends_connections_and_keeps_the_state(sandbox: Sandbox, serve: Callable[..., Client]) -> None:
    """A stopped server refuses connections; started again, it has the same port and state."""
    client = serve(sandbox)
    client.update(email="ada@example.com")
    client.server.stop()
    for _ in range(2):
        with pytest.raises(urllib3.exceptions.HTTPError):
            client.call("GET", "/api/v1/lists")
    client.server.start()
    assert [each["email"] for each in client.find(email="ada@example.com")] == ["ada@example.com"]


def test_it_listens_on_the_loopback_by_default(client: Client) -> None:
    """Without a host the server is reachable from this machine only."""
    assert client.server.url == f"http://127.0.0.1:{client.server.port}/api"


def test_it_listens_on_ipv6(sandbox: Sandbox) -> None:
    """An IPv6 address is served, and in brackets in the URL."""
    with SandboxServer(sandbox, host="::1") as server:
        assert server.url == f"http://[::1]:{server.port}/api"
        assert urllib3.request("GET", f"{server.root}/sandbox/requests", retries=False).status == 200


def test_the_program_prints_its_url() -> None:
    """The program prints its URL and a sample call that works, and an interrupt ends it."""
    command = [sys.executable, "-m", "local.sandbox", "--port", "0", "--api-key", "cli-key", "--limit", "0"]
    with subprocess.Popen(  # noqa: S603  # our own program
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout
        greeting, sample = program.stdout.readline(), program.stdout.readline()
        url = greeting.split()[2]
        headers = {"Authorization": "Bearer cli-key"}
        answer = urllib3.request("GET", f"{url}/v1/api-key", headers=headers, retries=False)
        program.send_signal(signal.SIGINT)
        assert (program.wait(10), program.stderr and program.stderr.read()) == (0, "")
    assert answer.status == 200
    assert "x-ratelimit-limit" not in answer.headers
    assert sample.startswith(f"curl -X PUT {url}/v1/contacts/update -H 'Authorization: Bearer cli-key'")


def test_the_program_ends_when_the_port_is_in_use(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """If the port is in use, the program exits with an error that names it."""
    assert main(["--port", str(client.server.port)]) == 1
    assert f"Port {client.server.port} " in capsys.readouterr().err
