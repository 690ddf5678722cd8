"""A table in memory; `tests/integration/ledger/test_store.py` holds it to the one in DynamoDB."""

from __future__ import annotations

import json
from typing import Any

from loops_destination.clock import Clock
from loops_destination.ledger import LedgerUnavailable, Write


class FakeStore:
    """Items as JSON text, so that nothing but JSON can be kept; expired ones stay, as DynamoDB leaves them for days."""

    def __init__(self, clock: Clock) -> None:
        self.items: dict[str, str] = {}
        self.down = False
        self.reads = 0
        self.writes = 0
        self._clock = clock
        self._expires_at: dict[str, int] = {}

    def read(self, key: str, *, consistent: bool = False) -> dict[str, Any] | None:  # noqa: ARG002  # it always is
        self._answer()
        self.reads += 1
        return self._live(key)

    def write(self, *writes: Write) -> bool:
        self._answer()
        if not all(self._allows(write) for write in writes):
            return False
        for write in writes:
            self.writes += 1
            self.items[write.key] = json.dumps({**write.item, "version": (write.if_version or 0) + 1})
            self._expires_at[write.key] = int(self._clock.time()) + write.kept_seconds
        return True

    def _answer(self) -> None:
        if self.down:
            raise LedgerUnavailable("down")

    def _allows(self, write: Write) -> bool:
        if write.if_version is None:
            return True
        if write.if_version == 0:
            return self._live(write.key) is None
        return write.key in self.items and bool(json.loads(self.items[write.key])["version"] == write.if_version)

    def _live(self, key: str) -> dict[str, Any] | None:
        if self._expires_at.get(key, 0) <= self._clock.time():
            return None
        item: dict[str, Any] = json.loads(self.items[key])
        return item
