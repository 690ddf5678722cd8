"""Measure a new environment: each function's init, compared with the two packages it needs at least, and its memory.

Every interpreter is a new process, and all code is compiled, as `sam build` ships it. The layer is built for Lambda's
processor, so it is not run here; only its size is measured.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections import Counter
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.ours import aws_on
from bench.sides import ROOT, environment

BASE = """
import boto3, pydantic
from botocore.config import Config
boto3.client("secretsmanager", config=Config())
class Model(pydantic.BaseModel):
    name: str
"""
FUNCTIONS = ("contact_upsert", "send_event", "segment_webhook", "redelivery")
WITH_LEDGER = "contact_upsert with the ledger"
LEDGER = {"CONTACT_LEDGER_TABLE": "bench", "STACK_ID": "bench"}
ROUNDS = 15
IN_LAMBDA = {
    **aws_on(port=9),
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "SECRET_ID": "bench",
    "RETRY_QUEUE_URL": "https://sqs.invalid/retry",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.invalid/dead-letter",
    "MAPPINGS_FILE": str(ROOT / "layers" / "mappings" / "mappings.json"),
}
"""The environment variables that make a function build all its parts on import."""

LAYER = ROOT / ".aws-sam" / "build" / "DestinationLayer"

_TIMED = """
import time
began = time.perf_counter()
{code}
seconds = time.perf_counter() - began
import json, resource
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def cold_starts() -> dict[str, Any]:
    """Return milliseconds and MiB: `base`, each function's `init`, its `ratio` to the base, and `packages` of the first."""
    with TemporaryDirectory() as compiled:
        return _cold_starts(Interpreter(compiled))


def _cold_starts(python: Interpreter) -> dict[str, Any]:
    codes = {"base": BASE} | {name: f"from functions.{name} import app" for name in FUNCTIONS}
    codes[WITH_LEDGER] = f"import os; os.environ |= {LEDGER!r}; {codes['contact_upsert']}"
    for code in codes.values():
        python.run(code)  # compiles what it imports
    rounds = [{name: python.run(code) for name, code in codes.items()} for _ in range(ROUNDS)]
    init = {name: median(each[name][0] for each in rounds) for name in codes}
    web = [name for name in FUNCTIONS if name != "redelivery"]
    ratios = [each[name][0] / each["base"][0] for each in rounds for name in web]
    return {
        "init": {name: round(seconds * 1000) for name, seconds in init.items()},
        "memory": {name: round(median(each[name][1] for each in rounds)) for name in codes},
        # The ratio of medians: consecutive interpreters are often disturbed to different degrees.
        "ratio": round(median(init[name] for name in web) / init["base"], 2),
        "ratios": [round(min(ratios), 2), round(max(ratios), 2)],
        "packages": python.packages(codes["contact_upsert"]),
    }


class Interpreter:
    """Run each piece of code in a new Python process, as Lambda's init does; bytecode is cached in a folder."""

    def __init__(self, compiled: str) -> None:
        self._environ = {**environment(), **IN_LAMBDA, "PYTHONPYCACHEPREFIX": compiled}
        self._environ.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(self, code: str) -> tuple[float, float]:
        """Return the seconds that the code took, and the MiB in use afterwards."""
        seconds, megabytes = json.loads(self._start("-c", _TIMED.format(code=code)).stdout)
        return seconds, megabytes

    def packages(self, code: str) -> dict[str, float]:
        """Return the milliseconds that importing each package takes by itself, slowest first."""
        times: Counter[str] = Counter()
        for line in self._start("-X", "importtime", "-c", code).stderr.splitlines():
            own, bar, name = line.removeprefix("import time:").partition("|")
            if bar and own.strip().isdigit():
                times[name.rpartition("|")[2].strip().partition(".")[0]] += int(own)
        return {name: round(time / 1000, 1) for name, time in times.most_common(8)}

    def _start(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=self._environ, check=True, capture_output=True, text=True)  # noqa: S603  # code of this file


def layer_megabytes() -> float | None:
    """Return the size of the zipped layer in MB; None before `make build`."""
    if not LAYER.is_dir():
        return None
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(LAYER.rglob("*")):
            archive.write(path, path.relative_to(LAYER))
    return round(len(zipped.getvalue()) / 1e6, 2)
