"""The stack's secret and its versions."""

import json

import pytest

from loops_destination.errors import SecretNotSetUp, SecretUnavailable
from loops_destination.secret_store import (
    ASK_AGAIN_SECONDS,
    KEPT_SECONDS,
    PLACEHOLDER,
    REFRESH_EVERY_SECONDS,
    Secret,
    SecretStore,
)
from tests.fakes import ManualClock

FIRST = json.dumps({"apiKey": "key-1", "sharedSecret": "shared-1"})
SECOND = json.dumps({"apiKey": "key-2", "sharedSecret": "shared-2", "bearerToken": "token-2"})


class Manager:
    """Stands for Secrets Manager: the texts at the stages, or nothing while it is down."""

    def __init__(self, current: str | None = FIRST, previous: str | None = None) -> None:
        self.texts = {"AWSCURRENT": current, "AWSPREVIOUS": previous}
        self.down = False
        self.asked: list[str] = []

    def __call__(self, stage: str) -> str | None:
        self.asked.append(stage)
        if self.down:
            raise SecretUnavailable("down")
        return self.texts[stage]

    def rotate(self, text: str) -> None:
        self.texts = {"AWSCURRENT": text, "AWSPREVIOUS": self.texts["AWSCURRENT"]}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def store(manager: Manager, clock: ManualClock) -> SecretStore:
    return SecretStore(manager, clock)


def test_a_secret_is_read_once_in_five_minutes(store: SecretStore, manager: Manager, clock: ManualClock) -> None:
    """Secrets Manager is asked at the first event, and again when the value is five minutes old."""
    assert store.api_key() == store.api_key() == "key-1"
    assert manager.asked == ["AWSCURRENT"]
    manager.rotate(SECOND)
    clock.sleep(KEPT_SECONDS)
    assert store.api_key() == "key-2"


def test_the_older_version_is_read_when_it_is_needed(store: SecretStore, manager: Manager) -> None:
    """Only a signature that the live version does not verify asks for the one before."""
    manager.rotate(SECOND)
    versions = store.versions()
    assert next(versions).shared_secret == "shared-2"
    assert manager.asked == ["AWSCURRENT"]
    assert next(versions).shared_secret == "shared-1"


def test_the_absence_of_an_older_version_is_kept_too(store: SecretStore, manager: Manager) -> None:
    """Where there was no rotation, wrong signatures do not ask Secrets Manager each time."""
    for _ in range(3):
        assert len(list(store.versions())) == 1
    assert manager.asked == ["AWSCURRENT", "AWSPREVIOUS"]


def test_an_expired_secret_serves_on_while_secrets_manager_is_down(
    store: SecretStore, manager: Manager, clock: ManualClock
) -> None:
    """A known value outlives an outage, and Secrets Manager is asked again every ten seconds only."""
    store.current()
    manager.down = True
    clock.sleep(KEPT_SECONDS)
    assert store.api_key() == store.api_key() == "key-1"
    assert len(manager.asked) == 2
    clock.sleep(ASK_AGAIN_SECONDS)
    manager.down = False
    manager.rotate(SECOND)
    assert store.api_key() == "key-2"


def test_without_any_value_nothing_can_be_done(store: SecretStore, manager: Manager) -> None:
    """When Secrets Manager was never reached, the request is refused with that cause, and the next one asks again."""
    manager.down = True
    for _ in range(2):
        with pytest.raises(SecretUnavailable):
            store.current()
    assert len(manager.asked) == 2
    manager.down = False
    assert store.api_key() == "key-1"


def test_an_older_version_that_cannot_be_read_is_left_out(store: SecretStore, manager: Manager) -> None:
    """An older version that is down or malformed does not keep the live one from verifying."""
    store.current()
    manager.down = True
    assert len(list(store.versions())) == 1
    manager.down = False
    manager.texts["AWSPREVIOUS"] = "no json"
    assert len(list(store.versions())) == 1


def test_a_refresh_tells_whether_anything_changed(store: SecretStore, manager: Manager, clock: ManualClock) -> None:
    """Reading anew says whether it is worth trying again."""
    store.current()
    list(store.versions())
    assert not store.refresh()
    clock.sleep(REFRESH_EVERY_SECONDS)
    manager.rotate(SECOND)
    assert store.refresh()
    assert store.api_key() == "key-2"
    assert [secret.shared_secret for secret in store.versions()] == ["shared-2", "shared-1"]


def test_a_refresh_happens_once_a_minute(store: SecretStore, manager: Manager, clock: ManualClock) -> None:
    """Whoever sends wrong signatures cannot make the function ask Secrets Manager at will."""
    store.current()
    store.refresh()
    asked = len(manager.asked)
    clock.sleep(REFRESH_EVERY_SECONDS - 1)
    assert not store.refresh()
    assert len(manager.asked) == asked


def test_a_refresh_while_secrets_manager_is_down_changes_nothing(store: SecretStore, manager: Manager) -> None:
    """A failing refresh leaves what is known."""
    store.current()
    list(store.versions())
    manager.down = True
    assert not store.refresh()
    assert store.api_key() == "key-1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "5",
        '{"apiKey":5}',
        '{"sharedSecret":["hush"]}',
        json.dumps({"apiKey": PLACEHOLDER}),
        '{"apiKey":" "}',
        '{"apiKey":"line\\nbreak"}',
        '{"apiKey":"schlüssel"}',
        "{}",
    ],
)
def test_a_secret_that_is_not_set_up_says_so(text: str) -> None:
    """A malformed secret and a placeholder are told as such, and never quoted."""
    with pytest.raises(SecretNotSetUp) as error:
        _ = SecretStore({"AWSCURRENT": text}.get, ManualClock()).api_key()
    assert "hush" not in str(error.value)


def test_a_secret_without_any_version_says_so() -> None:
    """A secret that was made but never given a value is not set up."""
    with pytest.raises(SecretNotSetUp):
        SecretStore({}.get, ManualClock()).current()


def test_values_are_trimmed() -> None:
    """A line break that was pasted with a key does no harm."""
    assert Secret.from_json('{"apiKey":" key-1\\n"}').api_key == "key-1"


def test_a_placeholder_opens_nothing() -> None:
    """The placeholder of the template is no shared secret and no token."""
    secret = Secret.from_json(json.dumps({"apiKey": "k", "sharedSecret": PLACEHOLDER, "bearerToken": PLACEHOLDER}))
    assert (secret.shared_secret, secret.bearer_token) == ("", "")


def test_a_secret_shows_nothing() -> None:
    """The repr of a secret holds none of its values."""
    assert "key-2" not in repr(Secret.from_json(SECOND))
    assert "shared-2" not in repr(Secret.from_json(SECOND))


def test_what_is_null_is_not_there() -> None:
    """A part of the secret that is null counts as missing, and takes no other with it."""
    secret = Secret.from_json('{"apiKey":"key-1","sharedSecret":"shared-1","bearerToken":null}')
    assert (secret.api_key, secret.shared_secret, secret.bearer_token) == ("key-1", "shared-1", "")
    with pytest.raises(SecretNotSetUp):
        Secret.from_json("[" * 200_000)
