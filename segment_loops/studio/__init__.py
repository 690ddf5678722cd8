"""The studio: a web page to edit mappings, send test events and watch deliveries.

It shows any stack that implements `Backend`.
"""

from __future__ import annotations

from segment_loops.studio.backend import Backend
from segment_loops.studio.studio_app import Studio

__all__ = ["Backend", "Studio"]
