"""The studio of a running stack in headless Chromium, under a clock that the tests can move forward."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local.sandbox import Fault, MailingList, Sandbox
from local.stack import SHARED_SECRET, LocalStack
from local.studio_backend import attach_studio
from loops_destination.signature import sign
from segment_loops.mappings_file import MAPPINGS
from tests.browser.studio_page import StudioPage

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",  # which needs rights that a container has not
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-lcd-text",  # coloured edges would make the pictures larger
]
WAIT_MILLISECONDS = 10_000

expect.set_options(timeout=WAIT_MILLISECONDS)


PEOPLE: list[dict[str, Any]] = [
    {
        "userId": "u-101",
        "traits": {
            "email": "ada@example.com",
            "firstName": "Ada",
            "plan": "pro",
            "company": "Analytical Engines",
            "city": "London",
            "seats": 12,
            "mailingLists": {"newsletter": True},
        },
    },
    {"userId": "u-102", "traits": {"email": "grace@example.com", "firstName": "Grace", "userGroup": "navy"}},
    {"userId": "u-103", "traits": {"email": "katherine@example.com", "firstName": "Katherine", "plan": "free"}},
]
TRACKS: list[dict[str, Any]] = [
    {"userId": "u-101", "event": "User Registered", "properties": {"plan": "pro", "seats": 12}},
    {"userId": "u-103", "event": "Trial Started", "properties": {"days": 14}},
]


class MovableClock:
    """The real time, and what the test adds to it."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._lock = threading.Lock()

    def time(self) -> float:
        return time.time() + self._ahead

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._ahead += seconds


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """A mappings file that may be written."""
    return Path(shutil.copy(MAPPINGS, tmp_path / "mappings.json"))


@pytest.fixture
def sandbox(clock: MovableClock) -> Sandbox:
    lists = [MailingList("newsletter", "Newsletter")]
    return Sandbox(clock=clock.time, sleep=clock.sleep, limit=None, lists=lists)


@pytest.fixture
def stack(clock: MovableClock, mappings: Path, sandbox: Sandbox) -> Iterator[LocalStack]:
    stack = LocalStack(clock=clock, sandbox=sandbox, mappings=mappings)
    attach_studio(stack)
    with stack:
        yield stack


class Segment:
    """Posts events to the webhook, as Segment does."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._posted = 0

    def __call__(self, *, path: str = "/segment", **event: Any) -> str:
        """Post an event under a new messageId, unless it has one; return the messageId."""
        self._posted += 1
        event = {"messageId": f"ajs-next-{self._posted:04}"} | event
        self._post(path, event)
        return str(event["messageId"])

    def batches(self, events: list[dict[str, Any]], size: int = 500) -> None:
        """Post many events, in batches."""
        for start in range(0, len(events), size):
            self._post("/segment", events[start : start + size])

    def _post(self, path: str, content: Any) -> None:
        body = json.dumps(content).encode()
        headers = {"Content-Type": "application/json", "X-Signature": sign(body, SHARED_SECRET)}
        urllib3.request("POST", f"{self._stack.gateway.root}{path}", body=body, headers=headers, retries=False)


@pytest.fixture
def segment(stack: LocalStack) -> Segment:
    return Segment(stack)


@pytest.fixture
def busy(stack: LocalStack, segment: Segment) -> LocalStack:
    """A stack on which all kinds of things have happened."""
    for person in PEOPLE:
        segment(type="identify", **person)
    for track in TRACKS:
        segment(type="track", **track)
    segment(type="page", userId="u-101", name="Pricing")
    segment(type="identify", userId="u-104", traits={"email": "no address"})
    segment(type="identify", userId="u-105", traits={"email": "also wrong", "plan": "free"})
    stack.sandbox.faults.add(Fault(kind="status", status=400))
    segment(type="track", userId="u-102", event="Plan Changed", properties={"email": "x@y.co"})
    stack.sandbox.faults.add(Fault(kind="status", status=500, times=2))
    segment(type="identify", userId="u-106", traits={"email": "dorothy@example.com"})
    segment(type="track", userId="u-101", event="Seat Added", properties={"seats": 13})
    return stack


@pytest.fixture
def page(browser: Browser, stack: LocalStack) -> Iterator[Page]:
    """A page of its own, which must load nothing from elsewhere and report no error."""
    context = browser.new_context(
        base_url=stack.gateway.root,
        viewport={"width": 1280, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security" in line.text else None)
    page.on(
        "request",
        lambda request: errors.append(request.url) if not request.url.startswith(stack.gateway.root) else None,
    )
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def studio(page: Page) -> StudioPage:
    """The studio of somebody who writes mappings and events as JSON."""
    page.add_init_script("localStorage['studio.mapping'] = localStorage['studio.sample'] = 'json'")
    return StudioPage(page)
