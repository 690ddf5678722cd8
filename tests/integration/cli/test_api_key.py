"""`segment-loops test-key`."""

from __future__ import annotations

import json

import boto3
import pytest

from local.sandbox import SandboxServer
from tests.integration.cli.conftest import Cli

WRONG = "wrong-key-4711"


def test_a_right_key_tells_its_team(cli: Cli, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key in LOOPS_API_KEY is asked about, and the team's name is shown."""
    monkeypatch.setenv("LOOPS_API_KEY", f" {sandbox.sandbox.api_key}\n")
    run = cli("test-key", "--loops-url", sandbox.url)
    assert (run.status, run.err) == (0, "")
    assert "team Sandbox" in run.out
    assert sandbox.sandbox.api_key not in run.out


def test_a_wrong_key_is_told(cli: Cli, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that Loops refuses ends with status 1, and is never printed."""
    monkeypatch.setenv("LOOPS_API_KEY", WRONG)
    run = cli("test-key", "--loops-url", sandbox.url)
    assert run.status == 1
    assert "The key is wrong: Loops answered 401" in run.err
    machine = cli("test-key", "--loops-url", sandbox.url, "--json")
    assert (machine.status, machine.json["ok"], machine.json["status"]) == (1, False, 401)
    assert WRONG not in run.out + run.err + machine.out + machine.err


def test_the_key_of_a_stack_is_tested(cli: Cli, stack: str) -> None:
    """A stack's key is read from its secret, and the Loops of the stack is asked."""
    run = cli("test-key", "--stack", stack, "--json")
    assert run.json == {"ok": True, "team": "Sandbox", "status": 200, "message": None}


def test_a_stack_without_a_key_yet_is_told(cli: Cli, stack: str) -> None:
    """A placeholder in the secret is told as such, and Loops is not asked."""
    placeholder = json.dumps({"apiKey": "replace-me"})
    boto3.client("secretsmanager").put_secret_value(SecretId="secret", SecretString=placeholder)
    run = cli("test-key", "--stack", stack)
    assert run.status == 1
    assert "store the Loops API key in it" in run.err


def test_no_key_at_all_is_told(cli: Cli) -> None:
    """Without a key, and with nobody to ask, the person is told where to put it."""
    run = cli("test-key")
    assert run.status == 1
    assert "LOOPS_API_KEY" in run.err


def test_what_is_no_key_is_not_sent(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that no header can carry is refused."""
    monkeypatch.setenv("LOOPS_API_KEY", "schlüssel")
    run = cli("test-key")
    assert run.status == 1
    assert "schlüssel" not in run.err


def test_a_loops_that_does_not_answer_is_told(
    cli: Cli, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nothing answers, that is said, and not that the key is wrong."""
    monkeypatch.setenv("LOOPS_API_KEY", WRONG)
    sandbox.stop()
    run = cli("test-key", "--loops-url", sandbox.url)
    assert run.status == 1
    assert "does not answer" in run.err
