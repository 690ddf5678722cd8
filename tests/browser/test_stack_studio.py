"""The studio of a deployed stack on moto, as a person uses it. moto's Logs Insights returns every line."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from playwright.sync_api import Browser, Page, expect

from local.http_server import HttpServer
from loops_destination.ledger.event_clock import EventClock
from loops_destination.ledger.hashes import Hasher
from loops_destination.ledger.record import ContactRecord, Property
from loops_destination.ledger.store_interface import Write
from loops_destination.messages import Message
from loops_destination.observability import log_hash
from loops_destination.outcomes import Outcome, Reason
from segment_loops.deployed_stack import AwsAccount, find_stack
from segment_loops.stack_studio import stack_studio
from tests.browser.test_accessibility import AXE, RUN
from tests.browser.test_looks import MAX_PICTURE_BYTES, SIZE
from tests.integration.conftest import aws, moto_url  # noqa: F401  # fixtures
from tests.moto_stack import MAPPINGS, NAME, REDELIVERY, SEND_EVENT, SHARED_SECRET, Front, MotoStack, front, result

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEWS = ["Overview", "Deliveries", "Dead letters", "Contact", "Mappings"]
QUEUED, LATER = "743be593-7789-4b74-8078-cbcc8894c586", "0f5f8f7e-0d0e-4c5b-9d4e-1c2a5a7d9b21"


def event(message_id: str, user_id: str = "u-1") -> dict[str, Any]:
    context = {"traits": {"email": "adam@loops.so"}}
    return {"type": "track", "messageId": message_id, "userId": user_id, "event": "Signed Up", "context": context}


@pytest.fixture
def deployed(aws: str) -> MotoStack:  # noqa: ARG001, F811  # its clients talk to it
    """A stack on which something has happened."""
    stack = MotoStack(function=True)
    stack.log_result(SEND_EVENT, result(Outcome.QUEUED, Reason.RATE_LIMITED, 429), event(QUEUED), ago=120)
    stack.log_result(REDELIVERY, result(Outcome.DELIVERED, status=200), event(QUEUED), 2, ago=90)
    stack.log_result(SEND_EVENT, result(Outcome.REJECTED, Reason.REFUSED, 400), event(LATER, "u-2"), ago=60)
    for number in range(2):
        body = json.dumps(event(f"m-{number}"))
        stack.bury(
            Message(f"key-{number}", time.time(), Reason.REFUSED, event=body, action="sendEvent", subscription="events")
        )
    known = {name: Property(EventClock(1, 1, "m-1", "contacts"), "hash", 1) for name in ("plan", "subscribed")}
    key = Hasher(stack.id).contact_key("u-1")
    stack.store.write(Write(key, ContactRecord(known).to_item(), 0, 600))
    for metric, value in {"Delivered": 1234, "Unchanged": 5678, "Queued": 12, "Rejected": 2, "RateLimited": 12}.items():
        stack.count(metric, value)
    for name, state in {"ApiErrorsAlarm": "OK", "DeadLettersAlarm": "ALARM", "ThrottlesAlarm": "OK"}.items():
        stack.add_alarm(name, state)
    stack.take_in(38_200_000)
    return stack


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    path = tmp_path / "mappings.json"
    path.write_text(json.dumps(MAPPINGS))
    return path


@pytest.fixture
def aws_front(deployed: MotoStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:  # noqa: ARG001  # made before
    with front() as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        yield served


@pytest.fixture
def called(aws_front: Front) -> set[str]:
    """The actions of AWS that the page calls."""
    return aws_front.called


@pytest.fixture
def url(aws_front: Front, mappings: Path) -> Iterator[str]:  # noqa: ARG001  # it is in between
    with HttpServer(stack_studio(find_stack(AwsAccount(), NAME), mappings), 0, "studio") as server:
        yield server.root


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """A page of its own, which must load nothing from elsewhere and report no error."""
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.on("request", lambda each: errors.append(each.url) if not each.url.startswith(url) else None)
    page.goto("/")
    yield page
    context.close()
    assert errors == []


def go(page: Page, view: str) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("link", name=view, exact=True).click()
    expect(page.get_by_role("heading", name=view, level=1)).to_be_visible()


def answer(page: Page, button: str) -> None:
    """Answer a question, which must name the stack."""
    expect(page.get_by_role("dialog")).to_contain_text(NAME)
    page.get_by_role("dialog").get_by_role("button", name=button).click()


def on_queue(deployed: MotoStack, name: str) -> int:
    attributes = boto3.client("sqs").get_queue_attributes(
        QueueUrl=deployed.names[name], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def test_the_overview_shows_what_needs_a_person(page: Page) -> None:
    """The first view names the stack, its firing alarm, its counts and the number of dead letters."""
    expect(page.locator("#where")).to_contain_text(NAME)
    alarms = page.get_by_role("region", name="Alarms")
    expect(alarms).to_contain_text("DeadLettersAlarm")
    expect(alarms).to_contain_text("About DeadLettersAlarm.")
    expect(page.get_by_role("region", name="Deliveries")).to_contain_text("delivered1,234")
    expect(page.get_by_role("region", name="DeadLetterQueue")).to_contain_text("ready2")


def test_the_price_of_a_search_comes_before_it(page: Page, called: set[str]) -> None:
    """The price is on the page before anything is searched; a delivery's timeline opens below its row."""
    go(page, "Deliveries")
    expect(page.locator(".price")).to_have_text("A search of this period scans 38.2 MB, under $0.01.")
    assert "logs:StartQuery" not in called
    page.get_by_role("button", name="Search the log").click()
    row = page.get_by_role("row").filter(has_text=QUEUED)
    expect(row).to_contain_text("delivered")
    expect(page.locator("main")).to_contain_text("38.0 MB scanned.")
    row.get_by_text("2 steps").click()
    expect(row).to_contain_text("queued · rate-limited · Loops answered 429 · attempt 1 · 250 ms · send_event")
    expect(page.locator("main")).not_to_contain_text("adam")
    expect(page.locator("main")).not_to_contain_text("Signed Up")
    page.get_by_role("button", name="dead letter 1").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").filter(has_text=LATER)).to_contain_text("refused")


def test_the_hash_of_a_typed_user_is_computed(page: Page) -> None:
    """A typed userId is searched for by its hash, which the page shows; the userId is not in the address."""
    go(page, "Deliveries")
    page.get_by_label("Show").select_option(label="one userId")
    page.get_by_label("userId", exact=True).fill("u-1")
    page.get_by_role("button", name="Search the log").click()
    expect(page.locator("main")).to_contain_text(f"This user's hash in the log: {log_hash('u-1', SHARED_SECRET)}")
    assert "u-1" not in page.url


def test_a_large_search_asks(page: Page, deployed: MotoStack, called: set[str]) -> None:
    """A search of more than 10 GB asks first, and searches nothing after a no."""
    deployed.take_in(60_000_000_000)
    go(page, "Deliveries")
    expect(page.locator(".price")).to_contain_text("60.0 GB, about $0.30")
    page.get_by_role("button", name="Search the log").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert "logs:StartQuery" not in called
    page.get_by_role("button", name="Search the log").click()
    page.get_by_role("dialog").get_by_role("button", name="Search the log").click()
    expect(page.get_by_role("row").filter(has_text=QUEUED)).to_be_visible()


def test_dead_letters_are_read_redriven_and_dropped(page: Page, deployed: MotoStack, called: set[str]) -> None:
    """Nothing is received before a person asks; each change asks and names the stack, and a no changes nothing."""
    go(page, "Dead letters")
    expect(page.locator("main")).to_contain_text("About 2 dead letters on the queue.")
    assert "sqs:ReceiveMessage" not in called
    page.get_by_role("button", name="Read dead letters").click()
    expect(page.get_by_role("row").filter(has_text="Signed Up")).to_have_count(2)

    page.get_by_role("button", name="Redrive: m-0").click()
    answer(page, "Cancel")
    assert on_queue(deployed, "RetryQueue") == 0
    page.get_by_role("button", name="Redrive: m-0").click()
    answer(page, f"Redrive in {NAME}")
    expect(page.locator(".message.good")).to_have_text("1 redriven.")
    assert on_queue(deployed, "RetryQueue") == 1

    page.get_by_role("button", name="Drop: m-1").click()
    answer(page, "Cancel")
    assert on_queue(deployed, "DeadLetterQueue") == 1
    page.get_by_role("button", name="Drop: m-1").click()
    answer(page, f"Drop in {NAME}")
    expect(page.locator(".message.good")).to_have_text("1 dead letter dropped.")
    expect(page.locator("main")).to_contain_text("No dead letters.")
    assert on_queue(deployed, "DeadLetterQueue") == 0


def test_a_contact_is_shown_and_forgotten(page: Page) -> None:
    """The ledger's names and times are shown for a typed userId; forgetting asks, names the stack and keeps consent."""
    go(page, "Contact")
    page.get_by_label("userId").fill("nobody")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main")).to_contain_text("The ledger does not know this userId.")
    page.get_by_label("userId").fill("u-1")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("button", name="Forget properties").click()
    answer(page, f"Forget in {NAME}")
    expect(page.locator(".message.good")).to_have_text("1 property forgotten.")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").last).to_contain_text("subscribed consent")


def test_the_deployed_mappings_are_compared(page: Page, mappings: Path) -> None:
    """The page says that the file is deployed, or shows what a deployment would change."""
    go(page, "Mappings")
    expect(page.locator(".message.good")).to_contain_text("are the same")
    mappings.write_text(json.dumps({"subscriptions": [{"id": "people", "action": "sendEvent"}]}))
    page.get_by_role("button", name="Read again").click()
    expect(page.get_by_role("region", name="Difference").locator(".added").last).to_contain_text('"people"')
    expect(page.get_by_role("region", name="Difference").locator(".removed").last).to_contain_text('"events"')


def test_the_page_works_with_read_rights(browser: Browser, url: str, aws_front: Front) -> None:
    """Without the rights to repair every view shows what it reads, and the rest says which permission is missing."""
    aws_front.denied.update({"sqs:ReceiveMessage", "sqs:SendMessage", "sqs:DeleteMessage", "dynamodb:PutItem"})
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_role("region", name="DeadLetterQueue")).to_contain_text("ready2")
    go(page, "Dead letters")
    page.get_by_role("button", name="Read dead letters").click()
    expect(page.locator(".message.bad")).to_contain_text("lacks the permission sqs:ReceiveMessage.")
    go(page, "Contact")
    page.get_by_label("userId").fill("u-1")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("button", name="Forget properties").click()
    answer(page, f"Forget in {NAME}")
    expect(page.locator(".message.bad")).to_contain_text("lacks the permission dynamodb:PutItem.")
    expect(page.get_by_role("row")).to_have_count(3)
    context.close()


def test_what_cannot_be_read_says_why_in_its_place(browser: Browser, url: str, aws_front: Front) -> None:
    """A card that lacks a permission names it, and the other cards still show what they read."""
    aws_front.denied.add("sqs:GetQueueAttributes")
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_role("region", name="RetryQueue")).to_contain_text(
        "lacks the permission sqs:GetQueueAttributes."
    )
    expect(page.get_by_role("region", name="Alarms")).to_contain_text("DeadLettersAlarm")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_no_view_has_a_violation(browser: Browser, url: str, scheme: Any, width: int) -> None:
    """Axe finds no violation in any view with its contents or in a dialog, and nothing is wider than the window."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",
        bypass_csp=True,  # the page's own rules keep scripts such as axe out
    )
    page = context.new_page()
    page.goto("/")
    for view in VIEWS:
        go(page, view)
        match view:
            case "Overview":
                expect(page.get_by_role("region", name="Alarms")).to_contain_text("DeadLettersAlarm")
            case "Deliveries":
                page.get_by_role("button", name="Search the log").click()
                page.get_by_text("2 steps").click()
            case "Dead letters":
                page.get_by_role("button", name="Read dead letters").click()
                page.get_by_role("button", name="Drop: m-1").click()
            case "Contact":
                page.get_by_label("userId").fill("u-1")
                page.get_by_role("button", name="Show").click()
                expect(page.get_by_role("row")).to_have_count(3)
            case _:
                expect(page.locator(".message.good")).to_be_visible()
        page.add_script_tag(path=AXE / "axe.min.js")
        assert page.evaluate(RUN) == [], view
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if page.get_by_role("dialog").is_visible():
            page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_production_has_its_pictures(browser: Browser, url: str, tmp_path: Path, scheme: Any) -> None:
    """The overview and the deliveries can be pictured, in files that are small enough for the repository."""
    context = browser.new_context(
        base_url=url, viewport=SIZE, color_scheme=scheme, reduced_motion="reduce", locale="en-GB", timezone_id="UTC"
    )
    page = context.new_page()
    page.goto("/")
    folder = Path(os.environ.get("PICTURES") or tmp_path).absolute()
    expect(page.get_by_role("region", name="Alarms")).to_contain_text("DeadLettersAlarm")
    expect(page.get_by_role("region", name="Deliveries")).to_contain_text("delivered")
    expect(page.get_by_role("region", name="RetryQueue")).to_contain_text("ready")
    _picture(page, folder / f"studio-production-{scheme}.png")
    go(page, "Deliveries")
    page.get_by_role("button", name="Search the log").click()
    page.get_by_text("2 steps").click()
    _picture(page, folder / f"studio-trace-{scheme}.png")
    context.close()


def _picture(page: Page, path: Path) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=path)
    assert path.stat().st_size < MAX_PICTURE_BYTES
