"""What no public source settles about Loops, each a switch: a client that is right works under all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the sandbox takes Loops to do where nobody outside knows."""

    key_after_refusal: bool = False
    """Whether an event that was refused (400, 404, 413, 422) uses up its idempotency key."""

    key_after_failure: Literal["processed", "always", "never"] = "processed"
    """When an event answered 5xx uses up its key; `processed`: if it took effect all the same."""

    unknown_properties: Literal["create", "drop"] = "create"
    """What becomes of a contact property that the team does not have yet."""

    nested_values: Literal["refuse", "drop", "keep"] = "refuse"
    """What becomes of an object or array where Loops documents a plain value."""

    unknown_lists: Literal["ignore", "refuse"] = "ignore"
    """What becomes of a mailing list id that the team does not have."""
