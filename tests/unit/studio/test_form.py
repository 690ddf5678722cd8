"""The mapping form: exact in both directions, and an edit of one row changes nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loops_destination.actions import ACTIONS
from loops_destination.mapping.directives import DIRECTIVES
from segment_loops.studio.form import Form, InvalidRows, form_of, mapping_of
from segment_loops.studio.form.rows import TYPES, Members, NamedRow, Row
from segment_loops.studio.form.sources import (
    CaseSource,
    ConstantSource,
    IfExistsSource,
    JsonSource,
    NoSource,
    PathSource,
    Source,
    TemplateSource,
)

CONFORMANCE = Path(__file__).parents[2] / "conformance"
SEGMENTS = [
    json.loads(line)["mapping"]
    for name in ("mapping.jsonl", "actions.jsonl")
    for line in (CONFORMANCE / name).read_text("utf-8").splitlines()
    if "mapping" in json.loads(line)
]
CONTACT = ACTIONS["createOrUpdateContact"]
NAMES = [field.name for action in ACTIONS.values() for field in action.fields]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
surrogates = st.sampled_from(["\ud800", "a\udc00", "\ud83d\ude00"])
keys = st.text(max_size=5) | st.sampled_from([*NAMES, *DIRECTIVES, "_metadata", "exists", "then", "else", "", "a/b"])


def _directives(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Definitions as Segment's app writes them, with `_metadata` before or after, and some that miss a part."""
    options = st.permutations(["exists", "then", "else", "blank"]).flatmap(
        lambda order: st.lists(inside, max_size=4).map(lambda values: dict(zip(order, values, strict=False)))
    )
    case = st.fixed_dictionaries(
        {"operator": st.sampled_from(["lower", "upper", "title"])}, optional={"value": inside, "more": inside}
    )
    contents = st.one_of(
        st.tuples(st.sampled_from(["@path", "@template", "@literal"]), inside),
        st.tuples(st.just("@if"), options),
        st.tuples(st.just("@case"), case),
        st.tuples(st.sampled_from([*DIRECTIVES]), inside),
    )
    plain = contents.map(lambda pair: {pair[0]: pair[1]})
    return st.one_of(
        plain,
        st.tuples(plain, inside).map(lambda pair: {**pair[0], "_metadata": pair[1]}),
        st.tuples(plain, inside).map(lambda pair: {"_metadata": pair[1], **pair[0]}),
    )


definitions = st.recursive(
    scalars | surrogates,
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(keys, inside, max_size=4)
        | _directives(inside)
        | _directives(st.text(max_size=6).map(lambda path: {"@path": f"$.{path}"}))
    ),
    max_leaves=12,
)
mappings = st.dictionaries(keys | surrogates, definitions, max_size=6) | definitions


def through_the_page(form: Form) -> Form:
    """Return the form as the page sends it back: as JSON."""
    return Form.model_validate_json(json.dumps(form.model_dump()))


def exactly(value: Any) -> str:
    """Return a text that is equal only for equal values, with the order of keys; 1, 1.0 and true differ."""
    return json.dumps(value)


@pytest.mark.parametrize("slug", ACTIONS)
def test_every_mapping_of_the_conformance_suite_survives_the_form(slug: str) -> None:
    """Each of Segment's own mappings is the same, in every key and its order, after the form of any action."""
    for mapping in SEGMENTS:
        form = form_of(mapping, ACTIONS[slug])
        assert exactly(mapping_of(through_the_page(form))) == exactly(mapping)


@given(mapping=mappings, slug=st.sampled_from([*ACTIONS]))
def test_any_mapping_survives_the_form(mapping: Any, slug: str) -> None:
    """Any JSON is the same after the form, with unknown keys, `_metadata`, order, and halves of a character."""
    form = form_of(mapping, ACTIONS[slug])
    assert exactly(mapping_of(through_the_page(form))) == exactly(mapping)


EDITS: list[Source] = [
    NoSource(),
    ConstantSource(type="text", text="edited"),
    PathSource(path="$.edited"),
    TemplateSource(template="{{edited}}"),
    IfExistsSource(
        exists=PathSource(path="$.a"), then=NoSource(), otherwise=ConstantSource(type="boolean", text="true")
    ),
    CaseSource(operator="upper", value=PathSource(path="$.edited")),
    JsonSource(text='{"@replace": {"pattern": "a", "value": {"@path": "$.b"}}}'),
]


@given(mapping=st.dictionaries(keys, definitions, max_size=6), edit=st.sampled_from(EDITS), data=st.data())
def test_an_edit_of_one_row_changes_nothing_else(mapping: dict[str, Any], edit: Source, data: st.DataObject) -> None:
    """After an edit of one row all other keys have the same definitions in the same order."""
    form = form_of(mapping, CONTACT)
    if form.whole is not None:
        return
    index = data.draw(st.integers(0, len(form.rows) - 1))
    name = form.rows[index].name
    rows = [*form.rows]
    rows[index] = rows[index].model_copy(update={"source": edit})
    edited = mapping_of(through_the_page(Form(rows=tuple(rows))))
    assert exactly({**edited, name: 0}.get(name)) == "0"
    assert exactly({k: v for k, v in edited.items() if k != name}) == exactly(
        {k: v for k, v in mapping.items() if k != name}
    )
    assert (name in edited) is not isinstance(edit, NoSource)


def row(mapping: dict[str, Any], name: str) -> Row:
    return next(each for each in form_of(mapping, CONTACT).rows if each.name == name)


def after(mapping: dict[str, Any], name: str, source: Source | Members) -> Any:
    rows = [
        each.model_copy(update={"source": source}) if each.name == name else each
        for each in form_of(mapping, CONTACT).rows
    ]
    return mapping_of(Form(rows=tuple(rows)))


@pytest.mark.parametrize(
    ("definition", "source"),
    [
        ("Segment", ConstantSource(type="text", text="Segment")),
        ({"@literal": "Segment"}, ConstantSource(type="text", text="Segment")),
        (True, ConstantSource(type="boolean", text="true")),
        (1.0, ConstantSource(type="number", text="1.0")),
        (None, ConstantSource(type="null", text="")),
        ({"@path": "$.a"}, PathSource(path="$.a")),
        ({"@template": "{{a}}", "_metadata": {}}, TemplateSource(template="{{a}}")),
        (
            {"@if": {"exists": {"@path": "$.a"}, "then": {"@path": "$.a"}, "else": "b"}},
            IfExistsSource(
                exists=PathSource(path="$.a"),
                then=PathSource(path="$.a"),
                otherwise=ConstantSource(type="text", text="b"),
            ),
        ),
        ({"@case": {"operator": "lower", "value": {"@path": "$.a"}}}, CaseSource(operator="lower", value=PathSource(path="$.a"))),
        ({"@if": {"blank": {"@path": "$.a"}}}, JsonSource(text='{\n  "@if": {\n    "blank": { "@path": "$.a" }\n  }\n}')),
        ({"@path": {"@path": "$.a"}}, JsonSource(text='{\n  "@path": { "@path": "$.a" }\n}')),
        (["a"], JsonSource(text='["a"]')),
    ],
)  # fmt: skip
def test_each_kind_of_source_shows_its_parts(definition: Any, source: Source) -> None:
    """A definition is shown by its parts, or as JSON if no other kind shows all of it."""
    assert row({"email": definition}, "email").source == source


def test_a_field_that_the_mapping_leaves_out_has_a_row() -> None:
    """Each field of the action has a row, the required ones first and the objects last, before the mapping's other keys."""
    form = form_of({"plan": 1}, CONTACT)
    assert [each.name for each in form.rows] == [
        "userId", "createdAt", "email", "firstName", "lastName", "source", "subscribed", "userGroup",
        "customAttributes", "mailingLists", "plan",
    ]  # fmt: skip
    assert form.rows[0].source == NoSource()


def test_every_type_of_a_field_has_a_name() -> None:
    """Each field of each action has a type that the form can name."""
    assert {field.coerce for action in ACTIONS.values() for field in action.fields} <= TYPES.keys()


def test_an_edit_keeps_the_metadata_and_the_order_of_its_directive() -> None:
    """A new path stays in the directive that held the old one, with its `_metadata`."""
    before = {"_metadata": {"label": "Email"}, "@path": "$.a"}
    assert exactly(after({"email": before}, "email", PathSource(path="$.b"))["email"]) == exactly(
        {"_metadata": {"label": "Email"}, "@path": "$.b"}
    )


def test_an_edit_of_one_operand_keeps_the_others() -> None:
    """A new `else` changes neither the other parts of an `@if` nor their order."""
    before = {"@if": {"else": "a", "exists": {"@path": "$.a", "_metadata": 1}}}
    source = row({"email": before}, "email").source
    assert isinstance(source, IfExistsSource)
    edited = source.model_copy(update={"otherwise": ConstantSource(type="text", text="b")})
    assert exactly(after({"email": before}, "email", edited)["email"]) == exactly(
        {"@if": {"else": "b", "exists": {"@path": "$.a", "_metadata": 1}}}
    )


@pytest.mark.parametrize(
    ("text", "definition"),
    [("plain", "plain"), ("$.traits.plan", {"@literal": "$.traits.plan"}), ("{{a}}", {"@literal": "{{a}}"})],
)
def test_a_constant_that_looks_like_a_directive_is_written_as_a_literal(text: str, definition: Any) -> None:
    """A constant stays a constant, also to the checker that warns about texts that look like paths and templates."""
    assert after({}, "email", ConstantSource(type="text", text=text))["email"] == definition


def test_named_rows_are_the_members_of_an_object() -> None:
    """Custom attributes are a row each; one is renamed in place, and one is added at the end."""
    before = {"customAttributes": {"a": {"@path": "$.a"}, "b": 1}}
    source = row(before, "customAttributes").source
    assert isinstance(source, Members)
    first, second = source.rows
    rows = (
        first.model_copy(update={"name": "A"}),
        second,
        NamedRow(name="c", source=TemplateSource(template="{{c}}")),
    )
    assert exactly(after(before, "customAttributes", Members(rows=rows))["customAttributes"]) == exactly(
        {"A": {"@path": "$.a"}, "b": 1, "c": {"@template": "{{c}}"}}
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (ConstantSource(type="number", text="five"), "Enter a number, such as 5 or 0.5."),
        (ConstantSource(type="number", text="1e999"), "Enter a number, such as 5 or 0.5."),
        (ConstantSource(type="boolean", text=""), "Choose true or false."),
        (JsonSource(text='{"a": 1, "a": 2}'), 'an object has the key "a" more than once.'),
        (CaseSource(operator="lower", value=NoSource()), "Choose a value."),
        (IfExistsSource(exists=NoSource(), then=NoSource(), otherwise=NoSource()), "Choose a value."),
        (Members(rows=(NamedRow(name="", source=PathSource(path="$.a")),)), "Enter a name."),
        (Members(rows=(NamedRow(name="@a", source=PathSource(path="$.a")),)), "A name cannot start with @, which marks a directive."),
        (
            Members(rows=(NamedRow(name="a", source=PathSource(path="")), NamedRow(name="a", source=PathSource(path="")))),
            "a is there twice. Rename or remove one of the two.",
        ),
    ],
)  # fmt: skip
def test_a_row_without_a_definition_says_what_to_enter(source: Source | Members, message: str) -> None:
    """Rows that make no mapping are refused with what to enter, each at its row."""
    with pytest.raises(InvalidRows) as caught:
        after({}, "customAttributes", source)
    (problem,) = caught.value.problems
    assert problem.message == message
    assert problem.place[0] == 8
