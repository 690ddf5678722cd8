"""Triggers: the conditions, in Segment's filter language, under which a subscription takes an event."""

from loops_destination.trigger.conditions import Finding
from loops_destination.trigger.trigger import Trigger

__all__ = ["Finding", "Trigger"]
