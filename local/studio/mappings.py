"""The mappings file on the page: read into drafts, checked while they change, written when they are right."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from local.cli.mappings import Entry, load_entries, new_id
from local.studio import json_text
from loops_destination.actions import ACTIONS
from loops_destination.errors import Problem, SubscriptionsError
from loops_destination.subscriptions import Subscription
from loops_destination.subscriptions.definition import identity

_WORDS = {"actionSlug": "action", "settings": "mapping"}
"""Segment's words for what the page has one word for."""


class Draft(BaseModel):
    """A subscription as it stands on the page; `origin` is its place in the file, None for a new one.

    `id` is what deliveries call it, None for a new one; the page shows it and cannot change it. `mapping` is JSON text,
    and so may be faulty in any way.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    origin: int | None = None
    id: str | None = None
    name: str
    action: str
    enabled: bool
    trigger: str
    mapping: str


@dataclass(frozen=True, slots=True)
class DraftProblem:
    """What is wrong with a draft: the part of it, and the line of that where one is to blame.

    `draft` is its index; None with what is wrong with all of them.
    """

    message: str
    draft: int | None = None
    part: str = ""
    line: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Under the same names."""
        return {"message": self.message, "draft": self.draft, "part": self.part, "line": self.line}


@dataclass(slots=True)
class Checked:
    """What was found of drafts: the entries of those that are right, by index, and the problems of all."""

    definitions: dict[int, dict[str, Any]] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    problems: list[DraftProblem] = field(default_factory=list)


class Changed(Exception):
    """Another program has written the file since the page read it."""


class MappingsFile:
    """The file that the functions read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._read: tuple[bytes, list[Entry]] = (b"", [])

    @property
    def revision(self) -> str:
        """What tells one content of the file from another."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def entries(self) -> list[Entry]:
        """The subscriptions as the functions have them; SubscriptionsError when the file is faulty."""
        text = self.path.read_bytes()
        known, entries = self._read
        if text != known:
            entries = load_entries(text)
            self._read = (text, entries)
        return entries

    def drafts(self) -> list[Draft]:
        """Every subscription as the page shows it at first."""
        return [
            Draft(
                origin=index,
                id=entry.subscription.id,
                name=str(entry.given.get("name") or ""),
                action=entry.action.slug,
                enabled=entry.subscription.enabled,
                trigger=entry.trigger_text,
                mapping=json_text.laid_out(entry.definition),
            )
            for index, entry in enumerate(self.entries())
        ]

    def name_of(self, subscription: str | None) -> str | None:
        """Return the name of the subscription with this id; the id itself when the file has no such subscription."""
        try:
            entries = self.entries()
        except (SubscriptionsError, OSError):
            return subscription  # somebody is just writing it
        return next((entry.name for entry in entries if entry.subscription.id == subscription), subscription)

    def check(self, drafts: Sequence[Draft]) -> Checked:
        """Each draft by itself, and when all are right, the file that they would make."""
        checked = Checked()
        originals = self._definitions()
        taken = set(map(identity, originals))
        for index, draft in enumerate(drafts):
            checked.problems += _check_alone(index, draft, originals, taken, checked)
        if not checked.problems:
            checked.problems += _check_together(list(checked.definitions.values()))
        return checked

    def save(self, drafts: Sequence[Draft], revision: str) -> list[DraftProblem]:
        """Writes the file when all is right, and else tells the problems; Changed when `revision` is not the file's."""
        with self._lock:
            if revision != self.revision:
                raise Changed
            checked = self.check(drafts)
            if not checked.problems:
                document = _with_definitions(json.loads(self._text()), list(checked.definitions.values()))
                _replace(self.path, f"{json_text.laid_out(document)}\n".encode())
            return checked.problems

    def _text(self) -> str:
        return self.path.read_bytes().decode("utf-8-sig")

    def _definitions(self) -> list[dict[str, Any]]:
        """What the file has for each entry, keys included that the page does not show."""
        self.entries()  # which refuses what has another shape
        document = json.loads(self._text())
        for key in ("data", "subscriptions"):
            if isinstance(document, dict) and key in document:
                document = document[key]
        definitions: list[dict[str, Any]] = document
        return definitions


def _check_alone(
    index: int, draft: Draft, originals: Sequence[dict[str, Any]], taken: set[str], checked: Checked
) -> Iterator[DraftProblem]:
    mapping, is_json = {}, True
    try:
        mapping = json_text.read(draft.mapping)
    except json_text.FaultyText as error:
        is_json = False
        yield DraftProblem(error.message, index, "mapping", error.line)
    original = originals[draft.origin] if draft.origin is not None and draft.origin < len(originals) else {}
    definition = _with_id(_definition(draft, mapping, original), original, taken)
    try:
        Subscription.from_json(definition)
    except SubscriptionsError as error:
        for problem in error.problems:
            yield _problem(index, draft, problem)
        return
    if is_json:
        checked.definitions[index] = definition
        (checked.entries[index],) = load_entries(json.dumps([definition]).encode())


def _definition(draft: Draft, mapping: Any, original: dict[str, Any]) -> dict[str, Any]:
    """The draft in the words of its original; what that leaves to the action's defaults stays so while it equals them."""
    values = {
        "name": draft.name or None,
        "enabled": draft.enabled,
        "action": draft.action,
        "trigger": draft.trigger,
        "mapping": mapping,
    }
    action = ACTIONS.get(draft.action)
    defaults = {"enabled": True, "trigger": action and action.trigger, "mapping": action and action.mapping}
    definition = dict(original)
    for word, value in values.items():
        key = next(
            (theirs for theirs, ours in _WORDS.items() if ours == word and original.get(theirs) is not None), word
        )
        left_out = original and original.get(key) is None and value == defaults.get(word)
        if value is not None and not left_out:
            definition[key] = value
        elif value is None:
            definition.pop(key, None)
    return definition


def _with_id(definition: dict[str, Any], original: dict[str, Any], taken: set[str]) -> dict[str, Any]:
    """Return the definition with its id, which no renaming changes.

    One from the file without an id gets what identified it there. A new one gets an id that nobody else has, which
    is taken from then on.
    """
    if original.get("id"):
        return definition
    made = identity(original) if original else new_id(definition, taken)
    taken.add(made)
    return {**definition, "id": made} if "id" in definition else {"id": made, **definition}


def _problem(index: int, draft: Draft, problem: Problem) -> DraftProblem:
    _, _, rest = problem.path.partition("/")
    key, slash, inside = rest.partition("/")
    part = _WORDS.get(key, key)
    if part != "mapping":
        return DraftProblem(problem.message, index, part)
    place = f"{inside}: " if inside else ""
    return DraftProblem(f"{place}{problem.message}", index, part, json_text.line_of(draft.mapping, slash + inside))


def _check_together(definitions: list[dict[str, Any]]) -> Iterator[DraftProblem]:
    try:
        load_entries(json.dumps(definitions).encode())
    except SubscriptionsError as error:
        for problem in error.problems:
            index = problem.path.removeprefix("/")
            yield DraftProblem(problem.message, int(index) if index.isdigit() else None, "name")


def _with_definitions(document: Any, definitions: list[dict[str, Any]]) -> Any:
    """The document with these in the place of its own, whichever of the shapes it has."""
    for key in ("data", "subscriptions"):
        if isinstance(document, dict) and key in document:
            return document | {key: _with_definitions(document[key], definitions)}
    return definitions


def _replace(path: Path, text: bytes) -> None:
    """In one step, so that a function that starts just now reads the one or the other."""
    target = path.resolve()
    beside = target.with_name(f".{target.name}.new")
    beside.write_bytes(text)
    beside.chmod(target.stat().st_mode)
    beside.replace(target)
