"""The sandbox on a port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.http_server import LOOPBACK, HttpServer
from local.sandbox.sandbox_app import sandbox_app

if TYPE_CHECKING:
    from collections.abc import Collection

    from local.sandbox.sandbox import Sandbox


class SandboxServer(HttpServer):
    """Serves a sandbox, whose state survives a restart of the server.

    `allowed_hosts` are host names, besides loopback names, under which `/sandbox` answers.
    """

    def __init__(
        self, sandbox: Sandbox, *, host: str = LOOPBACK, port: int = 0, allowed_hosts: Collection[str] = ()
    ) -> None:
        super().__init__(sandbox_app(sandbox, allowed_hosts), port, "sandbox", host=host)
        self.sandbox = sandbox

    @property
    def url(self) -> str:
        """The base URL of the API; that of Loops is `https://app.loops.so/api`."""
        return f"{self.root}/api"
