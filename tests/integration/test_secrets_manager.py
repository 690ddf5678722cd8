"""The secret in moto's Secrets Manager."""

import json
from typing import Any

import boto3
import pytest

from loops_destination.errors import SecretUnavailable
from loops_destination.secret_store import SecretStore, from_secrets_manager
from tests.fakes import ManualClock


@pytest.fixture
def manager(aws: str) -> Any:  # noqa: ARG001  # the client talks to it
    client = boto3.client("secretsmanager")
    client.create_secret(Name="loops", SecretString=json.dumps({"apiKey": "key-1", "sharedSecret": "shared-1"}))
    return client


def test_both_versions_are_read(manager: Any) -> None:
    """After a rotation, the current and the previous version are read, each from its own stage."""
    fetch = from_secrets_manager("loops")
    store = SecretStore(fetch, ManualClock())
    assert fetch("AWSPREVIOUS") is None
    assert store.api_key() == "key-1"
    manager.put_secret_value(SecretId="loops", SecretString=json.dumps({"apiKey": "key-2", "sharedSecret": "shared-2"}))
    assert store.refresh()
    assert store.api_key() == "key-2"
    assert [secret.shared_secret for secret in store.versions()] == ["shared-2", "shared-1"]


def test_a_secret_that_does_not_exist_has_no_version(manager: Any) -> None:  # noqa: ARG001  # it has another
    """A secret that does not exist is read as None, unlike one that cannot be read."""
    assert from_secrets_manager("other")("AWSCURRENT") is None


@pytest.mark.usefixtures("manager")
def test_an_unreachable_secrets_manager_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """While Secrets Manager cannot be reached, reading raises `SecretUnavailable` with the kind of error, not AWS' text."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SecretUnavailable, match="EndpointConnectionError"):
        from_secrets_manager("loops")("AWSCURRENT")
