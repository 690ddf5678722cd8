"""The studio as a person uses it: by what is written on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect


class StudioPage:
    """Steps that several tests take."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, view: str = "Mappings") -> None:
        """Goes to a view by its link."""
        if self.page.url == "about:blank":
            self.page.goto("/")
        self.page.locator("#views").get_by_role("link", name=view).click()
        self.ready(view)

    def ready(self, title: str) -> None:
        """Waits until a view shows its data."""
        expect(self.page.get_by_role("heading", name=title, level=1)).to_be_visible()
        expect(self.page.locator("main")).to_have_attribute("aria-busy", "false")

    def open_delivery(self, text: str) -> None:
        """Opens the first delivery whose row contains the text."""
        self.open("Deliveries")
        self.rows().filter(has_text=text).get_by_role("link").first.click()
        expect(self.page.get_by_role("heading", name="Timeline")).to_be_visible()

    def open_contact(self, email: str) -> None:
        """Opens the page of a contact."""
        self.open("Contacts")
        self.rows().get_by_role("link", name=email).click()
        self.ready(email)

    def choose(self, subscription: str) -> None:
        """Opens a subscription in the editor."""
        self.page.locator("#picks").get_by_role("button", name=subscription).click()

    def take_event(self, name: str) -> None:
        """Takes a sample event."""
        self.page.get_by_label("Sample event source").select_option(label=f"events/{name}")

    def write_event(self, **event: Any) -> None:
        """Pastes an event."""
        self.page.get_by_role("textbox", name="Event").fill(json.dumps(event, indent=2))

    def show_json(self) -> None:
        """Shows the mapping and the sample event as JSON."""
        self.show("mapping", "JSON")
        self.show("event", "JSON")

    def show(self, name: str, tab: str) -> None:
        """Shows the mapping or the event in this tab."""
        self.page.get_by_role("tablist", name=f"Show the {name} as").get_by_role("tab", name=tab).click()

    def mapping(self) -> Any:
        """Return the text in the editor."""
        return json.loads(self.page.get_by_label("Mapping", exact=True).input_value())

    def send(self, outcome: str) -> None:
        """Sends the event, and sees what became of it."""
        self.page.get_by_role("button", name="Send test event").click()
        expect(self.page.locator("#answer")).to_contain_text(outcome)

    def advance_until_delivered(self, advance: Callable[[float], None]) -> None:
        """Moves the time forward until the first delivery is delivered; a call under way then times out and is repeated."""
        for _ in range(10):
            advance(300)
            self.page.wait_for_timeout(1500)
            if "delivered" in self.rows().first.inner_text():
                return
        expect(self.rows().first).to_contain_text("delivered")

    def fail(self, how: str, times: str) -> None:
        """Makes Loops fail."""
        self.open("Deliveries")
        self.page.get_by_text("Simulate a failure").click()
        self.page.get_by_label("Loops", exact=True).select_option(label=how)
        self.page.get_by_label("For", exact=True).select_option(label=times)
        self.page.get_by_role("button", name="Simulate", exact=True).click()
        expect(self.page.locator("#simulated")).to_contain_text("Simulated:")
        self.page.get_by_text("Simulate a failure").click()

    def rows(self) -> Locator:
        """The rows of the tables that are shown."""
        return self.page.locator("main tbody tr")
