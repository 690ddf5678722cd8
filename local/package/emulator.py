"""A built function in Lambda's runtime emulator, which is part of the SAM CLI and of AWS's images."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from local.http_server import LOOPBACK
from local.running import Running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.sam_template import Function

START_SECONDS = 10.0
"""The longest time to wait until the emulator listens."""

_PATH = "/2015-03-31/functions/function/invocations"
_CODE = re.compile(r"^# code object from (?:'(.+)'|(.+))$", re.MULTILINE)
"""Python's output for each module under PYTHONVERBOSE: the pyc it was loaded from in quotes, or its source without."""


class FunctionFailed(Exception):
    """The handler raised an error, or the emulator exited; the message contains the log."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The programs that replace Lambda: the emulator, and a Python with the packages of Lambda's."""

    emulator: Path
    python: Path


class EmulatedFunction(Running):
    """One environment of a function, with its layers merged in `opt`. A context manager.

    The emulator supports one invocation at a time, and exits when it gets two. From this process's environment the
    function inherits only the AWS variables, so that nothing leads it to the working tree.
    """

    def __init__(
        self, function: Function, runtime: Runtime, opt: Path, log: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.function = function
        self.log = log
        self._runtime = runtime
        self._opt = opt
        self._environ = environ or {}
        self._http = urllib3.PoolManager(retries=False, timeout=function.timeout + 5)
        self._running = contextlib.ExitStack()

    def start(self) -> None:
        """Start the emulator; the function itself starts with its first invocation."""
        with contextlib.ExitStack() as starting:
            log = starting.enter_context(self.log.open("wb"))
            address, internal = (f"{LOOPBACK}:{port}" for port in _free_ports())
            addresses = ["--runtime-interface-emulator-address", address, "--runtime-api-address", internal]
            handler = [str(self._runtime.python.absolute()), "-m", "awslambdaric", self.function.handler]
            emulator = subprocess.Popen(  # noqa: S603  # our own command, with no shell
                [self._runtime.emulator.absolute(), "--log-level", "error", *addresses, *handler],
                cwd=self.function.code,
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            starting.callback(_end, emulator)
            _await(address, emulator)
            self._url = f"http://{address}{_PATH}"
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Stop the emulator and the function."""
        self._running.close()

    def invoke(self, event: Any) -> Any:
        """Return the handler's result for the event; raise `FunctionFailed` if it raises."""
        try:
            answer = json.loads(self._http.request("POST", self._url, body=json.dumps(event).encode()).data)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise FunctionFailed(f"{self.function.name}: {error}\n{self._logged()}") from None
        # The emulator answers 200 for an error too.
        if isinstance(answer, dict) and "errorType" in answer:
            raise FunctionFailed(f"{self.function.name}: {answer['errorType']}: {answer.get('errorMessage')}")
        return answer

    def module_files(self) -> list[Path]:
        """Return the files from which its modules were loaded; requires PYTHONVERBOSE in its environment."""
        return [Path(pyc or source) for pyc, source in _CODE.findall(self.log.read_text("utf-8", "replace"))]

    def _environment(self) -> dict[str, str]:
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        return {
            **aws,
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "NO_PROXY": LOOPBACK,
            # Lambda's order: the function, the layers, the runtime.
            "PYTHONPATH": os.pathsep.join([str(self.function.code), str(self._opt / "python")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(self.function.code),
            "AWS_LAMBDA_FUNCTION_NAME": self.function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.function.memory),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.function.timeout),
            "MAPPINGS_FILE": str(self._opt / "mappings.json"),  # on Lambda, it is in /opt
            **self.function.environment,
            **self._environ,
        }

    def _logged(self) -> str:
        return self.log.read_text("utf-8", "replace")[-2000:]


def _free_ports() -> Iterator[int]:
    """Yield two free ports."""
    with socket.create_server((LOOPBACK, 0)) as one, socket.create_server((LOOPBACK, 0)) as other:
        ports = [each.getsockname()[1] for each in (one, other)]
    yield from ports


def _await(address: str, emulator: subprocess.Popen[bytes]) -> None:
    host, port = address.split(":")
    end = time.monotonic() + START_SECONDS
    while emulator.poll() is None and time.monotonic() < end:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection((host, int(port))):
            return
        time.sleep(0.01)
    raise FunctionFailed(f"the emulator {emulator.args!r} does not listen")


def _end(emulator: subprocess.Popen[bytes]) -> None:
    emulator.terminate()
    try:
        emulator.wait(5)
    except subprocess.TimeoutExpired:
        emulator.kill()
        emulator.wait()
