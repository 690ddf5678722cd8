"""The page's files: its own below stack/, and those that it shares with the studio of one machine."""

from __future__ import annotations

from flask import Blueprint, Response, abort

from segment_loops.studio.pages import FILES, TYPES

pages = Blueprint("stack_pages", __name__)


@pages.get("/")
def _index() -> Response:
    return _file("stack/index.html")


@pages.get("/studio/<path:name>")
def _file(name: str) -> Response:
    path = FILES.get(name)
    if path is None:
        abort(404)
    return Response(path.read_bytes(), content_type=TYPES[path.suffix])
