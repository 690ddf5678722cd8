"""From an invocation to its answer: the webhook, redelivery, and the Lambda handler around both."""
