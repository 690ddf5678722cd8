"""The looks of the studio: on a phone, in light and dark, and in the pictures of the documentation."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from local.stack import MAPPINGS
from segment_loops import PROJECT
from tests.browser.contrast import LUMINANCE
from tests.browser.studio_page import StudioPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.stack import LocalStack

MAX_PICTURE_BYTES = 160_000
SIZE: ViewportSize = {"width": 1200, "height": 720}
PICTURES = {
    "Mappings": "mappings",
    "Deliveries": "deliveries",
    "Queues": "queues",
    "Contacts": "contacts",
    "Loops events": "loops-events",
}
VIEWS = ["Mappings", "Deliveries", "Queues", "Contacts", "Loops events"]


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pictured(browser: Browser, busy: LocalStack, scheme: Any) -> Iterator[Page]:
    context = browser.new_context(
        base_url=busy.gateway.root,
        viewport=SIZE,
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    yield context.new_page()
    context.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The folder for the pictures: PICTURES, or a temporary one."""
    return Path(os.environ.get("PICTURES") or tmp_path).absolute()


@pytest.fixture
def mappings(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001  # made before the folder changes
    """A mappings file with the same relative path as the project's own."""
    path = tmp_path / MAPPINGS.relative_to(PROJECT)
    path.parent.mkdir(parents=True)
    shutil.copy(MAPPINGS, path)
    monkeypatch.chdir(tmp_path)
    return path


def test_every_view_has_its_picture(pictured: Page, scheme: str, pictures: Path) -> None:
    """Each view can be pictured, in light and in dark, in a file that is small enough for the repository."""
    studio = StudioPage(pictured)
    for view in VIEWS:
        studio.open(view)
        if view == "Mappings":
            pictured.set_viewport_size({"width": 1200, "height": 840})
            expect(pictured.locator("#result")).to_contain_text("Request to Loops")
            pictured.get_by_label("Trigger").fill('type = "identify" and traits.favoriteNumber >= 42')
            expect(pictured.locator(".conditions li")).to_have_count(2)
        else:
            expect(studio.rows()).not_to_have_count(0)
        _picture(pictured, pictures / f"studio-{PICTURES[view]}-{scheme}.png")
        pictured.set_viewport_size(SIZE)
    studio.open_delivery("Plan Changed")
    _picture(pictured, pictures / f"studio-delivery-{scheme}.png")


def test_an_error_has_its_picture(pictured: Page, scheme: str, pictures: Path) -> None:
    """An error in a mapping is shown at its line."""
    studio = StudioPage(pictured)
    studio.open()
    studio.show_json()
    editor = pictured.get_by_label("Mapping", exact=True)
    editor.fill(editor.input_value().replace('"firstName": { "@path"', '"firstName": { "@pth"'))
    expect(pictured.locator("#problems-mapping")).to_contain_text("@pth")
    pictured.locator("#problems-mapping").scroll_into_view_if_needed()
    _picture(pictured, pictures / f"studio-error-{scheme}.png")


def test_a_phone_needs_no_scrolling_sideways(browser: Browser, busy: LocalStack, pictures: Path) -> None:
    """At a width of 375 pixels every view fits, with an opened delivery and the content of a dead letter too."""
    context = browser.new_context(base_url=busy.gateway.root, viewport={"width": 375, "height": 800})
    page = context.new_page()
    studio = StudioPage(page)
    for view in VIEWS:
        studio.open(view)
        if view == "Mappings":
            expect(page.locator("#result")).to_contain_text("Request to Loops")
        else:
            expect(studio.rows()).not_to_have_count(0)
        if view == "Queues":
            page.get_by_text("Content", exact=True).first.click()
        _fits(page)
        if view in {"Mappings", "Deliveries"}:
            _picture(page, pictures / f"studio-{PICTURES[view]}-phone.png")
    studio.open_delivery("Plan Changed")
    _fits(page)
    context.close()


def test_what_is_read_stands_out_enough(pictured: Page, scheme: str) -> None:
    """In light and in dark every text of the page has a contrast of at least 4.5 to what is behind it."""
    studio = StudioPage(pictured)
    for view in VIEWS:
        studio.open(view)
        pictured.wait_for_timeout(200)
        assert pictured.evaluate(FAINT) == [], (view, scheme)


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def _picture(page: Page, path: Path) -> None:
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=path, animations="disabled")
    assert path.stat().st_size < MAX_PICTURE_BYTES


FAINT = (
    f"() => {{{LUMINANCE}"
    """  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const words = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join('');
    if (!words || !element.checkVisibility() || element.closest(':disabled, .skip, .unseen, option')) continue;
    const behind = [];
    for (let each = element; each; each = each.parentElement) behind.unshift(getComputedStyle(each).backgroundColor);
    const [a, b] = [luminance(pixel([...behind, getComputedStyle(element).color])), luminance(pixel(behind))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(`${element.tagName} ${words.slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return faint;
}"""
)
