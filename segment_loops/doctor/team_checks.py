"""The mappings against a live Loops team."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from segment_loops.doctor.check_result import CheckResult, ok, problem, warning
from segment_loops.doctor.usage import LONGEST_TEXT, Usage, fits, suggested_type
from segment_loops.loops_team import LoopsTeam

RESERVED = frozenset({"id", "listId", "softDeleteAt", "teamId", "updatedAt"})
"""Names that Loops keeps for itself."""


def check_team(usage: Usage, team: LoopsTeam) -> Iterator[CheckResult]:
    """Yield the results of all checks; reads from Loops only."""
    existing = team.properties()
    yield from _missing_properties(usage, existing)
    yield from _types(usage, existing)
    yield from _reserved_names(usage)
    yield from _long_values(usage)
    yield from _mailing_lists(usage, team)
    yield from _event_names(usage, team)


def missing_properties(usage: Usage, existing: Iterable[str]) -> dict[str, str | None]:
    """Return the properties that the team lacks, each with the type that the samples suggest, None if none does."""
    missing = set(usage.properties) - set(existing) - RESERVED
    return {name: suggested_type(usage.values.get(name, [])) for name in sorted(missing)}


def _missing_properties(usage: Usage, existing: Mapping[str, str]) -> Iterator[CheckResult]:
    missing = missing_properties(usage, existing)
    for name, kind in missing.items():
        create = (
            f"Create it with --create-properties, or in Loops, with the type {kind}."
            if kind
            else "Create it in Loops. No sample event shows its type."
        )
        if name in usage.written:
            yield problem(f"The mapping sets the contact property {name}, which the team does not have.", create)
        else:
            yield warning(f"Sample events set the contact property {name}, which the team does not have.", create)
    if not missing:
        yield ok("The team has every contact property that the mappings set.")


def _types(usage: Usage, existing: Mapping[str, str]) -> Iterator[CheckResult]:
    wrong = [
        name for name, kind in existing.items() if not all(fits(value, kind) for value in usage.values.get(name, []))
    ]
    for name in wrong:
        yield problem(
            f"The contact property {name} is a {existing[name]} in Loops, but a sample event sets a value of another "
            "type.",
            "Map a value of that type, or another property.",
        )
    if not wrong:
        yield ok("The values of sample events have the types of the team's contact properties.")


def _reserved_names(usage: Usage) -> Iterator[CheckResult]:
    reserved = sorted(RESERVED.intersection(usage.properties))
    for name in reserved:
        yield problem(
            f"The mappings set {name}, a name that Loops reserves.", "Map its value to a property of another name."
        )
    if not reserved:
        yield ok("No contact property has a reserved name.")


def _long_values(usage: Usage) -> Iterator[CheckResult]:
    for path in sorted(usage.too_long):
        yield problem(
            f"A sample event sets {path} to a string of more than {LONGEST_TEXT} characters; Loops refuses the request.",
            "Shorten it in the mapping, for example with the filter truncate, or leave it out.",
        )
    if not usage.too_long:
        yield ok(f"No string in the sample events has more than {LONGEST_TEXT} characters.")


def _mailing_lists(usage: Usage, team: LoopsTeam) -> Iterator[CheckResult]:
    if not usage.mailing_lists:
        yield ok("The mappings use no mailing lists.")
        return
    existing = team.mailing_lists()
    unknown = sorted(usage.mailing_lists - existing.keys())
    for list_id in unknown:
        known = ", ".join(f"{key} ({name})" for key, name in existing.items()) or "none"
        yield problem(f"The team has no mailing list with the id {list_id}.", f"Its mailing lists: {known}.")
    if not unknown:
        yield ok("The team has every mailing list that the mappings use.")


def _event_names(usage: Usage, team: LoopsTeam) -> Iterator[CheckResult]:
    for name in sorted(usage.event_names):
        if team.listens_for(name):
            yield ok(f"A workflow listens for the event {name}.")
        else:
            yield warning(
                f"No workflow listens for the event {name}: it sends no email.",
                "Check the name in the workflow's trigger; upper and lower case differ.",
            )
