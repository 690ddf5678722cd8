from collections.abc import Callable
from itertools import count

import boto3
import pytest

from loops_destination.clock import Clock
from loops_destination.ledger.store import DynamoStore, dynamodb_client

_NUMBERS = count()


@pytest.fixture
def table(aws: str) -> str:  # noqa: ARG001  # the client talks to it
    """The name of an empty table."""
    name = f"ledger-{next(_NUMBERS)}"
    boto3.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def make_store(table: str) -> Callable[[Clock], DynamoStore]:
    client = dynamodb_client(1)
    return lambda clock: DynamoStore(table, clock, client)
