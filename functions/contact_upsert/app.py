"""`/contacts`: creates and updates Loops contacts from Segment's events."""

from loops_destination.handlers.webhook import WebhookHandler

handler = WebhookHandler("contact_upsert", ["createOrUpdateContact"])
