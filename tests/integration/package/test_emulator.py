"""The use of the runtime emulator, with a program in its place that answers alike."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.package.emulator import EmulatedFunction, FunctionFailed, Runtime
from local.sam_template import Function
from segment_loops import PROJECT

EMULATOR = f"""#!{sys.executable}
import http.server, json, os, sys

print("# code object from '/opt/python/__pycache__/a.cpython-313.pyc'", flush=True)
print("# code object from /var/task/app.py", flush=True)
address = sys.argv[sys.argv.index("--runtime-interface-emulator-address") + 1]
if os.environ.get("DIES"):
    sys.exit(1)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if event.get("dies"):
            os._exit(1)
        answer = event.get("answer", {{"arguments": sys.argv[1:], "environ": dict(os.environ), "folder": os.getcwd()}})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_): pass

host, port = address.split(":")
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""

Make = Callable[..., EmulatedFunction]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    (tmp_path / "emulator").write_text(EMULATOR)
    (tmp_path / "emulator").chmod(0o700)
    (tmp_path / "code").mkdir()
    function = Function("Sample", tmp_path / "code", "app.handler", 10, 1024, {"FROM": "template"}, [], [])
    runtime = Runtime(tmp_path / "emulator", tmp_path / "python3.13")

    def make(**environ: str) -> EmulatedFunction:
        return EmulatedFunction(function, runtime, tmp_path / "opt", tmp_path / "log", environ)

    return make


def test_a_function_has_lambdas_environment(make: Make, tmp_path: Path) -> None:
    """A function runs in its folder with the template's variables and the AWS ones, without this process's path."""
    with make() as function:
        seen = function.invoke({})
    assert seen["folder"] == str(tmp_path / "code")
    assert seen["arguments"][-4:] == [str(tmp_path / "python3.13"), "-m", "awslambdaric", "app.handler"]
    wanted = {
        "FROM": "template",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "10",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "PYTHONPATH": f"{tmp_path / 'code'}:{tmp_path / 'opt' / 'python'}",
        "MAPPINGS_FILE": str(tmp_path / "opt" / "mappings.json"),
    }
    assert wanted.items() <= seen["environ"].items()
    assert not any(str(PROJECT) in value for value in seen["environ"].values())


def test_a_handlers_result_is_returned(make: Make) -> None:
    """The result is returned from JSON."""
    with make() as function:
        assert function.invoke({"answer": {"statusCode": 200}}) == {"statusCode": 200}


def test_an_error_is_recognised_despite_status_200(make: Make) -> None:
    """A handler's error is raised, although the emulator answers it with 200."""
    with make() as function, pytest.raises(FunctionFailed, match="Sample: KeyError: 'email'"):
        function.invoke({"answer": {"errorType": "KeyError", "errorMessage": "'email'"}})


def test_an_emulator_that_exits_is_an_error(make: Make) -> None:
    """If the emulator exits during an invocation, the error contains the log."""
    with make() as function, pytest.raises(FunctionFailed, match="code object"):
        function.invoke({"dies": True})


def test_an_emulator_that_does_not_start_is_an_error(make: Make) -> None:
    """An emulator that exits before it listens is an error at once."""
    with pytest.raises(FunctionFailed, match="does not listen"), make(DIES="1"):
        pass


def test_modules_are_known_by_their_files(make: Make) -> None:
    """Python's output about its imports gives the pycs and sources that were loaded."""
    with make() as function:
        function.invoke({})
        assert function.module_files() == [Path("/opt/python/__pycache__/a.cpython-313.pyc"), Path("/var/task/app.py")]
