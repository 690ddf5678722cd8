"""`/events`: sends Segment's events to Loops."""

from loops_destination.handlers.webhook import WebhookHandler

handler = WebhookHandler("send_event", ["sendEvent"])
