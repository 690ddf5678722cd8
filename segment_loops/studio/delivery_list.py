"""The list of deliveries: searched, counted by outcome, and held still while new deliveries arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from segment_loops.studio.backend import DeliveryRecord


@dataclass(frozen=True, slots=True)
class DeliveryQuery:
    """The deliveries to list: those that contain the text, arrived at `since` or later, and have the outcome.

    `newest` is the id of the newest delivery on the page: those that arrived after it are counted, and not listed.
    """

    text: str = ""
    since: float = 0.0
    outcome: str = ""
    newest: int | None = None


@dataclass(frozen=True, slots=True)
class DeliveryList:
    """The result of a query: the deliveries, the number with each outcome, and the number of newer ones."""

    records: Sequence[DeliveryRecord]
    counts: Mapping[str, int]
    new: int


def find_deliveries(
    records: Iterable[DeliveryRecord], query: DeliveryQuery, names: Mapping[str | None, str]
) -> DeliveryList:
    """Return the deliveries of a query, in their order; `names` are those of the subscriptions, by id."""
    text = query.text.strip().lower()
    found = [
        each
        for each in records
        if each.time >= query.since and (not text or text in _searched_text(each, names.get(each.subscription, "")))
    ]
    wanted = [each for each in found if not query.outcome or each.outcome == query.outcome]
    newest = query.newest
    shown = [each for each in wanted if newest is None or each.id <= newest]
    counts = Counter(each.outcome for each in found if newest is None or each.id <= newest)
    return DeliveryList(shown, counts, len(wanted) - len(shown))


def _searched_text(record: DeliveryRecord, name: str) -> str:
    parts = (
        record.event_name,
        record.email,
        record.user_id,
        record.type,
        record.message_id,
        record.reason,
        record.subscription,
        name,
        record.action,
    )
    return "\n".join(part for part in parts if part).lower()
