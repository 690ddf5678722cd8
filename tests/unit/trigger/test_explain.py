import pytest

from loops_destination.trigger import Finding, Trigger

EVENT = {"type": "track", "event": "Signed Up", "properties": {"total": 7}}
IS_TRACK = 'type = "track"'
IS_PAGE = 'type = "page"'
LARGE = "properties.total > 10"


@pytest.mark.parametrize(
    ("expression", "findings"),
    [
        (IS_TRACK, [(IS_TRACK, True, True)]),
        (f"{IS_TRACK} and {LARGE}", [(IS_TRACK, True, False), (LARGE, False, True)]),
        (f"{IS_PAGE} or {IS_TRACK}", [(IS_PAGE, False, False), (IS_TRACK, True, True)]),
        (f"{IS_PAGE} and {LARGE}", [(IS_PAGE, False, True), (LARGE, False, True)]),
        (
            f"{IS_TRACK} and ({IS_PAGE} or {LARGE})",
            [(IS_TRACK, True, False), (IS_PAGE, False, True), (LARGE, False, True)],
        ),
        (
            f"{IS_TRACK} or ({IS_TRACK} and {IS_PAGE})",
            [(IS_TRACK, True, True), (IS_TRACK, True, False), (IS_PAGE, False, False)],
        ),
    ],
)
def test_explain(expression: str, findings: list[tuple[str, bool, bool]]) -> None:
    """Every condition is listed in order, with its result and whether it decided the result of the trigger."""
    assert Trigger(expression).explain(EVENT) == tuple(Finding(*finding) for finding in findings)


def test_explain_a_value_that_is_not_an_event() -> None:
    """A value that is not an object is explained like an event without fields."""
    assert Trigger(IS_TRACK).explain(None) == (Finding(IS_TRACK, held=False, decided=True),)
