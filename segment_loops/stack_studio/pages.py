"""The page's files: its own, and those that it shares with the studio of one machine."""

from __future__ import annotations

from flask import Blueprint, Response, abort

from segment_loops.studio.pages import STATIC

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

pages = Blueprint("stack_pages", __name__)


@pages.get("/")
def _index() -> Response:
    return _file("stack/index.html")


@pages.get("/studio/<path:name>")
def _file(name: str) -> Response:
    files = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.suffix in TYPES}
    path = files.get(name)
    if path is None:
        abort(404)
    return Response(path.read_bytes(), content_type=TYPES[path.suffix])
