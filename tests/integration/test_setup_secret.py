"""`segment-loops setup-secret`, which `make setup-secret` runs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from segment_loops.commands.main import main

KEY = "loops-key-4711"
HELD = {"apiKey": "replace-me", "sharedSecret": "s", "bearerToken": "b"}

Run = Callable[..., int]


@pytest.fixture
def secret(aws: str) -> Any:  # noqa: ARG001  # the clients talk to it
    """A client of Secrets Manager, which holds the secret of a stack called segment-loops."""
    client = boto3.client("secretsmanager")
    arn = client.create_secret(Name="secret", SecretString=json.dumps(HELD))["ARN"]
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"SecretArn": {"Value": arn}}}
    boto3.client("cloudformation").create_stack(StackName="segment-loops", TemplateBody=json.dumps(template))
    return client


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str, given: str = f"{KEY}\n") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        return main(["setup-secret", *arguments])

    return run


def _value(client: Any) -> Any:
    return json.loads(client.get_secret_value(SecretId="secret")["SecretString"])


def test_the_api_key_is_stored_and_the_rest_kept(secret: Any, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The API key changes, the shared secret and the bearer token stay, and none of them is printed."""
    assert run() == 0
    assert _value(secret) == HELD | {"apiKey": KEY}
    shown = "".join(capsys.readouterr())
    assert "The API key is now in the secret" in shown
    assert KEY not in shown


def test_the_same_api_key_makes_no_new_version(secret: Any, run: Run) -> None:
    """Storing the same API key again keeps the secret's previous version, with which older signatures are verified."""
    run()
    before = secret.describe_secret(SecretId="secret")["VersionIdsToStages"]
    assert run() == 0
    assert secret.describe_secret(SecretId="secret")["VersionIdsToStages"] == before


@pytest.mark.parametrize("given", ["", "\n", "two\twords\n"])
def test_an_invalid_api_key_is_not_stored(secret: Any, run: Run, given: str) -> None:
    """Empty input, or characters that no header can carry, are an error and change nothing."""
    assert run(given=given) == 1
    assert _value(secret) == HELD


def test_a_secret_of_another_form_is_kept(secret: Any, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret that is not a JSON object is neither overwritten nor printed."""
    secret.put_secret_value(SecretId="secret", SecretString="of-another-form")
    assert run() == 1
    assert secret.get_secret_value(SecretId="secret")["SecretString"] == "of-another-form"
    assert "of-another-form" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config-env", "staging"], "segment-loops-staging"),
        (["--config-env", "nowhere"], "names no stack for nowhere"),
        (["--stack", "other"], "other"),
    ],
)
def test_the_stack_comes_from_samconfig_or_an_option(
    secret: Any, run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """The stack is the one in a section of samconfig.toml, or that of --stack; an unknown one is an error."""
    assert run(*arguments) == 1
    assert message in capsys.readouterr().err
    assert _value(secret) == HELD
