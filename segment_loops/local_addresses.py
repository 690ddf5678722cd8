"""The ports and the AWS account of the stack that `make run` serves."""

from __future__ import annotations

WEBHOOK_PORT = 8787
LOOPS_PORT = 8788
AWS_PORT = 8789

LOOPS_URL = f"http://127.0.0.1:{LOOPS_PORT}/api"

REGION = "us-east-1"
ACCOUNT = "123456789012"
"""The account that moto knows, and that AWS's documentation uses."""
