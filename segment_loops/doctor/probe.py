"""Requests to a stack's URLs that change nothing: an event that no subscription matches, and one with a wrong signature."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from urllib3.exceptions import HTTPError

from loops_destination.loops.connections import Connections
from loops_destination.secret_store import Secret
from loops_destination.signature import sign
from loops_destination.subscriptions import Subscription
from segment_loops.doctor.check_result import CheckResult, ok, problem, warning

SECONDS = 30.0
"""API Gateway answers within this time."""

_TYPES = ("alias", "group", "screen", "page")


def unwanted_event(subscriptions: Sequence[Subscription]) -> dict[str, Any] | None:
    """Return an event that no subscription matches; None if there is no such type of event."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for kind in _TYPES:
        event = {
            "type": kind,
            "messageId": f"segment-loops-doctor-{uuid.uuid4()}",
            "userId": "segment-loops-doctor",
            "timestamp": now,
        }
        if not any(subscription.matches(event) for subscription in subscriptions):
            return event
    return None


def check_urls(urls: Sequence[str], event: dict[str, Any], secret: Secret) -> Iterator[CheckResult]:
    """Yield the results for each URL, with and without a slash, and for one wrong signature.

    A single wrong signature, because three in five minutes raise the alarm BadSignatureAlarm.
    """
    body = json.dumps(event).encode()
    headers = _signed(body, secret)
    for url in urls:
        yield _check_event(url, body, headers)
        yield _check_event(f"{url}/", body, headers)
    yield _check_wrong_signature(urls[-1], body)


def _check_event(url: str, body: bytes, headers: dict[str, str]) -> CheckResult:
    status = _status(url, body, headers)
    if status == HTTPStatus.OK:
        return ok(f"{url} answers a signed event with 200.")
    text = f"{url} answers a signed event with {status}, not with 200."
    if url.endswith("/") and status == HTTPStatus.NOT_FOUND:
        return warning(text, "Enter the URL in Segment without the slash at its end.")
    if status == HTTPStatus.UNAUTHORIZED:
        return problem(text, "Running functions read a changed secret within five minutes: run doctor again then.")
    return problem(text, "Read the log: sam logs --stack-name STACK. docs/operations.md explains the alarms.")


def _check_wrong_signature(url: str, body: bytes) -> CheckResult:
    status = _status(url, body, {"X-Signature": "0" * 40})
    if status == HTTPStatus.UNAUTHORIZED:
        return ok(f"{url} answers a wrong signature with 401.")
    text = f"{url} answers a wrong signature with {status}, not with 401."
    return problem(text, "Send no events until it does: anybody may be able to send some. Deploy the stack again.")


def _status(url: str, body: bytes, headers: dict[str, str]) -> int | str:
    """Return the status of the response, or the name of the error."""
    try:
        return Connections(1)("POST", url, body, {"Content-Type": "application/json", **headers}, SECONDS).status
    except HTTPError as error:
        return type(error).__name__


def _signed(body: bytes, secret: Secret) -> dict[str, str]:
    if secret.shared_secret:
        return {"X-Signature": sign(body, secret.shared_secret)}
    return {"Authorization": f"Bearer {secret.bearer_token}"}
