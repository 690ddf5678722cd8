"""`segment-loops studio`, started as a program."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from typing import IO

import pytest
import urllib3

from tests.integration.command_line.conftest import CommandLine
from tests.moto_stack import NAME, MotoStack


@pytest.fixture
def deployed(aws: str) -> MotoStack:  # noqa: ARG001  # its clients talk to it
    return MotoStack()


@pytest.mark.usefixtures("deployed")
def test_the_page_is_served_until_ctrl_c() -> None:
    """The command prints the page's address on this machine, serves the page and its API there, and ends with status 0."""
    command = [sys.executable, "-m", "segment_loops", "studio", "--stack", NAME, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:  # noqa: S603  # this project's own program
        try:
            url = _address(running.stdout)
            page = urllib3.request("GET", url, retries=False)
            facts = urllib3.request("GET", f"{url}studio/api/stack", retries=False)
        finally:
            running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert json.loads(facts.data)["name"] == NAME
    assert (running.returncode, errors) == (0, "")


def _address(output: IO[str] | None) -> str:
    assert output is not None
    found = re.fullmatch(rf"The studio of {NAME}: (http://127\.0\.0\.1:\d+/) \(Ctrl-C stops it\)\n", output.readline())
    assert found is not None
    return found[1]


@pytest.mark.usefixtures("deployed")
def test_a_port_in_use_is_reported(cli: CommandLine) -> None:
    """If another program has the port, the error says so and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        run = cli("studio", "--stack", NAME, "--port", port)
    assert run.status == 1
    assert f"Port {port} is in use. Pass another --port." in run.err


@pytest.mark.usefixtures("aws")
def test_a_stack_that_does_not_exist_is_reported(cli: CommandLine) -> None:
    """Nothing is served for a stack that cannot be found."""
    run = cli("studio", "--stack", "nowhere", "--port", "0")
    assert run.status == 1
    assert "nowhere" in run.err
