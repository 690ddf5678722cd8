"""The stages that a request passes before Loops' endpoints: the journal, the API key, the rate limit and the faults."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from local.sandbox.bodies import read_json
from local.sandbox.faults import Fault
from local.sandbox.journal import JournalEntry
from local.sandbox.transmission import faulty_answer
from local.sandbox.used_idempotency_keys import uses_idempotency_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from local.sandbox.rate_limit import Allowance
    from local.sandbox.sandbox import Sandbox


_NO_FAULT = Fault(kind="delay", seconds=0)
"""The answer as it is, at once."""

_SUCCESS = range(200, 300)
_READING = frozenset({"GET", "HEAD"})


class Edge:
    """The WSGI application around Loops' API; one request is processed at a time, so that each takes effect atomically."""

    def __init__(self, app: WSGIApplication, sandbox: Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        with self._sandbox.lock:
            entry = self._opened(request)
            allowance = self._allowance(request)
            fault = self._sandbox.faults.take(entry.path)
            entry.fault = fault.kind if fault else None
        return self._under(fault or _NO_FAULT, request, entry, allowance)

    def _under(self, fault: Fault, request: Request, entry: JournalEntry, allowance: Allowance | None) -> Response:
        """Wait as the fault says, without the lock: a fault delays only the call that it affects."""
        if not fault.processed:
            self._wait(fault)
        with self._sandbox.lock:
            response = self._concluded(fault, request, entry, allowance)
        if fault.processed:
            self._wait(fault)
        return response

    def _opened(self, request: Request) -> JournalEntry:
        entry = JournalEntry(
            time=self._sandbox.clock(),
            method=request.method,
            path=request.root_path + request.path,
            query=request.query_string.decode("latin-1"),
            body=_shown(request.get_data()),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        self._sandbox.journal.add(entry)
        return entry

    def _allowance(self, request: Request) -> Allowance | None:
        """Count the request if it has the team's API key; others do not use up the team's limit."""
        limit, now = self._sandbox.rate_limit, self._sandbox.clock()
        if limit is None:
            return None
        return limit.take(now) if self._has_api_key(request) else limit.look(now)

    def _has_api_key(self, request: Request) -> bool:
        given = request.authorization
        return given is not None and given.type == "bearer" and given.token == self._sandbox.api_key

    def _wait(self, fault: Fault) -> None:
        if fault.wait:
            self._sandbox.sleep(fault.wait)

    def _concluded(self, fault: Fault, request: Request, entry: JournalEntry, allowance: Allowance | None) -> Response:
        """Process the request unless the fault prevents it; complete its journal entry, and return the answer to send."""
        is_processed = fault.processed or fault.sends_answer
        true_answer = self._true_answer(request, allowance) if is_processed else None
        answer = faulty_answer(fault, true_answer, self._sandbox.sleep)
        succeeded = true_answer is not None and true_answer.status_code in _SUCCESS
        entry.effect = succeeded and request.method not in _READING
        entry.status = None if fault.kind == "reset" else answer.status_code
        entry.response = _shown(answer.get_data()) if answer.is_sequence else None
        self._settle_idempotency_key(request, entry)
        if allowance is not None:
            answer.headers.update(allowance.headers())
        return answer

    def _true_answer(self, request: Request, allowance: Allowance | None) -> Response:
        if not self._has_api_key(request):
            return _error(401, message="Invalid API key", error="Invalid API key")
        if allowance is not None and not allowance.granted:
            return _error(429, message="Rate limit exceeded")
        environ = request.environ | {"wsgi.input": io.BytesIO(request.get_data())}
        return Response.from_app(self._app, environ, buffered=True)

    def _settle_idempotency_key(self, request: Request, entry: JournalEntry) -> None:
        """Record whether the idempotency key is used up, which may depend on the status, and so on a fault."""
        if (
            entry.idempotency_key is None
            or not self._has_api_key(request)
            or not entry.path.endswith("/v1/events/send")
        ):
            return
        used = uses_idempotency_key(entry.status, self._sandbox.assumptions, processed=entry.effect)
        self._sandbox.idempotency_keys.settle(entry.idempotency_key, entry.body, used=used, now=self._sandbox.clock())


def _shown(data: bytes) -> Any:
    if not data:
        return None
    try:
        return read_json(data)
    except ValueError:
        return data.decode(errors="replace")


def _error(status: int, **content: str) -> Response:
    return Response(json.dumps({"success": False, **content}), status=status, mimetype="application/json")
