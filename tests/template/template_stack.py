"""The template as the rules see it: as it is written, and after the transforms, as CloudFormation deploys it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from segment_loops.local_addresses import REGION

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"

FUNCTION = "AWS::Serverless::Function"
LAYER = "AWS::Serverless::LayerVersion"
QUEUE = "AWS::SQS::Queue"
ALARM = "AWS::CloudWatch::Alarm"

TRANSFORMS = ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]

_EXPANDED_SECTIONS = {"Conditions", "Resources", "Outputs"}
_NO_VALUE = {"Ref": "AWS::NoValue"}
_SUBSTITUTED = re.compile(r"\$\{([^!}][^}]*)\}")


class Reading(Enum):
    """One of two readings of the documentation of AWS::LanguageExtensions.

    AWS documents that it "resolves parameters to literal values during processing". The documentation does not cover the
    section Globals, which AWS' port of the transform in the SAM CLI skips, or Fn::If, which the port replaces by the branch
    that applies. The rules must hold under both readings.
    """

    LEAST = "Globals and Fn::If stay as they are"
    MOST = "Globals are resolved too, and Fn::If becomes the branch that applies"


class Stack:
    """A template, with short tags such as `!Ref` in their long form; `text` is the YAML that it was read from."""

    def __init__(self, document: dict[str, Any], text: str = "") -> None:
        self.document = document
        self.text = text

    @classmethod
    def read(cls) -> Stack:
        return _read().copy()

    def copy(self) -> Stack:
        return Stack(copy.deepcopy(self.document), self.text)

    def of_type(self, *types: str) -> dict[str, Any]:
        return {name: each for name, each in self.document["Resources"].items() if each["Type"] in types}

    def properties(self, name: str) -> dict[str, Any]:
        properties: dict[str, Any] = self.document["Resources"][name].setdefault("Properties", {})
        return properties

    def function(self, name: str, key: str) -> Any:
        """Return a property of a function, from the function itself or from Globals."""
        return self.properties(name).get(key, self.document["Globals"]["Function"].get(key))

    def sources(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each function that a queue invokes, with the properties of that event source."""
        for name, function in self.of_type(FUNCTION).items():
            for event in function["Properties"]["Events"].values():
                if event["Type"] == "SQS":
                    yield name, event["Properties"]

    def routes(self) -> Iterator[tuple[str, str, str]]:
        """Yield each function that a route invokes, with the route's method and path."""
        for name, function in self.of_type(FUNCTION).items():
            for event in function["Properties"]["Events"].values():
                if event["Type"] == "HttpApi":
                    yield name, event["Properties"]["Method"], event["Properties"]["Path"]

    @cached_property
    def translated(self) -> dict[str, Any]:
        return self.translate()

    def expanded(self, reading: Reading, **parameters: str) -> Stack:
        """Return the template after AWS::LanguageExtensions, which replaces parameters by their values."""
        if self.document["Transform"] != TRANSFORMS:
            return self.copy()
        expansion = _Expansion(self.document, parameters, resolves_if=reading is Reading.MOST)
        sections = _EXPANDED_SECTIONS | ({"Globals"} if reading is Reading.MOST else set())
        document = {
            name: expansion.of(section) if name in sections else copy.deepcopy(section)
            for name, section in self.document.items()
        }
        return Stack(document, self.text)

    def deployed(self, reading: Reading, **parameters: str) -> dict[str, Any]:
        """Return the template that CloudFormation deploys with these parameters, after both transforms."""
        return self.expanded(reading, **parameters).translate(**parameters)

    def translate(self, **parameters: str) -> dict[str, Any]:
        """Return the template after SAM's transform alone, with the artifacts uploaded."""
        return dict(json.loads(_translated(json.dumps(self.document), json.dumps(parameters))))

    def functions_alone(self) -> Stack:
        """Return the template with only its functions and layers, and without the functions' events.

        SAM makes the same functions, versions and aliases of it as of the whole template, in a third of the time.
        """
        stack = self.copy()
        stack.document["Resources"] = stack.of_type(FUNCTION, LAYER)
        stack.document.pop("Outputs")
        for name in stack.of_type(FUNCTION):
            stack.properties(name).pop("Events")
        return stack


@cache
def _read() -> Stack:
    text = TEMPLATE.read_text("utf-8")
    return Stack(json.loads(json.dumps(yaml_parse(text))), text)


@cache
def _session() -> boto3.Session:
    return boto3.Session(region_name=REGION)


@cache
def _translated(document: str, parameters: str) -> str:
    """Translate a template. Documents are JSON, because the rules translate the same ones again and again."""
    template = json.loads(document)
    for resource in template["Resources"].values():
        for key in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
            resource["Properties"][key] = f"s3://artifacts/{resource['Properties'][key]}"
    return json.dumps(Translator({}, Parser(), boto_session=_session()).translate(template, json.loads(parameters)))


def evaluated(template: dict[str, Any], value: Any, **parameters: str) -> Any:
    """Return a value as CloudFormation evaluates it; attributes of resources and pseudo parameters stay references."""
    return _Expansion(template, parameters, resolves_if=True).of(value)


class _Expansion:
    """Replaces references to parameters by their values. References to resources and pseudo parameters stay."""

    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, str], *, resolves_if: bool) -> None:
        declared: Mapping[str, Any] = document["Parameters"]
        # CloudFormation passes numbers as text.
        self._values = {name: str(each["Default"]) for name, each in declared.items()} | dict(parameters)
        self._conditions: Mapping[str, Any] = document["Conditions"]
        self._resolves_if = resolves_if

    def of(self, value: Any) -> Any:
        match value:
            case {"Ref": str(name)} if name in self._values:
                return self._values[name]
            case {"Fn::Sub": str(text)}:
                return {"Fn::Sub": _SUBSTITUTED.sub(self._substitute, text)}
            case {"Fn::If": [str(condition), then, otherwise]} if self._resolves_if:
                return self.of(then if self._holds(self._conditions[condition]) else otherwise)
            case dict():
                return {key: each for key, each in self._each(value.items()) if self._stays(each)}
            case list():
                return [each for _, each in self._each(enumerate(value)) if self._stays(each)]
        return value

    def _each(self, items: Any) -> Iterator[tuple[Any, Any]]:
        yield from ((key, self.of(each)) for key, each in items)

    def _stays(self, value: Any) -> bool:
        return not self._resolves_if or value != _NO_VALUE

    def _substitute(self, placeholder: re.Match[str]) -> str:
        return self._values.get(placeholder[1], placeholder[0])

    def _holds(self, condition: Any) -> bool:
        match condition:
            case {"Fn::Equals": [one, other]}:
                return bool(self.of(one) == self.of(other))
            case {"Fn::Not": [negated]}:
                return not self._holds(negated)
        raise NotImplementedError(condition)


def target(value: Any) -> str | None:
    """Return the logical id in a Ref or GetAtt, or None for any other value."""
    match value:
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [name, *_]}:
            return str(name)
        case {"Fn::GetAtt": str(path)}:
            return path.partition(".")[0]
    return None


def references(value: Any) -> Iterator[str]:
    """Yield every logical id, parameter and pseudo parameter to which the value refers."""
    if (name := target(value)) is not None:
        yield name
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _substituted(each) if key == "Fn::Sub" else references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def _substituted(argument: Any) -> Iterator[str]:
    text, own = argument if isinstance(argument, list) else (argument, {})
    yield from (name.partition(".")[0] for name in _SUBSTITUTED.findall(text) if name not in own)
    yield from references(own)
