"""`/events`: send events to Loops."""

from loops_destination.handlers.webhook import webhook_handler

handler = webhook_handler("send_event", ["sendEvent"])
