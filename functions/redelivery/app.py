"""The RetryQueue: brings to Loops what could not be delivered at once."""

from loops_destination.handlers.redelivery import RedeliveryHandler

handler = RedeliveryHandler("redelivery")
