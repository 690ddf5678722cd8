"""`ledger`: show, forget or distrust what the contact ledger of a deployed stack has recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from segment_loops.command_errors import FAILED, CommandError
from segment_loops.commands.options import aws_options, json_option, options, stack_options
from segment_loops.console import add_row, confirmed, notify, number, print_json, progress, say, show, table

if TYPE_CHECKING:
    from segment_loops.contact_ledger import ContactLedger

_contact_options = options(
    click.option("--user-id", metavar="ID", required=True, help="The contact's userId."), stack_options, aws_options
)


@click.group()
def ledger() -> None:
    """Show, forget or distrust what the contact ledger knows.

    The ledger is the memory of what Loops was last sent. It holds property names, times and hashes, but no values.
    """


@ledger.command("show")
@_contact_options
@json_option
def show_contact(
    *,
    user_id: str,
    stack: str | None,
    config_env: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> int:
    """Show what the ledger knows about a contact.

    Prints the names of its properties, each with the newest event that had its value.

    Exit status: 0 found, 1 the ledger does not know the contact or something failed, 2 the command was misused.
    """
    from segment_loops.contact_ledger import contact_as_json

    name, found = _find(stack, config_env, region, profile)
    contact = found.contact(user_id)
    if contact is None:
        notify(_unknown(name), "yellow")
        return FAILED
    known = contact_as_json(contact)
    if as_json:
        print_json({"stack": name, **known})
    else:
        _show(known)
    return 0


@ledger.command()
@_contact_options
@click.option("--consent", is_flag=True, help="Forget subscribed and mailing lists too: the next identify sends them.")
@click.option("--yes", is_flag=True, help="Forget without asking.")
@json_option
def forget(
    *,
    user_id: str,
    stack: str | None,
    config_env: str | None,
    region: str | None,
    profile: str | None,
    consent: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Forget what Loops was sent about a contact.

    The next identify then sends all of its values. Consent entries stay without --consent: sent again, they could
    re-subscribe a person who has unsubscribed in Loops. A deletion is never forgotten. Once newer values are forgotten,
    an older identify that still waits on the RetryQueue can write its own.
    """
    from segment_loops.contact_ledger import forgotten

    name, found = _find(stack, config_env, region, profile)
    contact = found.contact(user_id)
    if contact is None:
        notify(_unknown(name), "yellow")
        return FAILED
    names = forgotten(contact, consent=consent)
    if names and not _agreed(name, names, yes=yes):
        raise CommandError("Nothing was forgotten. Pass --yes to forget without being asked.")
    if names or contact.untracked:
        found.forget(user_id, contact, consent=consent)
    if as_json:
        print_json({"stack": name, "forgotten": names})
    else:
        kept = len(contact.properties) - len(names)
        among = f" {number(kept, 'consent entry', 'consent entries')} kept." if kept else ""
        say(f"{number(len(names), 'property', 'properties')} forgotten.{among}", "green")
    return 0


@ledger.command()
@stack_options
@aws_options
@click.option("--yes", is_flag=True, help="Change the items without asking.")
@json_option
def distrust(
    *, stack: str | None, config_env: str | None, region: str | None, profile: str | None, yes: bool, as_json: bool
) -> int:
    """Make the next identify of every contact send all of its values.

    Run it after the table was restored from a backup, because Loops may have newer values than the backup knows. Times,
    deletions and consent entries stay. The whole table is read, and every contact is written.
    """
    from segment_loops.contact_ledger import contact_keys, distrust_all
    from segment_loops.deployed_stack import AwsAccount, aws_errors

    name, found = _find(stack, config_env, region, profile)
    if not confirmed(f"Send every contact of the stack {name} in full at its next identify?", yes=yes):
        raise CommandError("Nothing was changed. Pass --yes to go on without being asked.")
    with aws_errors("DynamoDB"):
        client = AwsAccount(region, profile).dynamodb()
    done = 0
    with progress("Contacts") as show_count:
        for done, _ in enumerate(distrust_all(found, contact_keys(client, found.table)), start=1):
            show_count(done)
    if as_json:
        print_json({"stack": name, "contacts": done})
    else:
        say(f"{number(done, 'contact')} will be sent in full.", "green")
    return 0


def _find(
    stack: str | None, config_env: str | None, region: str | None, profile: str | None
) -> tuple[str, ContactLedger]:
    from segment_loops.contact_ledger import ContactLedger
    from segment_loops.deployed_stack import AwsAccount, find_stack, named_stack

    found = find_stack(AwsAccount(region, profile), named_stack(stack, config_env))
    return found.name, ContactLedger.of(found)


def _unknown(stack: str) -> str:
    return (
        f"The contact ledger of {stack} knows nothing about this userId: nothing was sent for it in the last 400 days. "
        "Check the userId; its case matters."
    )


def _agreed(stack: str, names: list[str], *, yes: bool) -> bool:
    from loops_destination.ledger.facts import is_consent

    warning = ""
    if any(map(is_consent, names)):
        warning = "The next identify sends the consent entries too, which can re-subscribe the person.\n"
    counted = number(len(names), "property", "properties")
    return confirmed(f"{warning}Forget {counted} of this contact in the stack {stack}: {', '.join(names)}?", yes=yes)


def _show(known: dict[str, Any]) -> None:
    from segment_loops.timestamps import readable

    rows = table(["Property", "Event time (UTC)", "Loops has it since (UTC)", "Subscription", "messageId"])
    for each in known["properties"]:
        confirmed_at = readable(each["confirmedAt"]) if each["confirmedAt"] else "not confirmed"
        add_row(
            rows, [each["name"], readable(each["eventTime"]), confirmed_at, each["subscription"], each["messageId"]]
        )
    if known["properties"]:
        show(rows)
    else:
        say("No property is known.")
    sentences = {
        "deletedAt": "Deleted: events before {} (UTC) are superseded.",
        "deletionSince": "A deletion has been under way since {} (UTC).",
        "updateWaitsSince": "An update has waited for its turn since {} (UTC).",
        "leasedUntil": "Leased for a call until {} (UTC).",
    }
    for name, text in sentences.items():
        if known[name]:
            say(text.format(readable(known[name])))
    if not known["isTracked"]:
        say("Not tracked: the item would be too large, so updates are sent in full.")
