"""`segment-loops sign`."""

from __future__ import annotations

from pathlib import Path

import pytest

from loops_destination.signature import Coverage, verify
from tests.integration.command_line.conftest import CommandLine

BODY = b'{"type": "identify",  "userId": "u-1"}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "event.json"
    path.write_bytes(BODY)
    return path


def test_the_header_signs_every_byte(cli: CommandLine, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed header is accepted for exactly the bytes of the file under the shared secret in the environment."""
    monkeypatch.setenv("SEGMENT_SHARED_SECRET", "a-shared-secret")
    run = cli("sign", file)
    name, _, signature = run.out.strip().partition(": ")
    assert (run.status, run.err, name) == (0, "", "X-Signature")
    assert verify(BODY, signature, ["a-shared-secret"]) is Coverage.BODY
    assert "a-shared-secret" not in run.out


def test_the_shared_secret_of_a_stack_signs(cli: CommandLine, file: Path, stack: str) -> None:
    """With --stack, the shared secret comes from the stack's secret."""
    signature = cli("sign", file, "--stack", stack).out.strip().removeprefix("X-Signature: ")
    assert verify(BODY, signature, ["s"]) is Coverage.BODY


def test_without_a_shared_secret_the_variable_is_named(
    cli: CommandLine, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a shared secret, and without a terminal to ask at, the error names SEGMENT_SHARED_SECRET."""
    monkeypatch.delenv("SEGMENT_SHARED_SECRET", raising=False)
    run = cli("sign", file)
    assert run.status == 1
    assert "SEGMENT_SHARED_SECRET" in run.err
