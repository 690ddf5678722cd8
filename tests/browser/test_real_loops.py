"""The real Loops gets requests only from a person who confirms them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from local.sandbox import Sandbox, SandboxServer
from local.stack import SHARED_SECRET, LocalStack
from local.studio_backend import attach_studio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser.conftest import MovableClock
    from tests.browser.studio_page import StudioPage


@pytest.fixture
def elsewhere() -> Iterator[SandboxServer]:
    """A Loops in place of the real one."""
    with SandboxServer(Sandbox("real-key", limit=None)) as server:
        yield server


@pytest.fixture
def stack(clock: MovableClock, mappings: Path, elsewhere: SandboxServer) -> Iterator[LocalStack]:
    secret = {"apiKey": "real-key", "sharedSecret": SHARED_SECRET}
    stack = LocalStack(clock=clock, loops_url=elsewhere.url, secret=secret, mappings=mappings)
    attach_studio(stack)
    with stack:
        yield stack


def test_sending_to_the_real_loops_asks_first(studio: StudioPage, page: Page, elsewhere: SandboxServer) -> None:
    """The page says which Loops it is, sends nothing when the question is declined, and sends when it is agreed to."""
    studio.open()
    expect(page.locator("#where")).to_contain_text("Production")
    page.get_by_role("button", name="Send test event").click()
    expect(page.get_by_role("dialog")).to_contain_text("Contacts may get email")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert elsewhere.sandbox.journal.all() == []
    page.get_by_role("button", name="Send test event").click()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#answer")).to_contain_text("Delivered")
    assert [contact.email for contact in elsewhere.sandbox.contacts.all()] == ["adam@loops.so"]
    studio.open("Deliveries")
    expect(page.get_by_text("Simulate a failure")).to_have_count(0)


def test_the_real_loops_is_never_called_the_sandbox(studio: StudioPage, page: Page) -> None:
    """With the real Loops no view speaks of the sandbox, and the views of its contents say where to look instead."""
    for view in ["Mappings", "Deliveries", "Queues", "Contacts", "Loops events"]:
        studio.open(view)
        assert "sandbox" not in page.locator("body").inner_text().lower(), view
    expect(page.get_by_text("Events are not available here.")).to_be_visible()
