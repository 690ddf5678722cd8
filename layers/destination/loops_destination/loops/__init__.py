"""Calling Loops, and what its responses mean."""

from loops_destination.loops.client import LoopsClient
from loops_destination.loops.responses import Meaning, Response

__all__ = ["LoopsClient", "Meaning", "Response"]
