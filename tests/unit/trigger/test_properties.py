"""Properties that hold for every trigger, every text and every JSON value."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loops_destination.errors import TriggerError
from loops_destination.trigger import Trigger
from loops_destination.trigger.conditions import (
    COMPARISONS,
    Clause,
    Compared,
    Condition,
    Containing,
    Equal,
    EventField,
    Group,
    Matching,
)
from loops_destination.trigger.parser import OBJECT_FIELDS, PLAIN_FIELDS, Parser, parse
from loops_destination.trigger.tokenizer import Token, tokenize

# Lone surrogates too: JSON can hold them.
characters = st.characters(codec=None)
names = st.one_of(
    st.sampled_from(["a", "b", "0", "length", "and", "-1", "a.b", "[0]"]), st.text(characters, min_size=1)
)
plain_fields = st.sampled_from(PLAIN_FIELDS).map(lambda root: EventField((root,)))
object_fields = st.tuples(st.sampled_from(OBJECT_FIELDS), st.lists(names, min_size=1, max_size=3)).map(
    lambda parts: EventField((parts[0], *parts[1]))
)
fields = st.one_of(plain_fields, object_fields)
texts = st.text(characters).filter(lambda text: not ('"' in text and "'" in text))
patterns = st.builds(str.format, st.sampled_from(["*{}", "{}*"]), texts.filter(lambda text: "*" not in text))
numbers = st.one_of(
    st.integers(-(10**300), 10**300),
    st.floats(-(2**53), 2**53).filter(lambda number: not number.is_integer()),
)
conditions: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Equal, plain_fields, st.one_of(texts, st.none()), st.booleans()),
    st.builds(Equal, object_fields, st.one_of(texts, numbers, st.booleans(), st.none()), st.booleans()),
    st.builds(Compared, fields, st.sampled_from(list(COMPARISONS)), numbers),
    st.builds(Containing, fields, texts, st.booleans()),
    st.builds(Matching, fields, patterns, st.booleans()),
)


def groups(clauses: st.SearchStrategy[Clause]) -> st.SearchStrategy[Clause]:
    return st.builds(Group, st.sampled_from(["and", "or"]), st.lists(clauses, min_size=2, max_size=4).map(tuple))


triggers: st.SearchStrategy[Clause] = st.recursive(conditions, groups, max_leaves=6)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(characters),
    st.integers(4000, 5000).map(lambda power: 10**power),
    st.just("a"),
)
keys = st.one_of(st.sampled_from(["a", "b", "0", "length"]), st.text(characters))
values = st.recursive(scalars, lambda inner: st.one_of(st.lists(inner), st.dictionaries(keys, inner)), max_leaves=6)
events = st.one_of(
    values,
    st.fixed_dictionaries({}, optional=dict.fromkeys(PLAIN_FIELDS + OBJECT_FIELDS, values)),
)

WORDS = [
    *(
        "type",
        "event",
        "userId",
        "properties.a",
        r"traits.\é",
        "context.a[0]",
        "and",
        "or",
        "AND",
        "not",
        "null",
        "true",
    ),
    *(
        "contains(",
        "match(",
        "!",
        "(",
        ")",
        ",",
        "=",
        "!=",
        "<",
        ">=",
        "==",
        '"a"',
        "'a*'",
        '"',
        "5",
        "-0.5",
        "1e5",
        " ",
    ),
]
soups = st.one_of(
    st.text(characters), st.lists(st.sampled_from(WORDS)).map(" ".join), st.lists(st.sampled_from(WORDS)).map("".join)
)


@given(triggers)
def test_printed_and_parsed(clause: Clause) -> None:
    """A printed trigger is parsed into an equal trigger."""
    assert parse(str(clause)) == clause


def parsed(text: str) -> Clause | TriggerError:
    try:
        return parse(text)
    except TriggerError as error:
        return error


@given(soups)
def test_any_text(text: str) -> None:
    """Any text is refused with a position inside it, or is a trigger whose printed form is an equal trigger."""
    clause = parsed(text)
    if isinstance(clause, TriggerError):
        assert 0 <= clause.position <= len(text)
        assert str(clause).endswith("^")
    else:
        assert parse(str(clause)) == clause


@given(triggers, events)
def test_any_event(clause: Clause, event: Any) -> None:
    """A trigger returns a boolean for every JSON value, and the conditions that decided it have the same result."""
    trigger = Trigger(str(clause))
    matches = trigger.matches(event)
    assert type(matches) is bool
    deciding = [finding.held for finding in trigger.explain(event) if finding.decided]
    assert matches in deciding
    assert not matches not in deciding


class CountedTokens(list[Token]):
    """A list of tokens that counts how often one of them is read."""

    looks = 0

    def __getitem__(self, index: Any) -> Any:
        self.looks += 1
        return super().__getitem__(index)


def looks(text: str) -> tuple[int, int]:
    """Return the number of tokens in the text, and how often the parser reads one."""
    try:
        tokens = CountedTokens(tokenize(text))
    except TriggerError:
        return 0, 0
    with suppress(TriggerError):
        Parser(text, tokens).trigger()
    return len(tokens), tokens.looks


@given(st.one_of(triggers.map(str), soups))
def test_steps(text: str) -> None:
    """The parser reads each token at most nine times and no token is empty, so that its time is linear in the length."""
    tokens, steps = looks(text)
    assert tokens <= len(text) + 1
    assert steps <= 9 * tokens


@pytest.mark.parametrize(
    "unit",
    [
        'type = "a" and ',
        "(",
        "!",
        "type ",
        "properties.a.",
        r"\\",
        " ",
        "5",
        '"" ',
        "'",
        "contains(",
        '(type = "a") or ',
    ],
)
def test_steps_of_repetition(unit: str) -> None:
    """A repeated text of twice the length takes at most twice the steps."""
    (_, once), (_, twice) = looks(unit * 500), looks(unit * 1000)
    assert twice <= 2 * once + 9


@given(triggers)
def test_repr(clause: Clause) -> None:
    """A trigger's repr is the expression that makes it."""
    trigger = Trigger(str(clause))
    assert repr(trigger) == f"Trigger({str(clause)!r})"
