"""The Lambda handler: when it builds its parts."""

import json
from pathlib import Path

import pytest
from botocore.client import BaseClient

from loops_destination.errors import SettingsError
from loops_destination.handlers.lambda_handler import IN_LAMBDA, LambdaHandler
from loops_destination.handlers.redelivery import redelivery_handler
from loops_destination.handlers.webhook import webhook_handler
from loops_destination.ledger.store import DynamoStore
from tests.fakes import ManualClock


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of a function outside of Lambda."""
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "us-east-1")
    mappings = tmp_path / "mappings.json"
    mappings.write_text(json.dumps([{"name": "contacts", "action": "createOrUpdateContact"}]), "utf-8")
    return {
        "SECRET_ID": "secret",
        "RETRY_QUEUE_URL": "https://sqs.invalid/retry",
        "DEAD_LETTER_QUEUE_URL": "https://sqs.invalid/dead-letter",
        "MAPPINGS_FILE": str(mappings),
    }


def handlers(environ: dict[str, str]) -> list[LambdaHandler]:
    """Return a handler of each kind in this environment."""
    templates = [webhook_handler("contact_upsert", ["createOrUpdateContact"]), redelivery_handler("redelivery")]
    return [template.in_environment(environ, ManualClock()) for template in templates]


def is_built(handler: LambdaHandler) -> bool:
    return "_invoke" in vars(handler)


def test_in_lambda_the_parts_are_built_at_import(environ: dict[str, str]) -> None:
    """In Lambda the first event finds the clients and the compiled subscriptions ready."""
    assert all(map(is_built, handlers(environ | {IN_LAMBDA: "f"})))


def test_in_lambda_the_contact_ledger_is_ready_at_import(environ: dict[str, str]) -> None:
    """The client of DynamoDB is made before any thread could make it twice."""
    for handler in handlers(environ | {IN_LAMBDA: "f", "CONTACT_LEDGER_TABLE": "table"}):
        ledger = handler._parts.deliverer._ledger
        assert ledger is not None
        assert isinstance(ledger._store, DynamoStore)
        assert isinstance(ledger._store._client, BaseClient)


def test_outside_of_lambda_nothing_is_built_at_import(environ: dict[str, str]) -> None:
    """A test or a tool that imports a function needs none of its variables."""
    assert not any(map(is_built, handlers(environ)))


@pytest.mark.parametrize("problem", [{"SECRET_ID": ""}, {"MAPPINGS_FILE": "/nowhere"}])
def test_an_import_never_fails(environ: dict[str, str], problem: dict[str, str]) -> None:
    """If the parts cannot be built at import, each invocation raises the error, so that Lambda logs it."""
    for handler in handlers(environ | problem | {IN_LAMBDA: "f"}):
        assert not is_built(handler)
        with pytest.raises((SettingsError, FileNotFoundError)):
            handler({"body": "{}", "Records": []}, None)
