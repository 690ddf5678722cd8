"""Warnings about a mappings file: each part of it that is valid, but probably not intended."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from enum import StrEnum
from itertools import chain, combinations, islice
from typing import Any

from loops_destination.actions import ACTIONS
from loops_destination.actions.create_or_update_contact import choices
from loops_destination.errors import MappingError, Problem
from loops_destination.javascript import UNDEFINED
from loops_destination.mapping import Mapping
from loops_destination.mapping.checker import ROOT_DIRECTIVE, Nullable, OneOf, Options, Text, is_directive
from loops_destination.mapping.directives import DIRECTIVES
from loops_destination.mapping.template import names_in
from loops_destination.paths import getter, keys_of, split
from loops_destination.subscriptions import Entry
from loops_destination.subscriptions.definition import quoted
from segment_loops.event_files import sample_events
from segment_loops.event_paths import Keys, values_in, written
from segment_loops.mappings_file import mapping_definition, mapping_place

Event = dict[str, Any]

SEND_EVENT = ACTIONS["sendEvent"]

_MAX_KNOWN_PATHS = 2_000
"""The number of paths of the events that are searched for a suggestion."""

_ALIKE = 0.75
"""The least similarity at which one key is suggested for another; `lastName` and `firstName` have 0.71."""

_BARE_PATH = re.compile(r"""\$(?:\.[A-Za-z_][\w-]*|\[\w+\]|\['[^']*'\]|\["[^"]*"\])+""")
_TAG = re.compile(r"\{\{[^{}]*[\w\]][^{}]*\}\}")
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_UNCLOSED = re.compile(r"\[[^\[\]]*(?:\[|\Z)")


class WarningKind(StrEnum):
    """The kinds of warnings; docs/mappings-file.md explains each."""

    MISSING_ID = "missing-id"
    UNKNOWN_FIELD = "unknown-field"
    EMPTY_REQUIRED_FIELD = "empty-required-field"
    UNKNOWN_KEY = "unknown-key"
    LITERAL_PATH = "literal-path"
    UNCLOSED_BRACKET = "unclosed-bracket"
    PATH_NOT_IN_SAMPLES = "path-not-in-samples"
    DROPPED_LIST_VALUE = "dropped-list-value"
    SENT_TWICE = "sent-twice"


@dataclass(frozen=True, slots=True)
class MappingWarning(Problem):
    """Something valid that is probably a mistake; the message says what happens and what to do."""

    kind: WarningKind


def find_warnings(entries: Sequence[Entry], events: Sequence[Event] | None = None) -> list[MappingWarning]:
    """Return the warnings about the subscriptions of a document, in its order.

    `events` are the sample events against which the paths are checked, by default those of `events/`.
    """
    if events is None:
        events = samples()
    found = chain.from_iterable(_in_entry(entry, events) for entry in entries)
    return [*found, *_sent_twice(entries, events)]


def samples() -> list[Event]:
    """Return the sample events of `events/`."""
    return [arrival.event for _, arrival in sample_events() if arrival.event is not None]


def _in_entry(entry: Entry, events: Sequence[Event]) -> Iterator[MappingWarning]:
    yield from _missing_id(entry)
    matching = [event for event in events if entry.subscription.trigger.matches(event)]
    definition, place = mapping_definition(entry), mapping_place(entry)
    if (
        not is_directive(definition) and ROOT_DIRECTIVE not in definition
    ):  # the fields that a directive makes are known only for an event
        yield from _fields(entry, definition, place)
    yield from _Walk(entry, matching or events).value(definition, place)
    yield from _dropped_list_values(entry, matching)


def _missing_id(entry: Entry) -> Iterator[MappingWarning]:
    """Yield a warning if a new name would turn the entry into another subscription."""
    if entry.written.get("id"):
        return
    identified_by, change = ("name", "rename") if entry.written.get("name") else ("action", "name")
    yield MappingWarning(
        entry.place,
        f"has no id, so its {identified_by} identifies it. If you {change} it, events that are still being retried are "
        f'sent twice. Add "id": {quoted(entry.subscription.id)}.',
        WarningKind.MISSING_ID,
    )


def _fields(entry: Entry, definition: dict[str, Any], place: str) -> Iterator[MappingWarning]:
    action = entry.subscription.action
    fields = {field.name: field for field in action.fields}
    for name in definition:
        if name not in fields:
            message = f"is ignored, because {action.slug} has no such field. {_advice(name, fields)}"
            yield MappingWarning(f"{place}/{name}", message, WarningKind.UNKNOWN_FIELD)
    for name, field in fields.items():
        if field.required and _is_always_empty(definition.get(name)):
            message = f"rejects every event, because {name} is required and has no value. Map {name}."
            yield MappingWarning(place, message, WarningKind.EMPTY_REQUIRED_FIELD)


def _is_always_empty(definition: Any) -> bool:
    """Return True for a definition that reads nothing of an event and results in no value."""
    if _reads_event(definition):
        return False
    try:
        return Mapping({"value": definition}).resolve({}).get("value") in (None, "")
    except MappingError:
        return False


def _reads_event(definition: Any) -> bool:
    if isinstance(definition, list):
        return any(map(_reads_event, definition))
    if not isinstance(definition, dict):
        return False
    template = definition.get("@template", "")
    has_tags = not isinstance(template, str) or bool(names_in(template))
    return (
        has_tags
        or not {"@path", "@arrayPath", "@liquid"}.isdisjoint(definition)
        or _reads_event([*definition.values()])
    )


_Reader = Callable[..., Iterator[MappingWarning]]


class _Walk:
    """Finds the warnings inside the mapping of one subscription; its paths are checked against the events."""

    def __init__(self, entry: Entry, events: Sequence[Event]) -> None:
        self._events = events
        self._in_default_mapping = set(_default_paths(entry.subscription.action.mapping))
        self._readers: dict[str, _Reader] = {  # the directives that are more than a definition or an object of options
            "@path": self._path,
            "@template": self._template,
            "@literal": self._literal,
            "@arrayPath": self._array_path,
            "@liquid": lambda *_, **_options: iter(()),  # its tags follow other rules
        }

    def value(self, definition: Any, place: str, *, reads_event: bool = True) -> Iterator[MappingWarning]:
        """Yield the warnings in any definition; `reads_event`: its paths start at the event, not at a part of it."""
        if isinstance(definition, str):
            yield from _literal_path(definition, place)
        elif isinstance(definition, list):
            for index, item in enumerate(definition):
                yield from self.value(item, f"{place}/{index}", reads_event=reads_event)
        elif is_directive(definition):
            (name,) = (key for key in definition if key != "_metadata")
            find: _Reader = self._readers.get(name, self._options)
            yield from find(name, definition[name], f"{place}/{name}", reads_event=reads_event)
        elif isinstance(definition, dict):
            for key, item in definition.items():
                yield from self.value(item, f"{place}/{key}", reads_event=reads_event)

    def _path(self, _name: str, path: Any, place: str, *, reads_event: bool) -> Iterator[MappingWarning]:
        if isinstance(path, str):
            yield from self._reading(path, keys_of(path), place, reads_event=reads_event)
        else:
            yield from self.value(path, place, reads_event=reads_event)

    def _template(self, _name: str, template: Any, place: str, *, reads_event: bool) -> Iterator[MappingWarning]:
        if not isinstance(template, str):
            yield from self.value(template, place, reads_event=reads_event)
            return
        if _BARE_PATH.fullmatch(template):
            yield from _literal_path(template, place)
        for name in names_in(template):
            yield from self._reading(name, split(name), place, reads_event=reads_event)

    def _literal(self, _name: str, content: Any, place: str, *, reads_event: bool) -> Iterator[MappingWarning]:
        if not isinstance(content, str):  # a literal text is sent as it is on purpose
            yield from self.value(content, place, reads_event=reads_event)

    def _array_path(self, name: str, choice: Any, place: str, *, reads_event: bool) -> Iterator[MappingWarning]:
        yield from self._path(name, choice[0], f"{place}/0", reads_event=reads_event)
        for index, shape in enumerate(choice[1:], start=1):
            yield from self.value(shape, f"{place}/{index}", reads_event=False)

    def _options(self, name: str, choice: Any, place: str, *, reads_event: bool) -> Iterator[MappingWarning]:
        check = DIRECTIVES[name].check
        if not isinstance(check, Options):
            yield from self.value(choice, place, reads_event=reads_event)
            return
        for key, item in choice.items():
            if key not in check.fields:
                message = f"is ignored, because {name} has no such key. {_advice(key, check.fields)}"
                yield MappingWarning(f"{place}/{key}", message, WarningKind.UNKNOWN_KEY)
            elif not isinstance(check.fields[key], OneOf | Text | Nullable):  # those take plain words
                starts_at_event = reads_event and (name, key) != ("@transform", "mapping")
                yield from self.value(item, f"{place}/{key}", reads_event=starts_at_event)

    def _reading(self, path: str, keys: Keys, place: str, *, reads_event: bool) -> Iterator[MappingWarning]:
        """Yield a warning if a path is malformed or none of the events has it."""
        if _UNCLOSED.search(_QUOTED.sub("", path)):
            message = (
                f"has a bracket that is not closed, in {path}. Close it, as in $.products[0] or $.traits['zip code']."
            )
            yield MappingWarning(place, message, WarningKind.UNCLOSED_BRACKET)
            return
        if not reads_event or not self._events or keys in self._in_default_mapping or self._is_in_events(keys):
            return
        nearest = _nearest(keys, list(islice(_paths_in(self._events), _MAX_KNOWN_PATHS)))
        advice = (
            f"Did you mean {written(nearest, is_in_template=place.endswith('@template'))}?"
            if nearest
            else "Correct it, or add an event that has it to events/."
        )
        yield MappingWarning(
            place, f"reads {path}, which none of the sample events has. {advice}", WarningKind.PATH_NOT_IN_SAMPLES
        )

    def _is_in_events(self, keys: Keys) -> bool:
        get = getter(keys)
        return any(get(event) is not UNDEFINED for event in self._events)


def _default_paths(definition: Any) -> Iterator[Keys]:
    """Yield the paths that a default mapping reads: Segment's own choice, which an event need not have."""
    if isinstance(definition, dict):
        if isinstance(path := definition.get("@path"), str):
            yield keys_of(path)
        for item in definition.values():
            yield from _default_paths(item)


def looks_like_directive(text: str) -> str | None:
    """Return the directive that a constant text was probably meant for, None for plain text."""
    if _BARE_PATH.fullmatch(text):
        return "@path"
    return "@template" if _TAG.search(text) else None


def _literal_path(text: str, place: str) -> Iterator[MappingWarning]:
    """Yield a warning if a constant text looks like a path or a template."""
    directive = looks_like_directive(text)
    if directive is None:
        return
    message = (
        f"is sent as the text {quoted(text)}. To send what the event has there, write "
        f'{{"{directive}": {quoted(text)}}}; to send this text, write {{"@literal": {quoted(text)}}}.'
    )
    yield MappingWarning(place, message, WarningKind.LITERAL_PATH)


def _paths_in(events: Sequence[Event]) -> Iterator[Keys]:
    return (keys for event in events for keys, _ in values_in(event))


def _nearest(keys: Keys, known: Sequence[Keys]) -> Keys | None:
    """Return the known path that was probably meant: one with similar keys, else one with the same last key."""
    similar = [each for each in known if len(each) == len(keys) and all(map(_are_alike, keys, each))]
    candidates = similar or [each for each in known if _normal(each[-1]) == _normal(keys[-1])]
    path = ".".join(keys)
    return max(candidates, key=lambda each: SequenceMatcher(None, ".".join(each), path).ratio(), default=None)


def _are_alike(key: str, other: str) -> bool:
    if _normal(key) == _normal(other):
        return True
    return not key.isdigit() and SequenceMatcher(None, key, other).ratio() >= _ALIKE


def _normal(key: str) -> str:
    return re.sub(r"[\W_]", "", key).lower()


def _advice(word: str, known: Sequence[str] | dict[str, Any]) -> str:
    close = get_close_matches(word, known, n=1)
    return f'Did you mean "{close[0]}"?' if close else f"Use one of: {', '.join(known)}."


def _dropped_list_values(entry: Entry, matching: Sequence[Event]) -> Iterator[MappingWarning]:
    """Yield the mailing lists whose value is neither true nor false, for a matching event or without any."""
    if not any(field.name == "mailingLists" for field in entry.subscription.action.fields):
        return
    dropped: dict[str, None] = {}
    for event in [{}, *matching]:
        lists = _mapped(entry, event).get("mailingLists")
        if isinstance(lists, dict):
            given = {key: value for key, value in lists.items() if value not in (None, "")}
            dropped |= dict.fromkeys(key for key in given if key not in choices(given))
    for key in dropped:
        yield MappingWarning(
            f"{mapping_place(entry)}/mailingLists/{key}",
            "is not sent, because a mailing list takes only true or false. Map it to one of them.",
            WarningKind.DROPPED_LIST_VALUE,
        )


def _mapped(entry: Entry, event: Event) -> dict[str, Any]:
    """Return the mapped fields, none if the event cannot be mapped."""
    try:
        mapped = entry.subscription.mapping.resolve(event)
    except MappingError:
        return {}
    return mapped if isinstance(mapped, dict) else {}


def _sent_twice(entries: Sequence[Entry], events: Sequence[Event]) -> Iterator[MappingWarning]:
    """Yield the later of two enabled subscriptions that send one event under the same name."""
    sending = [each for each in entries if each.subscription.enabled and each.subscription.action is SEND_EVENT]
    sent = {each: _sent(each, events) for each in sending}
    for first, second in combinations(sending, 2):
        if sent[first] & sent[second] or _are_defined_alike(first, second):
            message = (
                f"sends the same event as {quoted(first.subscription.id)}, so a contact may get the same email twice. "
                "Disable one of the two, or change a trigger so that only one matches."
            )
            yield MappingWarning(second.place, message, WarningKind.SENT_TWICE)


def _sent(entry: Entry, events: Sequence[Event]) -> set[tuple[int, str]]:
    """Return the event names that the subscription sends, each with the index of the sample event."""
    matching = [(index, event) for index, event in enumerate(events) if entry.subscription.matches(event)]
    names = ((index, _mapped(entry, event).get("eventName")) for index, event in matching)
    return {(index, name) for index, name in names if isinstance(name, str) and name}


def _are_defined_alike(entry: Entry, other: Entry) -> bool:
    """Return True if both have the same trigger and event name, whatever the sample events are."""
    if str(entry.subscription.trigger) != str(other.subscription.trigger):
        return False
    ours, theirs = mapping_definition(entry), mapping_definition(other)
    if is_directive(ours) or is_directive(theirs):
        return bool(ours == theirs)
    return bool(ours.get("eventName") == theirs.get("eventName"))
