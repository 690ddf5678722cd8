"""The studio's objects behind the current request, and rules that several of its routes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from flask import current_app, request

from segment_loops.json_app import ApiError, StrictBody
from segment_loops.studio.drafts import MappingsFile
from segment_loops.studio.redrives import Redrives

if TYPE_CHECKING:
    from segment_loops.studio.backend import Backend

_Item = TypeVar("_Item")


class ConfirmableBody(StrictBody):
    """A request that a person must confirm if it reaches the real Loops."""

    confirmed: bool = False


def backend() -> Backend:
    """Return the stack that the studio shows."""
    found: Backend = current_app.extensions["backend"]
    return found


def mappings_file() -> MappingsFile:
    """Return the mappings file that the studio edits."""
    found: MappingsFile = current_app.extensions["mappings"]
    return found


def redrives() -> Redrives:
    """Return the redrives that were started on the page."""
    found: Redrives = current_app.extensions["redrives"]
    return found


def require_confirmation(given: ConfirmableBody) -> None:
    """Raise `ApiError` (409) if the request reaches the real Loops and nobody confirmed it."""
    if not (backend().is_sandboxed or given.confirmed):
        raise ApiError(409, "This reaches the real Loops, and contacts may get email. Confirm it first.")


def page_of(items: Sequence[_Item], size: int) -> tuple[list[_Item], dict[str, int]]:
    """Return the page of the list that the query asks for, and its number, the number of pages and of items."""
    pages = max(-(-len(items) // size), 1)
    page = min(max(request.args.get("page", 1, type=int), 1), pages)
    shown = list(items[(page - 1) * size : page * size])
    return shown, {"page": page, "pages": pages, "size": size, "total": len(items)}


def with_names(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to each row the `name` of the subscription whose id it has."""
    names = mappings_file().names()
    return [row | {"name": names.get(row["subscription"], row["subscription"])} for row in rows]
