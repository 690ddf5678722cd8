"""Runs the sandbox alone: `python -m local.sandbox --port 4010`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from typing import TYPE_CHECKING, get_args

from local.http_server import PortInUse
from local.sandbox.rate_limit import Window
from local.sandbox.sandbox import REQUESTS_PER_SECOND, Sandbox
from local.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is interrupted; exits with a message when the port is in use."""
    options = _parser().parse_args(arguments)
    sandbox = Sandbox(options.api_key, limit=options.limit or None, window=options.window)
    server = SandboxServer(sandbox, host=options.host, port=options.port, allowed_hosts=options.allow_host)
    try:
        with server, contextlib.suppress(KeyboardInterrupt):
            print(_greeting(server), flush=True)
            threading.Event().wait()
    except PortInUse as error:
        sys.exit(error.strerror)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.sandbox", description="Loops' HTTP API on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=4010, help="0 for any free one (default: %(default)s)")
    parser.add_argument("--api-key", default="sandbox-key", help="the key that it takes (default: %(default)s)")
    parser.add_argument(
        "--limit",
        type=int,
        default=REQUESTS_PER_SECOND,
        help="requests a second, 0 for no limit (default: %(default)s)",
    )
    parser.add_argument("--window", choices=get_args(Window), default="fixed", help="how the limit counts its second")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="further host name that may control it"
    )
    return parser


def _greeting(server: SandboxServer) -> str:
    return (
        f"Loops sandbox: {server.url} (what it saw: {server.root}/sandbox/requests)\n"
        f"curl -X PUT {server.url}/v1/contacts/update -H 'Authorization: Bearer {server.sandbox.api_key}' "
        """-H 'Content-Type: application/json' -d '{"email": "ada@example.com"}'"""
    )


if __name__ == "__main__":
    main()
