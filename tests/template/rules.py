"""Rules of this template that no linter knows. Each rule yields its problems."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, pairwise
from typing import Any

from loops_destination.events import SEGMENT_RETRIES_SECONDS
from loops_destination.observability import Metric
from loops_destination.pace import ENVIRONMENTS
from loops_destination.settings import Settings
from tests.template.template_stack import (
    ALARM,
    FUNCTION,
    LAYER,
    QUEUE,
    ROOT,
    TRANSFORMS,
    Reading,
    Stack,
    evaluated,
    references,
    target,
)

Problems = Iterator[str]
Rule = Callable[[Stack], Problems]

OPERATIONS = ROOT / "docs" / "operations.md"
HOUR = 3600
DAY = 24 * HOUR
FOURTEEN_DAYS = 14 * DAY
LOOKS_LIKE_A_SECRET = re.compile(r"(api_?key|secret|token|password)$", re.IGNORECASE)
DASHBOARD_COLUMNS = 24

SET_ELSEWHERE = {"MAPPINGS_FILE", "AWS_SAM_LOCAL"}
"""Settings that the template leaves alone: the layer has the mappings where they belong, and `sam local` sets its own."""
READ_BY_POWERTOOLS = {"POWERTOOLS_LOG_LEVEL"}
READ_BY_NOBODY = {"PARAMETERS"}
"""A variable that changes with the parameters, so that a new version is published."""

REACH_THE_FUNCTIONS = {
    "LoopsRequestsPerSecond": "20",
    "LoopsBaseUrl": "https://loops.example/api",
    "RetryForHours": "24",
    "MaxEventAgeHours": "24",
    "TrustUnsignedBatchItems": "true",
    "ContactLedger": "false",
    "ResendUnchangedAfterHours": "24",
    "ExistingSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:sample-AbCdEf",
    "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/sample",
    "LogLevel": "WARNING",
    "Tracing": "Active",
    "ReservedConcurrency": "5",
}
"""The parameters that affect the functions, each with a value other than its default."""
REACH_NO_FUNCTION = {
    "RequestsPerSecond": "100",  # the API
    "RequestsBurst": "100",  # the API
    "AlarmEmail": "team@example.com",  # the alarm topic
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms",  # the alarms
    "LogRetentionDays": "14",  # the log groups
    "Canary": "true",  # the deployment, not what is deployed
}
"""The parameters that affect only other resources, and so publish no version."""

NOT_IN_A_VERSION = {"ReservedConcurrentExecutions", "Tags"}
"""Properties of a function, not of its versions: Lambda publishes no version if nothing else has changed."""

GENERATED_SECRET = {
    "SecretStringTemplate": '{"apiKey":"replace-me"}',
    "GenerateStringKey": "sharedSecret",
    "PasswordLength": 48,
    "ExcludePunctuation": True,
}
"""The block as it must stay: when it changes, CloudFormation generates a new value and overwrites the API key too."""

WITHOUT_RESOURCES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
"""Actions for which a policy can name no resource. Source: AWS, "Service Authorization Reference"."""

AWS_METRICS = {
    "AWS/ApiGateway": {"Count", "4xx", "5xx", "Latency", "IntegrationLatency", "DataProcessed"},
    "AWS/Lambda": {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"},
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "NumberOfMessagesSent",
        "NumberOfMessagesDeleted",
    },
}
"""Metrics of HTTP APIs, Lambda and SQS that may be used here, from AWS' documentation."""

LOGGED_OF_A_REQUEST = {
    "requestId",
    "requestTime",
    "routeKey",
    "status",
    "responseLatency",
    "responseLength",
    "error.message",
    "integrationErrorMessage",
}


def every_handler_exists(stack: Stack) -> Problems:
    for name in stack.of_type(FUNCTION):
        module, _, variable = stack.function(name, "Handler").rpartition(".")
        path = ROOT / stack.function(name, "CodeUri") / f"{module}.py"
        if not path.is_file() or variable not in _assigned(path.read_text("utf-8")):
            yield f"{name}: {path} has no {variable}"


def _assigned(source: str) -> set[str]:
    statements = ast.parse(source).body
    return {
        each.id
        for statement in statements
        if isinstance(statement, ast.Assign)
        for each in statement.targets
        if isinstance(each, ast.Name)
    }


def architectures_agree(stack: Stack) -> Problems:
    wanted = {name: stack.function(name, "Architectures") for name in stack.of_type(FUNCTION)}
    for name, layer in stack.of_type(LAYER).items():
        wanted[name] = layer["Properties"].get("CompatibleArchitectures")
        if layer.get("Metadata", {}).get("BuildMethod"):
            wanted[f"{name}/Metadata"] = [layer["Metadata"].get("BuildArchitecture")]
    if len({json.dumps(each) for each in wanted.values()}) > 1:
        yield f"the architectures differ: {wanted}"


def runtimes_agree(stack: Stack) -> Problems:
    for function in stack.of_type(FUNCTION):
        runtime = stack.function(function, "Runtime")
        for layer in stack.of_type(LAYER):
            if runtime not in stack.properties(layer)["CompatibleRuntimes"]:
                yield f"{layer}: it is not compatible with {runtime}"


def messages_stay_hidden_while_they_are_processed(stack: Stack) -> Problems:
    """Source: AWS, "Configuring an Amazon SQS queue for use with Lambda"."""
    for name, source in stack.sources():
        timeout = stack.function(name, "Timeout")
        visibility = stack.properties(target(source["Queue"]) or "").get("VisibilityTimeout", 30)
        if visibility < 6 * timeout:
            yield f"{name}: a visibility timeout of {visibility} s is less than six times {timeout} s"


def the_api_waits_for_the_functions(stack: Stack) -> Problems:
    paths = stack.translated["Resources"]["Api"]["Properties"]["Body"]["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            waits = operation["x-amazon-apigateway-integration"].get("timeoutInMillis", 30_000)
            (name,) = {each for each, *route in stack.routes() if route == [method.upper(), path]}
            if waits <= stack.function(name, "Timeout") * 1000:
                yield f"{method} {path}: the API times out before {name} does"


def each_queue_has_a_dead_letter_queue_or_is_one(stack: Stack) -> Problems:
    queues = {name: each["Properties"] for name, each in stack.of_type(QUEUE).items()}
    targets = {
        target(each["RedrivePolicy"]["deadLetterTargetArn"]) for each in queues.values() if "RedrivePolicy" in each
    }
    for name, properties in queues.items():
        if "RedrivePolicy" not in properties and name not in targets:
            yield f"{name}: it has no dead-letter queue"
        if name in targets and properties.get("RedriveAllowPolicy", {}).get("redrivePermission") != "byQueue":
            yield f"{name}: any queue may use it as its dead-letter queue"


def the_dead_letter_queue_accepts_the_retry_queue(stack: Stack) -> Problems:
    name = stack.properties("RetryQueue").get("QueueName", {}).get("Fn::Sub", "")
    arns = json.dumps(stack.properties("DeadLetterQueue").get("RedriveAllowPolicy", {}).get("sourceQueueArns"))
    if not name or f":{name}" not in arns:
        yield f"{arns} does not name {name}"


def queues_keep_messages_as_long_as_they_can(stack: Stack) -> Problems:
    for name in stack.of_type(QUEUE):
        if stack.properties(name).get("MessageRetentionPeriod") != FOURTEEN_DAYS:
            yield f"{name}: it drops messages before 14 days"


def queues_are_encrypted_and_require_tls(stack: Stack) -> Problems:
    tls_only = {
        target(queue)
        for policy in stack.of_type("AWS::SQS::QueuePolicy").values()
        if _denies_plain_http(policy["Properties"]["PolicyDocument"])
        for queue in policy["Properties"]["Queues"]
    }
    for name in stack.of_type(QUEUE):
        managed = stack.properties(name).get("SqsManagedSseEnabled")
        if managed not in (True, {"Fn::If": ["HasKmsKey", {"Ref": "AWS::NoValue"}, True]}):
            yield f"{name}: it may be unencrypted"
        if name not in tls_only:
            yield f"{name}: it accepts plain HTTP"


def _denies_plain_http(policy: dict[str, Any]) -> bool:
    return any(
        (each["Effect"], each["Principal"], each["Action"]) == ("Deny", "*", "sqs:*")
        and each["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for each in policy["Statement"]
    )


def every_policy_names_its_resource(stack: Stack) -> Problems:
    for name, statement in _statements(stack):
        actions, resources = _list(statement["Action"]), _list(statement["Resource"])
        if any("*" in action for action in actions):
            yield f"{name}: {actions} contains a wildcard"
        unnamed = any(isinstance(each, str) or "*" in json.dumps(each) for each in resources)
        if unnamed and not set(actions) <= WITHOUT_RESOURCES:
            yield f"{name}: {resources} is not a resource of the stack"
    for name, role in _of_functions(stack).items():
        for arn in role["Properties"].get("ManagedPolicyArns", []):
            if not set(references(arn)) & stack.document["Resources"].keys():
                yield f"{name}: {arn} is not a policy of the stack"


def functions_have_exactly_the_permissions_they_need(stack: Stack) -> Problems:
    allowed = {action for _, statement in _statements(stack) for action in _list(statement["Action"])}
    wanted = {
        *("logs:CreateLogStream", "logs:PutLogEvents", "secretsmanager:GetSecretValue"),
        *("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"),
        *("sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "kms:Decrypt", "kms:GenerateDataKey"),
        *("dynamodb:GetItem", "dynamodb:PutItem"),
        *WITHOUT_RESOURCES,
    }
    for action in sorted(allowed ^ wanted):
        yield f"{action}: it is {'not needed' if action in allowed else 'not allowed'}"


def active_tracing_is_allowed_before_it_begins(stack: Stack) -> Problems:
    """Source: Lambda refuses active tracing to a function whose role may not send traces."""
    for tracing in ("Active", "PassThrough"):
        template = stack.deployed(Reading.MOST, Tracing=tracing)
        for name in stack.of_type(FUNCTION):
            function = template["Resources"][name]["Properties"]
            role = template["Resources"][target(function["Role"]) or ""]["Properties"]
            policies = [template["Resources"][target(arn) or ""] for arn in role["ManagedPolicyArns"]]
            traces = function.get("TracingConfig") == {"Mode": "Active"}
            allowed = any("xray:PutTraceSegments" in json.dumps(policy) for policy in policies)
            if (traces, allowed) != (tracing == "Active",) * 2:
                yield f"{name}: with Tracing={tracing}, active tracing is {traces} and its permission {allowed}"


def only_redelivery_receives_messages(stack: Stack) -> Problems:
    receivers = {target(stack.function(name, "Role")) for name, _ in stack.sources()}
    for name, statement in _statements(stack):
        if name not in receivers and "sqs:ReceiveMessage" in _list(statement["Action"]):
            yield f"{name}: it may receive messages, which it never does"


def _of_functions(stack: Stack) -> dict[str, Any]:
    resources = stack.translated["Resources"]
    functions = [each for each in resources.values() if each["Type"] == "AWS::Lambda::Function"]
    names = {target(each["Properties"]["Role"]) or "" for each in functions}
    return {name: resources[name] for name in names}


def _statements(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in _of_functions(stack).items():
        for policy in role["Properties"].get("Policies", []):
            yield from ((name, each) for each in policy["PolicyDocument"]["Statement"])
    for name, resource in stack.translated["Resources"].items():
        if resource["Type"] in {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"}:
            yield from ((name, each) for each in resource["Properties"]["PolicyDocument"]["Statement"])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def each_function_has_its_own_role_and_log(stack: Stack) -> Problems:
    functions = stack.of_type(FUNCTION)
    for kind, key in (("role", "Role"), ("log", "LoggingConfig")):
        names = [target(stack.function(name, key).get("LogGroup", stack.function(name, key))) for name in functions]
        if len(set(names)) < len(names) or not set(names) <= set(stack.document["Resources"]):
            yield f"a {kind} is shared, or not a resource of the stack: {names}"


def every_log_has_a_retention(stack: Stack) -> Problems:
    for name, log in stack.of_type("AWS::Logs::LogGroup").items():
        if "RetentionInDays" not in log["Properties"]:
            yield f"{name}: it is kept forever"


def the_access_log_contains_no_personal_data(stack: Stack) -> Problems:
    logged = set(re.findall(r"\$context\.([\w.]+)", stack.properties("Api")["AccessLogSettings"]["Format"]))
    yield from (f"{name} is logged" for name in sorted(logged - LOGGED_OF_A_REQUEST))


def requests_are_throttled(stack: Stack) -> Problems:
    settings = stack.properties("Api").get("DefaultRouteSettings", {})
    for key in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
        if key not in settings:
            yield f"{key} is not set"


def every_url_of_a_webhook_has_a_route(stack: Stack) -> Problems:
    wanted = {
        (method, path + rest)
        for method in ("POST", "PUT", "PATCH")
        for path in ("/contacts", "/events", "/segment")
        for rest in ("", "/{proxy+}")
    }
    found = {(method, path) for _, method, path in stack.routes()}
    yield from (
        f"{method} {path}: there is no route, so Segment would drop the event"
        for method, path in sorted(wanted - found)
    )


def no_route_ends_in_a_slash(stack: Stack) -> Problems:
    """For such a path API Gateway creates an integration but no route, and reports no error."""
    yield from (f"{name}: {method} {path} gets no route" for name, method, path in stack.routes() if path[-1] == "/")


def the_api_may_invoke_the_functions_of_all_routes(stack: Stack) -> Problems:
    resources = stack.translated["Resources"]
    permissions = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Lambda::Permission"]
    for name, method, path in stack.routes():
        allowed = [_source(each) for each in permissions if target(each["FunctionName"]) == f"{name}Aliaslive"]
        # In AWS' examples these ARNs contain the path of the route; the permission covers the path of a request too.
        for invoked in (path, path.replace("{proxy+}", ""), path.replace("{proxy+}", "any/thing")):
            if not any(fnmatchcase(f"$default/{method}{invoked}", pattern) for pattern in allowed):
                yield f"{name}: the API may not invoke it for {method} {invoked}"


def _source(permission: dict[str, Any]) -> str:
    """Return the pattern for stage, method and path of a permission."""
    text, values = permission["SourceArn"]["Fn::Sub"]
    return str(text.partition("${__ApiId__}/")[2].replace("${__Stage__}", values["__Stage__"]))


def the_functions_have_the_variables_that_the_code_reads(stack: Stack) -> Problems:
    read = {name.upper() for name in Settings.model_fields} - SET_ELSEWHERE | READ_BY_POWERTOOLS | READ_BY_NOBODY
    everywhere = stack.document["Globals"]["Function"]["Environment"]["Variables"].keys()
    for name in stack.of_type(FUNCTION):
        given = everywhere | stack.properties(name).get("Environment", {}).get("Variables", {}).keys()
        yield from (
            f"{name}: {variable} is {'not set' if variable in read else 'not read'}"
            for variable in sorted(given ^ read)
        )


def only_failed_messages_stay_on_the_queue(stack: Stack) -> Problems:
    for name, source in stack.sources():
        if source.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one failed message brings the whole batch back"


def redelivery_keeps_the_pace(stack: Stack) -> Problems:
    for name, source in stack.sources():
        if source.get("ScalingConfig", {}).get("MaximumConcurrency") != ENVIRONMENTS:
            yield f"{name}: MaximumConcurrency must be {ENVIRONMENTS}, because each environment takes that share of the pace"


def no_retry_by_segment_is_too_old(stack: Stack) -> Problems:
    hours = stack.document["Parameters"]["MaxEventAgeHours"]["MinValue"]
    if hours * 3600 <= SEGMENT_RETRIES_SECONDS:
        yield f"MaxEventAgeHours: {hours} h is not longer than Segment retries"


def no_secret_is_visible(stack: Stack) -> Problems:
    document = stack.document
    variables = document["Globals"]["Function"]["Environment"]["Variables"]
    for name in [*document["Parameters"], *document["Outputs"], *variables]:
        if LOOKS_LIKE_A_SECRET.search(name):
            yield f"{name}: its name is that of a secret"
    if "{{resolve:" in json.dumps(document):
        yield "the value of a secret is resolved in the template"


def the_secret_outlives_the_stack(stack: Stack) -> Problems:
    for name, secret in stack.of_type("AWS::SecretsManager::Secret").items():
        policies = (secret.get("DeletionPolicy"), secret.get("UpdateReplacePolicy"))
        if policies != ("RetainExceptOnCreate", "Retain"):
            yield f"{name}: it is deleted with the stack, or kept when the first deployment fails"


def the_secret_is_generated_only_once(stack: Stack) -> Problems:
    for name, secret in stack.of_type("AWS::SecretsManager::Secret").items():
        if secret["Properties"].get("GenerateSecretString") != GENERATED_SECRET:
            yield f"{name}: the next deployment would overwrite the API key and the shared secret"


def parameters_are_described_bounded_and_used(stack: Stack) -> Problems:
    declared = stack.document["Parameters"]
    used = _used(stack)
    groups = stack.document["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    for name, parameter in declared.items():
        if not parameter.get("Description") or not {"AllowedValues", "AllowedPattern", "MinValue"} & parameter.keys():
            yield f"{name}: it has no description, or accepts any value"
        if parameter["Type"] == "Number" and not ({"AllowedValues"} <= parameter.keys() or "MaxValue" in parameter):
            yield f"{name}: it has no upper bound"
        if name not in used:
            yield f"{name}: nothing uses it"
        if shown.count(name) != 1:
            yield f"{name}: the console shows it {shown.count(name)} times"
        if "Default" not in parameter:
            yield f"{name}: it has no default, so the first deployment needs a value"


def _used(stack: Stack) -> set[str]:
    """Return everything to which the template refers, except in the variable that nobody reads."""
    document = {name: section for name, section in stack.copy().document.items() if name != "Parameters"}
    for function in document["Resources"].values():
        if function["Type"] == FUNCTION:
            for name in READ_BY_NOBODY:
                function["Properties"].get("Environment", {}).get("Variables", {}).pop(name, None)
    return set(references(document))


def a_changed_layer_publishes_a_new_version(stack: Stack) -> Problems:
    functions = stack.functions_alone()
    for layer in functions.of_type(LAYER):
        changed = functions.copy()
        changed.properties(layer)["ContentUri"] += "-changed"
        kept = _versions(functions) & _versions(changed)
        yield from (f"{name} stays the same when {layer} changes" for name in sorted(kept))


def _versions(stack: Stack) -> set[str]:
    resources = stack.translated["Resources"]
    return {name for name, each in resources.items() if each["Type"] == "AWS::Lambda::Version"}


def a_changed_parameter_takes_effect(stack: Stack) -> Problems:
    """A function's alias moves exactly when the function's configuration changes.

    Without a new version the alias would stay at the old configuration. With a new version of an unchanged configuration
    the deployment would fail, because Lambda does not publish a configuration twice.
    """
    if stack.document["Transform"] != TRANSFORMS:
        yield f"SAM would see references instead of values: the transforms are {stack.document['Transform']}"
    known = REACH_THE_FUNCTIONS | REACH_NO_FUNCTION
    for name in sorted(stack.document["Parameters"].keys() ^ known.keys()):
        yield f"{name}: add it to REACH_THE_FUNCTIONS or REACH_NO_FUNCTION, or remove it there"
    functions = stack.functions_alone()
    for reading in Reading:
        before = functions.deployed(reading)
        for name, value in known.items():
            after = functions.deployed(reading, **{name: value})
            for function in functions.of_type(FUNCTION):
                published = _version(before, function) != _version(after, function)
                changed = _configuration(before, function) != _configuration(after, function, **{name: value})
                if published != changed:
                    yield f"{function}: {name} {'publishes an unchanged version' if published else 'has no effect'} ({reading.name})"
                if published != (name in REACH_THE_FUNCTIONS):
                    yield f"{function}: {name} {'publishes' if published else 'does not publish'} a version"


def _version(template: dict[str, Any], function: str) -> Any:
    """Return the logical id of the version to which the alias leads."""
    alias = template["Resources"][f"{function}Aliaslive"]["Properties"]
    return alias["FunctionVersion"]["Fn::GetAtt"][0]


def _configuration(template: dict[str, Any], function: str, **parameters: str) -> dict[str, Any]:
    """Return the properties of the function that belong to a version."""
    properties = template["Resources"][function]["Properties"]
    versioned = {name: value for name, value in properties.items() if name not in NOT_IN_A_VERSION}
    return dict(evaluated(template, versioned, **parameters))


def errors_of_a_function_roll_back_its_canary(stack: Stack) -> Problems:
    resources = stack.translate(Canary="true")["Resources"]
    for function in stack.of_type(FUNCTION):
        group = resources.get(f"{function}DeploymentGroup", {}).get("Properties", {})
        alarms = [target(each["Name"]) or "" for each in group.get("AlarmConfiguration", {}).get("Alarms", [])]
        metrics = [resources[alarm]["Properties"] for alarm in alarms]
        if not any(each["MetricName"] == "Errors" and function in references(each) for each in metrics):
            yield f"{function}: its errors do not roll back its canary"


def without_a_canary_codedeploy_is_not_used(stack: Stack) -> Problems:
    for name, resource in stack.translate(Canary="false")["Resources"].items():
        if "CodeDeploy" in json.dumps(resource):
            yield f"{name}: it uses CodeDeploy"


def no_resource_depends_on_itself(stack: Stack) -> Problems:
    for canary in ("true", "false"):
        resources = stack.translate(Canary=canary)["Resources"]
        graph = {name: (set(references(each)) | _explicit(each)) & resources.keys() for name, each in resources.items()}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            yield " → ".join(error.args[1])


def _explicit(resource: dict[str, Any]) -> set[str]:
    return set(_list(resource.get("DependsOn", [])))


def alarms_name_metrics_that_exist(stack: Stack) -> Problems:
    for name, alarm in stack.of_type(ALARM).items():
        properties = alarm["Properties"]
        simple = [
            properties,
            *(each["MetricStat"]["Metric"] for each in properties.get("Metrics", []) if "MetricStat" in each),
        ]
        for metric in simple:
            if "MetricName" in metric and metric["MetricName"] not in _metrics_of(stack, metric):
                yield f"{name}: {metric['Namespace']} has no metric {metric['MetricName']}"
        for query in properties.get("Metrics", []):
            yield from (f"{name}: {problem}" for problem in _query_problems(stack, query.get("Expression", "")))


def _metrics_of(stack: Stack, metric: dict[str, Any]) -> set[str]:
    """Return the metrics of a namespace. The code's own have one dimension, the function that writes them."""
    if metric["Namespace"] != {"Fn::Sub": _namespace(stack)}:
        return AWS_METRICS.get(str(metric["Namespace"]), set())
    services = [stack.function(name, "CodeUri").rpartition("/")[2] for name in stack.of_type(FUNCTION)]
    known = [[{"Name": "service", "Value": service}] for service in services]
    return {each.value for each in Metric} if metric["Dimensions"] in known else set()


def _query_problems(stack: Stack, expression: Any) -> Problems:
    if not isinstance(expression, dict):
        return
    selected = re.fullmatch(r'SELECT SUM\((\w+)\) FROM SCHEMA\("(.+)", service\)', expression["Fn::Sub"])
    if not selected or selected[1] not in {metric.value for metric in Metric}:
        yield f"the code has no such metric: {expression}"
    elif selected[2] != _namespace(stack):
        yield f"the code does not use the namespace {selected[2]}"


def _namespace(stack: Stack) -> str:
    variables = stack.document["Globals"]["Function"]["Environment"]["Variables"]
    return str(variables["METRICS_NAMESPACE"]["Fn::Sub"])


def alarms_evaluate_no_more_than_cloudwatch_allows(stack: Stack) -> Problems:
    """Source: the quotas of PutMetricAlarm, and of alarms on Metrics Insights queries."""
    for name, alarm in stack.of_type(ALARM).items():
        properties = alarm["Properties"]
        queries = properties.get("Metrics", [])
        insights = any("SELECT" in str(each.get("Expression")) for each in queries)
        for period in {each["Period"] for each in (properties, *queries, *_stats(queries)) if "Period" in each}:
            longest = 3 * HOUR if insights else 7 * DAY if period >= HOUR else DAY
            if period * properties["EvaluationPeriods"] > longest:
                yield f"{name}: it evaluates more than {longest} s"


def _stats(queries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (each["MetricStat"] for each in queries if "MetricStat" in each)


def alarms_notify_somebody_and_link_to_the_instructions(stack: Stack) -> Problems:
    headings = {_anchor(line) for line in OPERATIONS.read_text("utf-8").splitlines() if line.startswith("#")}
    for name, alarm in stack.of_type(ALARM).items():
        properties = alarm["Properties"]
        linked = re.search(r"docs/operations\.md#([\w-]+)", properties["AlarmDescription"])
        if not linked or linked[1] not in headings:
            yield f"{name}: its description has no link to a heading of docs/operations.md"
        if not {"AlarmTopic", "AlarmTopicArn"} <= set(references(properties.get("AlarmActions"))):
            yield f"{name}: it notifies nobody"
        if properties.get("TreatMissingData") != "notBreaching":
            yield f"{name}: missing data must be notBreaching"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w-]", "", heading.lstrip("#").strip().lower().replace(" ", "-"))


def widgets_name_metrics_that_exist(stack: Stack) -> Problems:
    shown = set()
    for widget in _widgets(stack):
        for line in widget["properties"].get("metrics", []):
            if isinstance(line[0], dict):
                name, namespace = _searched(line[0]["expression"])
                known = {metric.value for metric in Metric} if namespace == _namespace(stack) else set()
                shown.add(name)
            else:
                namespace, name, *_ = line
                known = AWS_METRICS.get(namespace, set())
            if name not in known:
                yield f"{widget['properties']['title']}: {namespace} has no metric {name}"
    yield from (f"{name} is not on the dashboard" for name in sorted({metric.value for metric in Metric} - shown))


def _searched(expression: str) -> tuple[str, str]:
    found = re.fullmatch(r"""\w+\(SEARCH\('\{"(.+)",service\} MetricName="(\w+)"', '\w+', \d+\)\)""", expression)
    return (found[2], found[1]) if found else (expression, "")


def widgets_do_not_overlap(stack: Stack) -> Problems:
    widgets = _widgets(stack)
    for one, other in combinations(widgets, 2):
        if _overlap(one, other, "x", "width") and _overlap(one, other, "y", "height"):
            yield f"{one} overlaps {other}"
    yield from (f"{each} is too wide" for each in widgets if each["x"] + each["width"] > DASHBOARD_COLUMNS)


def _overlap(one: dict[str, Any], other: dict[str, Any], start: str, size: str) -> bool:
    return bool(one[start] < other[start] + other[size] and other[start] < one[start] + one[size])


def _widgets(stack: Stack) -> list[dict[str, Any]]:
    body = stack.properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    widgets: list[dict[str, Any]] = json.loads(body)["widgets"]
    return widgets


def each_resource_has_a_comment(stack: Stack) -> Problems:
    lines = stack.text[stack.text.index("\nResources:") : stack.text.index("\nOutputs:")].splitlines()
    for before, line in pairwise(lines):
        if re.fullmatch(r"  \w+:", line) and not before.startswith("  # "):
            yield f"{line.strip()} has no comment"
