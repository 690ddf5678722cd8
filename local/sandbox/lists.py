"""Mailing lists; people create them in Loops' web app, and the API only reads them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class MailingList:
    """A mailing list, as `GET /v1/lists` shows it."""

    id: str
    name: str
    description: str = ""
    is_public: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return `{"id", "name", "description", "isPublic"}`."""
        shown = asdict(self)
        shown["isPublic"] = shown.pop("is_public")
        return shown


SAMPLE_LISTS = (
    MailingList("sample-newsletter", "Newsletter", "News about the product, once a month."),
    MailingList("sample-invitations", "Invitations", "Webinars and meetups.", is_public=False),
)
"""The lists of the sandbox that people start, so that mappings with mailing lists can be tried."""
