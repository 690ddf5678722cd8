"""`python -m local run` where it cannot run: what is told, and where."""

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


@pytest.mark.parametrize("option", ["--port", "--loops-port", "--aws-port"])
def test_a_port_in_use_is_told_in_a_line(options: list[str], option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that another program has is named in one line, with the option that chooses another; the status is 1."""
    with HttpServer(lambda _, __: []) as other:
        assert main([*options, option, str(other.port)]) == 1
    message = f"Port {other.port} of 127.0.0.1 is in use by another program. Choose another one with {option}.\n"
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"subscriptions":[{"name":"X","action":"sendEvents"}]}', "mappings.json must be mended:\n"),
        (None, "No such file"),
    ],
)
def test_mappings_that_cannot_be_used_are_told(
    options: list[str], tmp_path: Path, text: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Faulty or missing mappings are told before anything starts; the status is 1."""
    mappings = tmp_path / "mappings.json"
    if text is not None:
        mappings.write_text(text)
    assert main([*options, "--mappings", str(mappings)]) == 1
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert message in errors


@pytest.fixture
def real(tmp_path: Path) -> Iterator[list[str]]:
    """Yield the options for a run against a Loops whose API key is `a-key`."""
    with SandboxServer(Sandbox("a-key")) as server:
        yield ["run", "--real", "--log", str(tmp_path / "functions.log"), "--loops-url", server.url]


@pytest.mark.parametrize(
    ("key", "arguments", "expected"),
    [
        ("", [], (2, "There is no API key for the real Loops. Put it into LOOPS_API_KEY.")),
        ("a-key", ["--once"], (2, "--once only sends the samples, and they never go to the real Loops.")),
        ("wrong-key", [], (1, "The key is wrong: Loops answered 401")),
        ("a-key", ["--loops-url", "http://loops.example/api"], (2, "use https")),
    ],
    ids=["no API key", "nothing but samples", "a wrong API key", "not private"],
)
@pytest.mark.usefixtures("environment")
def test_a_real_run_that_cannot_work_starts_nothing(
    real: list[str], arguments: list[str], expected: tuple[int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """When --real cannot be meant or cannot work, a line says why, and nothing starts."""
    status = main([*real, *arguments])
    printed, errors = capsys.readouterr()
    assert (status, printed) == (expected[0], "")
    assert expected[1] in errors


@pytest.fixture
def environment(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPS_API_KEY", key)


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the usage is shown, and the status is that of a wrong call."""
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "run" in capsys.readouterr().err
