"""The samples in events/, and the table of their results."""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from local.leaping_clock import LeapingClock
from local.reports import CallSummary, NewCalls, Report, ReportTable, result_lines
from local.samples import EXPECTED, send_samples
from local.sandbox import Fault, Sandbox
from local.stack import LocalStack
from segment_loops.event_files import SAMPLES

if TYPE_CHECKING:
    from tests.integration.local.conftest import Segment

REPORT = Report(
    "identify",
    "POST /contacts",
    "200",
    ["createOrUpdateContact delivered"],
    [CallSummary("PUT /contacts/update", "a@b.co", 200)],
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_every_sample_has_its_expected_outcome() -> None:
    """Every expected result has a file in events/; a team may add events of its own, which `make run` does not send."""
    assert set(EXPECTED) <= {path.stem for path in SAMPLES.glob("*.json")}


def test_every_sample_has_the_expected_result() -> None:
    """The samples are answered, and cause calls to Loops, as expected; the deletion ends with a second report."""
    clock = LeapingClock()
    sandbox = Sandbox(clock=clock.time, sleep=clock.sleep, limit=None)
    with LocalStack(clock=clock, sandbox=sandbox) as stack:
        reports = list(send_samples(stack, NewCalls(sandbox), clock.leap))
    names = [report.name for report, _ in reports]
    assert [name for name in names if name not in {"repeated", "older"}] == [*EXPECTED, "delete"]
    for report, expected in reports:
        assert expected.is_met_by(report, calls_are_seen=True), report
        unseen = Report(report.name, report.request, report.answer, report.results, [])
        assert expected.is_met_by(unseen, calls_are_seen=False)


def test_samples_show_what_the_contact_ledger_does() -> None:
    """A repeated identify is `unchanged`, an older one `superseded`, and the contact keeps its value."""
    clock = LeapingClock()
    sandbox = Sandbox(clock=clock.time, sleep=clock.sleep, limit=None)
    with LocalStack(clock=clock, sandbox=sandbox) as stack:
        reports = {report.name: report for report, _ in send_samples(stack, NewCalls(sandbox), clock.leap)}
    assert reports["repeated"].results == ["createOrUpdateContact unchanged"]
    assert reports["older"].results == ["createOrUpdateContact superseded"]
    assert "older@example.com" not in {contact.email for contact in sandbox.contacts.all()}


def test_samples_are_sent_with_todays_dates() -> None:
    """Samples are sent with the current time, whatever the dates in the files, so that none is too old."""
    clock = LeapingClock()
    sandbox = Sandbox(clock=clock.time, sleep=clock.sleep, limit=None)
    with LocalStack(sandbox=sandbox, clock=clock, parameters={"MaxEventAgeHours": "5"}) as stack:
        reports = {report.name: report for report, _ in send_samples(stack, NewCalls(sandbox), clock.leap)}
    assert (reports["track"].answer, reports["track"].results) == ("200", ["sendEvent delivered"])
    assert (reports["batch"].answer, reports["batch"].results[1]) == ("200", "sendEvent delivered")


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "sqs-retry"])
def test_a_sample_can_be_invoked_in_any_year(name: str, stack: LocalStack) -> None:
    """A sample passed to a function unchanged, as by `sam local invoke`, is never too old: its request has a time too."""
    sample = json.loads((SAMPLES / f"{name}.json").read_bytes())
    events = json.loads(sample["body"])
    dates = [event["timestamp"] for event in (events if isinstance(events, list) else [events])]
    sent_at = sample["requestContext"]["timeEpoch"] / 1000
    assert all(abs(datetime.fromisoformat(date).timestamp() - sent_at) < 3600 for date in dates)
    (function,) = (
        each for each in stack.functions.values() if sample["rawPath"] in {route.path for route in each.function.routes}
    )
    answer = function.invoke(sample).payload
    assert answer["statusCode"] in {200, 202}
    assert "too-old" not in answer["body"]


def test_a_different_result_is_unexpected(stack: LocalStack, segment: Segment) -> None:
    """A different status or outcome, a failed call, and an additional call are each unexpected."""
    stack.sandbox.faults.add(Fault(kind="status", status=503))
    segment.identify(userId="u", traits={"email": "adam@loops.so"})
    (refused,) = NewCalls(stack.sandbox).take()
    good = CallSummary("PUT /contacts/update", "adam@loops.so", 200)
    expected = EXPECTED["identify"]
    for answer, lines, calls in [
        ("200", expected.results, [refused]),
        ("200", expected.results, [good, good]),
        ("202", expected.results, [good]),
        ("200", ["filtered"], [good]),
    ]:
        report = Report("identify", "POST /contacts", answer, lines, calls)
        assert not expected.is_met_by(report, calls_are_seen=True)
    assert str(refused) == "PUT /contacts/update (503) adam@loops.so"


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (
            b'{"results":[{"action":"sendEvent","outcome":"queued","reason":"timeout"},{"outcome":"filtered"}]}',
            ["sendEvent queued", "  timeout", "filtered"],
        ),
        (
            b'{"results":[{"action":"sendEvent","outcome":null,"reason":"not-stored"}]}',
            ["sendEvent stored nowhere", "  not-stored"],
        ),
        (b'{"results":[],"reason":"bad-signature"}', ["bad-signature"]),
        (b'{"message":"Not Found"}', ["Not Found"]),
        (b"<html>", ["<html>"]),
    ],
)
def test_an_answer_is_put_into_lines(body: bytes, lines: list[str]) -> None:
    """Every delivery is a line, with its reason below it; a denied request is its reason."""
    assert result_lines(body) == lines


def test_each_call_is_reported_once(stack: LocalStack, segment: Segment) -> None:
    """Each call of Loops is reported once, with its path and its contact or event."""
    calls = NewCalls(stack.sandbox)
    segment.identify(userId="u", traits={"email": "adam@loops.so"})
    assert list(map(str, calls.take())) == ["PUT /contacts/update adam@loops.so"]
    segment.track("User Registered", userId="u", properties={"email": "adam@loops.so"})
    assert list(map(str, calls.take())) == ["POST /events/send User Registered"]
    assert calls.take() == NewCalls(None).take() == []


def printed(report: Report, stream: io.StringIO, expected: str = "") -> list[str]:
    table = ReportTable(stream)
    table.print_headings()
    table.print_row(report, expected=expected)
    return stream.getvalue().splitlines()


def test_the_table_fits_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long cells are wrapped, so that no line has more than 80 characters, and columns stay under their headings."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    long = Report("n" * 99, "r" * 99, "a" * 99, ["o" * 99], [CallSummary("c" * 99, "s" * 99, None)])
    head, *lines = printed(long, Terminal())
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert lines[0].index("r") == head.index("Request")
    assert lines[0].index("o") == head.index("Result")


def test_the_table_is_whole_in_a_pipe() -> None:
    """Results and calls are not cut if the output is not a terminal."""
    _, row, call = printed(REPORT, io.StringIO())
    assert row.split() == ["identify", "POST", "/contacts", "200", "createOrUpdateContact", "delivered"]
    assert call.strip() == "→ PUT /contacts/update a@b.co"
    (_, long, *_) = printed(Report("x", "y", "z", ["o" * 200], []), io.StringIO())
    assert "o" * 200 in long


def test_an_unexpected_result_shows_the_expected_one() -> None:
    """The row of an unexpected result says what was expected."""
    lines = printed(REPORT, io.StringIO(), expected=str(EXPECTED["track"]))
    assert lines[-1].strip() == "UNEXPECTED, should be: 200, sendEvent delivered, POST /events/send"


def test_a_cell_cannot_control_the_terminal() -> None:
    """Control characters in requests and responses are escaped, and rich markup is printed as it is."""
    _, row = printed(Report("", "POST /\033[2J", "", ["[red]\a[/red]"], []), io.StringIO())
    assert row.isprintable()
    assert r"[red]\u0007[/red]" in row


@pytest.mark.parametrize(
    ("stream", "no_color", "coloured"), [(Terminal(), "", True), (Terminal(), "1", False), (io.StringIO(), "", False)]
)
def test_colour_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, no_color: str, *, coloured: bool
) -> None:
    """Output is coloured only on a terminal, and only if NO_COLOR is not set."""
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    printed(REPORT, stream, expected="something else")
    assert ("\033[31m" in stream.getvalue()) is coloured
