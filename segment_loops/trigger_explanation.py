"""The reason why an event matched a subscription, or did not: the result of every condition of its trigger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from loops_destination.javascript import UNDEFINED
from loops_destination.subscriptions import Entry
from loops_destination.trigger import Finding
from segment_loops.mappings_file import name_of


@dataclass(frozen=True, slots=True)
class TriggerExplanation:
    """The result of one subscription's trigger for an event; `is_run` is false if the URL does not run its action."""

    subscription: str
    name: str
    action: str
    enabled: bool
    matches: bool
    findings: Sequence[Finding] = field(repr=False)
    is_run: bool = True

    def as_json(self) -> dict[str, Any]:
        return {
            "subscription": self.subscription,
            "name": self.name,
            "action": self.action,
            "enabled": self.enabled,
            "isRun": self.is_run,
            "matches": self.matches,
            "conditions": [finding_as_json(each) for each in self.findings],
        }


def explain_triggers(
    entries: Iterable[Entry], event: dict[str, Any], actions: Collection[str] | None = None
) -> list[TriggerExplanation]:
    """Explain the event's result under every subscription, in the order of the file.

    `actions` are those that the event's URL runs; None: all.
    """
    return [
        TriggerExplanation(
            each.id,
            name_of(entry),
            each.action.slug,
            each.enabled,
            each.matches(event),
            each.trigger.explain(event),
            actions is None or each.action.slug in actions,
        )
        for entry in entries
        for each in [entry.subscription]
    ]


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Return a condition's result; `value` is what the event has in the condition's field, absent if it has nothing."""
    shown: dict[str, Any] = {"condition": finding.condition, "held": finding.held, "decided": finding.decided}
    return shown if finding.value is UNDEFINED else shown | {"value": finding.value}
