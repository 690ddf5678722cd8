"""Subscriptions: a trigger chooses events, a mapping reads them, an action sends the result to Loops.

Segment's app calls a subscription a mapping. Its shape is that of Segment's Public API,
`GET /destinations/{id}/subscriptions`.
"""

from __future__ import annotations

from loops_destination.subscriptions.document import Entry, load_entries, load_subscriptions
from loops_destination.subscriptions.strict_json import read_json
from loops_destination.subscriptions.subscription import Subscription

__all__ = ["Entry", "Subscription", "load_entries", "load_subscriptions", "read_json"]
