"""The command line as a program, on a terminal and without one."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from local.sandbox import SandboxServer
from loops_destination.outcomes import Reason
from segment_loops import PROJECT
from tests.integration.command_line.conftest import CommandLine, QueuePair, dead_letter

PROGRAM = (sys.executable, "-m", "segment_loops")


COLUMNS = 80


class Terminal:
    """A terminal of 80 columns, on which a program runs and a person types."""

    def __init__(self) -> None:
        self._hand, self._screen = pty.openpty()
        termios.tcsetwinsize(self._screen, (24, COLUMNS))

    def run(self, *arguments: str, asked: str = "?", types: str = "", **environ: str) -> tuple[int, str]:
        """Type an answer once the question is shown; return the exit status, and everything shown."""
        with subprocess.Popen(  # noqa: S603  # our own program
            [*PROGRAM, *arguments],
            cwd=PROJECT,
            env=os.environ | environ,
            stdin=self._screen,
            stdout=self._screen,
            stderr=self._screen,
            start_new_session=True,  # or the password prompt would appear on the terminal of the tests
        ) as program:
            os.close(self._screen)
            shown = ""
            for text in self._read():
                if asked in shown + text and asked not in shown:
                    os.write(self._hand, types.encode())
                shown += text
        return program.returncode, shown

    def close(self) -> None:
        os.close(self._hand)

    def _read(self) -> Iterator[str]:
        try:
            while chunk := os.read(self._hand, 4096):
                yield chunk.decode()
        except OSError:  # on Linux, the end of a terminal is an error
            return


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def at(queues: QueuePair) -> tuple[str, ...]:
    return ("--dead-letter-queue-url", queues.dead_letter_queue_url, "--retry-queue-url", queues.retry_queue_url)


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1)])
def test_a_person_is_asked_before_a_trigger_is_rewritten(
    terminal: Terminal, tmp_path: Path, answer: str, status: int
) -> None:
    """`import` shows a mixed trigger and what Segment makes of it; only "y" writes the file."""
    export, output = tmp_path / "export.json", tmp_path / "out.json"
    export.write_text(json.dumps([{"action": "sendEvent", "trigger": 'type = "track" and name = "a" or name = "b"'}]))
    returned, shown = terminal.run("import", str(export), "--output", str(output), asked="[y/N]", types=answer)
    assert returned == status
    assert 'type = "track" or name = "a" or name = "b"' in shown
    assert output.exists() is (status == 0)


def test_a_person_is_asked_before_an_event_is_repeated(terminal: Terminal, queues: QueuePair) -> None:
    """On a terminal a person is asked whether an event may be repeated; "y" repeats it, and the result is in colour."""
    queues.bury(dead_letter(1, Reason.IDEMPOTENCY_KEY_EXPIRED, received_at=time.time()))
    status, shown = terminal.run("dead-letters", "redrive", *at(queues), asked="[y/N]", types="y\n", NO_COLOR="")
    assert status == 0
    assert "Repeat them? [y/N]" in " ".join(shown.split())
    assert "\033[32m1 of 1 delivery put back on the RetryQueue." in shown
    assert len(queues.waiting()) == 1


def test_no_is_the_default(terminal: Terminal, queues: QueuePair) -> None:
    """Enter deletes nothing; with NO_COLOR the terminal gets no colours."""
    queues.bury(dead_letter(1, received_at=time.time()))
    status, shown = terminal.run("dead-letters", "drop", *at(queues), asked="[y/N]", types="\n", NO_COLOR="1")
    assert status == 1
    assert "Delete 1 of 1 dead letter? This cannot be undone. [y/N]" in shown
    assert "\033[3" not in shown
    assert len(queues.dead_letters()) == 1


def test_the_api_key_is_typed_unseen(terminal: Terminal, sandbox: SandboxServer) -> None:
    """Without an API key in the environment a person is asked for it, and it is not shown."""
    key = sandbox.sandbox.api_key
    status, shown = terminal.run(
        "test-api-key", "--loops-url", sandbox.url, asked="Loops API key:", types=f"{key}\n", LOOPS_API_KEY=""
    )
    assert status == 0
    assert "team Sandbox" in shown
    assert key not in shown


def test_it_runs_as_a_program() -> None:
    """The program prints to standard output, and exits with the command's status."""
    done = subprocess.run([*PROGRAM, "check"], cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("layers/mappings/mappings.json is valid")


def test_a_closed_pipe_is_not_an_error() -> None:
    """A pipe that is closed early, as by `head`, causes no traceback."""
    with subprocess.Popen(  # noqa: S603  # our own program
        [*PROGRAM, "preview", "events/batch.json"], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert program.stderr.read() == b""


def test_output_fits_a_terminal_and_is_whole_in_a_pipe(terminal: Terminal) -> None:
    """A table fits 80 columns on a terminal; piped, a subscription is one line, however long."""
    status, shown = terminal.run("check", NO_COLOR="1", TERM="xterm")
    assert status == 0
    assert max(map(len, re.sub(r"\033\[[0-9;]*m", "", shown).splitlines())) <= COLUMNS
    piped = subprocess.run([*PROGRAM, "check"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert len(piped.splitlines()) == 5
    assert max(map(len, piped.splitlines())) > COLUMNS


@pytest.mark.parametrize(
    "command", [(), ("check",), ("preview",), ("import",), ("dead-letters",), ("dead-letters", "redrive"), ("ledger",)]
)
def test_help_fits_a_terminal(cli: CommandLine, command: tuple[str, ...]) -> None:
    """--help prints the usage in at most 80 columns, with no command's line cut off, and status 0."""
    run = cli(*command, "--help")
    assert (run.status, run.err) == (0, "")
    usage, *lines = run.out.splitlines()
    assert usage.startswith("Usage: segment-loops")
    assert max(map(len, (usage, *lines))) <= COLUMNS
    assert [line for line in lines if line.endswith("...")] == []


def test_the_version_is_printed(cli: CommandLine) -> None:
    """--version prints the program's name and version."""
    run = cli("--version")
    assert (run.status, run.out) == (0, f"segment-loops, version {version('loops-destination')}\n")


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [(("chek",), "Did you mean 'check'?"), (("check", "--jsn"), "Did you mean '--json'?")],
)
def test_a_mistyped_word_is_corrected(cli: CommandLine, arguments: tuple[str, ...], advice: str) -> None:
    """A mistyped command or option is misuse, answered with the closest one."""
    run = cli(*arguments)
    assert run.status == 2
    assert advice in run.err
