"""The journal of all requests, in the order of their arrival."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.sandbox.faults import FaultKind


@dataclass(slots=True)
class JournalEntry:
    """A request, and its response."""

    time: float
    """The arrival, in seconds by the sandbox's clock."""
    method: str
    path: str
    """The whole path, `/api/v1/…`, without the query."""
    query: str
    body: Any
    """The JSON value, or the text if it is not JSON; None without a body."""
    idempotency_key: str | None
    number: int = 0
    """Its number in the journal, from 1."""
    status: int | None = None
    """None until a response is sent, and if the connection was reset instead."""
    response: Any = None
    """The JSON value, or the text if it is not JSON; None if it was not sent as a whole."""
    effect: bool = False
    """True if it was processed and changed something, whatever the response."""
    fault: FaultKind | None = None

    def as_json(self) -> dict[str, Any]:
        """Return all fields under the same names, in camel case."""
        shown = asdict(self)
        shown["idempotencyKey"] = shown.pop("idempotency_key")
        return shown


class Journal:
    """All requests so far."""

    def __init__(self) -> None:
        self._entries: list[JournalEntry] = []

    def all(self) -> list[JournalEntry]:
        """Return every entry, including requests that have no response yet."""
        return list(self._entries)

    def add(self, entry: JournalEntry) -> None:
        """Add a request on its arrival; its entry is completed with the response."""
        self._entries.append(entry)
        entry.number = len(self._entries)
