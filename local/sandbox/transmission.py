"""The transmission of an answer, whole or as a fault spoils it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from local.http_server import ConnectionReset, CutOff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.sandbox.faults import Fault

_PAGE = "<!doctype html><title>Sign in</title><p>This network wants you to sign in first."


def faulty_answer(fault: Fault, true_answer: Response | None, sleep: Callable[[float], object]) -> Response:
    """Return the answer to send under the fault; `true_answer` is None if the request was not processed."""
    if fault.kind == "status":
        return _chosen(fault)
    if fault.kind == "reset":
        return Response(_reset())
    if true_answer is None or fault.kind == "garbage":
        return Response(_PAGE, mimetype="text/html")
    if fault.kind == "truncated":
        return _with_body(true_answer, _half(true_answer.get_data()))
    if fault.kind == "trickle":
        return _with_body(true_answer, _trickled(true_answer.get_data(), fault.seconds, sleep))
    return true_answer


def _chosen(fault: Fault) -> Response:
    if fault.body is None:
        return Response(status=fault.status)
    return Response(json.dumps(fault.body), status=fault.status, mimetype="application/json")


def _with_body(true_answer: Response, chunks: Iterator[bytes]) -> Response:
    """Return an answer with this body, and with the status and all headers of the true one, including its length."""
    return Response(chunks, status=true_answer.status, headers=true_answer.headers)


def _reset() -> Iterator[bytes]:
    raise ConnectionReset
    yield  # makes this a generator, which raises only once it is sent


def _half(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise CutOff


def _trickled(body: bytes, seconds: float, sleep: Callable[[float], object]) -> Iterator[bytes]:
    for position in range(len(body)):
        sleep(seconds / len(body))
        yield body[position : position + 1]
