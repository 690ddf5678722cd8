"""The work of a person in the studio, in a browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from pathlib import Path

    from local.sandbox import Sandbox
    from local.stack import LocalStack
    from tests.browser.conftest import Segment
    from tests.browser.studio_page import StudioPage

CONTACT = "Create or update a contact"


def test_a_mapping_is_broken_corrected_saved_and_tried(studio: StudioPage, page: Page, mappings: Path) -> None:
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
    studio.send("Delivered")
    expect(page.locator("#answer")).to_contain_text("Loops answered 200")
    studio.open("Contacts")
    expect(studio.rows()).to_have_count(1)
    expect(studio.rows()).to_contain_text("grace@example.com")
    expect(studio.rows()).to_contain_text("firstName Amazing Grace")


def test_a_trigger_says_which_condition_decides(studio: StudioPage, page: Page) -> None:
    """While a trigger is typed, its errors show with a caret, and each condition with its result."""
    studio.open()
    trigger = page.get_by_label("Trigger")
    trigger.fill('type = "identify" and traits.plan')
    expect(page.locator("#problems-trigger .caret")).to_contain_text("^")
    trigger.fill('type = "identify" and traits.favoriteNumber > 50')
    conditions = page.locator(".conditions li")
    expect(conditions).to_have_count(2)
    expect(conditions.nth(0)).to_have_text('yestype = "identify"the event has "identify"')
    expect(conditions.nth(1)).to_have_text("notraits.favoriteNumber > 50the event has 42decides")
    expect(page.locator("#picks").get_by_role("button", name=CONTACT)).to_contain_text("No match")


def test_a_subscription_is_added_and_deleted(studio: StudioPage, page: Page, mappings: Path) -> None:
    """A new subscription takes events once it is enabled and saved, and is gone from the file once it is deleted."""
    studio.open()
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Name").fill("Signed up")
    page.get_by_label("Trigger").fill('event = "User Registered"')
    studio.take_event("track")
    page.get_by_label("Enabled").check()
    expect(page.locator("#picks").get_by_role("button", name="Signed up")).to_contain_text("Matches")
    page.get_by_role("button", name="Save and send test event").click()
    expect(page.locator("#answer")).to_contain_text("Delivered by “Signed up”")
    assert [each["name"] for each in json.loads(mappings.read_bytes())["subscriptions"]][3:] == ["Signed up"]
    studio.choose("Signed up")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#save-note")).to_contain_text("Unsaved changes")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#save-note")).to_contain_text("Saved")
    assert len(json.loads(mappings.read_bytes())["subscriptions"]) == 3


def test_a_new_subscription_is_disabled(studio: StudioPage, page: Page, mappings: Path, sandbox: Sandbox) -> None:
    """A subscription that was only added and saved sends nothing, although its default trigger matches."""
    studio.open()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_label("Enabled")).not_to_be_checked()
    name = page.get_by_label("Name").input_value()
    expect(page.locator("#picks").get_by_role("button", name=name).last).to_contain_text("Disabled")
    studio.take_event("track")
    page.get_by_role("button", name="Save and send test event").click()
    expect(page.locator("#answer")).to_contain_text("Delivered")
    assert json.loads(mappings.read_bytes())["subscriptions"][3]["enabled"] is False
    assert len(sandbox.events.all()) == 1


def test_the_focus_stays_where_a_person_put_it(studio: StudioPage, page: Page) -> None:
    """A view that is still being filled takes no focus from the field that somebody has gone on to."""
    studio.open("Queues")
    page.evaluate(
        """async () => {
          const changed = new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
          location.hash = "#/mappings";
          await changed;
          while (!document.querySelector("#mapping")) await new Promise(requestAnimationFrame);
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
    expect(page.locator("#answer")).to_contain_text("Delivered")


def test_typing_is_not_disturbed_by_polling(studio: StudioPage, page: Page, segment: Segment) -> None:
    """While the page asks for what is new, the focus stays, and an opened row stays open."""
    segment(type="identify", userId="u", traits={"email": "no address"})
    studio.open("Queues")
    page.get_by_text("Content", exact=True).click()
    page.get_by_role("button", name="Drop").focus()
    segment(type="identify", userId="v", traits={"email": "wrong"})
    expect(studio.rows()).to_have_count(2)
    expect(page.locator("details[open]")).to_have_count(1)
    expect(page.locator(":focus")).to_have_text("Drop")


def test_what_an_event_says_is_never_markup(studio: StudioPage, page: Page) -> None:
    """HTML in an event is shown as it is written."""
    studio.open()
    traits = {"email": "a@example.com", "firstName": "<img src=x onerror=alert(1)><b>bold</b>"}
    studio.write_event(type="identify", messageId="m-1", userId="<b>u</b>", traits=traits)
    studio.send("Delivered")
    studio.open("Contacts")
    expect(studio.rows()).to_contain_text("<b>bold</b>")
    expect(page.locator("main b, main img")).to_have_count(0)


def test_a_lost_connection_is_reported(studio: StudioPage, page: Page, stack: LocalStack) -> None:
    """While the stack does not answer the page says so, and it goes on once the stack is back."""
    studio.open("Deliveries")
    stack.gateway.stop()
    expect(page.locator("#lost")).to_be_visible()
    stack.gateway.start()
    expect(page.locator("#lost")).to_be_hidden()
