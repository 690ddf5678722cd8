"""Accessibility: axe finds no violation in any view, and borders stand out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.contrast import LUMINANCE
from tests.browser.studio_page import StudioPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.stack import LocalStack

AXE = Path(__file__).parent / "vendor" / "axe-core"
VIEWS = ["Mappings", "Deliveries", "Queues", "Contacts", "Loops events"]

RUN = """async () => (await axe.run(document)).violations.map((each) => [
  each.id, each.nodes.map((node) => node.target.join(' ') + ': ' + node.failureSummary).slice(0, 3),
])"""


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[1440, 390])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def audited(browser: Browser, busy: LocalStack, scheme: Any, width: int) -> Iterator[Page]:
    context = browser.new_context(
        base_url=busy.gateway.root,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",
        bypass_csp=True,  # the page's own rules keep scripts such as axe out
    )
    yield context.new_page()
    context.close()


def test_axe_is_the_published_one() -> None:
    """The vendored axe has the recorded checksum."""
    for line in (AXE / "SHA256SUMS").read_text("utf-8").splitlines():
        checksum, name = line.split()
        assert hashlib.sha256((AXE / name).read_bytes()).hexdigest() == checksum


def test_no_view_has_a_violation(audited: Page) -> None:
    """Axe finds no violation in any view, with an open dialog, errors and warnings, an empty list, or an unknown event."""
    studio = StudioPage(audited)
    for view in VIEWS:
        studio.open(view)
        assert _violations(audited) == [], view
    studio.open_delivery("Plan Changed")
    assert _violations(audited) == []
    studio.open_contact("ada@example.com")
    assert _violations(audited) == []
    studio.open("Queues")
    audited.get_by_role("button", name="Drop").first.click()
    assert _violations(audited) == []
    audited.get_by_role("button", name="Cancel").click()
    studio.open("Mappings")
    studio.show_json()
    assert _violations(audited) == []
    audited.get_by_label("Mapping", exact=True).fill('{\n  "userId": "$.userId",\n  "email": { "@nope": 1 }\n}')
    expect(audited.locator("#problems-mapping")).to_contain_text("@nope")
    assert _violations(audited) == []
    audited.get_by_label("Mapping", exact=True).fill('{\n  "userId": "$.userId",\n  "email": "a@example.com"\n}')
    expect(audited.locator("#problems-mapping .warning")).to_have_count(1)
    assert _violations(audited) == []
    for address in [
        "#/deliveries?q=nobody",
        "#/contacts?q=nobody",
        "#/delivery/999",
        "#/event/unknown",
        "#/contact/unknown",
    ]:
        audited.goto(f"/{address}")
        audited.reload()  # else the view before, which may be empty too, is shown for a moment
        expect(audited.locator(".empty")).to_be_visible()
        assert _violations(audited) == [], address


def test_the_form_has_no_violation(audited: Page) -> None:
    """Axe finds no violation in a form with suggestions, named rows and errors, in the review of changes, and in an import."""
    studio = StudioPage(audited)
    studio.open("Mappings")
    audited.get_by_role("combobox", name="Custom attributes: source").select_option(label="Named rows")
    audited.get_by_role("button", name="Add row").click()
    audited.get_by_role("combobox", name="Last name: source").select_option(label="JSON")
    audited.get_by_label("Last name: JSON").fill('{"@path": "$.traits.lastname"}')
    expect(audited.get_by_text("Enter a name.")).to_be_visible()
    assert _violations(audited) == []
    audited.get_by_label("Custom attributes: name 1").fill("color")
    expect(audited.get_by_text("Warning: reads $.traits.lastname")).to_be_visible()
    audited.get_by_role("combobox", name="First name: event field").fill("$.traits")
    audited.keyboard.press("ArrowDown")
    expect(audited.get_by_role("listbox", name="Suggestions")).to_be_visible()
    assert _violations(audited) == []
    studio.show_json()
    editor = audited.get_by_label("Mapping", exact=True)
    before = editor.input_value()
    editor.fill('{\n  "userId": ')
    audited.keyboard.type("@")
    expect(audited.get_by_role("listbox", name="Suggestions")).to_be_visible()
    assert _violations(audited) == []
    editor.fill(before)
    expect(audited.locator("#problems-mapping li:not(.warning)")).to_have_count(0)
    audited.get_by_role("button", name="Review changes").click()
    expect(audited.locator(".difference")).to_be_visible()
    assert _violations(audited) == []
    audited.get_by_role("button", name="Close").click()
    audited.get_by_role("button", name="Import").click()
    audited.get_by_label("Paste the answer").fill('[{"actionSlug": "sendEvent", "trigger": "type = \'track\'"}]')
    audited.get_by_role("button", name="Check").click()
    expect(audited.get_by_text("Nothing is saved yet.")).to_be_visible()
    assert _violations(audited) == []


def test_borders_of_controls_stand_out(audited: Page) -> None:
    """The border of every field and button has a contrast of at least 3 to what is around it."""
    studio = StudioPage(audited)
    for view in VIEWS:
        studio.open(view)
        assert audited.evaluate(FAINT_BORDERS) == [], view


def _violations(page: Page) -> list[Any]:
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE / "axe.min.js")
    found: list[Any] = page.evaluate(RUN)
    return found


FAINT_BORDERS = (
    f"() => {{{LUMINANCE}"
    """  const faint = [];
  for (const element of document.querySelectorAll('main :is(input, select, textarea, button)')) {
    if (!element.checkVisibility() || element.matches(':disabled, [type="checkbox"], [role="tab"], .quiet, .picks button')) continue;
    const bordered = element.closest('.lined') ?? element;
    const style = getComputedStyle(bordered);
    const behind = [];
    for (let each = bordered.parentElement; each; each = each.parentElement) behind.unshift(getComputedStyle(each).backgroundColor);
    const [a, b] = [luminance(pixel([...behind, style.borderTopColor])), luminance(pixel(behind))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 3) faint.push(`${element.id || element.textContent.slice(0, 20)}: ${contrast.toFixed(2)}`);
  }
  return faint;
}"""
)
