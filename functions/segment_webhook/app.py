"""`/segment`: all actions, for Segment's classic webhook, which sends every event to every URL."""

from loops_destination.handlers.webhook import webhook_handler

handler = webhook_handler("segment_webhook", ["createOrUpdateContact", "sendEvent", "deleteContact"])
