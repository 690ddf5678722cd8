"""`segment-loops test-api-key` and `setup-secret`."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest

from local.sandbox import SandboxServer
from tests.integration.command_line.conftest import CommandLine

WRONG = "wrong-key-4711"


def test_a_valid_api_key_shows_its_team(
    cli: CommandLine, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API key in LOOPS_API_KEY is tested, and the team's name is printed, but not the API key."""
    monkeypatch.setenv("LOOPS_API_KEY", f" {sandbox.sandbox.api_key}\n")
    run = cli("test-api-key", "--loops-url", sandbox.url)
    assert (run.status, run.err) == (0, "")
    assert "team Sandbox" in run.out
    assert sandbox.sandbox.api_key not in run.out


def test_an_invalid_api_key_fails(cli: CommandLine, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API key that Loops refuses ends with status 1, and is never printed."""
    monkeypatch.setenv("LOOPS_API_KEY", WRONG)
    run = cli("test-api-key", "--loops-url", sandbox.url)
    assert run.status == 1
    assert "The API key is not valid: Loops answered 401" in run.err
    machine = cli("test-api-key", "--loops-url", sandbox.url, "--json")
    assert (machine.status, machine.json["ok"], machine.json["status"]) == (1, False, 401)
    assert WRONG not in run.out + run.err + machine.out + machine.err


def test_the_api_key_of_a_stack_is_tested(cli: CommandLine, stack: str) -> None:
    """With --stack, the API key comes from the stack's secret, and Loops' URL from its parameters."""
    run = cli("test-api-key", "--stack", stack, "--json")
    assert run.json == {"ok": True, "team": "Sandbox", "status": 200, "message": None}


def test_a_placeholder_in_the_secret_is_an_error(cli: CommandLine, stack: str) -> None:
    """While the secret still holds the placeholder, the error says so, and Loops is not asked."""
    placeholder = json.dumps({"apiKey": "replace-me"})
    boto3.client("secretsmanager").put_secret_value(SecretId="secret", SecretString=placeholder)
    run = cli("test-api-key", "--stack", stack)
    assert run.status == 1
    assert "the secret has no apiKey yet" in run.err


def test_without_a_region_the_variable_that_sets_it_is_named(
    cli: CommandLine, stack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a region, the error names an option and a variable, and with either the stack is found."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    run = cli("test-api-key", "--stack", stack)
    assert (run.status, "Pass --region, or set AWS_DEFAULT_REGION." in run.err) == (2, True)
    assert cli("test-api-key", "--stack", stack, "--region", "us-east-1").status == 0
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert cli("test-api-key", "--stack", stack).status == 0


def test_without_an_api_key_the_variable_is_named(cli: CommandLine) -> None:
    """Without an API key, and without a terminal to ask at, the error names LOOPS_API_KEY."""
    run = cli("test-api-key")
    assert run.status == 1
    assert "LOOPS_API_KEY" in run.err


def test_an_api_key_that_no_header_can_carry_is_not_sent(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API key with characters that no header can carry is an error, and is not printed."""
    monkeypatch.setenv("LOOPS_API_KEY", "schlüssel")
    run = cli("test-api-key")
    assert run.status == 1
    assert "schlüssel" not in run.err


def test_a_loops_that_does_not_answer_is_an_error(
    cli: CommandLine, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If Loops does not answer, the error says that, and not that the API key is invalid."""
    monkeypatch.setenv("LOOPS_API_KEY", WRONG)
    sandbox.stop()
    run = cli("test-api-key", "--loops-url", sandbox.url)
    assert run.status == 1
    assert "does not answer" in run.err
