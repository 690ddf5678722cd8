"""Searches of the log: the calls of Logs Insights, and the results of its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from segment_loops.command_errors import CommandError
from segment_loops.log_search import LogSearch, Period, price, size
from tests.fakes import NOW, ManualClock

GROUPS = ["one", "two"]
PERIOD = Period(NOW - 3600, NOW)
QUERY = (
    "fields @timestamp, @message\n"
    '| filter message in ["delivery", "dead letter"] and (user = "1")\n'
    "| sort @timestamp asc\n"
    "| limit 10000"
)
STARTED = {"logGroupNames": GROUPS, "startTime": int(NOW) - 3600, "endTime": int(NOW), "queryString": QUERY}


def client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local")


@pytest.fixture
def logs() -> Iterator[Stubber]:
    with Stubber(client("logs")) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def cloudwatch() -> Iterator[Stubber]:
    with Stubber(client("cloudwatch")) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def search(logs: Stubber, cloudwatch: Stubber) -> LogSearch:
    return LogSearch(logs.client, cloudwatch.client, GROUPS, ManualClock())


def row(**line: Any) -> list[dict[str, str]]:
    return [{"field": "@timestamp", "value": "…"}, {"field": "@message", "value": json.dumps(line)}]


def test_a_search_asks_for_the_lines_and_waits_for_them(search: LogSearch, logs: Stubber) -> None:
    """The query names the log groups, the time and the condition; it is asked about until it is complete."""
    logs.add_response("start_query", {"queryId": "q"}, STARTED)
    logs.add_response("get_query_results", {"status": "Running", "results": []}, {"queryId": "q"})
    results = [row(message="delivery", outcome="queued"), row(message="dead letter"), row(message="delivery of pizza")]
    statistics = {"bytesScanned": 12345.0}
    logs.add_response(
        "get_query_results", {"status": "Complete", "results": results, "statistics": statistics}, {"queryId": "q"}
    )
    found = search.search('user = "1"', PERIOD)
    assert found.lines == [{"message": "delivery", "outcome": "queued"}, {"message": "dead letter"}]
    assert (found.scanned, found.is_complete) == (12345, True)


def test_too_many_lines_are_reported(search: LogSearch, logs: Stubber) -> None:
    """An answer with as many lines as were asked for may lack some; the newest ones are returned on request."""
    query = QUERY.replace("asc", "desc").replace("10000", "2").replace(' and (user = "1")', "")
    logs.add_response("start_query", {"queryId": "q"}, STARTED | {"queryString": query})
    results = [row(message="delivery", attempt=2), row(message="delivery", attempt=1)]
    logs.add_response("get_query_results", {"status": "Complete", "results": results}, {"queryId": "q"})
    found = search.search("", PERIOD, 2, newest=True)
    assert [line["attempt"] for line in found.lines] == [1, 2]
    assert not found.is_complete


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout"])
def test_a_search_that_fails_says_so(search: LogSearch, logs: Stubber, status: str) -> None:
    """A search that does not complete is an error, and advises a shorter time."""
    logs.add_response("start_query", {"queryId": "q"}, STARTED)
    logs.add_response("get_query_results", {"status": status, "results": []}, {"queryId": "q"})
    with pytest.raises(CommandError, match=f"ended as {status.lower()}. Search a shorter time"):
        search.search('user = "1"', PERIOD)


def test_an_interrupted_search_is_stopped(logs: Stubber, cloudwatch: Stubber) -> None:
    """After Ctrl-C the query is stopped, so that nothing more is scanned and billed."""

    class Interrupting(ManualClock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt(seconds)

    logs.add_response("start_query", {"queryId": "q"}, STARTED)
    logs.add_response("get_query_results", {"status": "Running", "results": []}, {"queryId": "q"})
    logs.add_response("stop_query", {"success": True}, {"queryId": "q"})
    with pytest.raises(KeyboardInterrupt):
        LogSearch(logs.client, cloudwatch.client, GROUPS, Interrupting()).search('user = "1"', PERIOD)


DENIED = "User: arn:aws:iam::1:user/ada is not authorized to perform: logs:StartQuery on resource: one"


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("AccessDeniedException", DENIED, "Your AWS identity lacks the permission logs:StartQuery. docs/policies/"),
        ("AccessDeniedException", "No.", "Your AWS identity lacks permission for the operation StartQuery. docs"),
        (
            "ResourceNotFoundException",
            "Log group 'one' does not exist",
            "The log groups one, two: Log group 'one' does",
        ),
        ("LimitExceededException", "Too many concurrent queries", "Too many concurrent queries (LimitExceeded"),
    ],
)
def test_an_error_says_what_is_missing(
    search: LogSearch, logs: Stubber, code: str, message: str, expected: str
) -> None:
    """A missing permission is named with its API, and a log group that does not exist by its name."""
    logs.add_client_error("start_query", code, message)
    with pytest.raises(CommandError) as error:
        search.search('user = "1"', PERIOD)
    assert expected in str(error.value)


def test_the_size_of_a_search_is_what_the_log_groups_took_in(search: LogSearch, cloudwatch: Stubber) -> None:
    """The estimate is the sum of the log groups' incoming bytes in the period, on all pages of the answer."""
    asked = {"StartTime": datetime.fromtimestamp(NOW - 3600, UTC), "EndTime": datetime.fromtimestamp(NOW, UTC)}
    pages = [([1000.0, 200.0], "next"), ([30.0], None)]
    for number, (values, token) in enumerate(pages):
        answer: dict[str, Any] = {"MetricDataResults": [{"Id": f"group{number}", "Values": values}]}
        expected = {**asked, "MetricDataQueries": ANY} | ({"NextToken": "next"} if number else {})
        cloudwatch.add_response("get_metric_data", answer | ({"NextToken": token} if token else {}), expected)
    assert search.estimate(PERIOD) == 1230.0


@pytest.mark.parametrize(
    ("scanned", "text"),
    [
        (0, "0 bytes, under $0.01"),
        (38_200_000, "38.2 MB, under $0.01"),
        (2_000_000_000, "2.0 GB, about $0.01"),
        (1_500_000_000_000, "1,500.0 GB, about $7.50"),
    ],
)
def test_a_price_is_readable(scanned: float, text: str) -> None:
    """A size is printed in the largest unit that fits, with its list price."""
    assert price(scanned) == text
    assert text.startswith(size(scanned))
