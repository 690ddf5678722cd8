"""API Gateway's HTTP API, payload format 2.0: an invocation's event as a request, and a reply as its answer."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_ANSWER_CHARACTERS = 2_500_000  # Lambda takes an answer of 6 MB, in which every quote is escaped
MAX_RESULTS = 3000

_compact = json.JSONEncoder(separators=(",", ":")).encode  # in ASCII


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request of Segment's webhook, undecoded; `sent_at` is when API Gateway took it, in seconds since 1970."""

    body: bytes = field(repr=False)
    signature: str = field(default="", repr=False)
    authorization: str = field(default="", repr=False)
    sent_at: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in JSON; `results` may quote the event, so it shows in no log."""

    status: int
    results: list[dict[str, Any]] = field(default_factory=list, repr=False)
    reason: str | None = None


def decode_request(event: Mapping[str, Any]) -> WebhookRequest:
    """The request in an invocation's event; header names count without regard to case, as `sam local` varies it."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    epoch = (event.get("requestContext") or {}).get("timeEpoch")
    return WebhookRequest(
        _body(event),
        signature=headers.get("x-signature", ""),
        authorization=headers.get("authorization", ""),
        sent_at=epoch / 1000 if isinstance(epoch, int | float) else None,
    )


def encode_reply(reply: Reply) -> dict[str, Any]:
    """The invocation's answer."""
    body: dict[str, Any] = {"results": reply.results}
    if reply.reason is not None:
        body["reason"] = reply.reason
    text = _compact(body)
    if len(text) > MAX_ANSWER_CHARACTERS:
        text = _compact(_shortened(reply.results))
    return {"statusCode": reply.status, "headers": {"content-type": "application/json"}, "body": text}


def _shortened(results: list[dict[str, Any]]) -> dict[str, Any]:
    """As many results as fit, those that ask for attention first; Segment looks at the status alone."""
    telling = sorted(results, key=lambda result: result["outcome"] in {"delivered", "filtered"})[:MAX_RESULTS]
    kept = [{name: value for name, value in result.items() if name != "detail"} for result in telling]
    return {"results": kept, "omitted": len(results) - len(kept)}


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""  # API Gateway sends none such; an empty body carries no valid signature
