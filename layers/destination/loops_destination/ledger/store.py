"""The ledger's table in DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from loops_destination.clock import Clock
from loops_destination.ledger.record import Item
from loops_destination.ledger.store_interface import LedgerUnavailable, Write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef

Given = TypeVar("Given")

KEY = "key"
EXPIRES_AT = "expiresAt"
"""The attribute that the table's TTL reads: seconds since 1970."""

SECOND_ATTEMPT_WITHIN_SECONDS = 0.1
"""A call that fails sooner than this is repeated once: most often, AWS had closed an idle connection."""

_LOST = {"ConditionalCheckFailed", "TransactionConflict"}


class DynamoStore:
    """The items in one table, whose partition key is `key`."""

    def __init__(self, table: str, clock: Clock, client: DynamoDBClient) -> None:
        self._table = table
        self._clock = clock
        self._client = client

    def read(self, key: str, *, consistent: bool = False) -> Item | None:
        """Return an item; one that has expired counts as absent, because DynamoDB can take days to remove it."""
        response = self._ask(
            lambda: self._client.get_item(
                TableName=self._table, Key={KEY: {"S": key}}, ConsistentRead=consistent, ReturnConsumedCapacity="NONE"
            )
        )
        item = _plain(response.get("Item", {}))
        if item.get(EXPIRES_AT, 0) <= self._clock.time():
            return None
        return {name: value for name, value in item.items() if name not in {KEY, EXPIRES_AT}}

    def write(self, *writes: Write) -> bool:
        """Write one item, or several in a transaction; return False if one has another version by now."""
        puts = [self._put(write) for write in writes]
        try:
            if len(puts) == 1:
                self._ask(lambda: self._client.put_item(**puts[0]))
            else:
                self._ask(lambda: self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts]))
        except _ConditionFailed:
            return False
        return True

    def _put(self, write: Write) -> PutTypeDef:
        now = int(self._clock.time())
        item = write.item | {
            KEY: write.key,
            "version": (write.if_version or 0) + 1,
            EXPIRES_AT: now + write.kept_seconds,
        }
        put: PutTypeDef = {"TableName": self._table, "Item": {name: _SERIALIZER.serialize(item[name]) for name in item}}
        if write.if_version is None:
            return put
        condition, name, value = (
            ("#name = :value", "version", write.if_version)
            if write.if_version
            else (f"attribute_not_exists({EXPIRES_AT}) OR #name <= :value", EXPIRES_AT, now)
        )
        return {
            **put,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#name": name},
            "ExpressionAttributeValues": {":value": {"N": str(value)}},
        }

    def _ask(self, call: Callable[[], Given]) -> Given:
        """Call DynamoDB; call once more after a quick failure."""
        began = self._clock.time()
        try:
            return _answered(call)
        except LedgerUnavailable:
            if self._clock.time() - began > SECOND_ATTEMPT_WITHIN_SECONDS:
                raise
        return _answered(call)


class _ConditionFailed(Exception):
    """The item has another version by now."""


def _answered(call: Callable[[], Given]) -> Given:
    try:
        return call()
    except ClientError as error:
        if _is_lost(error):
            raise _ConditionFailed from None
        raise LedgerUnavailable(f"DynamoDB answered {error.response['Error']['Code']}") from None
    except BotoCoreError as error:
        raise LedgerUnavailable(f"DynamoDB did not answer: {type(error).__name__}") from None


def _is_lost(error: ClientError) -> bool:
    response: Mapping[str, Any] = error.response
    if response["Error"]["Code"] != "TransactionCanceledException":
        return bool(response["Error"]["Code"] == "ConditionalCheckFailedException")
    codes = {reason.get("Code") for reason in response.get("CancellationReasons", [])} - {"None", None}
    return bool(codes) and codes <= _LOST


def dynamodb_client(calls_at_once: int) -> DynamoDBClient:
    """Make a client that gives up in time for the webhook to answer; its region comes from the environment.

    It keeps a connection for each of `calls_at_once` calls.
    """
    # With a second attempt, a call takes `CALL_SECONDS` at most.
    config = Config(
        connect_timeout=0.4,
        read_timeout=0.5,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=calls_at_once,
    )
    return boto3.client("dynamodb", config=config)


_SERIALIZER = TypeSerializer()
_DESERIALIZER = TypeDeserializer()


def _plain(attributes: Mapping[str, Any]) -> Item:
    return {name: _whole(_DESERIALIZER.deserialize(value)) for name, value in attributes.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(member) for name, member in value.items()}
    return [_whole(element) for element in value] if isinstance(value, list) else value
