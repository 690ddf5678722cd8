"""A stack that knows less than the local one: no text of events, no names, no emails, no contacts."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, Page, expect

from local.http_server import HttpServer
from segment_loops.json_app import ApiError
from segment_loops.studio import Studio
from segment_loops.studio.backend import Capabilities, DeliveryRecord, WebhookAnswer
from tests.browser.studio_page import StudioPage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from segment_loops.dead_letter_queue import DeadLetter
    from segment_loops.studio.backend import WaitingMessage


class BareStack:
    """A stack of which only the outcomes of deliveries are known. Implements `Backend`."""

    is_sandboxed = False
    loops_url = "https://loops.example/api"
    capabilities = Capabilities(contacts=False, events=False, faults=False, send=False)
    kept_deliveries = 100
    dead_letter_count = 0
    sqs_is_down = False

    def __init__(self, mappings: Path) -> None:
        self.mappings = mappings

    def versions(self) -> Mapping[str, str]:
        return {"deliveries": "1", "queues": "1", "contacts": "1"}

    def time(self) -> float:
        return time.time()

    def reload_mappings(self) -> None: ...

    def post(self, body: bytes, path: str = "") -> WebhookAnswer:
        raise AssertionError(body, path)

    def deliveries(self) -> list[DeliveryRecord]:
        sent = DeliveryRecord(2, time.time(), "", outcome="delivered", type="identify", message_id="m-2", attempts=1)
        sent.subscription = "create-or-update-a-contact"
        sent.action = "createOrUpdateContact"
        return [sent, DeliveryRecord(1, time.time(), "", outcome="superseded", reason="a-new-reason", message_id="m-1")]

    def contacts(self) -> Sequence[dict[str, Any]]:
        raise AssertionError

    def known_contact(self, user_id: str) -> dict[str, Any] | None:  # noqa: ARG002  # the parameters of the protocol
        return None

    def loops_events(self) -> Sequence[dict[str, Any]]:
        raise AssertionError

    def waiting(self) -> list[WaitingMessage]:
        raise ApiError(403, "sqs:ReceiveMessage is not allowed")

    def dead_letters(self) -> list[DeadLetter]:
        return []

    def dead_letter_queue(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def faults(self) -> list[dict[str, Any]]:
        raise AssertionError

    def add_fault(self, definition: bytes) -> dict[str, Any]:
        raise AssertionError(definition)

    def stop_sqs(self) -> None: ...

    def clear_faults(self) -> None: ...


@pytest.fixture
def bare(browser: Browser, mappings: Path) -> Iterator[Page]:
    with HttpServer(Studio(BareStack(mappings))) as server:
        context = browser.new_context(base_url=server.root)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        context.close()
        assert errors == []


def test_every_view_works_without_events(bare: Page) -> None:
    """Every view shows what the stack knows, offers nothing that it cannot do, and lists outcomes that it does not know."""
    studio = StudioPage(bare)
    for view in ["Mappings", "Contacts", "Loops events", "Deliveries"]:
        studio.open(view)
    expect(studio.rows()).to_have_count(2)
    expect(studio.rows().nth(1)).to_contain_text("superseded")
    expect(studio.rows().nth(1)).to_contain_text("a-new-reason")
    expect(bare.get_by_role("button", name="superseded 1")).to_be_visible()
    expect(bare.get_by_text("Simulate a failure")).to_have_count(0)
    studio.open_delivery("identify")
    expect(bare.locator("main")).to_contain_text("This stack does not hold the text of events.")
    expect(bare.locator("main .message").first).to_have_text("Not shown: sqs:ReceiveMessage is not allowed.")
    expect(bare.get_by_role("button", name="Send again")).to_have_count(0)
    studio.open("Mappings")
    expect(bare.locator("#result")).to_contain_text("Matches")
    expect(bare.get_by_role("button", name="Send test event")).to_have_count(0)


def test_a_view_that_cannot_be_shown_says_why(bare: Page) -> None:
    """A view whose data the stack refuses shows the stack's message, and the other views work."""
    studio = StudioPage(bare)
    studio.open("Queues")
    expect(bare.locator("main .message")).to_have_text("sqs:ReceiveMessage is not allowed.")
    studio.open("Deliveries")
    expect(studio.rows()).to_have_count(2)
