"""`doctor`: check the mappings against the Loops team, and a deployed stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from rich.text import Text

from loops_destination.errors import SecretNotSetUp, SubscriptionsError
from loops_destination.subscriptions import Entry, load_entries
from segment_loops.api_key import VARIABLE, api_key_from_environment
from segment_loops.command_errors import FAILED, CommandError, MisusedError
from segment_loops.commands.check import tell_problems
from segment_loops.commands.options import aws_options, json_option, mappings_option
from segment_loops.console import confirmed, number, print_json, printable, say
from segment_loops.doctor.check_result import CheckResult, Status, problem, skipped
from segment_loops.doctor.team_checks import check_team, missing_properties
from segment_loops.doctor.usage import Usage, usage_of
from segment_loops.event_files import read_events, sample_events
from segment_loops.loops_access import REAL_LOOPS
from segment_loops.loops_team import LoopsTeam
from segment_loops.mappings_file import read_bytes, shown_path

_SYMBOLS = {
    Status.OK: ("✓", "green"),
    Status.WARNING: ("!", "yellow"),
    Status.PROBLEM: ("✗", "red"),
    Status.SKIPPED: ("-", "dim"),
}


@click.command()
@click.option("--stack", metavar="NAME", help="Check this deployed stack too, with the API key in its secret.")
@click.option("--config-env", metavar="NAME", help="Check the stack in this section of samconfig.toml.")
@aws_options
@mappings_option
@click.option(
    "--events",
    "event_files",
    metavar="FILE",
    multiple=True,
    help="A file with events of your own, as for preview; may be repeated.  [default: the samples in events/]",
)
@click.option("--loops-url", metavar="URL", help=f"The URL of Loops.  [default: the stack's, or {REAL_LOOPS}]")
@click.option("--create-properties", is_flag=True, help="Create the missing contact properties in Loops, after asking.")
@click.option("--yes", is_flag=True, help="Create contact properties without asking.")
@json_option
def doctor(
    *,
    stack: str | None,
    config_env: str | None,
    region: str | None,
    profile: str | None,
    mappings: Path,
    event_files: tuple[str, ...],
    loops_url: str | None,
    create_properties: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Check the mappings and a deployed stack.

    Compares the contact properties, mailing lists and event names that the mappings use with those of the team whose API
    key is in LOOPS_API_KEY, or in the secret of --stack. It only reads, except with --create-properties.

    Exit status: 0 fine, 1 there is something to fix, 2 the command was misused.
    """
    if yes and not create_properties:
        raise MisusedError("--yes needs --create-properties.")
    try:
        entries = load_entries(read_bytes(mappings))
    except SubscriptionsError as error:
        tell_problems(error.problems, f"{shown_path(mappings)} has")
        return FAILED
    usage = _usage(entries, event_files)
    report = _DoctorReport(as_json=as_json)
    if stack or config_env:
        api_key, url = _check_stack(report, stack, config_env, region, profile)
    else:
        api_key, url = api_key_from_environment(), REAL_LOOPS
        if not api_key:
            raise MisusedError(f"There is no API key. Set {VARIABLE}, or name a --stack.")
    if api_key:
        _check_team(report, usage, LoopsTeam(loops_url or url, api_key), create=create_properties, yes=yes)
    else:
        report.add([skipped("The Loops team was not checked, because the secret has no API key yet.")])
    return report.end()


class _DoctorReport:
    """The results, printed as they come, or at the end as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._results: list[CheckResult] = []

    def add(self, results: Iterable[CheckResult]) -> None:
        for result in results:
            self._results.append(result)
            if not self._as_json:
                _show(result)

    def end(self) -> int:
        """Print what remains, and return the exit status."""
        counts = {status: sum(each.status is status for each in self._results) for status in Status}
        fails = counts[Status.PROBLEM] > 0
        if self._as_json:
            print_json({"ok": not fails, "checks": [each.as_json() for each in self._results]})
        else:
            say(f"\n{number(counts[Status.PROBLEM], 'problem')}, {number(counts[Status.WARNING], 'warning')}")
        return FAILED if fails else 0


def _show(result: CheckResult) -> None:
    symbol, style = _SYMBOLS[result.status]
    say(Text.assemble((symbol, style), " ", printable(result.text)))
    if result.advice:
        say(f"  {printable(result.advice)}", "dim")


def _usage(entries: Sequence[Entry], event_files: Sequence[str]) -> Usage:
    own = (arrival for file in event_files for arrival in read_events(file))
    arrivals = own if event_files else (arrival for _, arrival in sample_events())
    return usage_of(entries, [arrival.event for arrival in arrivals if arrival.event is not None])


def _check_stack(
    report: _DoctorReport, stack: str | None, config_env: str | None, region: str | None, profile: str | None
) -> tuple[str, str]:
    """Report on the stack; return the API key in its secret, empty if there is none, and its URL of Loops."""
    from segment_loops.deployed_stack import AwsAccount, find_stack, named_stack  # boto3 is slow to import
    from segment_loops.doctor.stack_checks import check_stack

    found = find_stack(AwsAccount(region, profile), named_stack(stack, config_env))
    report.add(check_stack(found))
    try:
        return found.secret().api_key, found.loops_url
    except (CommandError, SecretNotSetUp):
        return "", found.loops_url  # reported by `check_stack`


def _check_team(report: _DoctorReport, usage: Usage, team: LoopsTeam, *, create: bool, yes: bool) -> None:
    try:
        if create:
            report.add(_create_properties(usage, team, yes=yes))
        report.add(check_team(usage, team))
    except CommandError as error:
        report.add([problem(str(error), "Test the API key with segment-loops test-api-key.")])


def _create_properties(usage: Usage, team: LoopsTeam, *, yes: bool) -> Iterator[CheckResult]:
    missing = missing_properties(usage, team.properties())
    known = {name: kind for name, kind in missing.items() if kind}
    if not known:
        return
    listed = ", ".join(f"{name} ({kind})" for name, kind in known.items())
    if not confirmed(
        f"Create {number(len(known), 'contact property', 'contact properties')} in Loops: {listed}?", yes=yes
    ):
        yield skipped("No contact property was created. Pass --yes to create them without being asked.")
        return
    for name, kind in known.items():
        team.create_property(name, kind)
        yield CheckResult(Status.OK, f"Created the contact property {name} ({kind}).")
