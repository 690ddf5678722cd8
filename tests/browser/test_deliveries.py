"""Deliveries, and the timeline of an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from local.delivery_log import KEPT
from local.sandbox import Fault

if TYPE_CHECKING:
    from local.sandbox import Sandbox
    from tests.browser.conftest import MovableClock, Segment
    from tests.browser.studio_page import StudioPage

ADA = {"type": "identify", "userId": "u-101", "traits": {"email": "ada@example.com", "firstName": "Ada"}}
SIGNED_UP = {"type": "track", "userId": "u-101", "event": "Signed Up", "properties": {"plan": "pro"}}


def test_a_queued_delivery_arrives(
    studio: StudioPage, page: Page, clock: MovableClock, segment: Segment, sandbox: Sandbox
) -> None:
    """A queued delivery is delivered once Loops works again, and its timeline shows both attempts with their responses."""
    sandbox.faults.add(Fault(kind="status", status=500))
    segment(**ADA)
    studio.open("Queues")
    expect(studio.rows().filter(has_text="loops-error")).to_have_count(1)
    expect(studio.rows().first).to_contain_text("in ")
    studio.open("Deliveries")
    expect(studio.rows().first).to_contain_text("queued")
    studio.advance_until_delivered(clock.advance)
    studio.open_delivery("ada@example.com")
    attempts = page.locator(".attempts li")
    expect(attempts.nth(0)).to_contain_text("Loops answered 500")
    expect(attempts.nth(1)).to_contain_text("Loops answered 200")
    expect(page.locator(".timeline")).to_contain_text("Contact in Loops")


def test_a_delivery_is_sent_again(studio: StudioPage, page: Page, segment: Segment, sandbox: Sandbox) -> None:
    """A delivery that is sent again keeps its idempotency key, so Loops processes the event once."""
    segment(**ADA)
    segment(**SIGNED_UP)
    studio.open_delivery("Signed Up")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("main")).to_contain_text("delivered, Loops has it already")
    assert len(sandbox.events.all()) == 1


def test_a_filtered_delivery_says_why(studio: StudioPage, page: Page, segment: Segment) -> None:
    """A filtered delivery names for each subscription the condition that decided, and what the event has instead."""
    segment(type="page", userId="u-101", name="Pricing")
    studio.open_delivery("Pricing")
    whys = page.locator(".whys > li")
    expect(whys).to_have_count(3)
    expect(whys.nth(0)).to_contain_text("Create or update a contact")
    expect(whys.nth(0)).to_contain_text('type = "identify" is false: the event has "page".')
    whys.nth(1).get_by_role("link", name="Send an event").click()
    expect(page.locator("#picks [aria-current]")).to_contain_text("Send an event")
    expect(page.get_by_role("textbox", name="Event")).to_have_value(
        '{\n  "messageId": "ajs-next-0001",\n  "type": "page",\n  "userId": "u-101",\n  "name": "Pricing"\n}'
    )


def test_an_event_at_a_url_of_one_action_says_so(studio: StudioPage, page: Page, segment: Segment) -> None:
    """A delivery that was filtered because its URL runs another action says that, not that a condition failed."""
    segment(path="/contacts", **SIGNED_UP)
    studio.open_delivery("Signed Up")
    expect(page.locator(".whys")).to_contain_text("/contacts does not run sendEvent.")


def test_a_rejected_delivery_leads_to_its_field(studio: StudioPage, page: Page, segment: Segment) -> None:
    """A rejected delivery shows the field, and "Fix mapping" opens its mapping at that field with its event."""
    segment(type="identify", userId="u-104", traits={"email": "no address"})
    studio.open_delivery("no address")
    expect(page.locator(".timeline .detail").first).to_contain_text("email: must be an email address")
    page.get_by_role("link", name="Fix mapping").first.click()
    mapping = page.get_by_label("Mapping", exact=True)
    expect(mapping).to_be_focused()
    assert mapping.evaluate("each => each.value.slice(each.selectionStart, each.selectionEnd)").lstrip() == '"email": {'
    expect(page.get_by_role("textbox", name="Event")).to_have_value(
        '{\n  "messageId": "ajs-next-0001",\n  "type": "identify",\n  "userId": "u-104",\n  "traits": {\n    "email": "no address"\n  }\n}'
    )


def test_deliveries_are_searched_and_filtered(studio: StudioPage, page: Page, segment: Segment) -> None:
    """Search, outcome and time range narrow the list, are kept in the address, and survive a reload."""
    segment(**ADA)
    segment(**SIGNED_UP)
    segment(type="page", userId="u-101", name="Pricing")
    studio.open("Deliveries")
    expect(studio.rows()).to_have_count(3)
    page.get_by_role("button", name="filtered 1").click()
    expect(studio.rows()).to_have_count(1)
    page.get_by_role("button", name="All 3").click()
    page.get_by_role("searchbox").fill("signed up")
    expect(studio.rows()).to_have_count(1)
    expect(studio.rows()).to_contain_text("Signed Up")
    page.get_by_label("Time range").select_option(label="Last hour")
    page.reload()
    expect(studio.rows()).to_have_count(1)
    expect(page.get_by_role("searchbox")).to_have_value("signed up")
    expect(page.get_by_label("Time range")).to_have_value("3600")
    page.get_by_role("searchbox").fill("nobody")
    page.get_by_role("link", name="Clear the filters").click()
    expect(studio.rows()).to_have_count(3)


def test_a_time_range_leaves_out_older_deliveries(
    studio: StudioPage, page: Page, segment: Segment, clock: MovableClock
) -> None:
    """A time range counts from the stack's present time."""
    segment(**ADA)
    clock.advance(2 * 3600)
    segment(**SIGNED_UP)
    studio.open("Deliveries")
    expect(studio.rows()).to_have_count(2)
    page.get_by_label("Time range").select_option(label="Last hour")
    expect(studio.rows()).to_have_count(1)
    expect(studio.rows()).to_contain_text("Signed Up")


def test_new_deliveries_do_not_move_the_rows(studio: StudioPage, page: Page, segment: Segment) -> None:
    """Deliveries that arrive while somebody reads are counted on a button, and listed once it is pressed."""
    segment(**ADA)
    studio.open("Deliveries")
    expect(studio.rows()).to_have_count(1)
    for number in range(3):
        segment(type="page", userId="u-101", name=f"Page {number}")
    expect(page.get_by_role("button", name="3 new")).to_be_visible()
    expect(studio.rows()).to_have_count(1)
    page.get_by_role("button", name="3 new").click()
    expect(studio.rows()).to_have_count(4)
    expect(studio.rows().first).to_contain_text("Page 2")


def test_deliveries_are_paged(studio: StudioPage, page: Page, segment: Segment) -> None:
    """A long list has pages, each at an address of its own."""
    for number in range(60):
        segment(type="page", userId="u-101", name=f"Page {number}")
    studio.open("Deliveries")
    expect(studio.rows()).to_have_count(50)
    expect(page.locator(".pager")).to_contain_text("50 of 60 deliveries")
    page.get_by_role("button", name="Next").click()
    expect(studio.rows()).to_have_count(10)
    page.go_back()
    expect(studio.rows()).to_have_count(50)


def test_selected_deliveries_are_retried(studio: StudioPage, page: Page, segment: Segment, sandbox: Sandbox) -> None:
    """Of the selected rows those with a dead letter are redriven, and the events of the others are sent again."""
    segment(**ADA)
    sandbox.faults.add(Fault(kind="status", status=400))
    segment(type="identify", userId="u-102", traits={"email": "grace@example.com"})
    studio.open("Deliveries")
    page.get_by_label("Select all rows").check()
    page.get_by_role("button", name="Retry 2").click()
    expect(page.locator("main .message")).to_contain_text("1 redriven. 1 sent again.")
    expect(studio.rows().filter(has_text="grace@example.com")).to_contain_text("delivered")
    assert len(sandbox.contacts.all()) == 2


def test_an_event_is_copied(studio: StudioPage, page: Page, segment: Segment) -> None:
    """The event, and its request as a curl command that holds no API key, can be copied."""
    segment(**SIGNED_UP)
    studio.open_delivery("Signed Up")
    page.get_by_role("button", name="Copy as curl").click()
    curl = page.evaluate("navigator.clipboard.readText()")
    assert curl.startswith("curl -X POST 'http://127.0.0.1:")
    assert '-H "Authorization: Bearer $LOOPS_API_KEY"' in curl
    assert '"eventName":"Signed Up"' in curl
    page.get_by_role("button", name="Copy event").click()
    assert '"event": "Signed Up"' in page.evaluate("navigator.clipboard.readText()")


def test_a_cut_list_says_so(studio: StudioPage, page: Page, segment: Segment) -> None:
    """A stack that has forgotten older deliveries says how many it remembers."""
    segment.batches([{"type": "page", "messageId": f"m-{number}"} for number in range(KEPT + 1)])
    studio.open("Deliveries")
    expect(page.locator(".cut")).to_contain_text("Only the latest 1,000 deliveries are remembered.")
