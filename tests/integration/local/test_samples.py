"""The samples in events/, and how they are told of."""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from local.table import COLUMNS, Table

from local.reports import CallSummary, NewCalls, Report, result_lines
from local.samples import EVENTS, EXPECTED, send_samples
from local.sandbox import Fault, Sandbox
from local.stack import LocalStack
from tests.integration.local.conftest import Clock

if TYPE_CHECKING:
    from tests.integration.local.conftest import Segment

REPORT = Report(
    "identify", "POST /contacts", "200", ["delivered"], [CallSummary("PUT /contacts/update", "a@b.co", 200)]
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_every_sample_has_its_expected_outcome() -> None:
    """Each file in events/ is sent, and each that is sent is there."""
    assert {path.stem for path in EVENTS.glob("*.json")} == set(EXPECTED)


def test_every_sample_comes_out_as_expected() -> None:
    """Sent one after the other, the samples are answered and reach Loops as expected."""
    sandbox = Sandbox(limit=None)
    with LocalStack(sandbox=sandbox) as stack:
        reports = list(send_samples(stack, NewCalls(sandbox)))
    assert [report.name for report in reports] == list(EXPECTED)
    for report in reports:
        assert EXPECTED[report.name].is_met_by(report, calls_are_seen=True), report
        unseen = Report(report.name, report.request, report.answer, report.results, [])
        assert EXPECTED[report.name].is_met_by(unseen, calls_are_seen=False)


def test_samples_are_sent_with_todays_dates() -> None:
    """However old the files are, their events are of now, and signed anew: none is too old, whatever the limit."""
    sandbox = Sandbox(limit=None)
    with LocalStack(sandbox=sandbox, clock=Clock(), parameters={"MaxEventAgeHours": "5"}) as stack:
        reports = {report.name: report for report in send_samples(stack, NewCalls(sandbox))}
    assert (reports["track"].answer, reports["track"].outcomes) == ("200", ["sendEvent delivered"])
    assert (reports["batch"].answer, reports["batch"].outcomes[1]) == ("200", "sendEvent delivered")


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "sqs-retry"])
def test_a_sample_can_be_invoked_in_any_year(name: str, stack: LocalStack) -> None:
    """Given to a function as it is, as `sam local invoke` does, a sample is never too old: its request is of its time."""
    sample = json.loads((EVENTS / f"{name}.json").read_bytes())
    events = json.loads(sample["body"])
    dates = [event["timestamp"] for event in (events if isinstance(events, list) else [events])]
    sent_at = sample["requestContext"]["timeEpoch"] / 1000
    assert all(abs(datetime.fromisoformat(date).timestamp() - sent_at) < 3600 for date in dates)
    (function,) = (
        each for each in stack.functions.values() if sample["rawPath"] in {route.path for route in each.function.routes}
    )
    answer = function.invoke(sample).payload
    assert answer["statusCode"] == 200
    assert "too-old" not in answer["body"]


def test_another_outcome_is_not_as_expected(stack: LocalStack, segment: Segment) -> None:
    """Another status, another outcome, a call that Loops refused and a call too many are each unexpected."""
    stack.sandbox.faults.add(Fault(kind="status", status=503))
    segment.identify(userId="u", traits={"email": "adam@loops.so"})
    (refused,) = NewCalls(stack.sandbox).take()
    good = CallSummary("PUT /contacts/update", "adam@loops.so", 200)
    expected = EXPECTED["identify"]
    for answer, lines, calls in [
        ("200", expected.outcomes, [refused]),
        ("200", expected.outcomes, [good, good]),
        ("202", expected.outcomes, [good]),
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
def test_an_answer_is_told_in_words(body: bytes, lines: list[str]) -> None:
    """Every delivery has its line, with the reason under it; a refusal is told by its reason."""
    assert result_lines(body) == lines


def test_calls_are_told_once(stack: LocalStack, segment: Segment) -> None:
    """Each call of Loops is told of once, by its path and by whom or what it was about."""
    calls = NewCalls(stack.sandbox)
    segment.identify(userId="u", traits={"email": "adam@loops.so"})
    assert list(map(str, calls.take())) == ["PUT /contacts/update adam@loops.so"]
    segment.track("User Registered", userId="u", properties={"email": "adam@loops.so"})
    assert list(map(str, calls.take())) == ["POST /events/send User Registered"]
    assert calls.take() == NewCalls(None).take() == []


def test_a_table_fits_its_columns() -> None:
    """Whatever a cell holds, a line is at most 120 characters long and its columns stand under their headings."""
    stream = io.StringIO()
    table = Table(stream)
    table.head()
    long = Report("n" * 99, "r" * 99, "a" * 99, ["o" * 99], [CallSummary("c" * 99, "s" * 99, None)])
    table.row(long, as_expected=False)
    table.row(REPORT)
    head, row, plain = stream.getvalue().splitlines()
    assert sum(COLUMNS.values()) + 2 * (len(COLUMNS) - 1) <= 120
    assert len(row) <= 120
    assert row.index("o") == head.index("outcome") == plain.index("delivered")
    assert row.endswith("UNEXPECTED")


def test_a_cell_cannot_command_the_terminal() -> None:
    """Control characters in what a sender chose are not printed."""
    stream = io.StringIO()
    Table(stream).row(Report("", "POST /\033[2J", "", ["\a"], []))
    assert stream.getvalue().isprintable() is False
    assert stream.getvalue().rstrip("\n").isprintable()


@pytest.mark.parametrize(
    ("stream", "no_color", "coloured"), [(Terminal(), "", True), (Terminal(), "1", False), (io.StringIO(), "", False)]
)
def test_colour_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, no_color: str, *, coloured: bool
) -> None:
    """There is colour on a terminal alone, and none where NO_COLOR is set."""
    monkeypatch.setenv("NO_COLOR", no_color)
    table = Table(stream)
    table.head()
    table.row(REPORT, as_expected=False)
    table.verdict("done", good=True)
    assert ("\033[" in stream.getvalue()) is coloured
