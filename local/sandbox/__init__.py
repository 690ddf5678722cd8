"""A sandbox that plays Loops: its HTTP API on this machine, with simulated faults and a journal of all requests."""

from __future__ import annotations

from local.http_server import PortInUse
from local.sandbox.assumptions import Assumptions
from local.sandbox.contacts import Contact
from local.sandbox.event_patterns import EventPattern
from local.sandbox.faults import Fault, FaultKind
from local.sandbox.journal import JournalEntry
from local.sandbox.lists import MailingList
from local.sandbox.loops_events import LoopsEvent
from local.sandbox.sandbox import Sandbox
from local.sandbox.sandbox_server import SandboxServer

__all__ = [
    "Assumptions",
    "Contact",
    "EventPattern",
    "Fault",
    "FaultKind",
    "JournalEntry",
    "LoopsEvent",
    "MailingList",
    "PortInUse",
    "Sandbox",
    "SandboxServer",
]
