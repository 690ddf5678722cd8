"""The contact ledger: what Loops was last sent about each contact, so that contacts never go backwards."""

from __future__ import annotations

from loops_destination.ledger.decision import Rule
from loops_destination.ledger.facts import Facts
from loops_destination.ledger.protocol import Called, Conclusion, Effect, Ledger, Verdict
from loops_destination.ledger.store_interface import LedgerStore, LedgerUnavailable, Write

__all__ = [
    "Called",
    "Conclusion",
    "Effect",
    "Facts",
    "Ledger",
    "LedgerStore",
    "LedgerUnavailable",
    "Rule",
    "Verdict",
    "Write",
]
