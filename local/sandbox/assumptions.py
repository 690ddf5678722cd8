"""Assumptions about Loops where no public source says how it behaves. A correct client works under all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The assumptions, each a setting."""

    idempotency_key_after_refusal: bool = False
    """True: an event that Loops refuses (400, 404, 413, 422) uses up its idempotency key."""

    idempotency_key_after_failure: Literal["processed", "always", "never"] = "processed"
    """When an event answered 5xx uses up its idempotency key; `processed`: if it was processed nevertheless."""

    repeated_event: Literal["conflict", "success"] = "conflict"
    """An event whose idempotency key is used up is answered 409, or 200 if its body is the same as the first time."""

    email_case: Literal["distinguish", "lower"] = "distinguish"
    """Emails that differ only in case are two contacts', or are stored in lower case and so are one contact's."""

    unknown_properties: Literal["create", "drop"] = "create"
    """A contact property that the team does not have yet is created, or ignored."""

    nested_values: Literal["refuse", "drop", "keep"] = "refuse"
    """An object or array where Loops documents a plain value is refused, ignored, or stored."""

    unknown_lists: Literal["ignore", "refuse"] = "ignore"
    """The id of a mailing list that the team does not have is ignored, or refused."""
