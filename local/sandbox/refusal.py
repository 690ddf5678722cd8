"""How Loops says no."""

from __future__ import annotations


class Refusal(Exception):
    """The request is answered with this status and `{"success": false, "message": …}`, and changes nothing."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status} {message}")
