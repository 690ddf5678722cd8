"""The IAM policy for deployers allows what a deployment calls, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from segment_loops.local_addresses import REGION
from tests.template.template_stack import ROOT, Stack

TEXT = (ROOT / "docs" / "policies" / "deploy.json").read_text("utf-8")
STATEMENTS: list[dict[str, Any]] = json.loads(TEXT)["Statement"]
ALLOWED = {action for statement in STATEMENTS for action in statement["Action"]}

LONGEST_MANAGED_POLICY = 6144
"""Characters without white space. Source: the quotas of IAM."""

CALLED_BY_SAM = {
    *("cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet", "cloudformation:DescribeChangeSet"),
    *("cloudformation:ExecuteChangeSet", "cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents"),
    *("cloudformation:GetTemplate", "cloudformation:GetTemplateSummary", "cloudformation:DeleteStack"),
    *("s3:PutObject", "s3:DeleteObject"),
}
"""`sam deploy` and `sam delete`, besides the calls that CloudFormation makes for them."""
CALLED_BY_THE_DOCTOR = {"cloudformation:ListStackResources", "lambda:ListEventSourceMappings"}
CALLED_BY_SETUP_SECRET = {"secretsmanager:PutSecretValue"}
CALLED_BY_PEOPLE = {"cloudformation:UpdateTerminationProtection"}
FOR_THE_ACCESS_LOG = {
    *("logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:ListLogDeliveries"),
}
"""API Gateway's documentation names more actions for an access log than the schema of log groups."""

FEATURES_NOT_USED = (
    r"ec2:.*|elasticfilesystem:.*|s3files:.*|firehose:.*|kinesis:.*",
    r"s3:(getObject|GetObjectMetadata|REST\.PUT\.OBJECT)",  # an OpenAPI file in S3, a table from S3; no IAM actions
    r"dynamodb:.*(Item|Query|Scan|Replica|Import|ImportTable)|dynamodb:(Enable|Disable|Update)KinesisStreamingDestination",
    r"dynamodb:(Put|Delete)ResourcePolicy|dynamodb:UpdateContributorInsights",
    r"iam:.*(User|Group)Policy|iam:.*PermissionsBoundary|iam:CreateServiceLinkedRole|kms:ListAliases",
    r"lambda:(Get|Put|Delete)(FunctionCodeSigningConfig|CodeSigningConfig)|lambda:(Put|Delete)ProvisionedConcurrencyConfig",
    r"lambda:Put(FunctionRecursionConfig|FunctionScalingConfig|RuntimeManagementConfig)",
    r"lambda:(AssociateRuntimeAlias|PassCapacityProvider)",
    r"logs:.*(LogStream|LogStreams|LogEvents)|logs:(Put|Delete)(DataProtection|Index)Policy|logs:DeleteResourcePolicy",
    r"logs:(PutBearerTokenAuthentication|PutLogGroupDeletionProtection)|sns:PutDataProtectionPolicy",
    r"secretsmanager:.*Replicat.*",
)
"""Actions of properties that the template does not set."""


@cache
def types() -> frozenset[str]:
    """The types of the template's resources, with and without a canary, and with the contact ledger's table."""
    templates = [Stack.read().translate(Canary=canary) for canary in ("true", "false")]
    resources = [each for template in templates for each in template["Resources"].values()]
    return frozenset({each["Type"] for each in resources} | {"AWS::DynamoDB::Table"})


def called_by_cloudformation() -> Iterator[str]:
    """Yield the actions that the providers' schemas declare for creating, reading, updating and deleting."""
    for name in types():
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, name).schema["handlers"]
        for handler, each in handlers.items():
            if handler != "list":
                yield from each["permissions"]


def test_every_call_of_cloudformation_is_allowed() -> None:
    """The policy allows every action that CloudFormation needs for the template's resources."""
    needed = {action for action in called_by_cloudformation() if not re.fullmatch("|".join(FEATURES_NOT_USED), action)}
    assert [action for action in sorted(needed) if not _allows(action)] == []


def test_every_call_of_the_commands_is_allowed() -> None:
    """The policy allows `sam deploy`, `sam delete`, the doctor, `make setup-secret` and termination protection."""
    called = CALLED_BY_SAM | CALLED_BY_THE_DOCTOR | CALLED_BY_SETUP_SECRET | CALLED_BY_PEOPLE | FOR_THE_ACCESS_LOG
    assert [action for action in sorted(called) if not _allows(action)] == []


def test_nothing_else_is_allowed() -> None:
    """Every action that the policy names is called by CloudFormation or by a command."""
    called = {*called_by_cloudformation(), *CALLED_BY_SAM, *CALLED_BY_THE_DOCTOR, *CALLED_BY_SETUP_SECRET}
    called |= CALLED_BY_PEOPLE | FOR_THE_ACCESS_LOG
    assert [action for action in sorted(ALLOWED) if not any(fnmatchcase(each, action) for each in called)] == []


def test_only_actions_without_resources_are_allowed_on_all() -> None:
    """Only one statement is for every resource, and it changes neither a function nor a role."""
    [everywhere] = [statement for statement in STATEMENTS if statement["Resource"] == "*"]
    assert {action.partition(":")[0] for action in everywhere["Action"]} == {
        "cloudwatch",
        "lambda",
        "logs",
        "secretsmanager",
    }
    assert all("EventSourceMapping" in action for action in everywhere["Action"] if action.startswith("lambda:"))


def test_the_policy_fits_into_a_managed_policy() -> None:
    """The policy is short enough for a customer managed policy, with long values in place of the placeholders."""
    long = {"ACCOUNT": "1" * 12, "REGION": "ap-southeast-1", "STACK": "segment-loops-production", "KEY": "k" * 36}
    filled = re.sub("|".join(long), lambda name: long[name[0]], TEXT)
    assert len(re.sub(r"\s", "", filled)) <= LONGEST_MANAGED_POLICY


def _allows(action: str) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in ALLOWED)
