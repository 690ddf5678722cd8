"""How an answer goes out: whole, or as a fault has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from local.http_server import ConnectionReset, CutOff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.sandbox.faults import Fault

_PAGE = "<!doctype html><title>Sign in</title><p>This network wants you to sign in first."


def struck(fault: Fault, truth: Response | None, sleep: Callable[[float], object]) -> Response:
    """What is sent under the fault; `truth` is the true answer, there if the request was processed."""
    if fault.kind == "status":
        return _told(fault)
    if fault.kind == "reset":
        return Response(_reset())
    if truth is None or fault.kind == "garbage":
        return Response(_PAGE, mimetype="text/html")
    if fault.kind == "truncated":
        return _sent(truth, _half(truth.get_data()))
    if fault.kind == "trickle":
        return _sent(truth, _trickled(truth.get_data(), fault.seconds, sleep))
    return truth


def _told(fault: Fault) -> Response:
    if fault.body is None:
        return Response(status=fault.status)
    return Response(json.dumps(fault.body), status=fault.status, mimetype="application/json")


def _sent(truth: Response, chunks: Iterator[bytes]) -> Response:
    """The true answer's status and headers, its length too, over these chunks."""
    return Response(chunks, status=truth.status, headers=truth.headers)


def _reset() -> Iterator[bytes]:
    raise ConnectionReset
    yield  # what makes it a generator, so that it raises when it is sent


def _half(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise CutOff


def _trickled(body: bytes, seconds: float, sleep: Callable[[float], object]) -> Iterator[bytes]:
    for position in range(len(body)):
        sleep(seconds / len(body))
        yield body[position : position + 1]
