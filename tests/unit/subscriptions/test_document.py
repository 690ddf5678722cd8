from pathlib import Path
from typing import Any

import pytest

from loops_destination.actions import ACTIONS
from loops_destination.errors import SubscriptionsError
from loops_destination.subscriptions import load_subscriptions

HERE = Path(__file__).parent
DEFAULT_FILE = HERE.parents[2] / "layers/mappings/mappings.json"


def documents(folder: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((HERE / folder).glob("*.json"))]


@pytest.mark.parametrize("path", documents("valid"))
def test_valid(path: Path) -> None:
    """A valid document gives its subscriptions in its order, known by id or name."""
    loaded = [
        f"{subscription.id} {subscription.action.slug} {'enabled' if subscription.enabled else 'disabled'}"
        for subscription in load_subscriptions(path.read_bytes())
    ]
    assert loaded == path.with_suffix(".txt").read_text("utf-8").splitlines()


@pytest.mark.parametrize("path", documents("invalid"))
def test_invalid(path: Path) -> None:
    """Every problem of an invalid document is told at once, each with its place and in words."""
    with pytest.raises(SubscriptionsError) as caught:
        load_subscriptions(path.read_bytes())
    expected = [line.split(": ", 1) for line in path.with_suffix(".txt").read_text("utf-8").splitlines()]
    problems = {problem.path: problem.message for problem in caught.value.problems}
    assert list(problems) == [place for place, _ in expected]
    assert all(words in problems[place] for place, words in expected)
    str(caught.value).encode()


def test_text_and_bytes_are_one() -> None:
    """A document can be given as text or as its bytes."""
    text = DEFAULT_FILE.read_text("utf-8")
    from_text, from_bytes = load_subscriptions(text), load_subscriptions(text.encode())
    assert [subscription.id for subscription in from_text] == [subscription.id for subscription in from_bytes]


def test_trigger_fault_is_pointed_at() -> None:
    """The problem of a trigger is shown with a caret under its place."""
    document = '[{"id": "s1", "action": "sendEvent", "trigger": "type = \\"track\\" and evnt = 5"}]'
    with pytest.raises(SubscriptionsError) as caught:
        load_subscriptions(document)
    *_, source, caret = str(caught.value).splitlines()
    assert source[caret.index("^") :].startswith("evnt")


def test_default_file() -> None:
    """The default file has a subscription for each action, and says in full what the action's defaults are."""
    subscriptions = load_subscriptions(DEFAULT_FILE.read_bytes())
    assert [subscription.action.slug for subscription in subscriptions] == list(ACTIONS)
    assert all(subscription.enabled for subscription in subscriptions)
