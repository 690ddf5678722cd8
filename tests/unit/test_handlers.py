"""What is made when a function is imported, and what when it is first called."""

import json
from pathlib import Path

import pytest

from loops_destination.errors import SettingsError
from loops_destination.handlers.redelivery import RedeliveryHandler
from loops_destination.handlers.webhook import WebhookHandler
from tests.fakes import ManualClock

Handler = WebhookHandler | RedeliveryHandler


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A function's variables outside of Lambda."""
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


def handlers(environ: dict[str, str]) -> list[Handler]:
    clock = ManualClock()
    return [
        WebhookHandler("contact_upsert", ["createOrUpdateContact"], environ, clock),
        RedeliveryHandler("redelivery", environ, clock),
    ]


def made(handler: Handler) -> set[str]:
    return {"_webhook", "_redelivery"} & vars(handler).keys()


def test_lambda_makes_the_parts_in_its_init(environ: dict[str, str]) -> None:
    """In Lambda the first event finds the client, the secret's reader and the compiled subscriptions ready."""
    assert [made(handler) for handler in handlers(environ | {"AWS_LAMBDA_FUNCTION_NAME": "f"})] == [
        {"_webhook"},
        {"_redelivery"},
    ]


def test_elsewhere_nothing_is_made_at_import(environ: dict[str, str]) -> None:
    """A test or a tool that imports a function needs none of its variables."""
    assert [made(handler) for handler in handlers(environ)] == [set(), set()]


@pytest.mark.parametrize("problem", [{"SECRET_ID": ""}, {"MAPPINGS_FILE": "/nowhere"}])
def test_an_import_never_fails(environ: dict[str, str], problem: dict[str, str]) -> None:
    """What cannot be made in the init is told by each call, where Lambda logs it, and not by an import that failed."""
    web, redelivery = handlers(environ | problem | {"AWS_LAMBDA_FUNCTION_NAME": "f"})
    for handler in (web, redelivery):
        assert made(handler) == set()
    with pytest.raises((SettingsError, FileNotFoundError)):
        web({"body": "{}"}, None)
