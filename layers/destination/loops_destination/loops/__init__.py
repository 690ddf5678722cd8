"""The client for Loops: `client` sends a request, and `responses` decides what the response to it means."""

from loops_destination.loops.client import LoopsClient
from loops_destination.loops.responses import Meaning, Response

__all__ = ["LoopsClient", "Meaning", "Response"]
