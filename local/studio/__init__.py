"""The studio: one local page on which people write mappings, send test events and see what becomes of every event."""

from __future__ import annotations

from local.studio.studio import Studio

__all__ = ["Studio"]
