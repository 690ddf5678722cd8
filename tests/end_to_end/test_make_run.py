"""`python -m local run`, which `make run` calls, as a program of its own."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.sandbox import Sandbox, SandboxServer

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parent.parent.parent
KEY = "the-key-of-a-real-team"


def _command(tmp_path: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "local", "run", "--log", str(tmp_path / "functions.log"), *arguments]


def _environment(**variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in {"LOOPS_API_KEY", "PYTHONPATH"}}
    return inherited | variables


def _run(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own program
        _command(tmp_path, *arguments),
        cwd=PROJECT,
        env=_environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def _serving(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program once it serves, with what it has printed until then."""
    ports = ("--port", "0", "--loops-port", "0", "--aws-port", "0")
    with subprocess.Popen(  # noqa: S603  # our own program
        _command(tmp_path, *ports),
        cwd=PROJECT,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("Ctrl-C"):
                break
        try:
            yield process, printed
        finally:
            process.kill()


def test_once_shows_the_samples_and_ends_well(tmp_path: Path) -> None:
    """With --once every sample is shown with its outcome, the logs go to the file, and the status is 0."""
    ended = _run(tmp_path, "--once")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^identify +POST /contacts +200 +createOrUpdateContact delivered", ended.stdout, re.MULTILINE)
    assert "6 of 6 samples came out as expected." in ended.stdout
    assert max(map(len, ended.stdout.partition("Webhook")[0].splitlines())) <= 120
    assert '"message":"delivery"' in (tmp_path / "functions.log").read_text()
    assert '"message":"delivery"' not in ended.stdout


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A run that shows its logs, under mappings that make something else of the samples."""
    folder = tmp_path_factory.mktemp("failed")
    mappings = folder / "mappings.json"
    mappings.write_text('{"subscriptions":[{"name":"Events","action":"sendEvent"}]}')
    return _run(folder, "--once", "--verbose", "--mappings", str(mappings))


def test_once_fails_when_a_sample_does(failed: subprocess.CompletedProcess[str]) -> None:
    """When the mappings make something else of a sample, it is marked, and the status is 1."""
    assert failed.returncode == 1
    assert re.search(r"^identify .*filtered.*UNEXPECTED$", failed.stdout, re.MULTILINE)
    assert re.search(r"^track .*ok$", failed.stdout, re.MULTILINE)


def test_verbose_shows_the_logs(failed: subprocess.CompletedProcess[str]) -> None:
    """With --verbose the functions' logs are on standard error, and the table stays readable."""
    assert '"message":"delivery"' in failed.stderr
    assert '"message":"delivery"' not in failed.stdout
    assert re.search("^Logs +standard error$", failed.stdout, re.MULTILINE)


def test_with_a_key_it_delivers_to_the_real_loops(tmp_path: Path) -> None:
    """With LOOPS_API_KEY set, events go to Loops with that key; this is said first, and the key is shown nowhere."""
    real = Sandbox(KEY, limit=None)
    with SandboxServer(real) as server:
        ended = _run(tmp_path, "--once", "--loops-url", server.url, LOOPS_API_KEY=KEY)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"LOOPS_API_KEY is set: events go to the real Loops at {server.url}.")
    assert "adam@loops.so" in [contact.email for contact in real.contacts.all()]
    assert KEY not in ended.stdout + (tmp_path / "functions.log").read_text()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(tmp_path: Path, ending: signal.Signals) -> None:
    """The printed curl line is answered with 200 and shown, and an interrupt ends the program cleanly."""
    with _serving(tmp_path) as (process, printed):
        (command,) = [line for line in printed.splitlines() if line.startswith("curl ")]
        answer = subprocess.run(  # noqa: S603  # the line as it was printed
            [*shlex.split(command), "--silent", "--write-out", "%{http_code}"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert answer.stdout.endswith("200")
        assert '"outcome":"delivered"' in answer.stdout
        process.send_signal(ending)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert "POST /contacts  200     createOrUpdateContact delivered  PUT /contacts/update grace@example.com" in rest
