"""`segment-loops ledger` against a table on moto, written by the product's own ledger."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import boto3
import pytest

from loops_destination.actions import ACTIONS
from loops_destination.clock import SystemClock
from loops_destination.ledger.event_clock import EventClock
from loops_destination.ledger.hashes import Hasher
from loops_destination.ledger.protocol import Called, Effect, Ledger
from loops_destination.ledger.record import ContactRecord, Lease, Property
from loops_destination.ledger.store_interface import Write
from loops_destination.loops_request import LoopsRequest
from tests.integration.command_line.conftest import CommandLine
from tests.moto_stack import NAME, MotoStack

STATED = "2026-03-01T12:00:00.000Z"
MESSAGE_ID = "00000000-0000-4000-8000-000000000001"
EVENT = {"type": "identify", "messageId": MESSAGE_ID, "userId": "u-1", "timestamp": STATED}
BODY = {
    "userId": "u-1",
    "email": "adam@loops.so",
    "plan": "platinum",
    "subscribed": True,
    "mailingLists": {"news": True},
}


@pytest.fixture
def deployed(aws: str) -> MotoStack:  # noqa: ARG001  # its clients talk to it
    return MotoStack()


Deliver = Callable[..., str]


@pytest.fixture
def deliver(deployed: MotoStack) -> Deliver:
    """Deliver a request as the functions do; return the ledger's conclusion."""
    ledger = Ledger(
        deployed.store,
        deployed.id,
        SystemClock(),
        resend_unchanged_after=604800.0,
        retry_for=259200.0,
    )

    def run(body: dict[str, Any] = BODY, effect: Effect = Effect.APPLIED, action: str = "createOrUpdateContact") -> str:
        facts = ledger.facts(LoopsRequest("PUT", ACTIONS[action].path, body), EVENT, "contacts", "key", time.time())
        return ledger.deliver(facts, lambda *_: Called(effect, None), time.time() + 60).conclusion

    return run


@pytest.fixture
def known(deliver: Deliver) -> Deliver:
    """A ledger that knows a contact."""
    assert deliver() == "delivered"
    return deliver


@pytest.mark.usefixtures("known")
def test_show_prints_names_and_times(cli: CommandLine) -> None:
    """`show` prints each property, its newest event and when Loops took its value, and no value or email."""
    run = cli("ledger", "show", "--user-id", "u-1", "--stack", NAME, "--json")
    assert run.status == 0, run.err
    properties = {each["name"]: each for each in run.json["properties"]}
    assert [(name, each["isConsent"]) for name, each in properties.items()] == [
        ("email", False),
        ("mailingLists.news", True),
        ("plan", False),
        ("subscribed", True),
    ]
    plan = properties["plan"]
    assert (plan["eventTime"], plan["messageId"], plan["subscription"]) == (STATED, MESSAGE_ID, "contacts")
    assert abs(datetime.fromisoformat(plan["confirmedAt"]).timestamp() - datetime.now(UTC).timestamp()) < 60
    text = cli("ledger", "show", "--user-id", "u-1", "--stack", NAME)
    assert "2026-03-01 12:00:00.000" in text.out
    assert not any(value in run.out + text.out for value in ("adam", "platinum", "u-1"))


def test_an_unconfirmed_property_and_a_deletion_are_shown(cli: CommandLine, known: Deliver) -> None:
    """A property whose call was never confirmed is marked, and so is a lease; a deletion under way has its time."""
    assert known(BODY | {"plan": "gold"}, Effect.UNKNOWN) == "not-applied"
    run = cli("ledger", "show", "--user-id", "u-1", "--stack", NAME)
    assert [line.split()[3:5] for line in run.out.splitlines() if line.startswith("plan")] == [["not", "confirmed"]]
    assert "Leased for a call until" in run.out


def test_a_deletion_under_way_is_shown(cli: CommandLine, known: Deliver) -> None:
    """A deletion that waits for its second step is shown with its time."""
    known({"userId": "u-1"}, action="deleteContact")
    run = cli("ledger", "show", "--user-id", "u-1", "--stack", NAME)
    assert "A deletion has been under way since" in run.out


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("command", ["show", "forget"])
def test_an_unknown_contact_is_reported(cli: CommandLine, command: str) -> None:
    """A userId that the ledger does not know is answered with status 1 and what to check."""
    run = cli("ledger", command, "--user-id", "nobody", "--stack", NAME)
    assert (run.status, run.out) == (1, "")
    assert "knows nothing about this userId" in run.err


def test_forgetting_keeps_consent(cli: CommandLine, known: Deliver) -> None:
    """`forget` leaves the consent entries, so the next identify sends every value except those."""
    run = cli("ledger", "forget", "--user-id", "u-1", "--stack", NAME, "--yes", "--json")
    assert (run.status, run.json["forgotten"]) == (0, ["email", "plan"])
    shown = cli("ledger", "show", "--user-id", "u-1", "--stack", NAME, "--json")
    assert [each["name"] for each in shown.json["properties"]] == ["mailingLists.news", "subscribed"]
    assert known() == "delivered"
    assert known() == "unchanged"


def test_consent_is_forgotten_on_request(cli: CommandLine, known: Deliver) -> None:
    """With --consent the consent entries are forgotten too, and the contact is sent in full."""
    run = cli("ledger", "forget", "--user-id", "u-1", "--stack", NAME, "--yes", "--consent")
    assert run.out.strip() == "4 properties forgotten."
    assert known() == "delivered"


def test_a_deletion_is_never_forgotten(cli: CommandLine, deployed: MotoStack, known: Deliver) -> None:
    """Events older than a contact's deletion stay superseded after its properties are forgotten."""
    store, key = deployed.store, Hasher(deployed.id).contact_key("u-1")
    contact = ContactRecord.from_item(store.read(key))
    later = next(iter(contact.properties.values())).clock
    deleted = ContactRecord(version=contact.version, properties=contact.properties, deleted_at=_later(later))
    assert store.write(Write(key, deleted.to_item(), contact.version, 60))
    assert cli("ledger", "forget", "--user-id", "u-1", "--stack", NAME, "--yes", "--consent").status == 0
    assert known() == "superseded"
    assert "Deleted: events before" in cli("ledger", "show", "--user-id", "u-1", "--stack", NAME).out


def _later(clock: Any) -> Any:
    return type(clock)(clock.time + 1, clock.received_at, clock.message_id, clock.subscription)


def test_a_contact_with_a_call_under_way_is_left(cli: CommandLine, deployed: MotoStack, known: Deliver) -> None:
    """While a lease runs nothing is forgotten, and the error says when to try again."""
    store, key = deployed.store, Hasher(deployed.id).contact_key("u-1")
    contact = ContactRecord.from_item(store.read(key))
    leased = ContactRecord(contact.properties, contact.version, Lease("lease", round(time.time() * 1000) + 20_000))
    assert store.write(Write(key, leased.to_item(), contact.version, 60))
    run = cli("ledger", "forget", "--user-id", "u-1", "--stack", NAME, "--yes")
    assert run.status == 1
    assert "A call about this contact is under way. Run the command again in" in run.err
    assert known() == "unchanged"


@pytest.mark.usefixtures("known")
def test_nothing_is_forgotten_unless_a_person_agrees(cli: CommandLine) -> None:
    """Without --yes and a terminal to ask at, nothing is written."""
    run = cli("ledger", "forget", "--user-id", "u-1", "--stack", NAME)
    assert run.status == 1
    assert "Nothing was forgotten. Pass --yes" in run.err
    shown = cli("ledger", "show", "--user-id", "u-1", "--stack", NAME, "--json")
    assert len(shown.json["properties"]) == 4


@pytest.mark.usefixtures("known")
def test_the_question_names_the_stack(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal the question names the stack and the properties, and warns about consent; a no changes nothing."""

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    run = cli("ledger", "forget", "--user-id", "u-1", "--stack", NAME, "--consent")
    assert (
        f"Forget 4 properties of this contact in the stack {NAME}: email, mailingLists.news, plan, subscribed?"
        in run.err
    )
    assert "can re-subscribe the person" in run.err
    assert run.status == 1


def test_a_restored_ledger_is_distrusted(cli: CommandLine, known: Deliver) -> None:
    """After `distrust`, the next identify of each contact sends its values, but no consent entry, and nothing older."""
    assert known(BODY | {"userId": "u-2", "email": "eve@loops.so"}) == "delivered"
    assert known() == "unchanged"
    run = cli("ledger", "distrust", "--stack", NAME, "--yes", "--json")
    assert run.json == {"stack": NAME, "contacts": 2}
    shown = cli("ledger", "show", "--user-id", "u-1", "--stack", NAME, "--json")
    confirmed = {each["name"] for each in shown.json["properties"] if each["confirmedAt"]}
    assert confirmed == {"subscribed", "mailingLists.news"}
    assert known() == "delivered"
    assert known() == "unchanged"


def test_an_untracked_contact_is_tracked_again(cli: CommandLine, deployed: MotoStack) -> None:
    """`forget` lets a contact be remembered again that once had too many properties."""
    key = Hasher(deployed.id).contact_key("u-1")
    deployed.store.write(Write(key, ContactRecord(untracked=True).to_item(), None, 60))
    assert cli("ledger", "forget", "--user-id", "u-1", "--stack", NAME, "--yes").status == 0
    assert not ContactRecord.from_item(deployed.store.read(key)).untracked


def test_distrust_waits_for_a_call_that_is_under_way(cli: CommandLine, deployed: MotoStack) -> None:
    """The end of a call restores hashes, so `distrust` waits until the contact's lease has ended."""
    key, until = Hasher(deployed.id).contact_key("u-1"), time.time() + 1
    leased = ContactRecord(
        {"plan": Property(EventClock(1, 1, "m", "s"), "hash")}, lease=Lease("l", round(until * 1000))
    )
    deployed.store.write(Write(key, leased.to_item(), None, 60))
    assert cli("ledger", "distrust", "--stack", NAME, "--yes").status == 0
    assert time.time() >= until
    assert ContactRecord.from_item(deployed.store.read(key)).properties["plan"].hash is None


@pytest.mark.usefixtures("known")
def test_nothing_is_distrusted_unless_a_person_agrees(cli: CommandLine) -> None:
    """Without --yes and a terminal to ask at, `distrust` changes nothing."""
    run = cli("ledger", "distrust", "--stack", NAME)
    assert run.status == 1
    assert "Nothing was changed. Pass --yes" in run.err


@pytest.mark.usefixtures("aws")
def test_a_stack_without_a_ledger_says_so(cli: CommandLine) -> None:
    """A stack with ContactLedger=false has no table, and the error says so."""
    MotoStack(ledger=False)
    run = cli("ledger", "show", "--user-id", "u-1", "--stack", NAME)
    assert run.status == 1
    assert "keeps no contact ledger: its parameter ContactLedger is false" in run.err


def test_a_table_that_is_gone_is_named(cli: CommandLine, deployed: MotoStack) -> None:
    """An error of DynamoDB is reported with the table's name."""
    boto3.client("dynamodb").delete_table(TableName=deployed.table)
    run = cli("ledger", "show", "--user-id", "u-1", "--stack", NAME)
    assert run.status == 1
    assert f"The table {deployed.table}: " in run.err
    assert "ResourceNotFoundException" in run.err


def test_the_table_holds_nothing_that_is_printed_of_a_person(deployed: MotoStack, known: Deliver) -> None:  # noqa: ARG001
    """An item has neither the userId nor a value, so the hash of a typed userId is the only way to a contact."""
    items = json.dumps(boto3.client("dynamodb").scan(TableName=deployed.table)["Items"])
    assert not any(value in items for value in ("adam", "platinum", "u-1"))
