"""`python -m local run` when it cannot start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.__main__ import main
from local.http_server import HttpServer
from local.sandbox import Sandbox, SandboxServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return ["run", "--once", "--log", str(tmp_path / "logs" / "functions.log")]


@pytest.mark.parametrize(
    ("option", "advice"),
    [
        ("--port", "make run PORT=8800 (or --port 8800)."),
        ("--loops-port", 'make run ARGS="--loops-port 8800" (or --loops-port 8800).'),
        ("--aws-port", 'make run ARGS="--aws-port 8800" (or --aws-port 8800).'),
    ],
)
def test_a_port_in_use_is_an_error_that_names_the_option(
    options: list[str], option: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error about a used port is one line that names the port, and the setting that chooses another one."""
    with HttpServer(lambda _, __: []) as other:
        assert main([*options, option, str(other.port)]) == 1
    message = f"Error: Port {other.port} of 127.0.0.1 is used by another program. Choose another one: {advice}\n"
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"subscriptions":[{"name":"X","action":"sendEvents"}]}', "mappings.json has 1 problem\n"),
        (None, "No such file"),
    ],
)
def test_invalid_mappings_start_nothing(
    options: list[str], tmp_path: Path, text: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Invalid or missing mappings are an error before anything starts; the status is 1."""
    mappings = tmp_path / "mappings.json"
    if text is not None:
        mappings.write_text(text)
    assert main([*options, "--mappings", str(mappings)]) == 1
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert message in errors


@pytest.fixture
def real(tmp_path: Path) -> Iterator[list[str]]:
    """The options of a run with a Loops whose API key is `a-key`."""
    with SandboxServer(Sandbox("a-key")) as server:
        yield ["run", "--real", "--log", str(tmp_path / "functions.log"), "--loops-url", server.url]


@pytest.mark.parametrize(
    ("key", "arguments", "expected"),
    [
        ("", [], (2, "There is no API key for the real Loops. Set LOOPS_API_KEY.")),
        ("a-key", ["--once"], (2, "--once only sends the samples, and they are never sent to the real Loops.")),
        ("wrong-key", [], (1, "The API key is not valid: Loops answered 401")),
        ("a-key", ["--loops-url", "http://loops.example/api"], (2, "Use https")),
    ],
    ids=["no API key", "nothing but samples", "a wrong API key", "not private"],
)
@pytest.mark.usefixtures("environment")
def test_a_real_run_that_cannot_work_starts_nothing(
    real: list[str], arguments: list[str], expected: tuple[int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """If --real cannot work, an error says why, and nothing starts."""
    status = main([*real, *arguments])
    printed, errors = capsys.readouterr()
    assert (status, printed) == (expected[0], "")
    assert expected[1] in errors


@pytest.fixture
def environment(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPS_API_KEY", key)


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the usage is printed, and the status is that of misuse."""
    assert main([]) == 2
    assert "run" in capsys.readouterr().err


def test_a_bearer_token_can_be_given(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With --bearer-token the stack starts, and its samples have the expected results."""
    assert main([*options, "--bearer-token", "a-token"]) == 0
    assert "8 of 8 samples have the expected result." in capsys.readouterr().out
