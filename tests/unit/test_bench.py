"""The cases of the benchmark are what they say."""

import pytest

from bench.cases import SUBSCRIPTIONS, Case, cases
from bench.ours import body_of, http_api_event, requesting
from loops_destination.actions import ACTIONS
from loops_destination.http_api import decode_request
from loops_destination.loops.client import HttpCall
from loops_destination.signature import Coverage, verify

SIZES = {"small": range(100, 300), "typical": range(1_000, 3_000), "30 KB": range(29_000, 31_000)}


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_case_is_wanted_and_valid(case: Case) -> None:
    """Every event is taken by its subscription, and gives a call of Loops."""
    call = requesting(case)()
    assert isinstance(call, HttpCall)
    assert call.url == f"https://app.loops.so{ACTIONS[case.action].path}"


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_size_is_what_it_is_called(case: Case) -> None:
    """The events are as large as the table says."""
    assert len(body_of([case.event])) in SIZES[case.size]


def test_the_default_subscriptions_are_the_actions_own() -> None:
    """The default cases measure exactly what a team without mappings of its own gets."""
    for slug, subscriptions in SUBSCRIPTIONS.items():
        assert subscriptions["default"] == (ACTIONS[slug].trigger, ACTIONS[slug].mapping)


def test_a_batch_is_signed_whole() -> None:
    """A batch is trusted without a bearer token, so that all of its events are measured."""
    request = decode_request(http_api_event([cases()[0].event] * 3))
    assert verify(request.body, request.signature, ["nothing-but-a-benchmark"]) is Coverage.BODY
