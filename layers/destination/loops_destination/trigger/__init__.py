"""Triggers: the conditions, in Segment's filter language, under which a subscription matches an event.

`tokenizer` and `parser` turn the text into the conditions of `conditions`, which evaluate themselves (`>=` is there).
`problems` words what is wrong with a text.
"""

from loops_destination.trigger.conditions import Finding
from loops_destination.trigger.trigger import Trigger

__all__ = ["Finding", "Trigger"]
