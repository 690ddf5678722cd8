"""Run the sandbox alone: `python -m local.sandbox --port 4010`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any, get_args

import click

from local.http_server import LOOPBACK, PortInUse
from local.sandbox.lists import SAMPLE_LISTS
from local.sandbox.rate_limit import Window
from local.sandbox.sandbox import REQUESTS_PER_SECOND, Sandbox
from local.sandbox.sandbox_server import SandboxServer
from segment_loops.command_errors import CommandError
from segment_loops.commands.program import run_program
from segment_loops.console import say


@click.command()
@click.option("--host", default=LOOPBACK, show_default=True, help="The address to listen on.")
@click.option("--port", type=int, default=4010, show_default=True, help="The port, 0 for any.")
@click.option("--api-key", default="sandbox-key", show_default=True, help="The valid API key.")
@click.option(
    "--limit", type=int, default=REQUESTS_PER_SECOND, show_default=True, help="Requests a second, 0 for no limit."
)
@click.option(
    "--window",
    type=click.Choice(get_args(Window)),
    default="fixed",
    show_default=True,
    help="How the limit is counted.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Another host name that may control the sandbox.",
)
def sandbox(*, api_key: str, limit: int, window: Window, **server_options: Any) -> int:
    """Serve Loops' HTTP API on this machine, until Ctrl-C."""
    server = SandboxServer(Sandbox(api_key, limit=limit or None, window=window, lists=SAMPLE_LISTS), **server_options)
    try:
        with server:
            say(_greeting(server))
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except PortInUse as error:
        raise CommandError(str(error.strerror)) from None
    return 0


def _greeting(server: SandboxServer) -> str:
    return (
        f"Loops sandbox: {server.url} (its requests: {server.root}/sandbox/requests)\n"
        f"curl -X PUT {server.url}/v1/contacts/update -H 'Authorization: Bearer {server.sandbox.api_key}' "
        """-H 'Content-Type: application/json' -d '{"email": "ada@example.com"}'"""
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_program(sandbox, arguments, "python -m local.sandbox")


if __name__ == "__main__":
    sys.exit(main())
