"""The thirteen directives of Segment's mapping language; the engine of `@liquid` has a package of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

from loops_destination.errors import MappingError, Problem
from loops_destination.javascript import (
    UNDEFINED,
    in_order,
    is_falsy,
    join_surrogates,
    json_text,
    length,
    scalar_text,
    type_name,
)
from loops_destination.mapping.builder import Builder, Resolver
from loops_destination.mapping.checker import (
    Checker,
    ListOf,
    Nullable,
    OneOf,
    Options,
    Text,
    any_value,
    boolean,
    object_or_directive,
    text_or_directive,
    truthy,
)
from loops_destination.mapping.registry import Registry
from loops_destination.mapping.replacement import replacer
from loops_destination.mapping.template import compile_template
from loops_destination.mapping.work import Charge, charge_at, charge_whole, steps
from loops_destination.paths import compile_path

_LONGEST_PATTERN = 10
LONGEST_LIQUID = 1000
_LIQUID_TEXT = Text(0, LONGEST_LIQUID)
_PATH_CHARACTER = 3
"""Units per character of a path from the event: splitting it takes longer than copying it."""
_FLATTENED = 8
"""Units per flattened value, beside the characters of its prefix."""
_ENCODED = 4
"""Units per character of JSON that `@json` writes: what pydantic cannot write, Python writes more slowly."""
_DECODING = 30
"""Units of decoding a text, beside its characters: most of the time for a short one that is not JSON."""
_TAG = 200
"""Units per tag of a template from the event: it is compiled for this event alone, and may look up one character."""

DIRECTIVES = Registry()


@DIRECTIVES.directive("@path", text_or_directive)
def _path(path: Any, place: str, builder: Builder) -> Resolver:
    if isinstance(path, str):
        return compile_path(path)
    resolve_path = _text_of(path, place, builder)
    charge = charge_at(place)

    def resolve(event: Any) -> Any:
        path = resolve_path(event)
        charge(_PATH_CHARACTER * len(path))
        return compile_path(path)(event)

    return resolve


@DIRECTIVES.directive("@template", text_or_directive)
def _template(template: Any, place: str, builder: Builder) -> Resolver:
    charge = charge_at(place)
    if isinstance(template, str):
        return compile_template(template, charge)
    resolve_template = _text_of(template, place, builder)

    def resolve(event: Any) -> Any:
        template = resolve_template(event)
        charge(len(template) + _TAG * template.count("{{"))
        return compile_template(template, charge)(event)

    return resolve


@DIRECTIVES.directive("@literal", any_value)
def _literal(definition: Any, place: str, builder: Builder) -> Resolver:
    return builder.value(definition, place)


@DIRECTIVES.directive(
    "@if", Options(dict.fromkeys(("exists", "blank", "then", "else"), any_value), any_of=("exists", "blank"))
)
def _if(choice: dict[str, Any], place: str, builder: Builder) -> Resolver:
    test, holds = ("exists", _exists) if "exists" in choice else ("blank", _is_filled)
    subject = builder.value(choice[test], f"{place}/{test}")
    then = builder.value(choice["then"], f"{place}/then") if "then" in choice else _nothing
    otherwise = _nothing if is_falsy(choice.get("else")) else builder.value(choice["else"], f"{place}/else")
    if _is_plain_path(choice[test]) and choice.get("then") == choice[test]:  # as in most mappings; looked up once
        return lambda event: value if holds(value := subject(event)) else otherwise(event)
    return lambda event: then(event) if holds(subject(event)) else otherwise(event)


def _nothing(_event: Any) -> Any:
    return UNDEFINED


def _exists(value: Any) -> bool:
    return value is not UNDEFINED and value is not None


def _is_filled(value: Any) -> bool:
    """Return False for a falsy value and for an array that equals `""` in JavaScript, such as `[]` and `[null]`."""
    if not isinstance(value, list):
        return not is_falsy(value)
    return len(value) > 1 or any(_is_filled(item) if isinstance(item, (list, str)) else _exists(item) for item in value)


@DIRECTIVES.directive(
    "@case",
    Options({"operator": OneOf("lower", "upper"), "value": text_or_directive}, required=("operator", "value")),
)
def _case(choice: dict[str, Any], place: str, builder: Builder) -> Resolver:
    if choice["value"] == "":
        return _nothing
    change = str.lower if choice["operator"] == "lower" else str.upper
    charge = charge_at(place)

    def changed(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        charge(len(value))
        return change(value)

    return _pipe(builder.value(choice["value"], f"{place}/value"), changed)


@DIRECTIVES.directive(
    "@replace",
    Options(
        {
            "pattern": Text(1, _LONGEST_PATTERN),
            "replacement": Text(0, _LONGEST_PATTERN),
            "ignorecase": boolean,
            "global": boolean,
            "value": text_or_directive,
            "pattern2": Nullable(Text(0, _LONGEST_PATTERN)),
            "replacement2": Nullable(Text(0, _LONGEST_PATTERN)),
        },
        required=("pattern", "value"),
    ),
)
def _replace(choice: dict[str, Any], place: str, builder: Builder) -> Resolver:
    if choice["value"] == "":
        return _nothing
    ignores_case, limit = choice.get("ignorecase", False), -1 if choice.get("global", True) else 1
    charge = charge_at(place)
    replace = replacer(choice["pattern"], choice.get("replacement", ""), limit, charge, ignores_case=ignores_case)
    subject = builder.value(choice["value"], f"{place}/value")
    if not choice.get("pattern2"):
        return _pipe(subject, lambda value: replace(_replaceable_text(value)))
    replacement = choice.get("replacement2") or ""
    replace_again = replacer(choice["pattern2"], replacement, limit, charge, ignores_case=ignores_case)
    return _pipe(subject, lambda value: replace_again(replace(_replaceable_text(value))))


def _replaceable_text(value: Any) -> str:
    return scalar_text(value) if isinstance(value, (str, int, float)) else ""  # a boolean is an int in Python


def _check_array_path(checker: Checker, value: Any, place: str) -> None:
    if not isinstance(value, list) or not value:
        checker.problem(place, "must be an array: a path and, optionally, the shape of an element")
        return
    text_or_directive(checker, value[0], f"{place}/0")
    for index, item in enumerate(value[1:], start=1):
        checker.value(item, f"{place}/{index}")


@DIRECTIVES.directive("@arrayPath", _check_array_path)
def _array_path(choice: list[Any], place: str, builder: Builder) -> Resolver:
    path, shape = choice[0], choice[1] if len(choice) > 1 else None
    if isinstance(path, str):
        return _shaped(compile_path(path), shape, place, builder)
    inside = builder.keeping_undefined()
    return builder.cleaned(_shaped(inside.value(path, f"{place}/0"), shape, place, inside), charge_at(place))


def _shaped(root: Resolver, shape: Any, place: str, builder: Builder) -> Resolver:
    if not isinstance(shape, dict) or not shape:
        return root
    shaped = builder.for_each(shape, f"{place}/1")
    charge, steps_of_shape = charge_at(place), steps(shape)

    def resolve(event: Any) -> Any:
        value = root(event)
        if isinstance(value, list):
            charge(len(value) * steps_of_shape)
            return shaped(value)
        return shaped([value]) if isinstance(value, dict) else value

    return resolve


@DIRECTIVES.directive(
    "@merge",
    Options(
        {"objects": ListOf(object_or_directive), "direction": OneOf("right", "left")},
        required=("objects", "direction"),
    ),
)
def _merge(choice: dict[str, Any], place: str, builder: Builder) -> Resolver:
    inside = builder.keeping_undefined()
    parts = [inside.value(part, f"{place}/objects/{index}") for index, part in enumerate(choice["objects"])]
    step = -1 if choice["direction"] == "left" else 1
    charge = charge_at(place)

    def resolve(event: Any) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        objects = [value for part in parts if isinstance(value := part(event), dict)]
        charge(sum(map(len, objects)))
        for part in objects[::step]:
            merged |= part
        return merged

    return builder.cleaned(resolve, charge)


@DIRECTIVES.directive(
    "@transform",
    Options({"apply": object_or_directive, "mapping": object_or_directive}, required=("apply", "mapping")),
)
def _transform(choice: dict[str, Any], place: str, builder: Builder) -> Resolver:
    inside = builder.keeping_undefined()
    apply = inside.value(choice["apply"], f"{place}/apply")
    mapping = inside.value(choice["mapping"], f"{place}/mapping")
    charge = charge_at(place)

    def resolve(event: Any) -> Any:
        if event is UNDEFINED:
            event = {}
        if not isinstance(event, dict):
            raise MappingError([Problem(place, f"can only transform an object, not {type_name(event)}")])
        applied = apply(event)
        charge_whole(applied, charge)
        return mapping(_without_undefined(applied))

    return builder.cleaned(resolve, charge)


def _without_undefined(value: Any) -> Any:
    """Return a copy whose objects have no undefined members; arrays keep theirs."""
    if isinstance(value, dict):
        return {key: _without_undefined(item) for key, item in value.items() if item is not UNDEFINED}
    return [_without_undefined(item) for item in value] if isinstance(value, list) else value


@DIRECTIVES.directive(
    "@flatten",
    Options({"value": any_value, "separator": Text(1), "omitArrays": any_value}, required=("value", "separator")),
)
def _flatten(choice: dict[str, Any], place: str, builder: Builder) -> Resolver:
    separator = choice["separator"]
    containers = dict if not is_falsy(choice.get("omitArrays")) else (dict, list)
    charge = charge_at(place)

    def gather(value: Any, prefix: str, flat: dict[str, Any]) -> dict[str, Any]:
        charge(len(value) * (len(prefix) + _FLATTENED))
        for key, item in in_order(value) if isinstance(value, dict) else _numbered(value):
            name = prefix + key
            if isinstance(item, containers):
                gather(item, name and name + separator, flat)
            else:
                flat[name] = item
        return flat

    # An event holds no `UNDEFINED`, so that a plain path, the usual case, needs no copy.
    inside = builder if _is_plain_path(choice["value"]) else builder.keeping_undefined()
    subject = inside.value(choice["value"], f"{place}/value")
    flatten = _pipe(subject, lambda value: gather(value, "", {}) if isinstance(value, containers) else {})
    return flatten if inside is builder else builder.cleaned(flatten, charge)


def _is_plain_path(definition: Any) -> bool:
    return isinstance(definition, dict) and isinstance(definition.get("@path"), str)


def _numbered(array: list[Any]) -> Iterable[tuple[str, Any]]:
    return zip(map(str, range(len(array))), array, strict=True)


@DIRECTIVES.directive(
    "@json",
    Options({"mode": OneOf("encode", "decode"), "value": truthy}, required=("mode", "value")),
)
def _json(choice: dict[str, Any], place: str, builder: Builder) -> Resolver:
    subject, charge = builder.value(choice["value"], f"{place}/value"), charge_at(place)
    function = _encode if choice["mode"] == "encode" else _decode
    return _pipe(subject, lambda value: function(value, charge))


def _encode(value: Any, charge: Charge) -> Any:
    if value is UNDEFINED:
        return value
    if isinstance(value, str):
        charge(len(value))
    encoded = json_text(value)
    charge(_ENCODED * len(encoded))
    return encoded


def _decode(value: Any, charge: Charge) -> Any:
    if not isinstance(value, str):
        return value
    charge(_DECODING + len(value))
    try:
        return _DECODER.decode(value)
    except ValueError:
        return value


def _integer(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:  # thousands of digits: infinite in JavaScript, null in its JSON
        return None


def _number(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _refuse_constant(word: str) -> Any:
    raise ValueError(word)


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_number, parse_constant=_refuse_constant)


@DIRECTIVES.directive("@excludeWhenNull", any_value)
def _exclude_when_null(definition: Any, place: str, builder: Builder) -> Resolver:
    charge = charge_at(place)

    def resolve(value: Any) -> Any:
        if isinstance(value, dict):
            charge_whole(value, charge)
        return _without_nulls(value, keep=builder.keeps_undefined)

    return _pipe(builder.value(definition, place), resolve)


def _check_liquid(checker: Checker, value: Any, place: str) -> None:
    _LIQUID_TEXT(checker, value, place)
    if not isinstance(value, str) or length(value) > LONGEST_LIQUID:
        return
    from loops_destination.mapping import liquid  # noqa: PLC0415  the import would lengthen every cold start

    try:
        liquid.parse(value)
    except liquid.LiquidProblem as problem:
        checker.problem(place, str(problem))


@DIRECTIVES.directive("@liquid", _check_liquid)
def _liquid(template: str, place: str, _builder: Builder) -> Resolver:
    from loops_destination.mapping import liquid  # noqa: PLC0415  see `_check_liquid`

    parsed, charge = liquid.parse(template), charge_at(place)

    def render(event: Any) -> str:
        try:
            return join_surrogates(parsed.render(event, charge))
        except liquid.LiquidError as error:
            raise MappingError([Problem(place, str(error))]) from None

    return render


def _without_nulls(value: Any, *, keep: bool) -> Any:
    if value is None:
        return UNDEFINED
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(item, keep=keep) for key, item in value.items() if keep or item is not None}


def _pipe(resolver: Resolver, function: Callable[[Any], Any]) -> Resolver:
    return lambda event: function(resolver(event))


def _text_of(definition: Any, place: str, builder: Builder) -> Callable[[Any], str]:
    resolve = builder.value(definition, place)

    def resolve_text(event: Any) -> str:
        value = resolve(event)
        if not isinstance(value, str):
            raise MappingError([Problem(place, f"must resolve to a string, not to {type_name(value)}")])
        return value

    return resolve_text
