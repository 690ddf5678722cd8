"""The length of a stack's name, which is limited by the names that begin with it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segment_loops.samconfig import MAX_STACK_NAME, main
from tests.template.template_stack import ALARM, QUEUE, ROOT, Stack

LONGEST_REGION = "ap-southeast-1"
IN_CHARACTERS = {
    (QUEUE, "QueueName"): 80,
    ("AWS::CloudWatch::Dashboard", "DashboardName"): 255,
    ("AWS::Lambda::Function", "Environment"): 255,  # the namespace of the metrics
    (ALARM, "Namespace"): 255,
    (ALARM, "Metrics"): 255,  # the same namespace, in a query
    ("AWS::ApiGatewayV2::Api", "Body"): 128,  # the API has the stack's name
}
"""The longest names that each service's API reference allows, for properties that contain the stack's name."""
WITHOUT_A_LIMIT_OF_THEIR_OWN = {(QUEUE, "RedriveAllowPolicy"), ("AWS::CloudWatch::Dashboard", "DashboardBody")}
"""Properties that repeat the name of a queue or the namespace."""
# CloudFormation makes all other names, and shortens the stack's name in them.


def _named_after_the_stack(stack: Stack) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each property that contains the stack's name, with the text around the name."""
    for resource in stack.translated["Resources"].values():
        for name, value in resource.get("Properties", {}).items():
            yield from (((resource["Type"], name), text) for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    if value == {"Ref": "AWS::StackName"}:
        yield ""
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str) and "${AWS::StackName}" in value:
        query = re.search(r'SCHEMA\("(.+?)"', value)
        text = query[1] if query else value
        yield text.replace("${AWS::StackName}", "").replace("${AWS::Region}", LONGEST_REGION)


def test_the_limit_follows_from_the_longest_name() -> None:
    """A stack's name of 64 characters fits into every name that contains it, and a longer one does not."""
    left = [
        IN_CHARACTERS[place] - len(text)
        for place, text in _named_after_the_stack(Stack.read())
        if place not in WITHOUT_A_LIMIT_OF_THEIR_OWN
    ]
    assert min(left) == MAX_STACK_NAME


def test_the_limit_of_every_name_is_known() -> None:
    """Every property that contains the stack's name has a known limit."""
    found = {place for place, _ in _named_after_the_stack(Stack.read())}
    assert found == IN_CHARACTERS.keys() | WITHOUT_A_LIMIT_OF_THEIR_OWN


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A samconfig.toml with stacks whose names are as long as allowed, and one character longer."""
    path = tmp_path / "samconfig.toml"
    path.write_text(
        f"""
        [fits.global.parameters]
        stack_name = "{"s" * MAX_STACK_NAME}"
        [long.global.parameters]
        stack_name = "{"s" * (MAX_STACK_NAME + 1)}"
        [longer.global.parameters]
        stack_name = "short"
        [longer.deploy.parameters]
        stack_name = "{"s" * (MAX_STACK_NAME + 1)}"
        [nameless.deploy.parameters]
        resolve_s3 = true
        """,
        "utf-8",
    )
    return path


@pytest.mark.parametrize("section", ["long", "longer"])
def test_a_name_that_is_too_long_is_reported_with_its_limit(
    config: Path, capsys: pytest.CaptureFixture[str], section: str
) -> None:
    """A name that is too long ends the deployment with its length, the limit and the reason."""
    assert main(["--config-env", section], config) == 1
    assert (
        "has 65 characters. Choose one of at most 64: the names of the queues begin with it" in capsys.readouterr().err
    )


def test_a_name_that_fits_is_printed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name of 64 characters is accepted, and printed alone, so that `make deploy` can pass it on."""
    assert main(["--config-env", "fits"], config) == 0
    assert capsys.readouterr() == ("s" * MAX_STACK_NAME + "\n", "")


def test_a_name_on_the_command_line_takes_precedence(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The name that `sam deploy` would use is checked and printed, wherever it stands among the options."""
    options = ["--no-confirm-changeset", "--parameter-overrides", "LogLevel=INFO"]
    assert main(["--config-env", "long", *options, "--stack-name", "short"], config) == 0
    assert capsys.readouterr().out == "short\n"
    assert main(["--config-env", "fits", f"--stack-name={'s' * 65}", *options], config) == 1


@pytest.mark.parametrize("section", ["nameless", "unknown"])
def test_a_section_without_a_name_is_reported(config: Path, capsys: pytest.CaptureFixture[str], section: str) -> None:
    """A section without a stack name, or that does not exist, is an error that says how to name a stack."""
    assert main(["--config-env", section], config) == 1
    assert f"names no stack for {section}: add it there, or name one with --stack-name" in capsys.readouterr().err


def _deployment(*arguments: str) -> list[str]:
    """Return the commands of `make deploy` that name the stack."""
    command = ["make", "--dry-run", "deploy", "CONFIG_ENV=staging", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  # our own
    named = ("segment_loops.samconfig", "/sam ", "segment-loops doctor")
    return [line for line in done.stdout.splitlines() if any(name in line for name in named)]


def test_a_deployment_checks_the_name_before_it_builds() -> None:
    """`make deploy` first checks the name, with the options that it passes to `sam deploy`."""
    check, build, deploy, doctor = _deployment("ARGS=--stack-name other")
    assert check.endswith("-m segment_loops.samconfig --config-env staging  --stack-name other >/dev/null")
    assert build.endswith("/sam build --config-env staging")
    assert deploy.endswith("/sam deploy --config-env staging  --stack-name other")
    assert "doctor" in doctor


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "segment-loops-staging"),
        (["STACK=other"], "other"),
        (["ARGS=--no-confirm-changeset --stack-name other"], "other"),
    ],
)
def test_a_deployment_ends_with_the_doctor_of_the_same_stack(arguments: list[str], name: str) -> None:
    """`make deploy` checks the stack that it has deployed, whether samconfig.toml, STACK or ARGS names it."""
    doctor = _deployment(*arguments)[-1]
    printed = re.search(r'doctor --stack "\$\((.+)\)"$', doctor)
    assert printed
    done = subprocess.run(["sh", "-c", printed[1]], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603, S607
    assert done.stdout.strip() == name
