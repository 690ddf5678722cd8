"""API Gateway's HTTP API, payload format 2.0: requests decoded from events, and replies encoded as responses."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_BODY_CHARACTERS = 2_500_000  # Lambda takes a response of 6 MB, in which every quote of the body is escaped
MAX_RESULTS = 3000  # in a response that would otherwise be too long

_GOOD = {"delivered", "filtered", "unchanged", "superseded"}
_ascii_json = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request from Segment's webhook; `sent_at` is when API Gateway received it, in seconds since 1970."""

    body: bytes = field(repr=False)
    signature: str = field(default="", repr=False)
    authorization: str = field(default="", repr=False)
    sent_at: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a request: a result for each delivery or, if the request was denied, the `reason`.

    `results` may quote the event, so they appear in no repr.
    """

    status: int
    results: list[dict[str, Any]] = field(default_factory=list, repr=False)
    reason: str | None = None


def decode_request(event: Mapping[str, Any]) -> WebhookRequest:
    """Return the request in an invocation's event. Whatever is missing is empty.

    Header names are compared without regard to case: `sam local` does not lower them as API Gateway does.
    """
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    epoch = (event.get("requestContext") or {}).get("timeEpoch")
    return WebhookRequest(
        _body(event),
        signature=headers.get("x-signature", ""),
        authorization=headers.get("authorization", ""),
        sent_at=epoch / 1000 if isinstance(epoch, int | float) else None,
    )


def encode_reply(reply: Reply) -> dict[str, Any]:
    """Return the response of an invocation, with a JSON body of at most `MAX_BODY_CHARACTERS`."""
    body: dict[str, Any] = {"results": reply.results}
    if reply.reason is not None:
        body["reason"] = reply.reason
    text = _ascii_json(body)
    if len(text) > MAX_BODY_CHARACTERS:
        text = _ascii_json(_shortened(reply.results))
    return {"statusCode": reply.status, "headers": {"content-type": "application/json"}, "body": text}


def _shortened(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return as many results as fit, without details, those that need attention first. Segment reads only the status."""
    sorted_results = sorted(results, key=lambda result: result["outcome"] in _GOOD)[:MAX_RESULTS]
    kept = [{name: value for name, value in result.items() if name != "detail"} for result in sorted_results]
    return {"results": kept, "omitted": len(results) - len(kept)}


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""  # API Gateway never sends this, and an empty body has no valid signature
