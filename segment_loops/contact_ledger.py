"""The contact ledger of a deployed stack: show or forget one contact's properties, or distrust every contact's.

The table holds property names, hashes and times. A contact is found by its userId; nobody can list the people in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loops_destination.clock import Clock, SystemClock
from loops_destination.errors import LedgerUnavailable
from loops_destination.ledger import transitions
from loops_destination.ledger.event_clock import EventClock
from loops_destination.ledger.facts import is_consent
from loops_destination.ledger.hashes import CONTACT_KEY_PREFIX, Hasher
from loops_destination.ledger.record import CONTACT_KEPT_SECONDS, ContactRecord, Mark
from loops_destination.ledger.store import KEY, DynamoStore
from loops_destination.ledger.store_interface import LedgerStore, Write
from segment_loops.command_errors import CommandError
from segment_loops.deployed_stack import DeployedStack, aws_errors
from segment_loops.timestamps import timestamp

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_ATTEMPTS = 5

TABLE = "ContactLedgerTable"
"""The logical id of the table in template.yaml."""


@dataclass(frozen=True, slots=True)
class ContactLedger:
    """The ledger of a stack."""

    store: LedgerStore
    hasher: Hasher
    clock: Clock
    table: str

    @classmethod
    def of(cls, stack: DeployedStack, clock: Clock | None = None) -> ContactLedger:
        """Return the ledger of a stack; raise `CommandError` if the stack keeps none."""
        table = stack.resources("AWS::DynamoDB::Table").get(TABLE)
        if table is None:
            raise CommandError(f"The stack {stack.name} keeps no contact ledger: its parameter ContactLedger is false.")
        with aws_errors("DynamoDB"):
            client = stack.account.dynamodb()
        clock = clock or SystemClock()
        return cls(DynamoStore(table, clock, client), Hasher(stack.id), clock, table)

    def contact(self, user_id: str) -> ContactRecord | None:
        """Return what is known about a contact; None if nothing is."""
        with _ledger_errors(self.table):
            item = self.store.read(self.hasher.contact_key(user_id), consistent=True)
        return None if item is None else ContactRecord.from_item(item)

    def forget(self, user_id: str, contact: ContactRecord, *, consent: bool) -> None:
        """Forget the contact's properties; raise `CommandError` if its item has changed since it was read."""
        now = self.clock.time() * 1000
        if contact.lease is not None and contact.lease.until > now:
            seconds = round((contact.lease.until - now) / 1000) + 1
            raise CommandError(f"A call about this contact is under way. Run the command again in {seconds} s.")
        item = transitions.forget(contact, consent=consent).to_item()
        write = Write(self.hasher.contact_key(user_id), item, contact.version, CONTACT_KEPT_SECONDS)
        with _ledger_errors(self.table):
            written = self.store.write(write)
        if not written:
            raise CommandError("The contact's item has changed since it was read. Run the command again.")


def distrust_all(ledger: ContactLedger, keys: Iterable[str]) -> Iterator[str]:
    """Make the next update of each contact send all of its values; yield each key once that is written.

    Raises `CommandError` for a contact whose item keeps changing.
    """
    for key in keys:
        for _ in range(_ATTEMPTS):
            with _ledger_errors(ledger.table):
                item = ledger.store.read(key, consistent=True)
                contact = ContactRecord.from_item(item)
                if contact.lease is not None:  # the end of a call would restore the hashes
                    ledger.clock.sleep(max(contact.lease.until / 1000 - ledger.clock.time(), 0))
                    contact = ContactRecord.from_item(ledger.store.read(key, consistent=True))
                write = Write(key, transitions.distrust(contact).to_item(), contact.version, CONTACT_KEPT_SECONDS)
                if item is None or ledger.store.write(write):
                    break
        else:
            raise CommandError("A contact's item kept changing. Run the command again.")
        yield key


def contact_keys(client: DynamoDBClient, table: str) -> Iterator[str]:
    """Yield the key of each contact; this reads the whole table."""
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        ProjectionExpression="#key",
        FilterExpression="begins_with(#key, :contact)",
        ExpressionAttributeNames={"#key": KEY},
        ExpressionAttributeValues={":contact": {"S": CONTACT_KEY_PREFIX}},
    )
    with aws_errors(f"The table {table}"):
        for page in pages:
            for item in page["Items"]:
                yield item[KEY]["S"]


def contact_as_json(contact: ContactRecord) -> dict[str, Any]:
    """Return the names and times that are known about a contact; the table holds no values."""
    return {
        "properties": [
            {
                "name": name,
                "eventTime": _event_time(known.clock),
                "confirmedAt": timestamp(known.confirmed_at / 1000) if known.hash is not None else None,
                "isConsent": is_consent(name),
                "subscription": known.clock.subscription,
                "messageId": known.clock.message_id,
            }
            for name, known in sorted(contact.properties.items())
        ],
        "deletedAt": None if contact.deleted_at is None else _event_time(contact.deleted_at),
        "deletionSince": _since(contact.deleting),
        "updateWaitsSince": _since(contact.waiting),
        "leasedUntil": None if contact.lease is None else timestamp(contact.lease.until / 1000),
        "isTracked": not contact.untracked,
    }


def forgotten(contact: ContactRecord, *, consent: bool) -> list[str]:
    """Return the names of the properties that `forget` would forget."""
    return sorted(contact.properties.keys() - transitions.forget(contact, consent=consent).properties.keys())


@contextmanager
def _ledger_errors(table: str) -> Iterator[None]:
    """Turn DynamoDB's errors into a `CommandError`."""
    try:
        yield
    except LedgerUnavailable as error:
        if isinstance(error.__context__, ClientError):
            with aws_errors(f"The table {table}"):
                raise error.__context__ from None
        raise CommandError(f"The table {table}: {error}.") from None


def _event_time(clock: EventClock) -> str:
    return timestamp(clock.time / 1_000_000)


def _since(mark: Mark | None) -> str | None:
    return None if mark is None else timestamp(mark.since / 1000)
