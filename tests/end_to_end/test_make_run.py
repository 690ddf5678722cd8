"""`python -m local run`, which `make run` calls, as a program of its own."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import urllib3

from local.sandbox import Sandbox, SandboxServer
from local.stack import SHARED_SECRET
from loops_destination.signature import sign

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parent.parent.parent
KEY = "the-key-of-a-real-team"


def _command(tmp_path: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "local", "run", "--log", str(tmp_path / "functions.log"), *arguments]


def _environment(**variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in {"LOOPS_API_KEY", "PYTHONPATH"}}
    return inherited | variables


def _run(
    tmp_path: Path, *arguments: str, stdin: int = subprocess.DEVNULL, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own program
        _command(tmp_path, *arguments),
        cwd=PROJECT,
        env=_environment(**variables),
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def _typing(text: str) -> Iterator[int]:
    """Yield a terminal for a program's standard input, at which somebody has typed the text."""
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, text.encode())
        yield terminal
    finally:
        os.close(terminal)
        os.close(keyboard)


@contextlib.contextmanager
def _serving(
    tmp_path: Path, *arguments: str, stdin: int = subprocess.DEVNULL, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program once it serves, with what it has printed until then."""
    ports = ("--port", "0", "--loops-port", "0", "--aws-port", "0")
    with subprocess.Popen(  # noqa: S603  # our own program
        _command(tmp_path, *ports, *arguments),
        cwd=PROJECT,
        env=_environment(**variables),
        stdin=stdin,
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


@pytest.fixture
def real() -> Iterator[SandboxServer]:
    """Stand in for the real Loops, with the team "Sandbox"."""
    with SandboxServer(Sandbox(KEY, limit=None)) as server:
        yield server


def _asked(real: SandboxServer) -> list[str]:
    return [f"{exchange.method} {exchange.path}" for exchange in real.sandbox.journal.all()]


ASKED_WHOSE_KEY = ["GET /api/v1/api-key"]


def test_an_api_key_alone_changes_nothing(tmp_path: Path, real: SandboxServer) -> None:
    """With LOOPS_API_KEY set, events still go to the sandbox; one line says so, and the API key is shown nowhere."""
    ended = _run(tmp_path, "--once", "--loops-url", real.url, LOOPS_API_KEY=KEY)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, *rest = ended.stdout.splitlines()
    assert first == "LOOPS_API_KEY is not used: events go to the sandbox. For the real Loops: make run REAL=1"
    assert "LOOPS_API_KEY" not in "".join(rest)
    assert "6 of 6 samples came out as expected." in ended.stdout
    assert _asked(real) == []
    assert KEY not in ended.stdout + (tmp_path / "functions.log").read_text()


@pytest.mark.parametrize("answer", ["\n", "Sandbox\n", "\x04"], ids=["Enter", "the name", "Ctrl-D"])
def test_the_real_loops_needs_a_yes(tmp_path: Path, real: SandboxServer, answer: str) -> None:
    """With --real a person is asked, by the name of the team; with any answer but yes nothing is started."""
    with _typing(answer) as terminal:
        ended = _run(tmp_path, "--real", "--loops-url", real.url, stdin=terminal, LOOPS_API_KEY=KEY)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert 'Deliver events to the real Loops, team "Sandbox"? Contacts may get email. [y/N]' in ended.stderr
    assert "nothing was started" in ended.stderr
    assert _asked(real) == ASKED_WHOSE_KEY


def test_the_real_loops_needs_a_person(tmp_path: Path, real: SandboxServer) -> None:
    """Where there is no terminal to ask at, nothing is started."""
    ended = _run(tmp_path, "--real", "--loops-url", real.url, LOOPS_API_KEY=KEY)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "nothing was started" in ended.stderr
    assert _asked(real) == ASKED_WHOSE_KEY


def test_the_samples_never_go_to_the_real_loops(tmp_path: Path, real: SandboxServer) -> None:
    """After a yes, the real Loops gets the events that are posted and none of the samples."""
    with (
        _typing("y\n") as terminal,
        _serving(tmp_path, "--real", "--loops-url", real.url, stdin=terminal, LOOPS_API_KEY=KEY) as (process, printed),
    ):
        assert printed.startswith('Events go to the real Loops, to the team "Sandbox". The samples are not sent.\n')
        assert "curl" not in printed
        assert _asked(real) == ASKED_WHOSE_KEY
        (url,) = re.findall(r"^Webhook +(\S+)", printed, re.MULTILINE)
        event = {"type": "identify", "messageId": "m-1", "userId": "grace", "traits": {"email": "grace@example.com"}}
        body = json.dumps(event).encode()
        headers = {"Content-Type": "application/json", "X-Signature": sign(body, SHARED_SECRET)}
        assert urllib3.request("POST", url, body=body, headers=headers, retries=False).status == 200
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert [contact.email for contact in real.sandbox.contacts.all()] == ["grace@example.com"]
    assert process.returncode == 0
    assert KEY not in printed + rest + errors + (tmp_path / "functions.log").read_text()


@pytest.mark.parametrize(("variable", "option"), [("REAL=1", True), ("REAL=", False), ("REAL=0", False)])
def test_make_run_is_real_only_with_real_1(variable: str, option: bool) -> None:
    """`make run` passes --real on with REAL=1 and with nothing else."""
    command = ["make", "--dry-run", "--assume-old", ".venv/.made", "run", variable]
    made = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S603  # our own Makefile
    assert ("--real" in made.stdout) is option


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
