"""The command line as a program of its own, on a terminal and off it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from local.__main__ import PORTS
from local.sandbox import SandboxServer
from loops_destination.outcomes import Reason
from segment_loops import PROJECT
from segment_loops.commands.dead_letters import LOCAL_AWS_PORT
from segment_loops.loops_access import LOCAL_LOOPS
from tests.integration.command_line.conftest import Cli, Queues, letter

PROGRAM = (sys.executable, "-m", "segment_loops.commands.main")


class Terminal:
    """A terminal on which a program runs, and somebody types."""

    def __init__(self) -> None:
        self._hand, self._screen = pty.openpty()

    def run(self, *arguments: str, asked: str, types: str, **environ: str) -> tuple[int, str]:
        """The exit status, and what stood on the screen; the answer is typed when the question stands there."""
        with subprocess.Popen(  # noqa: S603  # our own program
            [*PROGRAM, *arguments],
            cwd=PROJECT,
            env=os.environ | environ,
            stdin=self._screen,
            stdout=self._screen,
            stderr=self._screen,
            start_new_session=True,  # or a password would be asked for on the terminal of the tests
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
        except OSError:  # how the end of a terminal reads on Linux
            return


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def at(queues: Queues) -> tuple[str, ...]:
    return ("--dead-letter-queue-url", queues.dead_letter_queue_url, "--retry-queue-url", queues.retry_queue_url)


def test_a_person_is_asked_before_an_event_is_repeated(terminal: Terminal, queues: Queues) -> None:
    """On a terminal the question stands in colour with its reason, and a `y` repeats the event."""
    queues.bury(letter(1, Reason.IDEMPOTENCY_KEY_EXPIRED, received_at=time.time()))
    status, shown = terminal.run("dead-letters", "redrive", *at(queues), asked="[y/N]", types="y\n", NO_COLOR="")
    assert status == 0
    assert "people may be mailed twice. Repeat them? [y/N]" in shown
    assert "\033[32m1 of 1 delivery went back to the RetryQueue." in shown
    assert len(queues.waiting()) == 1


def test_no_is_the_default(terminal: Terminal, queues: Queues) -> None:
    """Whoever just presses Enter deletes nothing; with NO_COLOR the terminal gets no colours."""
    queues.bury(letter(1, received_at=time.time()))
    status, shown = terminal.run("dead-letters", "drop", *at(queues), asked="[y/N]", types="\n", NO_COLOR="1")
    assert status == 1
    assert "Delete 1 letter of 1 for good? [y/N]" in shown
    assert "\033[3" not in shown
    assert len(queues.dead_letters()) == 1


def test_a_key_is_typed_unseen(terminal: Terminal, sandbox: SandboxServer) -> None:
    """Without a key in the environment it is asked for, and does not show on the screen."""
    key = sandbox.sandbox.api_key
    status, shown = terminal.run(
        "test-key", "--loops-url", sandbox.url, asked="API key of Loops:", types=f"{key}\n", LOOPS_API_KEY=""
    )
    assert status == 0
    assert "team Sandbox" in shown
    assert key not in shown


def test_it_runs_as_a_program() -> None:
    """Output goes to standard output, and the exit status is that of the command."""
    done = subprocess.run([*PROGRAM, "check"], cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("layers/mappings/mappings.json is right")


def test_a_reader_that_leaves_is_no_error() -> None:
    """A pipe that is closed early, as by `head`, leaves no traceback."""
    with subprocess.Popen(  # noqa: S603  # our own program
        [*PROGRAM, "preview", "events/batch.json"], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert program.stderr.read() == b""


def test_the_local_stack_is_where_it_is_looked_for() -> None:
    """The defaults are the ports that `make run` takes."""
    assert PORTS["aws_port"] == LOCAL_AWS_PORT
    assert f"http://127.0.0.1:{PORTS['loops_port']}/api" == LOCAL_LOOPS


@pytest.mark.parametrize("command", [(), ("dead-letters",), ("dead-letters", "redrive")])
def test_help_tells_the_commands(cli: Cli, command: tuple[str, ...]) -> None:
    """--help is status 0, and without a command the help is asked for."""
    run = cli(*command, "--help")
    assert (run.status, run.err) == (0, "")
    assert run.out.startswith("usage: segment-loops")
