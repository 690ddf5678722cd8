"""What a person meets on the first day."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playwright.sync_api import Dialog, Page, Request, expect

from local.sandbox import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from local.sandbox import Sandbox
    from local.stack import LocalStack
    from tests.browser.conftest import MovableClock, Segment
    from tests.browser.studio_page import StudioPage

ADA = {"type": "identify", "userId": "u-101", "traits": {"email": "ada@example.com", "firstName": "Ada"}}
MAX_IDLE_BYTES_PER_POLL = 2000
VIEWS = ["Mappings", "Deliveries", "Queues", "Contacts", "Loops events"]


def test_the_skip_link_stays_on_the_view(studio: StudioPage, page: Page) -> None:
    """The skip link moves the focus to the content and leaves the address as it is."""
    studio.open("Deliveries")
    address = page.url
    page.locator("#skip").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert page.url == address
    expect(page.get_by_role("heading", name="Deliveries", level=1)).to_be_visible()


def test_no_sentence_ends_twice(studio: StudioPage, page: Page, sandbox: Sandbox, segment: Segment) -> None:
    """A message of Loops that ends with a full stop gets no second one, on any page."""
    sandbox.faults.add(
        Fault(kind="status", status=400, body={"success": False, "message": "No such thing."}, times=None)
    )
    studio.open()
    studio.send("No such thing.")
    assert ".." not in page.locator("main").inner_text()
    segment(**ADA)
    studio.open("Queues")
    expect(page.locator("main")).to_contain_text("No such thing.")
    assert ".." not in page.locator("main").inner_text()
    studio.open_delivery("ada@example.com")
    assert ".." not in page.locator("main").inner_text()


def test_a_fault_that_is_chosen_twice_is_listed_once(studio: StudioPage, page: Page) -> None:
    """The same failure, simulated again, replaces the first; the banner names it once and ends it."""
    for _ in range(2):
        studio.fail("answers 500", "the next 3 requests")
    expect(page.locator("#simulated")).to_contain_text("Loops answers 500, the next 3 requests.")
    assert page.locator("#simulated").inner_text().count("answers 500") == 1
    page.get_by_role("button", name="Stop simulating").click()
    expect(page.locator("#simulated")).to_be_empty()


def test_back_returns_to_the_same_place(studio: StudioPage, page: Page, segment: Segment) -> None:
    """Back from an event returns to the same filter, page and scroll position of the list."""
    segment.batches([{"type": "page", "messageId": f"m-{number}", "name": f"Page {number}"} for number in range(120)])
    studio.open("Deliveries")
    page.get_by_role("button", name="filtered 120").click()
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".pager")).to_contain_text("51")
    row = studio.rows().nth(40)
    row.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert before > 200
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    page.go_back()
    expect(page.locator(".pager")).to_contain_text("51")
    expect(page.get_by_role("button", name="filtered 120")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    page.wait_for_timeout(500)
    assert abs(page.evaluate("scrollY") - before) < 5


def test_a_save_conflict_keeps_the_edits(studio: StudioPage, page: Page, mappings: Path) -> None:
    """When another program has changed the file, the edits can be kept beside its changes, and then saved."""
    studio.open()
    page.get_by_label("Name").fill("People")
    document = json.loads(mappings.read_bytes())
    document["subscriptions"][1]["name"] = "Everything"
    mappings.write_text(json.dumps(document))
    expect(page.locator("main > .message")).to_contain_text("Another program has changed the file")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Keep my edits").click()
    expect(page.get_by_label("Name")).to_have_value("People")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#save-note")).to_contain_text("Saved.")
    names = [each["name"] for each in json.loads(mappings.read_bytes())["subscriptions"]]
    assert names == ["People", "Everything", "Delete a contact"]


def test_edits_are_merged_with_a_changed_file(studio: StudioPage, page: Page) -> None:
    """Kept edits replace only what was edited: the file's other changes, additions and deletions stand."""
    studio.open()
    merged = page.evaluate(
        """async () => {
          const { merge } = await import('/studio/js/mapping/merge.js');
          const draft = (id, name, origin) => ({ id, name, origin });
          const base = [draft('a', 'A', 0), draft('b', 'B', 1), draft('c', 'C', 2), draft('d', 'D', 3), draft('e', 'E', 4)];
          const mine = [draft('a', 'A mine', 0), draft('b', 'B', 1), draft('c', 'C mine', 2), draft('e', 'E mine', 4), draft(null, 'New', null)];
          const theirs = [draft('f', 'F', 0), draft('a', 'A theirs', 1), draft('b', 'B theirs', 2), draft('d', 'D', 3)];
          const { drafts, both } = merge(base, mine, theirs);
          return [drafts.map((each) => [each.id, each.name, each.origin]), both];
        }"""
    )
    assert merged == [
        [
            ["f", "F", 0],  # added to the file
            ["a", "A mine", 1],  # edited in both
            ["b", "B theirs", 2],  # changed in the file alone
            [None, "C mine", None],  # edited here, deleted from the file
            [None, "E mine", None],
            [None, "New", None],
        ],  # d was deleted here
        ["A mine"],
    ]


def test_edits_can_be_given_up_for_the_changed_file(studio: StudioPage, page: Page, mappings: Path) -> None:
    """When another program has changed the file, the edits can be discarded for it; without edits it is shown at once."""
    studio.open()
    document = json.loads(mappings.read_bytes())
    document["subscriptions"][0]["name"] = "First"
    mappings.write_text(json.dumps(document))
    expect(page.get_by_label("Name")).to_have_value("First")
    page.get_by_label("Name").fill("Mine")
    document["subscriptions"][0]["name"] = "Second"
    mappings.write_text(json.dumps(document))
    page.get_by_role("button", name="Discard my edits").click()
    expect(page.get_by_label("Name")).to_have_value("Second")


def test_leaving_the_page_with_edits_asks_first(studio: StudioPage, page: Page) -> None:
    """The browser asks before it leaves a page with unsaved edits, and leaves one without edits at once."""
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    studio.open()
    page.reload()
    studio.ready("Mappings")
    assert asked == []
    page.get_by_label("Name").press_sequentially("!")
    page.reload()
    assert asked == ["beforeunload"]


def test_screen_readers_hear_a_few_words(studio: StudioPage, page: Page, segment: Segment) -> None:
    """Live regions hold a few words, never JSON; after a test event they hold its outcome."""
    segment(**ADA)
    for view in VIEWS:
        studio.open(view)
        if view == "Mappings":
            studio.send("Delivered")
            expect(page.locator("[role=status]")).to_have_text("delivered")
        for each in page.locator("[aria-live], [role=status], [role=alert], output").all():
            assert len(each.inner_text()) < 120
            assert "{" not in each.inner_text()


def test_no_word_in_a_table_is_cut(studio: StudioPage, page: Page, busy: LocalStack) -> None:
    """At every width, no word in a table is broken in the middle."""
    assert busy.gateway.root
    for width in (1440, 768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for view in VIEWS[1:]:
            studio.open(view)
            assert page.evaluate(BROKEN_WORDS) == [], (width, view)


def test_an_idle_page_asks_for_little(studio: StudioPage, page: Page, busy: LocalStack, clock: MovableClock) -> None:
    """A page on which nothing changes asks for under 2 KB in each poll, headers included, whatever it shows."""
    busy.sandbox.faults.clear()
    clock.advance(60)
    studio.open("Queues")
    expect(page.locator("#waiting")).to_contain_text("Queue is empty.")
    requests: list[Request] = []
    page.on("requestfinished", lambda request: requests.append(request))  # noqa: PLW0108  # playwright takes functions only
    for view in VIEWS:
        studio.open(view)
        page.wait_for_timeout(300)
        requests.clear()
        page.wait_for_timeout(2300)
        polls = [each for each in requests if each.url.endswith("/status")]
        assert len(requests) == len(polls), (view, [each.url for each in requests])
        assert max(_bytes(each) for each in polls) < MAX_IDLE_BYTES_PER_POLL


def test_a_test_event_leaves_no_dead_letter(studio: StudioPage, page: Page, stack: LocalStack) -> None:
    """A test event that is rejected shows the reason, and its dead letter is gone."""
    studio.open()
    studio.write_event(type="identify", messageId="m-1", userId="u", traits={"email": "no address"})
    studio.send("Rejected by “Create or update a contact”: invalid-payload, email: must be an email address.")
    expect(page.locator("#answer")).to_contain_text("Test events leave no dead letter.")
    assert stack.dead_letters() == []


def test_a_broken_sample_event_shows_its_error(studio: StudioPage, page: Page) -> None:
    """A sample that is not an event shows its error where the result would be, and no subscription says "No match"."""
    studio.open()
    page.get_by_role("textbox", name="Event").fill('{ "type": "identify", }')
    expect(page.locator("#result")).to_contain_text("The sample event is invalid")
    expect(page.locator("#problems-event li")).to_have_count(1)
    expect(page.locator("#picks")).not_to_contain_text("No match")


def test_warnings_are_counted_before_saving(studio: StudioPage, page: Page) -> None:
    """Warnings appear beside the errors, in the list of subscriptions, and next to the Save button."""
    studio.open()
    mapping = studio.mapping()
    page.get_by_label("Mapping", exact=True).fill(json.dumps(mapping | {"firstName": "$.traits.firstName"}))
    expect(page.locator("#problems-mapping .warning")).to_contain_text("is sent as the text")
    expect(page.locator("#picks [aria-current]")).to_contain_text("1 warning")
    expect(page.locator("#save-note")).to_have_text("Unsaved changes, 1 warning")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_enabled()


def test_a_large_event_does_not_fill_the_screen(studio: StudioPage, page: Page, segment: Segment) -> None:
    """An event or a contact with 60 properties takes a few lines of a list; the rest is shown on demand."""
    many = {f"property{number}": number for number in range(60)}
    segment(type="identify", userId="u-1", traits={"email": "ada@example.com"} | many)
    segment(type="track", userId="u-1", event="Signed Up", properties=many)
    for view in ("Contacts", "Loops events"):
        studio.open(view)
        assert (studio.rows().first.bounding_box() or {"height": 0})["height"] < 200
        page.locator("tbody summary").click()
        expect(studio.rows().first).to_contain_text("property59")


def _bytes(request: Request) -> int:
    sizes = request.sizes()
    return sum(sizes.values())


BROKEN_WORDS = """() => {
  const broken = [];
  for (const cell of document.querySelectorAll('main td, main th')) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (!node.parentElement.checkVisibility() || node.parentElement.closest('pre')) continue;
      for (const word of node.data.matchAll(/[A-Za-z0-9]+/g)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].map((each) => Math.round(each.top)));
        if (lines.size > 1) broken.push(word[0]);
      }
    }
  }
  return broken;
}"""
