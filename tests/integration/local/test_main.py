"""`python -m local run` where it cannot run: what is told, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.__main__ import main
from local.http_server import HttpServer

if TYPE_CHECKING:
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


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the usage is shown, and the status is that of a wrong call."""
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "run" in capsys.readouterr().err
