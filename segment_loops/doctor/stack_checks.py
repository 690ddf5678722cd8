"""The checks of a deployed stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from loops_destination.errors import SecretNotSetUp, SubscriptionsError
from loops_destination.secret_store import Secret
from segment_loops.api_key import check_api_key
from segment_loops.command_errors import CommandError
from segment_loops.console import number
from segment_loops.deployed_stack import DeployedStack, aws_errors
from segment_loops.doctor.check_result import CheckResult, ok, problem, skipped, warning
from segment_loops.doctor.deployed_functions import ALIAS, LiveFunction, deployed_subscriptions, live_functions
from segment_loops.doctor.probe import check_urls, unwanted_event

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

URLS = ("ContactsUrl", "EventsUrl", "SegmentUrl")
"""The outputs that name the webhook's URLs."""


def check_stack(stack: DeployedStack) -> Iterator[CheckResult]:
    """Yield the results of all checks; changes nothing."""
    client = stack.account.aws_lambda()
    functions: list[LiveFunction] = []
    try:
        functions += live_functions(stack, client)
        yield from _check_functions(stack, functions)
    except CommandError as error:
        yield problem(str(error), "Deploy the stack again: make deploy.")
    yield from _caught(_check_redelivery(stack, client))
    yield from _caught(_check_queues(stack))
    secret = None
    try:
        secret = stack.secret()
        yield from _check_secret(stack, secret)
    except SecretNotSetUp as error:
        yield problem(f"The secret cannot be used: {error}.", "Correct its JSON in Secrets Manager.")
    except CommandError as error:
        yield problem(str(error), "Give yourself access to the secret (secretsmanager:GetSecretValue).")
    yield from _caught(_check_urls(stack, client, functions, secret))


def is_set_up(secret: Secret) -> bool:
    """Return whether the secret has an API key, and something to verify requests with."""
    try:
        return bool(secret.api_key) and secret.can_verify
    except SecretNotSetUp:
        return False


def _caught(results: Iterator[CheckResult]) -> Iterator[CheckResult]:
    """Yield the results; end with a problem if a check cannot be made."""
    try:
        yield from results
    except CommandError as error:
        yield problem(str(error), "Check the stack's name, and your permissions in its account.")


def _check_functions(stack: DeployedStack, functions: list[LiveFunction]) -> Iterator[CheckResult]:
    if not functions:
        yield problem(f"The stack {stack.name} has no functions.", "Check its name, or deploy it: make deploy.")
        return
    stale = {function.logical_id: changed for function in functions if (changed := function.stale(stack.parameters))}
    for logical_id, changed in stale.items():
        yield problem(
            f"{logical_id} does not run with today's values of {', '.join(changed)}.",
            "Wait for a deployment in progress to end; otherwise deploy the stack again: make deploy.",
        )
    if not stale:
        yield ok(f"The alias {ALIAS} of {number(len(functions), 'function')} runs with the stack's parameters.")


def _check_redelivery(stack: DeployedStack, client: Any) -> Iterator[CheckResult]:
    arn = _attributes(stack.account.sqs(), stack.output("RetryQueueUrl"))["QueueArn"]
    with aws_errors("The event source of the RetryQueue"):
        sources = client.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
    live = [source for source in sources if source.get("FunctionArn", "").endswith(f":{ALIAS}")]
    states = {source.get("State", "unknown") for source in live}
    if not live:
        yield problem(
            f"No event source leads from the RetryQueue to the alias {ALIAS}.", "Deploy the stack: make deploy."
        )
    elif states <= {"Enabled", "Enabling", "Creating", "Updating"}:
        yield ok(f"The event source of the RetryQueue is enabled for the alias {ALIAS}.")
    else:
        ids = ", ".join(source.get("UUID", "") for source in live)
        yield problem(
            f"The event source of the RetryQueue is {', '.join(sorted(states)).lower()}: no delivery is tried again.",
            f"Enable it: aws lambda update-event-source-mapping --enabled --uuid {ids}",
        )


def _check_queues(stack: DeployedStack) -> Iterator[CheckResult]:
    sqs = stack.account.sqs()
    waiting = _messages(sqs, stack.output("RetryQueueUrl"))
    if waiting:
        yield warning(
            f"The RetryQueue holds {number(waiting, 'delivery', 'deliveries')}.",
            'Deliveries wait there while Loops has trouble. See "Retries take long" in docs/operations.md.',
        )
    else:
        yield ok("The RetryQueue is empty.")
    letters = _messages(sqs, stack.output("DeadLetterQueueUrl"))
    if letters:
        yield problem(
            f"The DeadLetterQueue holds {number(letters, 'dead letter')}.",
            f"Look at them: segment-loops dead-letters list --stack {stack.name}",
        )
    else:
        yield ok("The DeadLetterQueue is empty.")


def _check_secret(stack: DeployedStack, secret: Secret) -> Iterator[CheckResult]:
    try:
        api_key = secret.api_key
    except SecretNotSetUp:
        yield warning(
            "The secret has no API key that can be used yet.",
            f"Next step: make setup-secret STACK={stack.name}, which asks for the API key.",
        )
        return
    if not secret.can_verify:
        yield warning(
            "The secret has neither a sharedSecret nor a bearerToken yet.",
            "Next step: store Segment's shared secret in it. See docs/deploy.md.",
        )
    try:
        check = check_api_key(stack.loops_url, api_key)
    except CommandError as error:
        yield problem(str(error), "Check the parameter LoopsBaseUrl, and whether Loops is reachable from here.")
        return
    if check.is_valid:
        yield ok(f"The secret is set up, and Loops accepts its API key: team {check.team}.")
    else:
        yield problem(check.problem, f"Store a valid API key: make setup-secret STACK={stack.name}")


def _check_urls(
    stack: DeployedStack, client: Any, functions: list[LiveFunction], secret: Secret | None
) -> Iterator[CheckResult]:
    urls = [stack.output(name) for name in URLS]
    if secret is None or not is_set_up(secret):
        yield skipped("The URLs were not tested, because the secret is not set up.")
        return
    if not functions:
        yield skipped("The URLs were not tested, because the deployed subscriptions are not known.")
        return
    try:
        subscriptions = deployed_subscriptions(functions[0], client)
    except SubscriptionsError as error:
        yield problem(
            f"The deployed mappings file has {number(len(error.problems), 'problem')}.",
            "See them with segment-loops check, and deploy a valid file.",
        )
        return
    event = unwanted_event(subscriptions)
    if event is None:
        yield skipped("The URLs were not tested, because a subscription matches every event that could be sent.")
        return
    yield from check_urls(urls, event, secret)


def _messages(sqs: SQSClient, url: str) -> int:
    """Return the number of messages on the queue, hidden and delayed ones included."""
    return sum(
        int(value) for name, value in _attributes(sqs, url).items() if name.startswith("ApproximateNumberOfMessages")
    )


def _attributes(sqs: SQSClient, url: str) -> Mapping[str, str]:
    with aws_errors(f"The queue {url}"):
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return {str(name): value for name, value in found["Attributes"].items()}
