"""Measure the studio in headless Chromium: the time until each view is ready, and the bytes of an idle page.

    python -m bench.studio_views, with playwright in the environment (`make browser-test` installs it)

The stack has 1,000 deliveries, 500 contacts and 500 events in Loops. A view is ready once it shows its data: after a click
in the navigation, and after the page was loaded anew at its address.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from playwright.sync_api import Page, sync_playwright

from local.sandbox import Sandbox
from local.stack import SHARED_SECRET, LocalStack
from local.studio_backend import attach_studio
from loops_destination.signature import sign
from segment_loops.mappings_file import MAPPINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ROUNDS = 5
PEOPLE = 500
BATCH = 100
IDLE_SECONDS = 10
VIEWS = ["mappings", "deliveries", "queues", "contacts", "events", "delivery/700"]

READY = """async (address) => {
  const began = performance.now();
  if (address !== null) {
    const changed = new Promise((resolve) => addEventListener('hashchange', resolve, { once: true }));
    location.hash = address;
    await changed;
  }
  const main = document.querySelector('main');
  while (main.getAttribute('aria-busy') !== 'false' || !main.querySelector('h1')) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return address === null ? performance.now() : performance.now() - began;
}"""


def main() -> None:
    """Print the times in milliseconds, and the bytes that an idle page asks for in a second."""
    with tempfile.TemporaryDirectory() as folder, _stack(Path(folder)) as stack, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=stack.gateway.root, viewport={"width": 1440, "height": 900})
        print(f"{_deliveries(stack)} deliveries, {len(stack.sandbox.contacts.all())} contacts")
        print(f"{'view, ms':16} {'after a click':>24} {'loaded anew':>24}")
        for view in VIEWS:
            clicks, loads = zip(*(_times(page, view) for _ in range(ROUNDS)), strict=True)
            print(f"{view:16} {_span(clicks):>24} {_span(loads):>24}")
        print(f"an idle page asks for {_idle_bytes(page):,.0f} bytes a second, headers included")
        browser.close()


@contextlib.contextmanager
def _stack(folder: Path) -> Iterator[LocalStack]:
    mappings = folder / "mappings.json"
    mappings.write_bytes(MAPPINGS.read_bytes())
    # Without the ledger, whose calls would queue most of a batch, to be retried during the measurement.
    stack = LocalStack(sandbox=Sandbox(limit=None), mappings=mappings, parameters={"ContactLedger": "false"})
    attach_studio(stack)
    with stack:
        events = [event for number in range(PEOPLE) for event in _events(number)]
        with contextlib.redirect_stdout(io.StringIO()):  # the functions' logs
            for start in range(0, len(events), BATCH):
                _post(stack, events[start : start + BATCH])
        yield stack


def _events(number: int) -> list[dict[str, Any]]:
    traits = {"email": f"person-{number}@example.com", "firstName": f"Person {number}", "plan": "pro", "seats": number}
    properties = {"plan": "pro", "seats": number, "email": traits["email"]}
    return [
        {"type": "identify", "messageId": f"identify-{number}", "userId": f"u-{number}", "traits": traits},
        {
            "type": "track",
            "messageId": f"track-{number}",
            "userId": f"u-{number}",
            "event": "Signed Up",
            "properties": properties,
        },
    ]


def _post(stack: LocalStack, events: list[dict[str, Any]]) -> None:
    body = json.dumps(events).encode()
    headers = {"Content-Type": "application/json", "X-Signature": sign(body, SHARED_SECRET)}
    urllib3.request("POST", f"{stack.gateway.root}/segment", body=body, headers=headers, retries=False)


def _deliveries(stack: LocalStack) -> int:
    answer = urllib3.request("GET", f"{stack.gateway.root}/studio/api/deliveries", retries=False)
    return int(answer.json()["total"])


def _times(page: Page, view: str) -> tuple[float, float]:
    page.goto("/#/nowhere")
    page.evaluate(READY, None)
    click = page.evaluate(READY, f"#/{view}")
    page.goto("about:blank")
    page.goto(f"/#/{view}")
    return click, page.evaluate(READY, None)


def _idle_bytes(page: Page) -> float:
    sizes: list[int] = []
    page.goto("/#/deliveries")
    page.evaluate(READY, None)
    page.wait_for_timeout(1500)
    page.on("requestfinished", lambda request: sizes.append(sum(request.sizes().values())))
    page.wait_for_timeout(IDLE_SECONDS * 1000)
    return sum(sizes) / IDLE_SECONDS


def _span(values: tuple[float, ...]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


if __name__ == "__main__":
    main()
