"""The RetryQueue: deliver what could not be delivered at once."""

from loops_destination.handlers.redelivery import redelivery_handler

handler = redelivery_handler("redelivery")
