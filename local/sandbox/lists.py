"""Mailing lists: made in Loops' own pages, so the API only reads them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class MailingList:
    """One list, as `GET /v1/lists` shows it."""

    id: str
    name: str
    description: str = ""
    is_public: bool = True

    def as_json(self) -> dict[str, Any]:
        """`{"id", "name", "description", "isPublic"}`."""
        shown = asdict(self)
        shown["isPublic"] = shown.pop("is_public")
        return shown
