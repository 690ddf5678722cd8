"""`list`, `show` and `export`: the commands that change nothing."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from rich.padding import Padding

from segment_loops.command_errors import CommandError
from segment_loops.commands.dead_letters.selection import CLOCK, Place, SelectedDeadLetters, opened
from segment_loops.console import (
    add_row,
    age,
    labelled,
    number,
    pretty,
    print_json,
    printable,
    progress,
    say,
    show,
    table,
    tell,
)
from segment_loops.dead_letter_queue import DeadLetter, Selection

NOTHING = "-"

_SHOWN_BODY_CHARACTERS = 2000


def list_dead_letters(place: Place, selection: Selection, *, as_json: bool) -> int:
    """Count the selected dead letters by reason, action and subscription."""
    with opened(place, selection) as selected:
        dead_letters, duplicates = selected.dead_letters, len(selected.dead_letters) - len(selected.deliveries)
    now = CLOCK.time()
    groups = _grouped(dead_letters)
    if as_json:
        print_json(
            {
                "deadLetters": len(dead_letters),
                "duplicates": duplicates,
                "groups": [_group_as_json(group, now) for group in groups],
            }
        )
    elif not dead_letters:
        say(_none(selected), "green")
    else:
        _show_groups(groups, now)
        among = f", {number(duplicates, 'duplicate')} among them" if duplicates else ""
        say(f"\n{number(len(dead_letters), 'dead letter')}{among}")
    return 0


def show_dead_letters(place: Place, selection: Selection, *, limit: int, as_json: bool) -> int:
    """Show the selected dead letters in full."""
    with opened(place, selection, limit=limit) as selected:
        pass
    if as_json:
        print_json(list(_as_json(selected)))
        return 0
    if not selected.deliveries:
        say(_none(selected), "green")
    now = CLOCK.time()
    for delivery in selected.deliveries:
        for index, dead_letter in enumerate(delivery):
            _show(dead_letter, now, "duplicate " if index else "")
    return 0


def export_dead_letters(place: Place, selection: Selection, file: Path, *, force: bool, as_json: bool) -> int:
    """Write the selected dead letters to a file, one JSON object a line."""
    with _writable(file, force=force) as lines, opened(place, selection) as selected:
        count = len(selected.dead_letters)
        with progress("Writing dead letters", count) as show_count:
            for written, dead_letter in enumerate(_as_json(selected), start=1):
                lines.write(f"{json.dumps(dead_letter)}\n")
                show_count(written)
    if as_json and str(file) != "-":
        print_json({"deadLetters": count, "file": str(file)})
    else:
        tell(f"{number(count, 'dead letter')} exported, none deleted.")
    return 0


def _grouped(dead_letters: Sequence[DeadLetter]) -> list[list[DeadLetter]]:
    """Return the dead letters by reason, action and subscription, the largest group first."""
    groups: dict[tuple[str, ...], list[DeadLetter]] = defaultdict(list)
    for each in dead_letters:
        groups[each.reason, each.action or "", each.subscription or ""].append(each)
    return sorted(groups.values(), key=len, reverse=True)


def _show_groups(groups: Sequence[Sequence[DeadLetter]], now: float) -> None:
    rows = table(
        ["Count", "Oldest", "Reason", "Action", "Subscription"],
        right=["Count", "Oldest"],
        whole=["Oldest", "Reason", "Action"],
    )
    for group in groups:
        first = group[0]
        cells = [f"{len(group):,}", age(now - _oldest(group)), first.reason]
        add_row(rows, [*cells, first.action or NOTHING, first.subscription or NOTHING])
    show(rows)


def _group_as_json(group: Sequence[DeadLetter], now: float) -> dict[str, Any]:
    return {
        "deadLetters": len(group),
        "reason": group[0].reason,
        "action": group[0].action,
        "subscription": group[0].subscription,
        "oldestReceivedAt": _timestamp(_oldest(group)),
        "oldestSeconds": round(now - _oldest(group)),
    }


def _oldest(group: Sequence[DeadLetter]) -> float:
    return min(each.received_at for each in group)


def _none(selected: SelectedDeadLetters) -> str:
    return (
        f"None of {number(selected.total, 'dead letter')} matches." if selected.total else "There are no dead letters."
    )


def _show(dead_letter: DeadLetter, now: float, prefix: str) -> None:
    status = f" (Loops answered {dead_letter.status})" if dead_letter.status is not None else ""
    say(f"{prefix}{printable(dead_letter.reason)}{status}", "bold")
    problem = dead_letter.problem if dead_letter.kept_body is None and dead_letter.problem else None
    values = {
        "Detail": dead_letter.detail,
        "Action": dead_letter.action,
        "Subscription": dead_letter.subscription,
        "Idempotency key": dead_letter.idempotency_key,
        "Attempts": dead_letter.content.get("attempts"),
        "Event arrived": f"{_timestamp(dead_letter.received_at)} ({age(now - dead_letter.received_at)} ago)",
        "Dead since": f"{_timestamp(dead_letter.buried_at)} ({age(now - dead_letter.buried_at)})",
        "Unreadable": problem,
    }
    rows = [(label, printable(str(value))) for label, value in values.items() if value is not None]
    rows.append(("Event" if dead_letter.event is not None else "Body", _content(dead_letter)))
    show(Padding(labelled(rows), (0, 0, 1, 2), expand=False))


def _content(dead_letter: DeadLetter) -> str:
    if dead_letter.event is not None:
        return pretty(dead_letter.event)
    body = dead_letter.kept_body
    text = dead_letter.body if body is None else body.decode(errors="replace")
    more = len(text) - _SHOWN_BODY_CHARACTERS
    return printable(text[:_SHOWN_BODY_CHARACTERS]) + (
        f"\n… {more:,} more characters: use `export`" if more > 0 else ""
    )


def _as_json(selected: SelectedDeadLetters) -> Iterator[dict[str, Any]]:
    for delivery in selected.deliveries:
        for index, dead_letter in enumerate(delivery):
            yield {
                "id": dead_letter.id,
                "buriedAt": _timestamp(dead_letter.buried_at),
                "reason": dead_letter.reason,
                "status": dead_letter.status,
                "duplicate": index > 0,
                "message": dead_letter.content or dead_letter.body,
            }


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def _writable(path: Path, *, force: bool) -> Iterator[TextIO]:
    """Yield the file, which only its owner may read; standard output for `-`."""
    if str(path) == "-":
        yield sys.stdout
        return
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        file = os.fdopen(os.open(path, flags, 0o600), "w")
    except FileExistsError:
        raise CommandError(f"{path} already exists. Pass --force to overwrite it.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
    with file:
        yield file
