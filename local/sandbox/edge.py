"""What a request meets before Loops' endpoints: the journal, the API key, the limit, and the faults on demand."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from local.sandbox.bodies import read_json
from local.sandbox.faults import Fault
from local.sandbox.request_log import Exchange
from local.sandbox.transmission import struck
from local.sandbox.used_idempotency_keys import uses_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from local.sandbox.rate_limit import Allowance
    from local.sandbox.sandbox import Sandbox


_NO_FAULT = Fault(kind="delay", seconds=0)
"""The true answer, at once."""

_SUCCESS = range(200, 300)
_READING = frozenset({"GET", "HEAD"})


class Edge:
    """WSGI around the API's app: one request at a time gets in, so that each takes effect in one step."""

    def __init__(self, app: WSGIApplication, sandbox: Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        with self._sandbox.lock:
            exchange = self._opened(request)
            allowance = self._allowance(request)
            fault = self._sandbox.faults.take(exchange.path)
            exchange.fault = fault.kind if fault else None
        return self._under(fault or _NO_FAULT, request, exchange, allowance)

    def _under(self, fault: Fault, request: Request, exchange: Exchange, allowance: Allowance | None) -> Response:
        """Waits without the lock: a fault holds up no call but the one that it strikes."""
        if not fault.processed:
            self._wait(fault)
        with self._sandbox.lock:
            response = self._concluded(fault, request, exchange, allowance)
        if fault.processed:
            self._wait(fault)
        return response

    def _opened(self, request: Request) -> Exchange:
        exchange = Exchange(
            time=self._sandbox.clock(),
            method=request.method,
            path=request.root_path + request.path,
            query=request.query_string.decode("latin-1"),
            body=_shown(request.get_data()),
            key=request.headers.get("Idempotency-Key"),
        )
        self._sandbox.journal.add(exchange)
        return exchange

    def _allowance(self, request: Request) -> Allowance | None:
        """Only who has the team's key takes from what the team is allowed."""
        limit, now = self._sandbox.rate_limit, self._sandbox.clock()
        if limit is None:
            return None
        return limit.take(now) if self._has_key(request) else limit.look(now)

    def _has_key(self, request: Request) -> bool:
        given = request.authorization
        return given is not None and given.type == "bearer" and given.token == self._sandbox.api_key

    def _wait(self, fault: Fault) -> None:
        if fault.wait:
            self._sandbox.sleep(fault.wait)

    def _concluded(self, fault: Fault, request: Request, exchange: Exchange, allowance: Allowance | None) -> Response:
        """The answer to send, the request having taken effect or not, and being written down as such."""
        reaches_loops = fault.processed or fault.tells_truth
        truth = self._truth(request, allowance) if reaches_loops else None
        answer = struck(fault, truth, self._sandbox.sleep)
        exchange.effect = truth is not None and truth.status_code in _SUCCESS and request.method not in _READING
        exchange.status = None if fault.kind == "reset" else answer.status_code
        exchange.answer = _shown(answer.get_data()) if answer.is_sequence else None
        self._settle_key(request, exchange)
        if allowance is not None:
            answer.headers.update(allowance.headers())
        return answer

    def _truth(self, request: Request, allowance: Allowance | None) -> Response:
        if not self._has_key(request):
            return _refused(401, message="Invalid API key", error="Invalid API key")
        if allowance is not None and not allowance.granted:
            return _refused(429, message="Rate limit exceeded")
        environ = request.environ | {"wsgi.input": io.BytesIO(request.get_data())}
        return Response.from_app(self._app, environ, buffered=True)

    def _settle_key(self, request: Request, exchange: Exchange) -> None:
        """Here and not with the event, since it may hang on the status, which a fault may have chosen."""
        if exchange.key is None or not self._has_key(request) or not exchange.path.endswith("/v1/events/send"):
            return
        used = uses_key(exchange.status, self._sandbox.assumptions, processed=exchange.effect)
        self._sandbox.keys.settle(exchange.key, used=used, now=self._sandbox.clock())


def _shown(data: bytes) -> Any:
    if not data:
        return None
    try:
        return read_json(data)
    except ValueError:
        return data.decode(errors="replace")


def _refused(status: int, **told: str) -> Response:
    return Response(json.dumps({"success": False, **told}), status=status, mimetype="application/json")
