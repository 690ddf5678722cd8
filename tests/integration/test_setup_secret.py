"""The Loops API key finds its way into the secret of a deployed stack, unseen."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from local import setup_secret

KEY = "loops-key-4711"
HELD = {"apiKey": "replace-me", "sharedSecret": "s", "bearerToken": "b"}

Run = Callable[..., int]


@pytest.fixture
def secret(aws: str) -> Any:  # noqa: ARG001  # the clients talk to it
    """The client of Secrets Manager, with the secret of a stack called segment-loops."""
    client = boto3.client("secretsmanager")
    arn = client.create_secret(Name="secret", SecretString=json.dumps(HELD))["ARN"]
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"SecretArn": {"Value": arn}}}
    boto3.client("cloudformation").create_stack(StackName="segment-loops", TemplateBody=json.dumps(template))
    return client


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str, given: str = f"{KEY}\n") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        return setup_secret.main(arguments)

    return run


def _value(client: Any) -> Any:
    return json.loads(client.get_secret_value(SecretId="secret")["SecretString"])


def test_the_key_is_put_and_the_rest_kept(secret: Any, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The key changes, the shared secret and the bearer token stay, and nothing of them is shown."""
    assert run() == 0
    assert _value(secret) == HELD | {"apiKey": KEY}
    shown = "".join(capsys.readouterr())
    assert "has the API key now" in shown
    assert KEY not in shown


def test_a_key_that_is_there_makes_no_new_version(secret: Any, run: Run) -> None:
    """Putting the same key again keeps the previous version, with which older signatures are verified."""
    run()
    before = secret.describe_secret(SecretId="secret")["VersionIdsToStages"]
    assert run() == 0
    assert secret.describe_secret(SecretId="secret")["VersionIdsToStages"] == before


@pytest.mark.parametrize("given", ["", "\n", "two\twords\n"])
def test_what_is_no_key_is_not_put(secret: Any, run: Run, given: str) -> None:
    """An empty input, or one that no header can carry, changes nothing."""
    assert run(given=given) == 1
    assert _value(secret) == HELD


def test_a_secret_that_is_no_object_is_left_alone(secret: Any, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret of another form is somebody's: it is not overwritten, and not shown."""
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
def test_the_stack_is_that_of_the_section(
    secret: Any, run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """The stack is named by samconfig.toml's section, or by hand; one that is not there is an error."""
    assert run(*arguments) == 1
    assert message in capsys.readouterr().err
    assert _value(secret) == HELD
