"""Calling Loops, and what its answers mean."""

from loops_destination.loops.answers import Answer, Meaning
from loops_destination.loops.client import LoopsClient

__all__ = ["Answer", "LoopsClient", "Meaning"]
