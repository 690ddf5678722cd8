import json
from pathlib import Path
from typing import Any

import pytest

from loops_destination.actions import ACTIONS
from loops_destination.errors import SubscriptionsError
from loops_destination.subscriptions import load_entries, load_subscriptions

HERE = Path(__file__).parent
DEFAULT_FILE = HERE.parents[2] / "layers/mappings/mappings.json"


def documents(folder: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((HERE / folder).glob("*.json"))]


@pytest.mark.parametrize("path", documents("valid"))
def test_valid(path: Path) -> None:
    """A valid document gives its subscriptions in its order, each with its id."""
    loaded = [
        f"{subscription.id} {subscription.action.slug} {'enabled' if subscription.enabled else 'disabled'}"
        for subscription in load_subscriptions(path.read_bytes())
    ]
    assert loaded == path.with_suffix(".txt").read_text("utf-8").splitlines()


@pytest.mark.parametrize("path", documents("invalid"))
def test_invalid(path: Path) -> None:
    """An invalid document is refused with all its problems at once, each with its place and a message."""
    with pytest.raises(SubscriptionsError) as caught:
        load_subscriptions(path.read_bytes())
    expected = [line.split(": ", 1) for line in path.with_suffix(".txt").read_text("utf-8").splitlines()]
    problems = {problem.path: problem.message for problem in caught.value.problems}
    assert list(problems) == [place for place, _ in expected]
    assert all(words in problems[place] for place, words in expected)
    str(caught.value).encode()


def test_text_and_bytes_give_the_same() -> None:
    """A document can be passed as text or as bytes."""
    text = DEFAULT_FILE.read_text("utf-8")
    from_text, from_bytes = load_subscriptions(text), load_subscriptions(text.encode())
    assert [subscription.id for subscription in from_text] == [subscription.id for subscription in from_bytes]


def test_problem_of_a_trigger_has_a_caret() -> None:
    """The problem of a trigger is shown with a caret under its position."""
    document = '[{"id": "s1", "action": "sendEvent", "trigger": "type = \\"track\\" and evnt = 5"}]'
    with pytest.raises(SubscriptionsError) as caught:
        load_subscriptions(document)
    *_, source, caret = str(caught.value).splitlines()
    assert source[caret.index("^") :].startswith("evnt")


DEFINITION = {"id": "s1", "action": "sendEvent", "mapping": {"userId": "u", "eventName": "e"}}


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([DEFINITION], "/0"),
        ({"subscriptions": [DEFINITION]}, "/subscriptions/0"),
        ({"data": {"subscriptions": [DEFINITION]}}, "/data/subscriptions/0"),
    ],
)
def test_entry_has_its_place(document: Any, place: str) -> None:
    """An entry has its path in the document, whichever of the shapes that has."""
    (entry,) = load_entries(json.dumps(document))
    assert entry.place == place


def test_entry_has_what_is_written_and_what_it_means() -> None:
    """An entry holds the known keys as they are written, and the compiled subscription with its trigger and mapping."""
    written = {"name": "Orders", "actionSlug": "sendEvent", "settings": {"userId": "u", "eventName": "e"}}
    exported = {**written, "actionId": "a1", "trigger": None}
    (entry,) = load_entries(json.dumps([exported]))
    subscription = entry.subscription
    assert entry.written == written
    assert (subscription.id, subscription.name, subscription.enabled) == ("Orders", "Orders", True)
    assert subscription.action is ACTIONS["sendEvent"]
    assert str(subscription.trigger) == ACTIONS["sendEvent"].trigger
    assert subscription.mapping.resolve({}) == {"userId": "u", "eventName": "e"}


def test_default_file() -> None:
    """The default file has one enabled subscription for each action."""
    subscriptions = load_subscriptions(DEFAULT_FILE.read_bytes())
    assert [subscription.action.slug for subscription in subscriptions] == list(ACTIONS)
    assert all(subscription.enabled for subscription in subscriptions)
