"""The RetryQueue: brings to Loops what could not be delivered at once."""

from loops_destination.handlers import RedeliveryHandler

handler = RedeliveryHandler("redelivery")
