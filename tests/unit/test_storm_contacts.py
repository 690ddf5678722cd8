"""The judgement of the contacts after a storm."""

import pytest

from local.storm_contacts import Call, Change, ChangeKind, WrongContacts, wrong_contacts

SIGN_UP, UPDATE, AGAIN = (Change("ada", ChangeKind.IDENTIFY, order) for order in (1, 2, 8))
ORDER = Change("ada", ChangeKind.TRACK, 6)
DELETION = Change("ada", ChangeKind.DELETE, 5)
DELETED = Call("ada", None)


def calls(*orders: int | None) -> list[Call]:
    return [Call("ada", order) for order in orders]


@pytest.mark.parametrize(
    ("changes", "sent", "steps"),
    [
        ([SIGN_UP, UPDATE], calls(1, 2), {"ada": 2}),
        ([UPDATE, SIGN_UP], calls(2), {"ada": 2}),
        ([SIGN_UP, DELETION], calls(1, None), {}),
        ([SIGN_UP, DELETION, AGAIN], calls(1, None, 8), {"ada": 8}),
        ([SIGN_UP, DELETION, ORDER], calls(1, None, 6), {"ada": None}),
        ([ORDER], calls(6), {"ada": None}),
    ],
)
def test_a_contact_is_right_as_its_events_leave_it(
    changes: list[Change], sent: list[Call], steps: dict[str, int]
) -> None:
    """A contact with the newest values, or without any after its deletion, is neither stale nor resurrected."""
    found = wrong_contacts(changes, sent, steps)
    assert found == WrongContacts(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("changes", "sent", "steps"),
    [
        ([SIGN_UP, UPDATE], calls(2, 1), {"ada": 1}),
        ([SIGN_UP, UPDATE], calls(), {}),
        ([SIGN_UP, DELETION, AGAIN], calls(1, None, 8, 1), {"ada": 1}),
        ([SIGN_UP, DELETION, AGAIN], calls(1, None), {}),
        ([SIGN_UP, DELETION, AGAIN], calls(None, 8, None), {}),
        ([DELETION, ORDER], calls(None, 6, None), {}),
    ],
)
def test_a_contact_with_an_older_value_is_stale(changes: list[Change], sent: list[Call], steps: dict[str, int]) -> None:
    """A contact is stale if it has an older value, if it is missing, or if a repeated deletion removed newer values."""
    assert wrong_contacts(changes, sent, steps).stale == {"ada"}


@pytest.mark.parametrize("sent", [calls(None, 1), calls(1, None, 1)])
def test_a_deleted_person_who_exists_again_is_resurrected(sent: list[Call]) -> None:
    """A contact that exists although its newest event is a deletion is resurrected."""
    assert wrong_contacts([SIGN_UP, DELETION], sent, {"ada": 1}).resurrected == {"ada"}


def test_a_deletion_that_is_seen_late_still_deletes() -> None:
    """A contact is not stale if its deletion was first sent after the newer values."""
    between = Change("ada", ChangeKind.IDENTIFY, 6)
    changes, right = [SIGN_UP, DELETION, between, AGAIN], WrongContacts(frozenset(), frozenset())
    assert wrong_contacts(changes, calls(1, 8, None), {}) == right
    assert wrong_contacts(changes, calls(1, 8, None, 6), {"ada": 6}) == right
    assert wrong_contacts(changes, calls(1, 8, None, 1), {"ada": 1}).stale == {"ada"}
    assert wrong_contacts(changes, calls(1, None, 8, 6), {"ada": 6}).stale == {"ada"}
