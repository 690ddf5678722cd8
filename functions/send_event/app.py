"""`/events`: sends Segment's events to Loops."""

from loops_destination.handlers import WebhookHandler

handler = WebhookHandler("send_event", ["sendEvent"])
