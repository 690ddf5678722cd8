"""Mappings without writing JSON: the form, values to click, suggestions, imports and the review of changes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.studio_page import StudioPage

if TYPE_CHECKING:
    from local.sandbox import Sandbox
    from tests.browser.conftest import MovableClock, Segment

MAX_TABS = 150
CONTACT = "Create or update a contact"
EXPORTED = {
    "id": "s-9", "name": "Orders", "enabled": True, "actionSlug": "sendEvent", "destinationId": "d",
    "trigger": 'type = "track" and event = "User Registered" or event = "Trial Started"',
    "settings": {"userId": {"@path": "$.userId"}, "eventName": {"@path": "$.event"}},
}  # fmt: skip


class FormPage(StudioPage):
    """The studio of somebody who never writes JSON."""

    def row(self, label: str) -> Locator:
        """The row of a field."""
        return self.page.get_by_role("group", name=label, exact=True)

    def source(self, label: str) -> Locator:
        """The kind of a row's source."""
        return self.page.get_by_role("combobox", name=f"{label}: source", exact=True)

    def field(self, label: str) -> Locator:
        """The path of a row."""
        return self.page.get_by_role("combobox", name=f"{label}: event field", exact=True)

    def saved(self) -> None:
        """Wait until the file is saved."""
        expect(self.page.locator("#save-note")).to_contain_text("Saved")

    def deleted(self, clock: MovableClock) -> None:
        """Wait for the second step of a deletion, which follows once no other call can be under way."""
        clock.advance(60)
        self.open("Deliveries")
        expect(self.rows().first).to_contain_text("delivered")

    def tab_to(self, target: Locator) -> None:
        """Go to an element with the Tab key alone."""
        for _ in range(MAX_TABS):
            if target.count() and target.evaluate("each => each === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        pytest.fail(f"Tab does not reach {target}")

    def press(self, target: Locator, *keys: str) -> None:
        """Go to an element with Tab, and presses keys there."""
        self.tab_to(target)
        for key in keys:
            self.page.keyboard.press(key)

    def pick(self, target: Locator, option: str) -> None:
        """Go to a select with Tab, and picks an option by typing its first letters."""
        self.tab_to(target)
        self.page.keyboard.type(option)
        self.page.keyboard.press("Tab")
        expect(target.locator("option:checked")).to_have_text(option)


@pytest.fixture
def form(page: Page) -> FormPage:
    return FormPage(page)


@pytest.fixture
def empty(mappings: Path) -> Path:
    """A mappings file without a subscription."""
    mappings.write_text('{"subscriptions": []}')
    return mappings


def subscriptions(path: Path) -> list[Any]:
    found: list[Any] = json.loads(path.read_bytes())["subscriptions"]
    return found


def test_three_subscriptions_are_made_by_mouse(
    form: FormPage, page: Page, empty: Path, sandbox: Sandbox, clock: MovableClock
) -> None:
    """From an empty file, clicks alone make, save and test a mapping for identify, track and delete."""
    form.open()
    expect(page.get_by_text("No subscriptions.")).to_be_visible()

    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Action").select_option(label=CONTACT)
    form.take_event("identify")
    form.source("Custom attributes").select_option(label="Named rows")
    page.get_by_role("button", name="Map Custom attributes to $.traits.favoriteColor").click()
    form.source("User group").select_option(label="Event field")
    form.field("User group").click()
    page.get_by_role("button", name="Map User group to $.traits.firstName").click()
    expect(form.field("User group")).to_have_value("$.traits.firstName")
    expect(form.row("User group")).to_contain_text("Sample: Adam")
    page.get_by_label("Enabled").check()
    page.get_by_role("button", name="Save and send test event").click()
    expect(page.locator("#answer")).to_contain_text("Delivered by")
    (contact,) = subscriptions(empty)
    assert contact["mapping"]["customAttributes"] == {"favoriteColor": {"@path": "$.traits.favoriteColor"}}
    assert contact["mapping"]["userGroup"] == {"@path": "$.traits.firstName"}
    (person,) = sandbox.contacts.all()
    assert person.properties["favoriteColor"] == "blue"

    page.get_by_role("button", name="Add", exact=True).click()
    form.take_event("track")
    form.source("Event properties").select_option(label="Named rows")
    page.get_by_label("Click a value to map it to").select_option(label="Event properties: add a row")
    page.get_by_role("button", name="Map Event properties to $.messageId").click()
    page.get_by_label("Enabled").check()
    page.get_by_role("button", name="Save and send test event").click()
    expect(page.locator("#answer")).to_contain_text("Delivered by")
    assert subscriptions(empty)[1]["mapping"]["eventProperties"] == {"messageId": {"@path": "$.messageId"}}
    assert len(sandbox.events.all()) == 1

    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Action").select_option(label="Delete a contact")
    form.take_event("delete")
    page.get_by_label("Enabled").check()
    page.get_by_role("button", name="Map User ID to $.userId").click()
    page.get_by_role("button", name="Save and send test event").click()
    expect(page.locator("#answer")).to_contain_text("Queued by “Delete a contact”: deletion-begun")
    form.deleted(clock)
    assert [each["action"] for each in subscriptions(empty)] == ["createOrUpdateContact", "sendEvent", "deleteContact"]


def test_three_subscriptions_are_made_by_keyboard(
    form: FormPage, page: Page, empty: Path, sandbox: Sandbox, clock: MovableClock
) -> None:
    """From an empty file, the keyboard alone makes, saves and tests a mapping for identify, track and delete."""
    page.goto("/")
    form.ready("Mappings")
    source, enabled = page.get_by_label("Sample event source"), page.get_by_label("Enabled")

    for number, (action, event) in enumerate(
        [(CONTACT, "identify"), ("Send an event", "track"), ("Delete a contact", "delete")], start=1
    ):
        form.press(page.get_by_role("button", name="Add", exact=True), "Enter")
        name = page.get_by_label("Name", exact=True)
        expect(name).to_be_focused()
        page.keyboard.type(f"By keyboard {number}")
        form.pick(page.get_by_label("Action"), action)
        form.press(enabled, "Space")
        if event == "identify":
            form.pick(form.source("User group"), "Event field")
            form.tab_to(form.field("User group"))
            page.keyboard.type("color")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
            expect(form.field("User group")).to_have_value("$.traits.favoriteColor")
        form.pick(source, f"events/{event}")
        form.press(page.get_by_role("button", name="Save and send test event"), "Enter")
        outcome = "Queued" if event == "delete" else "Delivered"
        expect(page.locator("#answer")).to_contain_text(f"{outcome} by “By keyboard {number}”")
    form.deleted(clock)
    saved = subscriptions(empty)
    assert [each["action"] for each in saved] == ["createOrUpdateContact", "sendEvent", "deleteContact"]
    assert saved[0]["mapping"]["userGroup"] == {"@path": "$.traits.favoriteColor"}
    assert all(each["enabled"] for each in saved)
    assert len(sandbox.events.all()) == 1


def test_form_and_json_are_always_the_same_mapping(form: FormPage, page: Page) -> None:
    """An edit of a row is in the JSON, and an edit of the JSON is in its row; nothing else changes."""
    form.open()
    form.field("First name").fill("$.traits.nickname")
    form.show_json()
    editor = page.get_by_label("Mapping", exact=True)
    expect(editor).to_have_value(re.compile(r"\$\.traits\.nickname"))
    after = form.mapping()
    assert after["firstName"] == {"@path": "$.traits.nickname"}
    editor.fill(json.dumps(after | {"lastName": {"@case": {"operator": "upper", "value": {"@path": "$.traits.name"}}}}))
    form.show("mapping", "Form")
    expect(form.source("Last name").locator("option:checked")).to_have_text("Change case")
    expect(form.field("First name")).to_have_value("$.traits.nickname")
    form.source("Last name").select_option(label="Not mapped")
    form.show("mapping", "JSON")
    expect(editor).not_to_have_value(re.compile("lastName"))
    assert {**after, "lastName": None} == form.mapping() | {"lastName": None}


def test_each_kind_of_source_can_be_chosen(form: FormPage, page: Page) -> None:
    """Every kind of source makes the definition that its row shows, with its value for the sample event."""
    form.open()
    row = form.row("User group")
    for kind, label, text, value in [
        ("Template", "User group: template", "{{traits.firstName}}!", "Adam!"),
        ("Fixed value", "User group: value", "members", "members"),
        ("JSON", "User group: JSON", '{"@replace": {"pattern": "A", "replacement": "M", "value": {"@path": "$.traits.firstName"}}}', "Mdam"),
    ]:  # fmt: skip
        form.source("User group").select_option(label=kind)
        page.get_by_label(label, exact=True).fill(text)
        expect(row).to_contain_text(f"Sample: {value}")
    form.source("User group").select_option(label="If exists")
    page.get_by_role("combobox", name="User group, If: event field").fill("$.traits.nope")
    page.get_by_role("combobox", name="User group, else: source").select_option(label="Fixed value")
    page.get_by_label("User group, else: value").fill("nobody")
    expect(row).to_contain_text("Sample: nobody")
    form.source("User group").select_option(label="Change case")
    page.get_by_role("combobox", name="User group, the value: event field").fill("$.traits.firstName")
    expect(row).to_contain_text("Sample: adam")
    form.show_json()
    assert form.mapping()["userGroup"] == {"@case": {"operator": "lower", "value": {"@path": "$.traits.firstName"}}}


def test_named_rows_are_added_renamed_and_removed(form: FormPage, page: Page) -> None:
    """Custom attributes are rows with names; one without a name keeps the mapping from being saved, and says so."""
    form.open()
    form.source("Custom attributes").select_option(label="Named rows")
    row = form.row("Custom attributes")
    row.get_by_role("button", name="Add row").click()
    name = page.get_by_label("Custom attributes: name 1")
    expect(name).to_be_focused()
    expect(row).to_contain_text("Enter a name.")
    expect(page.locator("#save")).to_be_disabled()
    expect(page.locator("#save-note")).to_have_text("1 error")
    name.fill("color")
    page.get_by_role("combobox", name="Custom attributes, color: event field").fill("$.traits.favoriteColor")
    expect(row).to_contain_text("Sample: blue")
    expect(page.locator("#save")).to_be_enabled()
    row.get_by_role("button", name="Add row").click()
    row.get_by_role("button", name="Remove Row 2 from Custom attributes").click()
    form.show_json()
    assert form.mapping()["customAttributes"] == {"color": {"@path": "$.traits.favoriteColor"}}


def test_errors_and_warnings_are_at_their_rows(form: FormPage, page: Page) -> None:
    """A row shows its error, its warning, and the reason why the sample event would be rejected."""
    form.open()
    form.source("Last name").select_option(label="JSON")
    page.get_by_label("Last name: JSON").fill('{"@pth": "$.a"}')
    expect(form.row("Last name")).to_contain_text("unknown directive @pth")
    expect(page.get_by_label("Last name: JSON")).to_have_attribute("aria-invalid", "true")
    expect(form.row("User ID")).to_contain_text("Sample: test-user-a5h7xb")
    page.get_by_label("Last name: JSON").fill('{"@path": "$.traits.lastname"}')
    expect(form.row("Last name")).to_contain_text("Warning: reads $.traits.lastname")
    expect(form.source("Last name").locator("option:checked")).to_have_text("Event field")
    form.source("Email").select_option(label="Fixed value")
    page.get_by_label("Email: value").fill("nobody")
    expect(form.row("Email")).to_contain_text("Email must be an email address: this event is rejected.")
    form.source("User ID").select_option(label="Not mapped")
    expect(form.row("User ID")).to_contain_text("User ID is required, and empty for this event.")


def test_paths_are_suggested_as_one_types(form: FormPage, page: Page) -> None:
    """Suggestions follow the text; the arrows choose one, Escape closes the list, and Enter takes it."""
    form.open()
    field = form.field("First name")
    field.fill("$.traits.fav")
    options = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    expect(options).to_have_count(2)
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(field).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", str(options.nth(1).get_attribute("id")))
    page.keyboard.press("Enter")
    expect(field).to_have_value("$.traits.favoriteNumber")
    expect(form.row("First name")).to_contain_text("Sample: 42")
    form.source("Last name").select_option(label="Template")
    page.get_by_label("Last name: template").fill("Dear {{first")
    options.filter(has_text="traits.firstName").click()
    expect(page.get_by_label("Last name: template")).to_have_value("Dear {{traits.firstName}}")
    expect(form.row("Last name")).to_contain_text("Sample: Dear Adam")


def test_suggestions_fit_a_phone(form: FormPage, page: Page) -> None:
    """At a width of 375 pixels, suggestions need no scrolling sideways."""
    page.set_viewport_size({"width": 375, "height": 800})
    form.open()
    form.field("First name").fill("$.traits.fav")
    expect(page.get_by_role("listbox", name="Suggestions")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_the_head_of_the_page_hides_no_focused_field(form: FormPage, page: Page) -> None:
    """A field that gets the focus by Shift+Tab is not hidden by the buttons that stay at the top."""
    form.open()
    head = page.locator("main > .head")
    page.get_by_role("button", name="Duplicate").focus()
    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        focused = page.locator(":focus").bounding_box()
        bar = head.bounding_box()
        assert focused is not None
        assert bar is not None
        assert focused["y"] >= bar["y"] + bar["height"] - 1


def test_the_json_is_completed_too(form: FormPage, page: Page) -> None:
    """In the JSON, a directive is completed after @ with a definition to begin with, and a path after $."""
    form.open()
    form.show_json()
    editor = page.get_by_label("Mapping", exact=True)
    editor.fill('{\n  "userId": ')
    editor.press("End")
    page.keyboard.type("@cas")
    expect(page.get_by_role("option", name="@case")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type(',\n"firstName": {"@path": "$.fav')
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type('"}}')
    expect(page.locator("#problems-mapping li")).to_have_count(0)
    assert form.mapping() == {
        "userId": {"@case": {"operator": "lower", "value": {"@path": "$.traits.email"}}},
        "firstName": {"@path": "$.traits.favoriteColor"},
    }


def test_the_json_of_a_row_is_completed(form: FormPage, page: Page) -> None:
    """A directive is completed in a row's JSON, and the row then shows the parts of the directive."""
    form.open()
    form.source("User group").select_option(label="JSON")
    editor = page.get_by_label("User group: JSON")
    editor.fill("")
    page.keyboard.type("@lit")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_label("User group: value")).to_have_value("Segment")
    expect(form.row("User group")).to_contain_text("Sample: Segment")


def test_a_trigger_is_explained_as_one_types(form: FormPage, page: Page) -> None:
    """Each condition shows the sample event's value and its own result, even while the mapping has an error."""
    form.open()
    page.get_by_label("Trigger").fill('type = "identify" and traits.favoriteNumber > 50')
    conditions = page.locator("#editor .conditions li")
    expect(conditions).to_have_count(2)
    expect(conditions.nth(0)).to_contain_text('yestype = "identify"the event has "identify"')
    expect(conditions.nth(1)).to_contain_text("notraits.favoriteNumber > 50the event has 42")
    form.show_json()
    page.get_by_label("Mapping", exact=True).fill('{"userId": {"@nope": 1}}')
    page.get_by_label("Trigger").fill('userId = "x"')
    expect(conditions).to_have_count(1)
    expect(conditions).to_contain_text('the event has "test-user-a5h7xb"')


def test_any_received_event_can_be_the_sample(form: FormPage, page: Page, segment: Segment) -> None:
    """Every event that the stack received can be chosen as the sample, and the rows show its values."""
    segment(type="identify", userId="u-7", traits={"email": "grace@example.com", "firstName": "Grace"})
    segment(type="identify", userId="u-8", traits={"email": "ada@example.com", "firstName": "Ada"})
    form.open()
    source = page.get_by_label("Sample event source")
    label = source.locator("option", has_text="grace@example.com").first.inner_text()
    source.select_option(label=label)
    expect(form.row("First name")).to_contain_text("Sample: Grace")
    expect(form.row("User ID")).to_contain_text("Sample: u-7")


def test_fix_mapping_leads_to_the_row(form: FormPage, page: Page, segment: Segment) -> None:
    """The link Fix mapping of a rejected delivery opens the row of the field, which says why the event is rejected."""
    segment(type="identify", userId="u-104", traits={"email": "no address"})
    form.open_delivery("no address")
    page.get_by_role("link", name="Fix mapping").first.click()
    expect(form.source("Email")).to_be_focused()
    expect(form.row("Email")).to_contain_text("Email must be an email address: this event is rejected.")


def test_subscriptions_are_duplicated_moved_and_deleted_with_undo(form: FormPage, page: Page, mappings: Path) -> None:
    """A duplicate is disabled and has an id of its own; the order is saved; a deletion can be undone."""
    before = subscriptions(mappings)
    form.open()
    page.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value(f"{CONTACT} copy")
    expect(page.get_by_label("Enabled")).not_to_be_checked()
    page.get_by_role("button", name="Move up").click()
    expect(page.locator("#picks button").first).to_contain_text("copy")
    form.choose("Send an event")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#picks button")).to_have_count(3)
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    undo.press("Enter")
    expect(page.locator("#picks button")).to_have_count(4)
    expect(page.get_by_label("Name", exact=True)).to_have_value("Send an event")
    page.get_by_role("button", name="Save", exact=True).click()
    form.saved()
    after = subscriptions(mappings)
    assert after[1:] == before
    assert after[0] == before[0] | {"id": after[0]["id"], "name": f"{CONTACT} copy", "enabled": False}
    assert after[0]["id"] not in [each["id"] for each in before]


def test_changes_are_reviewed_before_they_are_saved(form: FormPage, page: Page, mappings: Path) -> None:
    """The review shows the changed lines and saves from there; nothing is written before."""
    before = mappings.read_bytes()
    form.open()
    form.field("First name").fill("$.traits.nickname")
    page.get_by_role("button", name="Review changes").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".added")).to_contain_text("$.traits.nickname")
    expect(dialog.locator(".removed")).to_contain_text("$.traits.firstName")
    assert mappings.read_bytes() == before
    dialog.get_by_role("button", name="Save changes").click()
    form.saved()
    assert subscriptions(mappings)[0]["mapping"]["firstName"] == {"@path": "$.traits.nickname"}


def test_control_s_saves_what_was_just_typed(form: FormPage, page: Page, mappings: Path) -> None:
    """Ctrl+S saves, even right after the last key, and says when there is nothing to save."""
    form.open()
    form.field("First name").fill("$.traits.nickname")
    page.keyboard.press("Control+s")
    form.saved()
    assert subscriptions(mappings)[0]["mapping"]["firstName"] == {"@path": "$.traits.nickname"}
    page.keyboard.press("Control+s")
    expect(page.locator("#announcement")).to_have_text("No changes to save.")


def test_nothing_is_saved_before_the_last_rows_arrive(form: FormPage, page: Page, mappings: Path) -> None:
    """A saved file has every edit that was made before, however slow the answers are."""
    page.add_init_script(
        """const fetched = window.fetch;
        window.fetch = async (path, options) => {
          const response = await fetched(path, options);
          if (path.endsWith("/form")) await new Promise((resolve) => setTimeout(resolve, 500));
          return response;
        };"""
    )
    form.open()
    form.field("First name").fill("$.traits.nickname")
    form.field("Last name").fill("$.traits.surname")
    page.keyboard.press("Control+s")
    form.saved()
    saved = subscriptions(mappings)[0]["mapping"]
    assert (saved["firstName"], saved["lastName"]) == ({"@path": "$.traits.nickname"}, {"@path": "$.traits.surname"})


def test_an_export_is_pasted_rewritten_and_saved(form: FormPage, page: Page, mappings: Path) -> None:
    """A pasted export shows its rewrites, differences and samples; it replaces the file only once it is saved."""
    form.open()
    paste(page, json.dumps({"data": {"subscriptions": [EXPORTED]}}))
    dialog = page.get_by_role("dialog", name="Import from Segment")
    expect(dialog).to_contain_text("Segment lets the last one win")
    dialog.get_by_role("button", name="Rewrite as Segment reads them").click()
    expect(dialog).to_contain_text("A subscription with deleteContact was added")
    expect(dialog).to_contain_text("events/track: matches Orders")
    dialog.get_by_role("button", name="Replace all subscriptions").click()
    expect(page.locator("#picks button")).to_have_count(2)
    assert len(subscriptions(mappings)) == 3
    page.get_by_role("button", name="Save", exact=True).click()
    form.saved()
    assert [each["id"] for each in subscriptions(mappings)] == ["s-9", "delete-a-contact"]


def test_a_dropped_export_with_errors_says_what_is_wrong(form: FormPage, page: Page) -> None:
    """A file that is dropped on the page opens the import, which lists every error and imports nothing."""
    form.open()
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(['[{"actionSlug": "nope"}]'], "export.json", { type: "application/json" }));
          document.querySelector("main").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }"""
    )
    dialog = page.get_by_role("dialog", name="Import from Segment")
    expect(dialog).to_contain_text("The export has 1 error")
    expect(dialog).to_contain_text('unknown action "nope"')
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("#picks button")).to_have_count(3)


def paste(page: Page, text: str) -> None:
    page.evaluate(
        """(text) => {
          const data = new DataTransfer();
          data.setData("text/plain", text);
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }""",
        text,
    )
