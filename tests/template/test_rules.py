"""The template keeps each rule, and each rule notices a template that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.template import rules
from tests.template.rules import Rule
from tests.template.template_stack import TRANSFORMS, Stack

Mutation = Callable[[Stack], object]


@pytest.fixture(scope="module")
def stack() -> Stack:
    return Stack.read()


def _set(place: str, value: Any) -> Mutation:
    """Return a mutation that sets the value at a path of keys, or removes the last key if the value is `...`."""

    def mutate(stack: Stack) -> None:
        *path, last = place.split("/")
        parent = stack.document
        for key in path:
            parent = parent[key]
        if value is ...:
            del parent[last]
        else:
            parent[last] = value

    return mutate


def _replace(name: str, old: str, new: str) -> Mutation:
    """Return a mutation that replaces a text in the dashboard, or in the template's YAML (`name` is "text")."""

    def mutate(stack: Stack) -> None:
        if name == "text":
            assert old in stack.text
            stack.text = stack.text.replace(old, new)
        else:
            body = stack.properties("Dashboard")["DashboardBody"]
            assert old in body["Fn::Sub"]
            body["Fn::Sub"] = body["Fn::Sub"].replace(old, new)

    return mutate


def _forbid(event: str) -> Mutation:
    """Return a mutation that removes the permission that SAM creates for an event."""

    def mutate(stack: Stack) -> None:
        del stack.translated["Resources"][f"{event}Permission"]

    return mutate


def _forget(parameter: str) -> Mutation:
    """Return a mutation that removes a parameter from the variable PARAMETERS of one function."""

    def mutate(stack: Stack) -> None:
        variables = stack.properties("RedeliveryFunction")["Environment"]["Variables"]
        variables["PARAMETERS"]["Fn::Join"][1].remove({"Ref": parameter})

    return mutate


SOURCE = "Resources/RedeliveryFunction/Properties/Events/RetryQueue/Properties"
RETRY = "Resources/RetryQueue/Properties"
DEAD = "Resources/DeadLetterQueue/Properties"
FUNCTION = "Resources/SendEventFunction/Properties"
ALARM = "Resources/ApiKeyRefusedAlarm/Properties"
OLDEST = "Resources/OldestDeliveryAlarm/Properties"
VARIABLES = "Globals/Function/Environment/Variables"
GRANTS = "Resources/DeliveryPolicy/Properties/PolicyDocument/Statement"
A_NUMBER = {"Type": "Number", "Default": 1, "MinValue": 1, "MaxValue": 2, "Description": "A number"}


def _grant(**statement: Any) -> Mutation:
    def mutate(stack: Stack) -> None:
        statements = stack.properties("DeliveryPolicy")["PolicyDocument"]["Statement"]
        statements.append({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Ref": "Secret"}} | statement)

    return mutate


MUTATIONS: list[tuple[Rule, Mutation]] = [
    (rules.every_handler_exists, _set(f"{FUNCTION}/Handler", "app.handle")),
    (rules.every_handler_exists, _set(f"{FUNCTION}/CodeUri", "functions/nowhere")),
    (rules.architectures_agree, _set("Resources/DestinationLayer/Metadata/BuildArchitecture", "x86_64")),
    (rules.architectures_agree, _set("Resources/DestinationLayer/Metadata/BuildArchitecture", ...)),
    (rules.architectures_agree, _set("Globals/Function/Architectures", ["x86_64"])),
    (rules.runtimes_agree, _set(f"{FUNCTION}/Runtime", "python3.12")),
    (rules.messages_stay_hidden_while_they_are_processed, _set(f"{RETRY}/VisibilityTimeout", 359)),
    (rules.messages_stay_hidden_while_they_are_processed, _set(f"{RETRY}/VisibilityTimeout", ...)),
    (rules.the_api_waits_for_the_functions, _set(f"{FUNCTION}/Timeout", 30)),
    (rules.the_api_waits_for_the_functions, _set(f"{FUNCTION}/Events/Put/Properties/TimeoutInMillis", 10000)),
    (rules.each_queue_has_a_dead_letter_queue_or_is_one, _set(f"{RETRY}/RedrivePolicy", ...)),
    (rules.each_queue_has_a_dead_letter_queue_or_is_one, _set(f"{DEAD}/RedriveAllowPolicy", ...)),
    (rules.the_dead_letter_queue_accepts_the_retry_queue, _set(f"{RETRY}/QueueName/Fn::Sub", "renamed")),
    (rules.the_dead_letter_queue_accepts_the_retry_queue, _set(f"{RETRY}/QueueName", ...)),
    (rules.queues_keep_messages_as_long_as_they_can, _set(f"{DEAD}/MessageRetentionPeriod", 1209599)),
    (rules.queues_are_encrypted_and_require_tls, _set(f"{RETRY}/SqsManagedSseEnabled", ...)),
    (rules.queues_are_encrypted_and_require_tls, _set("Resources/DeadLetterQueuePolicy", ...)),
    (rules.every_policy_names_its_resource, _grant(Resource="*")),
    (rules.every_policy_names_its_resource, _grant(Action="sqs:*")),
    (
        rules.every_policy_names_its_resource,
        _set("Resources/SendEventRole/Properties/ManagedPolicyArns", ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"]),
    ),
    (rules.functions_have_exactly_the_permissions_they_need, _grant(Action="sqs:PurgeQueue")),
    (rules.functions_have_exactly_the_permissions_they_need, _set(GRANTS, [])),
    (rules.active_tracing_is_allowed_before_it_begins, _set("Globals/Function/Tracing", ...)),
    (rules.active_tracing_is_allowed_before_it_begins, _set("Globals/Function/Tracing", "Active")),
    (
        rules.active_tracing_is_allowed_before_it_begins,
        _set("Resources/SendEventRole/Properties/ManagedPolicyArns", [{"Ref": "DeliveryPolicy"}]),
    ),
    (rules.only_redelivery_receives_messages, _grant(Action=["sqs:SendMessage", "sqs:ReceiveMessage"])),
    (
        rules.each_function_has_its_own_role_and_log,
        _set(f"{FUNCTION}/Role", {"Fn::GetAtt": ["RedeliveryRole", "Arn"]}),
    ),
    (
        rules.each_function_has_its_own_role_and_log,
        _set(f"{FUNCTION}/LoggingConfig/LogGroup", {"Ref": "ApiLog"}),
    ),
    (rules.every_log_has_a_retention, _set("Resources/ApiLogs/Properties/RetentionInDays", ...)),
    (
        rules.the_access_log_contains_no_personal_data,
        _set("Resources/Api/Properties/AccessLogSettings/Format", "$context.identity.sourceIp"),
    ),
    (rules.requests_are_throttled, _set("Resources/Api/Properties/DefaultRouteSettings/ThrottlingRateLimit", ...)),
    (rules.every_url_of_a_webhook_has_a_route, _set(f"{FUNCTION}/Events/Patch", ...)),
    (rules.every_url_of_a_webhook_has_a_route, _set(f"{FUNCTION}/Events/PatchBelow", ...)),
    (rules.no_route_ends_in_a_slash, _set(f"{FUNCTION}/Events/PatchBelow/Properties/Path", "/events/")),
    (rules.the_api_may_invoke_the_functions_of_all_routes, _forbid("SendEventFunctionPutBelow")),
    (rules.the_functions_have_the_variables_that_the_code_reads, _set(f"{VARIABLES}/SECRET_ID", ...)),
    (rules.the_functions_have_the_variables_that_the_code_reads, _set(f"{VARIABLES}/UNREAD", "1")),
    (
        rules.the_functions_have_the_variables_that_the_code_reads,
        _set(f"{FUNCTION}/Environment", {"Variables": {"UNREAD": "1"}}),
    ),
    (rules.only_failed_messages_stay_on_the_queue, _set(f"{SOURCE}/FunctionResponseTypes", ...)),
    (rules.redelivery_keeps_the_pace, _set(f"{SOURCE}/ScalingConfig/MaximumConcurrency", 3)),
    (rules.redelivery_keeps_the_pace, _set(f"{SOURCE}/ScalingConfig", ...)),
    (rules.no_retry_by_segment_is_too_old, _set("Parameters/MaxEventAgeHours/MinValue", 4)),
    (rules.no_secret_is_visible, _set("Parameters/LoopsApiKey", A_NUMBER)),
    (rules.no_secret_is_visible, _set(f"{VARIABLES}/SHARED_SECRET", "1")),
    (rules.no_secret_is_visible, _set("Outputs/BearerToken", {"Value": "1"})),
    (rules.no_secret_is_visible, _set("Outputs/SecretArn/Value", "{{resolve:secretsmanager:sample}}")),
    (rules.the_secret_outlives_the_stack, _set("Resources/Secret/DeletionPolicy", "Delete")),
    (rules.the_secret_outlives_the_stack, _set("Resources/Secret/DeletionPolicy", "Retain")),
    (rules.the_secret_outlives_the_stack, _set("Resources/Secret/UpdateReplacePolicy", ...)),
    (
        rules.the_secret_is_generated_only_once,
        _set("Resources/Secret/Properties/GenerateSecretString/PasswordLength", 64),
    ),
    (rules.the_secret_is_generated_only_once, _set("Resources/Secret/Properties/GenerateSecretString", ...)),
    (rules.parameters_are_described_bounded_and_used, _set("Parameters/LogLevel/Description", ...)),
    (rules.parameters_are_described_bounded_and_used, _set("Parameters/LogLevel/AllowedValues", ...)),
    (rules.parameters_are_described_bounded_and_used, _set("Parameters/RequestsBurst/MaxValue", ...)),
    (rules.parameters_are_described_bounded_and_used, _set("Parameters/LoopsBaseUrl/Default", ...)),
    (rules.parameters_are_described_bounded_and_used, _set(f"{VARIABLES}/POWERTOOLS_LOG_LEVEL", "INFO")),
    (
        rules.parameters_are_described_bounded_and_used,
        _set("Metadata/AWS::CloudFormation::Interface/ParameterGroups", []),
    ),
    (
        rules.a_changed_layer_publishes_a_new_version,
        _set("Resources/MappingsLayer/Properties/PublishLambdaVersion", ...),
    ),
    (rules.a_changed_layer_publishes_a_new_version, _set(f"{FUNCTION}/AutoPublishAliasAllProperties", ...)),
    (rules.a_changed_parameter_takes_effect, _set("Transform", "AWS::Serverless-2016-10-31")),
    (rules.a_changed_parameter_takes_effect, _set("Transform", TRANSFORMS[::-1])),
    (rules.a_changed_parameter_takes_effect, _set("Parameters/Another", A_NUMBER)),
    *((rules.a_changed_parameter_takes_effect, _forget(name)) for name in rules.REACH_THE_FUNCTIONS),
    (
        rules.errors_of_a_function_roll_back_its_canary,
        _set(f"{FUNCTION}/DeploymentPreference/Alarms", [{"Ref": "RedeliveryErrorsAlarm"}]),
    ),
    (rules.errors_of_a_function_roll_back_its_canary, _set(f"{FUNCTION}/DeploymentPreference/Alarms", ...)),
    (rules.without_a_canary_codedeploy_is_not_used, _set("Globals/Function/DeploymentPreference/Enabled", ...)),
    (
        rules.no_resource_depends_on_itself,
        _set(f"{FUNCTION}/DeploymentPreference/Alarms", [{"Ref": "ApiErrorsAlarm"}]),
    ),
    (
        rules.no_resource_depends_on_itself,
        _set(f"{DEAD}/RedriveAllowPolicy/sourceQueueArns", [{"Fn::GetAtt": ["RetryQueue", "Arn"]}]),
    ),
    (rules.alarms_name_metrics_that_exist, _set("Resources/ApiErrorsAlarm/Properties/MetricName", "5XXError")),
    (
        rules.alarms_name_metrics_that_exist,
        _set(
            f"{ALARM}/Metrics",
            [{"Expression": {"Fn::Sub": 'SELECT SUM(Denied) FROM SCHEMA("LoopsDestination", service)'}}],
        ),
    ),
    (
        rules.alarms_name_metrics_that_exist,
        _set(f"{ALARM}/Metrics", [{"Expression": {"Fn::Sub": 'SELECT SUM(Queued) FROM SCHEMA("Loops", service)'}}]),
    ),
    (
        rules.alarms_name_metrics_that_exist,
        _set(
            "Resources/ThrottlesAlarm/Properties/Metrics",
            [{"MetricStat": {"Metric": {"Namespace": "AWS/Lambda", "MetricName": "Throttled"}}}],
        ),
    ),
    (rules.alarms_name_metrics_that_exist, _set(f"{OLDEST}/MetricName", "OldestDelivery")),
    (rules.alarms_name_metrics_that_exist, _set(f"{OLDEST}/Namespace", "LoopsDestination")),
    (rules.alarms_name_metrics_that_exist, _set(f"{OLDEST}/Dimensions", [{"Name": "service", "Value": "retries"}])),
    (rules.alarms_evaluate_no_more_than_cloudwatch_allows, _set(f"{OLDEST}/EvaluationPeriods", 289)),
    (rules.alarms_evaluate_no_more_than_cloudwatch_allows, _set(f"{ALARM}/EvaluationPeriods", 37)),
    (
        rules.alarms_evaluate_no_more_than_cloudwatch_allows,
        _set("Resources/DeadLettersExpiringAlarm/Properties/EvaluationPeriods", 8),
    ),
    (rules.alarms_notify_somebody_and_link_to_the_instructions, _set(f"{ALARM}/AlarmActions", ...)),
    (
        rules.alarms_notify_somebody_and_link_to_the_instructions,
        _set(f"{ALARM}/AlarmDescription", "Help. See docs/operations.md#so"),
    ),
    (rules.alarms_notify_somebody_and_link_to_the_instructions, _set(f"{ALARM}/TreatMissingData", "breaching")),
    (rules.widgets_name_metrics_that_exist, _replace("dashboard", "ApiKeyRefused", "KeyForgotten")),
    (rules.widgets_name_metrics_that_exist, _replace("dashboard", "LoopsDestination/", "Loops/")),
    (rules.widgets_name_metrics_that_exist, _replace("dashboard", '"4xx", "ApiId"', '"4XXError", "ApiId"')),
    (rules.widgets_do_not_overlap, _replace("dashboard", '"x": 18, "y": 9', '"x": 17, "y": 9')),
    (rules.widgets_do_not_overlap, _replace("dashboard", '"x": 18', '"x": 19')),
    (rules.each_resource_has_a_comment, _replace("text", "  # Deliveries that need a person.\n", "")),
]

RULES = list(dict.fromkeys(rule for rule, _ in MUTATIONS))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_rule(rule: Rule, stack: Stack) -> None:
    """The rule finds no problem in the template."""
    assert list(rule(stack)) == []


@pytest.mark.parametrize(
    ("rule", "mutate"), MUTATIONS, ids=[f"{rule.__name__}-{index}" for index, (rule, _) in enumerate(MUTATIONS)]
)
def test_the_rule_notices_a_broken_template(rule: Rule, mutate: Mutation, stack: Stack) -> None:
    """The rule finds a problem in a template that breaks it."""
    mutated = stack.copy()
    mutate(mutated)
    assert next(rule(mutated), None)


def test_every_rule_is_tested() -> None:
    """Every rule has a mutation that it must notice."""
    public = {name for name, each in vars(rules).items() if getattr(each, "__module__", "") == rules.__name__}
    assert {rule.__name__ for rule in RULES} == {name for name in public if not name.startswith("_")}
