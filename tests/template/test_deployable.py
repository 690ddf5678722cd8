"""CloudFormation accepts the template, according to its linter and to moto."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from cfnlint.api import ManualArgs, lint
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map

from segment_loops.local_addresses import ACCOUNT, REGION
from tests.template.template_stack import QUEUE, TEMPLATE, TRANSFORMS, Reading, Stack, references

NOT_IN_MOTO = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::Alias",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::QueuePolicy",
}
"""The types that moto's CloudFormation does not create."""
LEFT_OUT_WITH_THEM = {"AWS::CloudWatch::Dashboard", "AWS::Lambda::Permission"}
"""Types that moto would create, but that refer to the API and the aliases."""

USED_UP = "W2001"
"""An unused parameter: after the transform nothing refers to those that only the transform reads."""
A_SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:sample-AbCdEf"


def _linted(text: str) -> list[str]:
    options: ManualArgs = {"regions": [REGION], "ignore_checks": [USED_UP]}
    return [str(match) for match in lint(text, config=options)]


def test_the_linter_finds_no_problem_before_the_transform() -> None:
    """cfn-lint finds no problem in the template as it is written."""
    assert _linted(TEMPLATE.read_text("utf-8")) == []


@pytest.mark.parametrize("canary", ["true", "false"])
def test_the_linter_finds_no_problem_after_the_transform(canary: str) -> None:
    """cfn-lint finds no problem in SAM's output, with and without a canary, whatever the other parameters are.

    AWS::LanguageExtensions is left out, because with its values in place the linter could not check both branches.
    """
    assert _linted(json.dumps(Stack.read().translate(Canary=canary))) == []


@pytest.mark.parametrize("transformed", [False, True])
def test_the_linter_finds_problems(transformed: bool) -> None:
    """A property that CloudFormation does not know is found, before the transform and after it."""
    queue = {"Type": QUEUE, "Properties": {"VisibilityTimout": 360}}
    stack = Stack({"Transform": TRANSFORMS, "Resources": {"RetryQueue": queue}})
    (problem,) = _linted(json.dumps(stack.translate() if transformed else stack.document))
    assert "VisibilityTimout" in problem


@pytest.fixture(scope="module")
def deployed() -> Iterator[str]:
    """The name of a stack in moto, with every resource that moto's CloudFormation creates."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        template = _without_what_moto_lacks(Stack.read().deployed(Reading.LEAST, ExistingSecretArn=A_SECRET))
        _upload(template)
        boto3.client("cloudformation").create_stack(
            StackName="sample",
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": "ExistingSecretArn", "ParameterValue": A_SECRET}],
        )
        yield "sample"


def _without_what_moto_lacks(template: dict[str, Any]) -> dict[str, Any]:
    resources = {
        name: each
        for name, each in template["Resources"].items()
        if each["Type"] not in NOT_IN_MOTO | LEFT_OUT_WITH_THEM
    }
    gone = template["Resources"].keys() - resources.keys()
    outputs = {
        name: each for name, each in template["Outputs"].items() if not gone & set(references(each)) - {"Secret"}
    }
    reduced = json.dumps({**template, "Resources": resources, "Outputs": outputs})
    # Without aliases the queue invokes the functions themselves.
    return dict(json.loads(reduced.replace("FunctionAliaslive", "Function")))


def _upload(template: dict[str, Any]) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", "")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")
    for resource in template["Resources"].values():
        code = resource["Properties"].get("Code") or resource["Properties"].get("Content")
        if code:
            s3.put_object(Bucket="artifacts", Key=code["S3Key"], Body=content.getvalue())


def test_the_types_that_moto_lacks_are_listed() -> None:
    """The types that are not deployed in these tests are exactly those that moto does not know."""
    types = {each["Type"] for each in Stack.read().translate()["Resources"].values()}
    assert types - get_model_map().keys() == NOT_IN_MOTO
    assert types >= LEFT_OUT_WITH_THEM


def test_the_stack_is_created(deployed: str) -> None:
    """CloudFormation resolves every reference, and creates the outputs that do not depend on the API."""
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=deployed)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert outputs["RetryQueueUrl"].endswith("/sample-RetryQueue")
    assert outputs["DeadLetterQueueUrl"].endswith("/sample-DeadLetterQueue")
    assert outputs["SecretArn"] == A_SECRET


def test_the_functions_know_their_queues_and_secret(deployed: str) -> None:
    """Every function's variables name the queues and the secret of its own stack."""
    functions = boto3.client("lambda").list_functions()["Functions"]
    assert len(functions) == 4
    for function in functions:
        variables = function["Environment"]["Variables"]
        assert variables["RETRY_QUEUE_URL"].endswith(f"/{deployed}-RetryQueue")
        assert variables["DEAD_LETTER_QUEUE_URL"].endswith(f"/{deployed}-DeadLetterQueue")
        assert variables["SECRET_ID"] == A_SECRET
        assert variables["METRICS_NAMESPACE"] == f"LoopsDestination/{deployed}"
        assert function["Runtime"] == "python3.13"


def test_the_retry_queue_invokes_redelivery_and_has_its_dead_letter_queue(deployed: str) -> None:
    """The event source and the redrive policy name the stack's own queues."""
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{deployed}-RetryQueue")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    (source,) = boto3.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert source["EventSourceArn"] == attributes["QueueArn"]
    assert "RedeliveryFunction" in source["FunctionArn"]
    assert json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"].endswith(f":{deployed}-DeadLetterQueue")
