"""`/contacts`: create and update contacts in Loops."""

from loops_destination.handlers.webhook import webhook_handler

handler = webhook_handler("contact_upsert", ["createOrUpdateContact"])
