"""`/segment`: every action, deletions too, for Segment's classic webhook, which sends everything to every URL."""

from loops_destination.handlers.webhook import WebhookHandler

handler = WebhookHandler("segment_webhook", ["createOrUpdateContact", "sendEvent", "deleteContact"])
