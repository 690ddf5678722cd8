"""Subscriptions: when a trigger matches, an action is taken with what a mapping makes of the event.

Segment's app calls them mappings. Source of their shape: Segment's Public API, `GET /destinations/{id}/subscriptions`.
"""

from __future__ import annotations

from loops_destination.subscriptions.document import load_subscriptions
from loops_destination.subscriptions.subscription import Subscription

__all__ = ["Subscription", "load_subscriptions"]
