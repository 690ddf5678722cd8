"""The outcome of each meaning of a response."""

from itertools import product

import pytest

from loops_destination.loops import Meaning, Response
from loops_destination.outcomes import Outcome, Reason
from loops_destination.response_to_outcome import outcome_of

DELIVERED, QUEUED, REJECTED = Outcome.DELIVERED, Outcome.QUEUED, Outcome.REJECTED


@pytest.mark.parametrize("meaning", Meaning)
def test_every_meaning_has_an_outcome(meaning: Meaning) -> None:
    """Each meaning of a response, in each situation, leads to an outcome; one that is not delivered has a reason."""
    response = Response(meaning, 400, Reason.REFUSED)
    for used, may_come in product((False, True), repeat=2):
        outcome, reason = outcome_of(response, may_have_used_idempotency_key=used, contact_may_come=may_come)
        assert (reason is None) is (outcome is DELIVERED)


@pytest.mark.parametrize(("used", "outcome"), [(False, DELIVERED), (True, REJECTED)])
def test_a_409_depends_on_earlier_refusals_by_loops(used: bool, outcome: Outcome) -> None:
    """A 409 counts as delivered, unless Loops refused an earlier attempt that may have used up the idempotency key."""
    response = Response(Meaning.ALREADY_DONE, 409)
    assert outcome_of(response, may_have_used_idempotency_key=used, contact_may_come=True)[0] is outcome


@pytest.mark.parametrize(("may_come", "outcome"), [(True, QUEUED), (False, REJECTED)])
def test_an_unknown_contact_is_waited_for(may_come: bool, outcome: Outcome) -> None:
    """A delivery for an unknown contact waits as long as the contact's identify may still come."""
    response = Response(Meaning.CONTACT_UNKNOWN, 404, Reason.UNKNOWN_CONTACT)
    decided = outcome_of(response, may_have_used_idempotency_key=False, contact_may_come=may_come)
    assert decided == (outcome, Reason.UNKNOWN_CONTACT)
