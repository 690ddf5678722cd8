"""Every request that was made, in the order of arrival."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.sandbox.faults import FaultKind


@dataclass(slots=True)
class Exchange:
    """One request, and what became of it."""

    time: float
    """Seconds by the sandbox's clock, on arrival."""
    method: str
    path: str
    """From the root: `/api/v1/…`, without the query."""
    query: str
    body: Any
    """The JSON value; the text if it is none; null if there is no body."""
    key: str | None
    """The Idempotency-Key."""
    number: int = 0
    """Its place in the journal, from 1; set by the journal."""
    status: int | None = None
    """As sent; null until then, and when the connection was reset instead."""
    answer: Any = None
    """What was sent: the JSON value, or the text if it is none; null where it did not go out whole."""
    effect: bool = False
    """Whether it changed something or was processed, whatever was answered."""
    fault: FaultKind | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it, under the same names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Journal:
    """The exchanges so far."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []

    def all(self) -> list[Exchange]:
        """Every exchange, also those that are not answered yet."""
        return list(self._exchanges)

    def add(self, exchange: Exchange) -> None:
        """Takes down a request that has arrived; whoever answers it completes the entry."""
        self._exchanges.append(exchange)
        exchange.number = len(self._exchanges)
