"""The secret and its two versions."""

import json

import pytest

from loops_destination.errors import SecretNotSetUp, SecretUnavailable
from loops_destination.secret_store import (
    KEEP_SECONDS,
    PLACEHOLDER,
    REFRESH_INTERVAL_SECONDS,
    RETRY_SECONDS,
    Secret,
    SecretStore,
)
from tests.fakes import ManualClock

FIRST = json.dumps({"apiKey": "key-1", "sharedSecret": "shared-1"})
SECOND = json.dumps({"apiKey": "key-2", "sharedSecret": "shared-2", "bearerToken": "token-2"})


class SecretsManager:
    """A Secrets Manager with a text at each stage, and a switch that takes it down."""

    def __init__(self, current: str | None = FIRST, previous: str | None = None) -> None:
        self.texts = {"AWSCURRENT": current, "AWSPREVIOUS": previous}
        self.down = False
        self.stages_fetched: list[str] = []

    def __call__(self, stage: str) -> str | None:
        self.stages_fetched.append(stage)
        if self.down:
            raise SecretUnavailable("down")
        return self.texts[stage]

    def rotate(self, text: str) -> None:
        self.texts = {"AWSCURRENT": text, "AWSPREVIOUS": self.texts["AWSCURRENT"]}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def manager() -> SecretsManager:
    return SecretsManager()


@pytest.fixture
def store(manager: SecretsManager, clock: ManualClock) -> SecretStore:
    return SecretStore(manager, clock)


def test_the_secret_is_kept_for_five_minutes(store: SecretStore, manager: SecretsManager, clock: ManualClock) -> None:
    """Secrets Manager is called for the first event, and again when the value is five minutes old."""
    assert store.api_key() == store.api_key() == "key-1"
    assert manager.stages_fetched == ["AWSCURRENT"]
    manager.rotate(SECOND)
    clock.sleep(KEEP_SECONDS)
    assert store.api_key() == "key-2"


def test_the_previous_version_is_read_when_it_is_needed(store: SecretStore, manager: SecretsManager) -> None:
    """The previous version is fetched only for a request that the current one does not verify."""
    manager.rotate(SECOND)
    versions = store.versions()
    assert next(versions).shared_secret == "shared-2"
    assert manager.stages_fetched == ["AWSCURRENT"]
    assert next(versions).shared_secret == "shared-1"


def test_a_missing_previous_version_is_remembered(store: SecretStore, manager: SecretsManager) -> None:
    """Before the first rotation, wrong signatures do not call Secrets Manager each time."""
    for _ in range(3):
        assert len(list(store.versions())) == 1
    assert manager.stages_fetched == ["AWSCURRENT", "AWSPREVIOUS"]


def test_a_known_secret_is_used_while_secrets_manager_is_down(
    store: SecretStore, manager: SecretsManager, clock: ManualClock
) -> None:
    """A known value outlasts an outage, during which Secrets Manager is called every ten seconds at most."""
    store.current()
    manager.down = True
    clock.sleep(KEEP_SECONDS)
    assert store.api_key() == store.api_key() == "key-1"
    assert len(manager.stages_fetched) == 2
    clock.sleep(RETRY_SECONDS)
    manager.down = False
    manager.rotate(SECOND)
    assert store.api_key() == "key-2"


def test_a_secret_that_was_never_read_is_unavailable(store: SecretStore, manager: SecretsManager) -> None:
    """Until Secrets Manager has answered once, reading raises `SecretUnavailable`, and each read calls it again."""
    manager.down = True
    for _ in range(2):
        with pytest.raises(SecretUnavailable):
            store.current()
    assert len(manager.stages_fetched) == 2
    manager.down = False
    assert store.api_key() == "key-1"


def test_a_previous_version_that_cannot_be_used_is_skipped(store: SecretStore, manager: SecretsManager) -> None:
    """A previous version that is unavailable or malformed does not keep the current one from verifying requests."""
    store.current()
    manager.down = True
    assert len(list(store.versions())) == 1
    manager.down = False
    manager.texts["AWSPREVIOUS"] = "not JSON"
    assert len(list(store.versions())) == 1


def test_a_refresh_returns_whether_a_version_changed(
    store: SecretStore, manager: SecretsManager, clock: ManualClock
) -> None:
    """A refresh returns true only if Secrets Manager has another value, and both versions are then the new ones."""
    store.current()
    list(store.versions())
    assert not store.refresh()
    clock.sleep(REFRESH_INTERVAL_SECONDS)
    manager.rotate(SECOND)
    assert store.refresh()
    assert store.api_key() == "key-2"
    assert [secret.shared_secret for secret in store.versions()] == ["shared-2", "shared-1"]


def test_a_refresh_happens_at_most_once_a_minute(
    store: SecretStore, manager: SecretsManager, clock: ManualClock
) -> None:
    """A sender of wrong signatures cannot cause a call to Secrets Manager with each of them."""
    store.current()
    store.refresh()
    fetched = len(manager.stages_fetched)
    clock.sleep(REFRESH_INTERVAL_SECONDS - 1)
    assert not store.refresh()
    assert len(manager.stages_fetched) == fetched


def test_a_refresh_while_secrets_manager_is_down_changes_nothing(store: SecretStore, manager: SecretsManager) -> None:
    """A refresh that fails keeps the known values."""
    store.current()
    list(store.versions())
    manager.down = True
    assert not store.refresh()
    assert store.api_key() == "key-1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
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
def test_an_unusable_secret_is_not_set_up_and_not_quoted(text: str) -> None:
    """A malformed secret, a placeholder and an unusable API key raise `SecretNotSetUp`, whose message quotes no value."""
    with pytest.raises(SecretNotSetUp) as error:
        _ = SecretStore({"AWSCURRENT": text}.get, ManualClock()).api_key()
    assert "hush" not in str(error.value)


def test_a_secret_without_a_version_is_not_set_up() -> None:
    """A secret that was created without a value raises `SecretNotSetUp`."""
    with pytest.raises(SecretNotSetUp):
        SecretStore({}.get, ManualClock()).current()


def test_values_are_trimmed() -> None:
    """Spaces and line breaks around a value are ignored."""
    assert Secret.from_json('{"apiKey":" key-1\\n"}').api_key == "key-1"


def test_a_placeholder_verifies_nothing() -> None:
    """The template's placeholder is neither a shared secret nor a bearer token."""
    secret = Secret.from_json(json.dumps({"apiKey": "k", "sharedSecret": PLACEHOLDER, "bearerToken": PLACEHOLDER}))
    assert (secret.shared_secret, secret.bearer_token) == ("", "")
    assert not secret.can_verify


def test_the_repr_of_a_secret_shows_no_value() -> None:
    """The repr of a secret contains none of its values."""
    assert "key-2" not in repr(Secret.from_json(SECOND))
    assert "shared-2" not in repr(Secret.from_json(SECOND))


def test_a_null_value_counts_as_missing() -> None:
    """A null value counts as missing, and does not invalidate the others."""
    secret = Secret.from_json('{"apiKey":"key-1","sharedSecret":"shared-1","bearerToken":null}')
    assert (secret.api_key, secret.shared_secret, secret.bearer_token) == ("key-1", "shared-1", "")


def test_a_deeply_nested_secret_is_not_set_up() -> None:
    """JSON that is nested too deeply to be parsed raises `SecretNotSetUp`."""
    with pytest.raises(SecretNotSetUp):
        Secret.from_json("[" * 200_000)


def test_the_fields_that_are_not_text_are_named() -> None:
    """The error for a secret with values of the wrong type names their fields."""
    with pytest.raises(SecretNotSetUp, match="correct apiKey, bearerToken"):
        Secret.from_json('{"apiKey":5,"sharedSecret":"shared-1","bearerToken":[]}')
