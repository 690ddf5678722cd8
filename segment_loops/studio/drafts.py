"""The mappings file as the page edits it: read into drafts, checked on every change, saved when it is valid."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from loops_destination.actions import ACTIONS
from loops_destination.errors import InvalidJson, Problem, SubscriptionsError
from loops_destination.subscriptions import Entry, Subscription, load_entries, read_json
from loops_destination.subscriptions.definition import SYNONYMS, identity, well_typed
from segment_loops.mapping_warnings import find_warnings
from segment_loops.mappings_file import mapping_definition, name_of, new_id, trigger_text
from segment_loops.studio import json_layout


class Draft(BaseModel):
    """A subscription as it is on the page.

    `origin` is its index in the file and `id` the subscription's id; both are None for a new one. The page shows the id
    and cannot change it; `imported_id` is the one that an imported subscription brings. `mapping` is JSON text, valid or
    not.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    origin: int | None = None
    id: str | None = None
    imported_id: str | None = None
    name: str
    action: str
    enabled: bool
    trigger: str
    mapping: str


@dataclass(frozen=True, slots=True)
class DraftProblem:
    """A problem of a draft, or of all drafts together.

    `draft` is the draft's index, None for all. `part` is the field, and `line` the line in it if the problem has one.
    `in_mapping` is the problem with its place in the draft's mapping, None for a problem of another part.
    """

    message: str
    draft: int | None = None
    part: str = ""
    line: int | None = None
    in_mapping: Problem | None = None

    def as_json(self) -> dict[str, Any]:
        return {"message": self.message, "draft": self.draft, "part": self.part, "line": self.line}


@dataclass(slots=True)
class Checked:
    """Checked drafts: the definitions and entries of the valid ones, by index, and the problems of all."""

    definitions: dict[int, dict[str, Any]] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    problems: list[DraftProblem] = field(default_factory=list)

    def warnings(self, drafts: Sequence[Draft], events: Sequence[dict[str, Any]]) -> list[DraftProblem]:
        """Return the warnings about the valid drafts, whose paths are checked against the sample events."""
        found = []
        for warning in find_warnings(list(self.entries.values()), events):
            index, slash, inside = warning.path.removeprefix("/").partition("/")
            problem = Problem(slash + inside, warning.message)
            found.append(_problem(int(index), drafts[int(index)], problem))
        return found


class ChangedMeanwhile(Exception):
    """Another program has written the file since the page read it."""


class MappingsFile:
    """The mappings file that the functions read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._read: tuple[bytes, list[Entry]] = (b"", [])

    @property
    def revision(self) -> str:
        """A hash of the file's content."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def entries(self) -> list[Entry]:
        """Return the file's subscriptions; raise `SubscriptionsError` if it has problems."""
        text = self.path.read_bytes()
        known, entries = self._read
        if text != known:
            entries = load_entries(text)
            self._read = (text, entries)
        return entries

    def drafts(self) -> list[Draft]:
        """Return every subscription as the page shows it at first."""
        return [
            Draft(
                origin=index,
                id=entry.subscription.id,
                name=str(entry.written.get("name") or ""),
                action=entry.subscription.action.slug,
                enabled=entry.subscription.enabled,
                trigger=trigger_text(entry),
                mapping=json_layout.laid_out(mapping_definition(entry)),
            )
            for index, entry in enumerate(self.entries())
        ]

    def names(self) -> dict[str | None, str]:
        """Return the name of each subscription by its id; none while the file cannot be read."""
        try:
            entries = self.entries()
        except (SubscriptionsError, OSError):
            return {}  # another program may be writing the file
        return {entry.subscription.id: name_of(entry) for entry in entries}

    def check(self, drafts: Sequence[Draft]) -> Checked:
        """Check each draft by itself and, if all are valid, the file that they would make."""
        checked = Checked()
        originals = self._definitions()
        taken = set(map(identity, originals))
        for index, draft in enumerate(drafts):
            checked.problems += _check_alone(index, draft, originals, taken, checked)
        if not checked.problems:
            checked.problems += _check_together(list(checked.definitions.values()))
        return checked

    def save(self, drafts: Sequence[Draft], revision: str) -> list[DraftProblem]:
        """Write the file if every draft is valid, else return the problems.

        Raises `ChangedMeanwhile` if `revision` is not that of the file.
        """
        with self._lock:
            if revision != self.revision:
                raise ChangedMeanwhile
            checked = self.check(drafts)
            if not checked.problems:
                _replace(self.path, self._saved_text(checked).encode())
            return checked.problems

    def difference(self, drafts: Sequence[Draft]) -> list[str]:
        """Return the lines of a unified diff from the file to what saving the valid drafts would write.

        Both sides have the studio's layout, so that a file that was laid out otherwise shows what changes and no more.
        """
        before = f"{json_layout.laid_out(json.loads(self._text()))}\n"
        after = self._saved_text(self.check(drafts))
        lines = unified_diff(before.splitlines(), after.splitlines(), "saved", "edited", lineterm="")
        return list(lines)

    def _saved_text(self, checked: Checked) -> str:
        document = _with_definitions(json.loads(self._text()), list(checked.definitions.values()))
        return f"{json_layout.laid_out(document)}\n"

    def _text(self) -> str:
        return self.path.read_bytes().decode("utf-8-sig")

    def _definitions(self) -> list[dict[str, Any]]:
        """Return each subscription's whole definition, with the keys that the page does not show."""
        entries = self.entries()  # raises for an invalid file
        document = json.loads(self._text())
        return [_at(document, entry.place) for entry in entries]


def _at(document: Any, path: str) -> Any:
    """Return the part of a document at this path."""
    for key in path.split("/")[1:]:
        document = document[int(key) if isinstance(document, list) else key]
    return document


def _check_alone(
    index: int, draft: Draft, originals: Sequence[dict[str, Any]], taken: set[str], checked: Checked
) -> Iterator[DraftProblem]:
    mapping, is_json = {}, True
    try:
        mapping = read_json(draft.mapping)
    except InvalidJson as error:
        is_json = False
        yield DraftProblem(error.message, index, "mapping", error.line)
    original = originals[draft.origin] if draft.origin is not None and draft.origin < len(originals) else {}
    definition = _with_id(_definition(draft, mapping, original), original, taken, draft.imported_id)
    try:
        subscription = Subscription.from_json(definition)
    except SubscriptionsError as error:
        for problem in error.problems:
            yield _problem(index, draft, problem)
        return
    if is_json:
        checked.definitions[index] = definition
        checked.entries[index] = Entry(f"/{index}", well_typed(definition), subscription)


def _definition(draft: Draft, mapping: Any, original: dict[str, Any]) -> dict[str, Any]:
    """Return the draft's definition under the keys of its original.

    What the original left to the action's defaults stays unwritten while it equals them.
    """
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
            (theirs for theirs, ours in SYNONYMS.items() if ours == word and original.get(theirs) is not None), word
        )
        left_out = original and original.get(key) is None and value == defaults.get(word)
        if value is not None and not left_out:
            definition[key] = value
        elif value is None:
            definition.pop(key, None)
    return definition


def _with_id(
    definition: dict[str, Any], original: dict[str, Any], taken: set[str], imported: str | None
) -> dict[str, Any]:
    """Return the definition with an id that a new name does not change.

    A subscription that has no id in the file gets what has identified it so far: its name or its action. One that is
    imported keeps the id that the export gives it. A new one gets an id that is not in `taken`. The id is added to
    `taken`.
    """
    if original.get("id"):
        return definition
    made = identity(original) if original else imported or new_id(definition, taken)
    taken.add(made)
    return {**definition, "id": made} if "id" in definition else {"id": made, **definition}


def _problem(index: int, draft: Draft, problem: Problem) -> DraftProblem:
    _, _, rest = problem.path.partition("/")
    key, slash, inside = rest.partition("/")
    part = SYNONYMS.get(key, key)
    if part != "mapping":
        return DraftProblem(problem.message, index, part)
    place = f"{inside}: " if inside else ""
    line = json_layout.line_of(draft.mapping, slash + inside)
    return DraftProblem(f"{place}{problem.message}", index, part, line, Problem(slash + inside, problem.message))


def _check_together(definitions: list[dict[str, Any]]) -> Iterator[DraftProblem]:
    try:
        load_entries(json.dumps(definitions).encode())
    except SubscriptionsError as error:
        for problem in error.problems:
            index = problem.path.removeprefix("/")
            yield DraftProblem(problem.message, int(index) if index.isdigit() else None, "name")


def _with_definitions(document: Any, definitions: list[dict[str, Any]]) -> Any:
    """Return the document with its list of definitions replaced."""
    for key in ("data", "subscriptions"):
        if isinstance(document, dict) and key in document:
            return document | {key: _with_definitions(document[key], definitions)}
    return definitions


def _replace(path: Path, text: bytes) -> None:
    """Replace the file in one step: a function that starts meanwhile reads the old or the new content."""
    target = path.resolve()
    beside = target.with_name(f".{target.name}.new")
    beside.write_bytes(text)
    beside.chmod(target.stat().st_mode)
    beside.replace(target)
