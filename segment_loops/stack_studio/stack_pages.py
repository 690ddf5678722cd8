"""The page's files: its own below stack/, and those that it shares with the studio of one machine."""

from __future__ import annotations

from flask import Blueprint, Response

from segment_loops.studio.pages import file

pages = Blueprint("stack_pages", __name__)
pages.add_url_rule("/studio/<path:name>", view_func=file)


@pages.get("/")
def _index() -> Response:
    return file("stack/stack.html")
