"""`python -m local run`, which `make run` calls, as a program."""

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
    """Yield a terminal for a program's standard input, on which the text has been typed."""
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
    """Yield the program once it serves, and what it has printed so far."""
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
            if line.startswith("Open the studio"):
                break
        try:
            yield process, printed
        finally:
            process.kill()


def test_once_shows_the_samples_and_succeeds(tmp_path: Path) -> None:
    """With --once every sample is shown with its result, the logs go to the file, and the status is 0."""
    ended = _run(tmp_path, "--once")
    assert (ended.returncode, ended.stderr) == (0, "")
    for row in (
        r"identify +POST /contacts +200 +createOrUpdateContact delivered",
        r"repeated +POST /contacts +200 +createOrUpdateContact unchanged",
        r"older +POST /contacts +200 +createOrUpdateContact superseded",
        r"delete +POST /segment +202 +deleteContact queued *\n +deletion-begun",
        r"delete +\(RetryQueue\) +deleteContact delivered",
    ):
        assert re.search(f"^{row}", ended.stdout, re.MULTILINE), row
    assert "8 of 8 samples have the expected result." in ended.stdout
    assert max(map(len, ended.stdout.partition("Logs")[0].splitlines())) <= 80
    assert '"message":"delivery"' in (tmp_path / "functions.log").read_text()
    assert '"message":"delivery"' not in ended.stdout


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A run with --verbose, under mappings with which samples have other results."""
    folder = tmp_path_factory.mktemp("failed")
    mappings = folder / "mappings.json"
    mappings.write_text('{"subscriptions":[{"name":"Events","action":"sendEvent"}]}')
    return _run(folder, "--once", "--verbose", "--mappings", str(mappings))


def test_once_fails_when_a_sample_does(failed: subprocess.CompletedProcess[str]) -> None:
    """A sample with an unexpected result is marked, and the status is 1."""
    assert failed.returncode == 1
    assert re.search(
        r"^identify .*filtered *\n +UNEXPECTED, should be: 200, createOrUpdate", failed.stdout, re.MULTILINE
    )
    assert "1 of 8 samples have the expected result." in failed.stdout


def test_verbose_shows_the_logs(failed: subprocess.CompletedProcess[str]) -> None:
    """With --verbose the functions' logs are on standard error, and the table stays readable."""
    assert '"message":"delivery"' in failed.stderr
    assert '"message":"delivery"' not in failed.stdout
    assert re.search("^Logs +standard error$", failed.stdout, re.MULTILINE)


@pytest.fixture
def real() -> Iterator[SandboxServer]:
    """A Loops with the team "Sandbox", in place of the real one."""
    with SandboxServer(Sandbox(KEY, limit=None)) as server:
        yield server


def _asked(real: SandboxServer) -> list[str]:
    return [f"{entry.method} {entry.path}" for entry in real.sandbox.journal.all()]


ASKED_WHOSE_KEY = ["GET /api/v1/api-key"]


def test_an_api_key_alone_changes_nothing(tmp_path: Path, real: SandboxServer) -> None:
    """With LOOPS_API_KEY alone, events are delivered to the sandbox, one line says so, and the API key is not shown."""
    ended = _run(tmp_path, "--once", "--loops-url", real.url, LOOPS_API_KEY=KEY)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, *rest = ended.stdout.splitlines()
    assert (
        first == "LOOPS_API_KEY is not used: events are delivered to the sandbox. For the real Loops: make run REAL=1"
    )
    assert "LOOPS_API_KEY" not in "".join(rest)
    assert "8 of 8 samples have the expected result." in ended.stdout
    assert _asked(real) == []
    assert KEY not in ended.stdout + (tmp_path / "functions.log").read_text()


@pytest.mark.parametrize("answer", ["\n", "Sandbox\n", "\x04"], ids=["Enter", "the name", "Ctrl-D"])
def test_the_real_loops_needs_a_yes(tmp_path: Path, real: SandboxServer, answer: str) -> None:
    """With --real a person is asked, with the name of the team; any answer but yes starts nothing."""
    with _typing(answer) as terminal:
        ended = _run(tmp_path, "--real", "--loops-url", real.url, stdin=terminal, LOOPS_API_KEY=KEY)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert 'Deliver events to the real Loops, team "Sandbox"? Contacts may get email. [y/N]' in ended.stderr
    assert "nothing was started" in ended.stderr
    assert _asked(real) == ASKED_WHOSE_KEY


def test_the_real_loops_needs_a_person(tmp_path: Path, real: SandboxServer) -> None:
    """With --real, but without a terminal to ask at, nothing is started."""
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
        assert printed.startswith('Events are delivered to the real Loops, team "Sandbox". The samples are not sent.\n')
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
    """`make run` passes --real only with REAL=1."""
    command = ["make", "--dry-run", "--assume-old", ".venv/.made", "run", variable]
    made = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S603  # our own Makefile
    assert ("--real" in made.stdout) is option


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(tmp_path: Path, ending: signal.Signals) -> None:
    """The printed curl command is answered 200 and shown in the table, and an interrupt ends the program with status 0."""
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
    assert re.search(
        r"POST /contacts  200     createOrUpdateContact delivered *\n +→ PUT /contacts/update grace@example.com", rest
    )


def test_the_last_line_says_which_page_to_open(tmp_path: Path) -> None:
    """Once everything is served, the last line has the studio's URL, which answers."""
    with _serving(tmp_path) as (_, printed):
        last = printed.splitlines()[-1]
        assert last.startswith("Open the studio: http://127.0.0.1:")
        assert urllib3.request("GET", last.removeprefix("Open the studio: "), retries=False).status == 200


def test_make_run_passes_the_port_on() -> None:
    """`make run PORT=8800` chooses the port of the webhook and the studio, as the error about a used port says."""
    command = ["make", "--dry-run", "--assume-old", ".venv/.made", "run", "PORT=8800"]
    made = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S603  # our own Makefile
    assert "--port 8800" in made.stdout
