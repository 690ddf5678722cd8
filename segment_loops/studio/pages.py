"""The page's own files, sent with headers that keep other sites out."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort

STATIC = Path(__file__).parent / "static"

TYPES = {
    "index.html": "text/html; charset=utf-8",
    "studio.css": "text/css; charset=utf-8",
    "studio.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The media type of each file; no other file is served."""

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
    return _file("index.html")


@pages.get("/studio/<name>")
def _file(name: str) -> Response:
    if name not in TYPES:
        abort(404)
    return Response((STATIC / name).read_bytes(), content_type=TYPES[name])
