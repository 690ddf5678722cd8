"""What changes nothing: `list`, `show` and `export`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from local.cli.dead_letters.chosen import CLOCK, Found, chosen
from local.cli.errors import CommandError
from local.cli.terminal import (
    Style,
    age,
    beside,
    indented,
    number,
    painted,
    pretty,
    print_json,
    printable,
    say,
    table,
    tell,
)
from local.dead_letters import Letter

NOTHING = "-"
LABEL = 14
"""Width of the column of labels."""

_SHOWN_BODY_CHARACTERS = 2000


def list_letters(options: argparse.Namespace) -> int:
    """Counts the chosen letters."""
    with chosen(options) as found:
        letters, duplicates = found.letters, len(found.letters) - len(found.deliveries)
    now = CLOCK.time()
    groups = _grouped(letters)
    if options.json:
        print_json(
            {
                "letters": len(letters),
                "duplicates": duplicates,
                "groups": [_group_as_json(group, now) for group in groups],
            }
        )
    elif not letters:
        say(_none(found), Style.GREEN)
    else:
        _show_groups(groups, now)
        print(f"\n{number(len(letters), 'letter')}{_duplicates(duplicates)}")
    return 0


def show(options: argparse.Namespace) -> int:
    """Shows the chosen letters in full."""
    with chosen(options) as found:
        letters = found.letters
    if options.json:
        print_json(list(_as_json(found)))
        return 0
    if not letters:
        say(_none(found), Style.GREEN)
    now = CLOCK.time()
    for delivery in found.deliveries:
        for index, letter in enumerate(delivery):
            print("\n".join(_lines(letter, now, "duplicate " if index else "")), end="\n\n")
    return 0


def export(options: argparse.Namespace) -> int:
    """Writes the chosen letters to a file."""
    with _opened(options.file, force=options.force) as file, chosen(options) as found:
        for letter in _as_json(found):
            file.write(f"{json.dumps(letter)}\n")
    count = len(found.letters)
    if options.json and str(options.file) != "-":
        print_json({"letters": count, "file": str(options.file)})
    else:
        tell(f"{number(count, 'letter')} exported, none deleted.")
    return 0


def _grouped(letters: Sequence[Letter]) -> list[list[Letter]]:
    """The letters by what `list` tells apart, the most first."""
    groups: dict[tuple[str, ...], list[Letter]] = defaultdict(list)
    for letter in letters:
        groups[letter.reason, letter.action or "", letter.subscription or ""].append(letter)
    return sorted(groups.values(), key=len, reverse=True)


def _show_groups(groups: Sequence[Sequence[Letter]], now: float) -> None:
    heading = ["letters", "oldest", "reason", "action", "subscription"]
    rows = [
        [
            str(len(group)),
            age(now - _oldest(group)),
            first.reason,
            first.action or NOTHING,
            first.subscription or NOTHING,
        ]
        for group in groups
        for first in group[:1]
    ]
    first_line, *lines = table([heading, *rows], right=(0, 1))
    say(first_line, Style.BOLD)
    for line in lines:
        print(line)


def _group_as_json(group: Sequence[Letter], now: float) -> dict[str, Any]:
    return {
        "letters": len(group),
        "reason": group[0].reason,
        "action": group[0].action,
        "subscription": group[0].subscription,
        "oldestReceivedAt": _timestamp(_oldest(group)),
        "oldestSeconds": round(now - _oldest(group)),
    }


def _oldest(group: Sequence[Letter]) -> float:
    return min(letter.received_at for letter in group)


def _none(found: Found) -> str:
    return f"None of {number(found.total, 'dead letter')} fits." if found.total else "There are no dead letters to see."


def _duplicates(count: int) -> str:
    return f", {number(count, 'duplicate')} among them" if count else ""


def _lines(letter: Letter, now: float, prefix: str) -> Iterator[str]:
    status = f" (Loops answered {letter.status})" if letter.status is not None else ""
    yield painted(f"{prefix}{printable(letter.reason)}{status}", Style.BOLD)
    told = {
        "detail": letter.detail,
        "action": letter.action,
        "subscription": letter.subscription,
        "key": letter.key,
        "attempts": letter.content.get("attempts"),
        "event came": f"{_timestamp(letter.received_at)} ({age(now - letter.received_at)} ago)",
        "letter since": f"{_timestamp(letter.buried_at)} ({age(now - letter.buried_at)})",
        "unreadable": letter.problem if letter.kept_body is None and letter.problem else None,
    }
    for label, value in told.items():
        if value is not None:
            yield f"  {label:<{LABEL}}{printable(str(value))}"
    content = "event" if letter.event is not None else "what came"
    yield indented(beside(content, _content(letter), LABEL), 2)


def _content(letter: Letter) -> str:
    if letter.event is not None:
        return pretty(letter.event)
    body = letter.kept_body
    text = letter.body if body is None else body.decode(errors="replace")
    more = f"\n… and {len(text) - _SHOWN_BODY_CHARACTERS:,} characters more: export it"
    return printable(text[:_SHOWN_BODY_CHARACTERS]) + (more if len(text) > _SHOWN_BODY_CHARACTERS else "")


def _as_json(found: Found) -> Iterator[dict[str, Any]]:
    for delivery in found.deliveries:
        for index, letter in enumerate(delivery):
            yield {
                "id": letter.id,
                "buriedAt": _timestamp(letter.buried_at),
                "reason": letter.reason,
                "status": letter.status,
                "duplicate": index > 0,
                "letter": letter.content or letter.body,
            }


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def _opened(path: Path, *, force: bool) -> Iterator[TextIO]:
    """The file to write to, for its owner's eyes only."""
    if str(path) == "-":
        yield sys.stdout
        return
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        file = os.fdopen(os.open(path, flags, 0o600), "w")
    except FileExistsError:
        raise CommandError(f"{path} is there already; --force overwrites it") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    with file:
        yield file
