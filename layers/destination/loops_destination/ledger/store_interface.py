"""The interface of the store that keeps the ledger's items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from loops_destination.errors import LedgerUnavailable
from loops_destination.ledger.record import Item

__all__ = ["CALL_SECONDS", "LedgerStore", "LedgerUnavailable", "Write"]

CALL_SECONDS = 1.0
"""The longest that one read or write of the store takes, a second attempt included."""


@dataclass(frozen=True, slots=True)
class Write:
    """An item to write, if the one in the table still has the version `if_version`.

    `if_version` is 0 to write only if there is no item, and None to write in any case. The stored item gets the next
    version.
    """

    key: str
    item: Item
    if_version: int | None
    kept_seconds: int


class LedgerStore(Protocol):
    """Reads and writes items; decides nothing. Both methods raise `LedgerUnavailable`."""

    def read(self, key: str, *, consistent: bool = False) -> Item | None:
        """Return an item, or None where there is none or it has expired. It may be a moment old unless `consistent`."""
        ...

    def write(self, *writes: Write) -> bool:
        """Write all items or none; return False if one of them has another version by now."""
        ...
