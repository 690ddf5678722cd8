"""The two sides of the benchmark and their server: separate processes that read their tasks as lines of JSON."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import urllib3

from bench.cases import API_KEY, cases

ROOT = Path(__file__).parents[1]
PEER = ROOT / "bench" / "peer"


class Side:
    """The process of one side, started for this measurement, as cold as a Lambda environment.

    It is stopped between tasks, so that its compiler and garbage collector do not slow down the other side.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # the command is this package's own
            command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def outcome(self, task: str, case: int) -> Any:
        """Return the result of one run of the task."""
        return self._ask(task, case)["outcome"]

    def seconds(self, task: str, case: int, untimed: int, timed: int) -> float:
        """Return the mean seconds of one run, over `timed` runs after `untimed` ones."""
        seconds: float = self._ask(task, case, untimed, timed)["seconds"]
        return seconds / timed

    def close(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._process.communicate(timeout=10)

    def _ask(self, task: str, case: int, untimed: int = 0, timed: int = 0) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        self._process.send_signal(signal.SIGCONT)
        print(json.dumps({"task": task, "case": case, "untimed": untimed, "timed": timed}), file=stdin, flush=True)
        answer: dict[str, Any] = json.loads(stdout.readline() or "{}")
        self._process.send_signal(signal.SIGSTOP)
        return answer


class Stage:
    """The loopback server, and how to start a side that talks to it."""

    def __init__(self, port: int, cases_file: Path) -> None:
        self.port = port
        self._cases_file = cases_file

    def ours(self) -> Side:
        return Side([sys.executable, "-m", "bench.ours", str(self.port)])

    def theirs(self) -> Side | None:
        """Start Segment's side; None if Node or the packages are missing."""
        node = shutil.which("node")
        if node is None or not (PEER / "node_modules").is_dir():
            return None
        return Side([node, str(PEER / "peer.js"), str(self._cases_file), str(self.port)])

    def last_request(self) -> dict[str, Any]:
        """Return the method, path, headers and body of the last request to the server."""
        got = urllib3.request("GET", f"http://127.0.0.1:{self.port}/last").json()
        first, *lines = got["head"].split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return {"method": method, "path": path, "headers": headers, "body": json.loads(got["body"])}


@contextmanager
def stage() -> Iterator[Stage]:
    """Run the server, and write the file of cases that Segment's side reads."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "cases.json"
        definitions = [
            {"event": case.event, "action": case.action, "trigger": case.trigger, "mapping": case.mapping}
            for case in cases()
        ]
        file.write_text(json.dumps({"apiKey": API_KEY, "cases": definitions}), "utf-8")
        command = [sys.executable, "-m", "bench.server"]
        with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as server:  # noqa: S603  # this package's own
            assert server.stdout is not None
            try:
                yield Stage(int(server.stdout.readline()), file)
            finally:
                server.terminate()


def environment() -> dict[str, str]:
    """Return the environment variables of every process; imports come from this checkout."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers" / "destination")])}
