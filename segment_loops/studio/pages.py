"""The page's own files, sent with headers that keep other sites out."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort

STATIC = Path(__file__).parent / "static"

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""The media type of each file, by its suffix."""

FILES = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.suffix in TYPES}
"""The files of the page by their names below /studio/; nothing else is served."""

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Headers of every answer: the page loads nothing from other sites, and no other site can show or read it."""

pages = Blueprint("pages", __name__)


@pages.get("/")
def _index() -> Response:
    return file("index.html")


@pages.get("/studio/<path:name>")
def file(name: str) -> Response:
    """Answer a file of the page, or 404."""
    path = FILES.get(name)
    if path is None:
        abort(404)
    return Response(path.read_bytes(), content_type=TYPES[path.suffix])
