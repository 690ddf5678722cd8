"""The page of a contact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

FIRST, SECOND = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2))

if TYPE_CHECKING:
    from tests.browser.conftest import Segment
    from tests.browser.studio_page import StudioPage


def test_a_contact_shows_which_event_set_each_value(studio: StudioPage, page: Page, segment: Segment) -> None:
    """The page of a contact has the event that set each value, and a link to it."""
    segment(type="identify", userId="u-101", messageId=FIRST, traits={"email": "ada@example.com", "plan": "free"})
    segment(type="identify", userId="u-101", messageId=SECOND, traits={"email": "ada@example.com", "plan": "pro"})
    studio.open_contact("ada@example.com")
    plan = studio.rows().filter(has=page.get_by_role("cell", name="plan", exact=True))
    expect(plan).to_contain_text("pro")
    expect(plan.get_by_role("time")).to_be_visible()
    plan.get_by_role("link", name=SECOND).click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    page.get_by_role("link", name="ada@example.com").click()
    studio.ready("ada@example.com")
    page.get_by_role("link", name="Show deliveries").click()
    expect(studio.rows()).to_have_count(2)
