"""`studio`: the web page of a deployed stack."""

from __future__ import annotations

from pathlib import Path

import click

from segment_loops.command_errors import CommandError
from segment_loops.commands.options import aws_options, mappings_option, stack_options
from segment_loops.console import say

PORT = 8790
"""Near 8787, where `make run` serves the studio of the local stack."""


@click.command()
@stack_options
@aws_options
@mappings_option
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="The port of the page, 0 for any free one.",
)
def studio(
    *, stack: str | None, config_env: str | None, region: str | None, profile: str | None, mappings: Path, port: int
) -> int:
    """Open a web page on a deployed stack.

    It shows deliveries, queues, dead letters, contacts, alarms and mappings. Only this machine can reach the page,
    which uses your AWS credentials. Reading needs the policy docs/policies/read.json; dead letters and changes also
    need docs/policies/repair.json. Every change asks first and names the stack. Stop with Ctrl-C.
    """
    from werkzeug.serving import WSGIRequestHandler, make_server

    from segment_loops.deployed_stack import AwsAccount, find_stack, named_stack
    from segment_loops.stack_studio import stack_studio

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # werkzeug's name
            """Write no line for each request."""

    found = find_stack(AwsAccount(region, profile), named_stack(stack, config_env))
    try:
        server = make_server("127.0.0.1", port, stack_studio(found, mappings), threaded=True, request_handler=Quiet)
    except (OSError, SystemExit):
        raise CommandError(f"Port {port} is in use. Pass another --port.") from None
    with server:
        say(f"The studio of {found.name}: http://127.0.0.1:{server.server_port}/ (Ctrl-C stops it)")
        server.serve_forever()
    return 0
