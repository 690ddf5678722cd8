"""The source of a value as a row of the form shows it, and the definition that it makes.

`source_of` turns a definition into a source. `definition_of` turns it back by changing only the parts that the source
shows in the original definition, so that the order of keys and a `_metadata` stay as they are. A definition that no other
kind shows in full is shown as JSON.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from loops_destination.errors import InvalidJson
from loops_destination.javascript import UNDEFINED
from loops_destination.mapping.checker import is_directive
from loops_destination.subscriptions import read_json
from segment_loops.mapping_warnings import looks_like_directive
from segment_loops.studio.json_layout import laid_out

_OPTIONS_OF_IF = ("exists", "then", "else")
_OPTIONS_OF_CASE = {"operator", "value"}


class InvalidPart(Exception):
    """A part of a source makes no definition; the message says what to enter."""


class FormModel(BaseModel):
    """A part of the form, which the page sends back as it got it or edited."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NoSource(FormModel):
    """No definition: the mapping leaves the field out."""

    kind: Literal["none"] = "none"


class ConstantSource(FormModel):
    """The same value for every event; `text` is a number's JSON, or `true` or `false`, and empty for null."""

    kind: Literal["literal"] = "literal"
    type: Literal["text", "number", "boolean", "null"]
    text: str


class PathSource(FormModel):
    """The value at a path in the event."""

    kind: Literal["path"] = "path"
    path: str


class TemplateSource(FormModel):
    """Text with tags."""

    kind: Literal["template"] = "template"
    template: str


class JsonSource(FormModel):
    """Any definition, as JSON text."""

    kind: Literal["json"] = "json"
    text: str


Operand = Annotated[NoSource | ConstantSource | PathSource | TemplateSource | JsonSource, Field(discriminator="kind")]


class IfExistsSource(FormModel):
    """One value if another exists, else a third."""

    kind: Literal["if-exists"] = "if-exists"
    exists: Operand
    then: Operand
    otherwise: Operand


class CaseSource(FormModel):
    """Text in lower or upper case."""

    kind: Literal["case"] = "case"
    operator: Literal["lower", "upper"]
    value: Operand


Source = Annotated[
    NoSource | ConstantSource | PathSource | TemplateSource | IfExistsSource | CaseSource | JsonSource,
    Field(discriminator="kind"),
]


def source_of(definition: Any) -> Source:
    """Return the source that shows a definition in full."""
    operand = _operand_of(definition)
    if not isinstance(operand, JsonSource):
        return operand
    match _content(definition):
        case "@if", dict(options) if "exists" in options and options.keys() <= set(_OPTIONS_OF_IF):
            exists, then, otherwise = (_operand_of(options.get(key, UNDEFINED)) for key in _OPTIONS_OF_IF)
            return IfExistsSource(exists=exists, then=then, otherwise=otherwise)
        case "@case", {"operator": "lower" | "upper" as operator, "value": value} as options if (
            options.keys() == _OPTIONS_OF_CASE
        ):
            return CaseSource(operator=operator, value=_operand_of(value))
    return operand


def definition_of(source: Source | Operand, original: Any = UNDEFINED) -> Any:
    """Return the definition of a source, `UNDEFINED` for none; `original` is the definition that the form began with.

    Raises `InvalidPart` if the source lacks a number, JSON or text where it needs one.
    """
    match source:
        case NoSource():
            return UNDEFINED
        case ConstantSource():
            return _constant(source, original)
        case PathSource(path=path):
            return _directive("@path", path, original)
        case TemplateSource(template=template):
            return _directive("@template", template, original)
        case IfExistsSource():
            return _if_exists(source, original)
        case CaseSource(operator=operator, value=value):
            options = _options("@case", original)
            content = options | {"operator": operator, "value": _required(value, options.get("value", UNDEFINED))}
            return _directive("@case", content, original)
        case JsonSource(text=text):
            return _read(text)


def is_text(value: Any) -> bool:
    """Return True for a string that UTF-8 can encode; only such a one can be sent to the page as it is."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _operand_of(definition: Any) -> Operand:
    if definition is UNDEFINED:
        return NoSource()
    constant = _constant_of(definition)
    if constant is not None:
        return constant
    match _content(definition):
        case "@path", str(path) if is_text(path):
            return PathSource(path=path)
        case "@template", str(template) if is_text(template):
            return TemplateSource(template=template)
        case "@literal", content if (constant := _constant_of(content)) is not None:
            return constant
    return JsonSource(text=laid_out(definition))


def _constant_of(value: Any) -> ConstantSource | None:
    match value:
        case None:
            return ConstantSource(type="null", text="")
        case bool():
            return ConstantSource(type="boolean", text=json.dumps(value))
        case int() | float() if math.isfinite(value):
            return ConstantSource(type="number", text=json.dumps(value))
        case str() if is_text(value):
            return ConstantSource(type="text", text=value)
    return None


def _content(definition: Any) -> tuple[str, Any] | None:
    """Return the name and the content of a directive, None for anything else."""
    if not is_directive(definition):
        return None
    names = [key for key in definition if key != "_metadata"]
    return (names[0], definition[names[0]]) if len(names) == 1 else None


def _directive(name: str, content: Any, original: Any) -> dict[str, Any]:
    """Return a directive; it keeps the place of its key, and a `_metadata`, if the original is the same directive."""
    known = _content(original)
    return {**original, name: content} if known and known[0] == name else {name: content}


def _options(name: str, original: Any) -> dict[str, Any]:
    """Return the options of the original if it is this directive, else none."""
    match _content(original):
        case (known, dict(options)) if known == name:
            return options
    return {}


def _constant(source: ConstantSource, original: Any) -> Any:
    value = _constant_value(source)
    if source == _operand_of(original):
        return original
    known = _content(original)
    if (known and known[0] == "@literal") or (isinstance(value, str) and looks_like_directive(value)):
        return _directive("@literal", value, original)
    return value


def _constant_value(source: ConstantSource) -> Any:
    match source.type:
        case "null":
            return None
        case "text":
            return source.text
    try:
        value = read_json(source.text)
    except InvalidJson:
        value = None
    if source.type == "boolean":
        if not isinstance(value, bool):
            raise InvalidPart("Choose true or false.")
    elif not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise InvalidPart("Enter a number, such as 5 or 0.5.")
    return value


def _if_exists(source: IfExistsSource, original: Any) -> Any:
    options = dict(_options("@if", original))
    operands = {"exists": source.exists, "then": source.then, "else": source.otherwise}
    for key, operand in operands.items():
        before = options.get(key, UNDEFINED)
        after = _required(operand, before) if key == "exists" else definition_of(operand, before)
        if after is not UNDEFINED:
            options[key] = after
        else:
            options.pop(key, None)
    return _directive("@if", options, original)


def _required(operand: Operand, original: Any) -> Any:
    definition = definition_of(operand, original)
    if definition is UNDEFINED:
        raise InvalidPart("Choose a value.")
    return definition


def _read(text: str) -> Any:
    try:
        return read_json(text)
    except InvalidJson as error:
        raise InvalidPart(f"{error}.") from None
