"""The queues: dead letters fixed, redriven and dropped, and the deliveries that wait."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from local.sandbox import Fault

if TYPE_CHECKING:
    from local.sandbox import Sandbox
    from local.stack import LocalStack
    from tests.browser.conftest import MovableClock, Segment
    from tests.browser.studio_page import StudioPage

WRONG = {"type": "identify", "userId": "u-104", "traits": {"email": "no address"}}
GRACE = {"type": "identify", "userId": "u-102", "traits": {"email": "grace@example.com"}}


def test_a_dead_letter_is_redriven(
    studio: StudioPage, page: Page, stack: LocalStack, segment: Segment, sandbox: Sandbox
) -> None:
    """A dead letter is listed under its reason; redriven, it is delivered, and the page shows that result."""
    sandbox.faults.add(Fault(kind="status", status=400))
    segment(**GRACE)
    studio.open("Queues")
    expect(page.get_by_role("heading", name="refused")).to_be_visible()
    page.get_by_text("Content", exact=True).click()
    expect(page.locator("details pre")).to_contain_text("grace@example.com")
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("main > .message")).to_have_text("1 redriven. The results appear under Latest redrives.")
    expect(page.locator("#letters")).to_contain_text("No dead letters.")
    expect(page.locator("#redrives")).to_contain_text("Delivered.")
    assert stack.dead_letters() == []


def test_a_redrive_that_fails_does_not_look_successful(studio: StudioPage, page: Page, segment: Segment) -> None:
    """A redriven delivery that is rejected again shows that, with its reason, and stays a dead letter."""
    segment(**WRONG)
    studio.open("Queues")
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#redrives")).to_contain_text(
        "Rejected again: invalid-payload: email: must be an email address."
    )
    expect(page.locator("#redrives .redrive.bad")).to_have_count(1)
    expect(page.locator(".good")).to_have_count(0)
    expect(page.locator("#letters td.number")).to_have_text("0")
    expect(page.locator("#letters tbody tr")).to_have_count(1)


def test_a_redrive_during_an_outage_says_so(
    studio: StudioPage, page: Page, stack: LocalStack, segment: Segment
) -> None:
    """A redrive that SQS does not accept shows an error, and the dead letter stays."""
    segment(**WRONG)
    studio.open("Queues")
    stack.aws.outage("sqs")
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("main > .message.bad")).to_contain_text("SQS failed")
    expect(page.locator("#redrives")).to_have_count(0)
    stack.aws.recover()
    assert len(stack.dead_letters()) == 1


def test_an_event_that_may_have_been_sent_is_redriven_after_a_question(
    studio: StudioPage, page: Page, segment: Segment, sandbox: Sandbox, clock: MovableClock
) -> None:
    """A dead letter whose idempotency key Loops may have forgotten is redriven only once a person agrees."""
    segment(**GRACE)
    sandbox.faults.add(Fault(kind="status", status=422))
    segment(type="track", userId="u-102", event="Signed Up", properties={})
    clock.advance(24 * 3600)
    studio.open("Queues")
    page.get_by_role("button", name="Redrive").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#letters tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Redrive").click()
    expect(page.get_by_role("dialog")).to_contain_text("Contacts may get the same email again")
    page.get_by_role("dialog").get_by_role("button", name="Redrive").click()
    expect(page.locator("#redrives")).to_contain_text("Delivered.")


def test_a_dead_letter_without_an_event_is_not_redriven(studio: StudioPage, page: Page, segment: Segment) -> None:
    """A dead letter that holds no event offers no redrive."""
    segment(json=5)
    studio.open("Queues")
    expect(page.get_by_role("heading", name="not-an-event")).to_be_visible()
    expect(page.get_by_role("button", name="Redrive")).to_have_count(0)
    expect(page.get_by_role("button", name="Drop")).to_have_count(1)


def test_a_dead_letter_is_fixed_saved_and_redriven(
    studio: StudioPage, page: Page, stack: LocalStack, segment: Segment, sandbox: Sandbox
) -> None:
    """A dead letter leads to its mapping; "Save and redrive" there shows the result, which leads to the delivery."""
    segment(**WRONG)
    studio.open_delivery("no address")
    page.get_by_role("link", name="Fix, save, redrive").click()
    notice = page.locator("main > .message")
    expect(notice).to_contain_text("email: must be an email address")
    expect(page.get_by_role("button", name="Redrive")).to_be_disabled()
    page.get_by_label("Mapping", exact=True).fill('{ "userId": { "@path": "$.userId" }, "email": "fixed@example.com" }')
    page.get_by_role("button", name="Save and redrive").click()
    expect(notice).to_contain_text("Delivered.")
    assert [each.email for each in sandbox.contacts.all()] == ["fixed@example.com"]
    assert stack.dead_letters() == []
    page.get_by_role("link", name="Open delivery").click()
    expect(page.locator(".timeline")).to_contain_text("Redrive")
    expect(page.locator(".attempts li")).to_contain_text("Loops answered 200")


def test_a_dead_letter_is_dropped_after_a_question(
    studio: StudioPage, page: Page, stack: LocalStack, segment: Segment
) -> None:
    """A dead letter is deleted only once a person confirms it; the button looks destructive."""
    segment(**WRONG)
    studio.open("Queues")
    button = page.get_by_role("button", name="Drop")
    assert button.evaluate("each => getComputedStyle(each).color") == page.locator(".tag.bad, .badge").first.evaluate(
        "each => getComputedStyle(each).color"
    )
    button.click()
    page.get_by_role("button", name="Cancel").click()
    assert len(stack.dead_letters()) == 1
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="Drop").click()
    expect(page.locator("#letters")).to_contain_text("No dead letters.")
    assert stack.dead_letters() == []


def test_dead_letters_are_counted_grouped_and_paged(
    studio: StudioPage, page: Page, stack: LocalStack, segment: Segment
) -> None:
    """The navigation counts the dead letters; a reason filters them, and its pages and "Drop all" cover all of them."""
    for number in range(30):
        segment(**WRONG | {"userId": f"u-{number}"})
    segment(json=5)
    invalid = sum('"invalid-payload"' in each for each in stack.dead_letters())  # a slow SQS may hold a duplicate
    studio.open("Queues")
    expect(page.locator("#views")).to_contain_text(f"Queues{len(stack.dead_letters())}")
    page.get_by_role("button", name=f"invalid-payload {invalid}").click()
    expect(page.locator("#letters tbody tr")).to_have_count(25)
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#letters tbody tr")).to_have_count(invalid - 25)
    page.get_by_role("button", name=f"Drop all {invalid}").click()
    page.get_by_role("dialog").get_by_role("button", name="Drop").click()
    expect(page.locator("main > .message")).to_have_text(f"{invalid} dead letters dropped.")
    expect(page.locator("#views")).to_contain_text(f"Queues{len(stack.dead_letters())}")


def test_attempts_are_counted_alike_everywhere(
    studio: StudioPage, stack: LocalStack, segment: Segment, sandbox: Sandbox, clock: MovableClock
) -> None:
    """A delivery that waits on the RetryQueue has the same number of attempts there as among the deliveries."""
    sandbox.faults.add(Fault(kind="status", status=500, times=None))
    segment(**GRACE)
    (waiting,) = stack.waiting()
    shown = str(json.loads(waiting)["attempts"] + 1)  # 2, or 1 if the machine was too slow for a first attempt
    studio.open("Deliveries")
    clock.advance(60)
    attempts = studio.rows().locator("td.number")
    expect(attempts).to_have_text(shown)
    studio.open("Queues")
    expect(attempts).to_have_text(shown)
    sandbox.faults.clear()


def test_every_page_leads_to_the_others(studio: StudioPage, page: Page, segment: Segment) -> None:
    """From a dead letter links lead to its event, from there to the contact, and from the contact to its deliveries."""
    segment(**GRACE)
    segment(type="track", userId="u-102", event="Signed Up", properties={"email": "not an address"})
    studio.open("Queues")
    page.locator("#letters").get_by_role("link", name="Signed Up", exact=True).click()
    expect(page.get_by_role("heading", name="Signed Up", level=1)).to_be_visible()
    page.get_by_role("link", name="grace@example.com").click()
    studio.ready("grace@example.com")
    page.get_by_role("link", name="Show deliveries").click()
    studio.ready("Deliveries")
    expect(studio.rows()).to_have_count(1)
