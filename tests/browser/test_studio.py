"""The work of a person in the studio, in a browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from pathlib import Path

    from local.sandbox import Sandbox
    from local.stack import LocalStack
    from tests.browser.conftest import MovableClock
    from tests.browser.studio_page import StudioPage

CONTACT = "Create or update a contact"


def test_a_mapping_is_broken_mended_saved_and_tried(studio: StudioPage, page: Page, mappings: Path) -> None:
    """A problem is shown at its line and blocks saving; a warning does not, and the saved mapping is used."""
    before = mappings.read_bytes()
    studio.open()
    mapping = studio.mapping()
    editor = page.get_by_label("Mapping", exact=True)

    editor.fill(json.dumps(mapping | {"firstName": {"@pth": "$.traits.firstName"}}, indent=2))
    expect(page.locator("#problems-mapping")).to_contain_text("unknown directive @pth")
    line = editor.input_value().split("\n").index('    "@pth": "$.traits.firstName"') + 1
    expect(page.locator("#editor .gutter .faulty")).to_have_text(str(line - 1))
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    expect(page.get_by_role("button", name="Save and send")).to_be_disabled()
    assert mappings.read_bytes() == before

    editor.fill("{")
    expect(page.locator("#problems-mapping")).to_contain_text("not JSON")

    nickname = {"firstName": {"@path": "$.traits.nickname"}}
    editor.fill(json.dumps(mapping | nickname))
    expect(page.locator("#problems-mapping li:not(.warning)")).to_have_count(0)
    expect(page.locator("#problems-mapping .warning")).to_contain_text("reads $.traits.nickname")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#save-note")).to_contain_text("Saved")
    assert json.loads(mappings.read_bytes())["subscriptions"][0]["mapping"]["firstName"] == nickname["firstName"]
    assert b'\n        "firstName": { "@path": "$.traits.nickname" },\n' in mappings.read_bytes()

    traits = {"email": "grace@example.com", "nickname": "Amazing Grace"}
    studio.write_event(type="identify", messageId="m-1", userId="grace", traits=traits)
    expect(page.locator("#result")).to_contain_text('"firstName": "Amazing Grace"')
    studio.send("delivered")
    expect(page.locator("#answer")).to_contain_text("Loops answered 200")
    studio.open("Audience")
    expect(studio.rows()).to_have_count(1)
    expect(studio.rows()).to_contain_text("grace@example.com")
    expect(studio.rows()).to_contain_text("firstNameAmazing Grace")


def test_a_trigger_says_which_condition_decides(studio: StudioPage, page: Page) -> None:
    """While a trigger is typed, its faults show with a caret, and each condition with what it came to."""
    studio.open()
    trigger = page.get_by_label("Trigger")
    trigger.fill('type = "identify" and traits.plan')
    expect(page.locator("#problems-trigger .mono")).to_contain_text("^")
    trigger.fill('type = "identify" and traits.favoriteNumber > 50')
    conditions = page.locator(".conditions li")
    expect(conditions).to_have_count(2)
    expect(conditions.nth(0)).to_have_text('yestype = "identify"')
    expect(conditions.nth(1)).to_have_text("notraits.favoriteNumber > 50decides")
    expect(page.locator("#picks").get_by_role("button", name=CONTACT)).to_contain_text("does not take it")


def test_a_subscription_is_added_and_deleted(studio: StudioPage, page: Page, mappings: Path) -> None:
    """A new subscription takes events once it is enabled and saved, and is gone from the file once it is deleted."""
    studio.open()
    page.get_by_role("button", name="Add one").click()
    page.get_by_label("Name").fill("Signed up")
    page.get_by_label("Trigger").fill('event = "User Registered"')
    studio.take_event("track")
    page.get_by_label("Enabled").check()
    expect(page.locator("#picks").get_by_role("button", name="Signed up")).to_contain_text("takes the event")
    page.get_by_role("button", name="Save and send test event").click()
    expect(page.locator("#answer")).to_contain_text("delivered, by “Signed up”")
    assert [each["name"] for each in json.loads(mappings.read_bytes())["subscriptions"]][3:] == ["Signed up"]
    studio.choose("Signed up")
    page.get_by_role("button", name="Delete this subscription").click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#save-note")).to_contain_text("Saved")
    assert len(json.loads(mappings.read_bytes())["subscriptions"]) == 3


def test_a_new_subscription_is_disabled(studio: StudioPage, page: Page, mappings: Path, sandbox: Sandbox) -> None:
    """A subscription that was only added and saved sends nothing, although its default trigger matches."""
    studio.open()
    page.get_by_role("button", name="Add one").click()
    expect(page.get_by_label("Enabled")).not_to_be_checked()
    name = page.get_by_label("Name").input_value()
    expect(page.locator("#picks").get_by_role("button", name=name).last).to_contain_text("disabled")
    studio.take_event("track")
    page.get_by_role("button", name="Save and send test event").click()
    expect(page.locator("#answer")).to_contain_text("delivered")
    assert json.loads(mappings.read_bytes())["subscriptions"][3]["enabled"] is False
    assert len(sandbox.events.all()) == 1


def test_a_delivery_waits_for_loops_and_arrives(studio: StudioPage, page: Page, clock: MovableClock) -> None:
    """With Loops answering 500 an event is queued; once Loops works again it is delivered, and both responses are shown."""
    studio.fail("answer 500", "the next call")
    studio.open()
    studio.send("queued")
    expect(page.locator("#trouble")).to_be_hidden()
    studio.open("Queues")
    expect(studio.rows().filter(has_text="loops-error")).to_have_count(1)
    expect(studio.rows().first).to_contain_text("in ")
    studio.open("Deliveries")
    expect(studio.rows().first).to_contain_text("queued loops-error")
    clock.advance(60)
    expect(studio.rows().first).to_contain_text("delivered")
    page.get_by_role("link", name="Open delivery").first.click()
    expect(page.get_by_role("heading", name="Answers of Loops")).to_be_visible()
    expect(studio.rows()).to_have_count(2)
    expect(studio.rows().nth(0)).to_contain_text("500")
    expect(studio.rows().nth(1)).to_contain_text("200")
    expect(page.locator("#delivery dl")).to_contain_text("Attempts2")


def test_deliveries_are_filtered_and_sent_again(studio: StudioPage, page: Page, sandbox: Sandbox) -> None:
    """Of several deliveries those of an outcome are shown; one sent again is known to Loops by its key."""
    studio.open()
    studio.send("delivered")
    studio.take_event("track")
    studio.send("delivered")
    studio.write_event(type="page", messageId="m-page")
    studio.send("no subscription takes it")
    studio.open("Deliveries")
    expect(studio.rows()).to_have_count(3)
    page.get_by_label("Outcome").select_option("filtered")
    expect(studio.rows()).to_have_count(1)
    page.get_by_label("Outcome").select_option("")
    studio.rows().filter(has_text="Send an event").get_by_role("link").click()
    page.get_by_role("button", name="Send it again").click()
    expect(page.locator("#again-answer")).to_contain_text("delivered (Loops has it already)")
    assert len(sandbox.events.all()) == 1
    studio.open("Events")
    expect(studio.rows()).to_have_count(1)
    expect(studio.rows()).to_contain_text("User Registered")


def test_a_dead_letter_is_redriven(studio: StudioPage, page: Page, stack: LocalStack) -> None:
    """A delivery that Loops refused is listed by its reason; redriven, it is delivered and no longer a dead letter."""
    studio.fail("refuse the request, 400", "the next call")
    studio.open()
    studio.send("rejected")
    studio.open("Queues")
    expect(page.get_by_role("heading", name="refused")).to_be_visible()
    page.get_by_text("Show").click()
    expect(page.locator("details pre")).to_contain_text("adam@loops.so")
    page.get_by_role("button", name="Redrive").click()
    expect(page.locator("#queues-answer")).to_contain_text("1 went back to the RetryQueue")
    expect(page.locator("#letters")).to_contain_text("There are no dead letters")
    studio.open("Deliveries")
    expect(studio.rows().first).to_contain_text("delivered")
    assert stack.dead_letters() == []


def test_a_dead_letter_is_dropped_after_a_question(studio: StudioPage, page: Page, stack: LocalStack) -> None:
    """A letter is deleted only when that is confirmed."""
    studio.open()
    studio.write_event(type="identify", messageId="m-1", userId="u", traits={"email": "no address"})
    studio.send("rejected")
    studio.open("Queues")
    page.get_by_role("button", name="Drop").click()
    page.get_by_role("button", name="Cancel").click()
    assert len(stack.dead_letters()) == 1
    page.get_by_role("button", name="Drop").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#letters")).to_contain_text("There are no dead letters")
    assert stack.dead_letters() == []


def test_the_focus_stays_where_a_person_put_it(studio: StudioPage, page: Page) -> None:
    """A view that is still being filled takes no focus from the field that somebody has gone on to."""
    studio.open("Queues")
    page.evaluate(
        """async () => {
          const changed = new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
          location.hash = "#/mappings";
          await changed;
          document.querySelector("#mapping").focus();
          await new Promise((resolve) => setTimeout(resolve, 1000));
        }"""
    )
    expect(page.get_by_label("Mapping", exact=True)).to_be_focused()


def test_it_works_by_keyboard_alone(studio: StudioPage, page: Page) -> None:
    """The keyboard alone is enough to reach the editor, correct a problem from the list, and send."""
    studio.open()
    page.get_by_label("Mapping", exact=True).fill(
        '{\n  "userId": { "@path": "$.userId" },\n  "email": { "@nope": 1 }\n}'
    )
    expect(page.locator("#problems-mapping")).to_contain_text("@nope")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Line 3")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Mapping", exact=True)).to_be_focused()
    page.keyboard.type('  "email": { "@path": "$.traits.email" }')
    expect(page.locator("#problems-mapping li")).to_have_count(0)
    send = page.get_by_role("button", name="Save and send test event")
    for _ in range(10):
        page.keyboard.press("Tab")
        if send.evaluate("each => each === document.activeElement"):
            break
    expect(send).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_contain_text("delivered")


def test_typing_is_not_disturbed_by_looking_again(studio: StudioPage, page: Page) -> None:
    """While the page looks for what is new, the focus stays, and an opened row stays open."""
    studio.open()
    studio.write_event(type="identify", messageId="m-1", userId="u", traits={"email": "no address"})
    studio.send("rejected")
    studio.open("Queues")
    page.get_by_text("Show").click()
    page.get_by_role("button", name="Drop").focus()
    page.evaluate(
        "fetch('/studio/api/send', {method: 'POST', headers: {'Content-Type': 'application/json'},"
        """ body: JSON.stringify({event: '{"type":"identify","userId":"v","traits":{"email":"wrong"}}'})})"""
    )
    expect(studio.rows()).to_have_count(2)
    expect(page.locator("details[open]")).to_have_count(1)
    expect(page.locator(":focus")).to_have_text("Drop")


def test_what_an_event_says_is_never_markup(studio: StudioPage, page: Page) -> None:
    """HTML in an event is shown as it is written."""
    studio.open()
    traits = {"email": "a@example.com", "firstName": "<img src=x onerror=alert(1)><b>bold</b>"}
    studio.write_event(type="identify", messageId="m-1", userId="<b>u</b>", traits=traits)
    studio.send("delivered")
    studio.open("Audience")
    expect(studio.rows()).to_contain_text("<b>bold</b>")
    expect(page.locator("section:visible b, section:visible img")).to_have_count(0)


def test_another_program_that_ends_is_told(studio: StudioPage, page: Page, stack: LocalStack) -> None:
    """When the stack has ended, the page says so, and goes on when it is back."""
    studio.open("Deliveries")
    stack.gateway.stop()
    expect(page.locator("#lost")).to_be_visible()
    stack.gateway.start()
    expect(page.locator("#lost")).to_be_hidden()
