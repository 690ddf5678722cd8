"""A Loops of one's own: its HTTP API on this machine, with faults on demand and a memory of all it was told."""

from __future__ import annotations

from local.http_server import PortInUse
from local.sandbox.assumptions import Assumptions
from local.sandbox.contacts import Contact
from local.sandbox.events import Event
from local.sandbox.faults import Fault, FaultKind
from local.sandbox.lists import MailingList
from local.sandbox.request_log import Exchange
from local.sandbox.sandbox import Sandbox
from local.sandbox.server import SandboxServer

__all__ = [
    "Assumptions",
    "Contact",
    "Event",
    "Exchange",
    "Fault",
    "FaultKind",
    "MailingList",
    "PortInUse",
    "Sandbox",
    "SandboxServer",
]
