"""The template as the rules look at it: as it is written, and as CloudFormation gets it after SAM's transform."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cached_property
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
    """What AWS::LanguageExtensions makes of a template, as far as its documentation can be read in two ways.

    AWS documents that it "resolves parameters to literal values during processing". Left open are the section Globals,
    which AWS' own port of the transform in the SAM CLI passes over, and Fn::If, which the port replaces by the branch
    that applies. What holds under both readings does not depend on either.
    """

    LEAST = "Globals and Fn::If stay as they are"
    MOST = "Globals are resolved too, and Fn::If becomes the branch that applies"


class Stack:
    """A template with its short tags as their long forms; `text` is what it was read from."""

    def __init__(self, document: dict[str, Any], text: str = "") -> None:
        self.document = document
        self.text = text

    @classmethod
    def read(cls) -> Stack:
        text = TEMPLATE.read_text("utf-8")
        return cls(yaml_parse(text), text)

    def copy(self) -> Stack:
        return Stack(copy.deepcopy(self.document), self.text)

    def of_type(self, *types: str) -> dict[str, Any]:
        return {name: each for name, each in self.document["Resources"].items() if each["Type"] in types}

    def properties(self, name: str) -> dict[str, Any]:
        properties: dict[str, Any] = self.document["Resources"][name].setdefault("Properties", {})
        return properties

    def function(self, name: str, key: str) -> Any:
        """A property of a function, from itself or from Globals."""
        return self.properties(name).get(key, self.document["Globals"]["Function"].get(key))

    def sources(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each function with the properties of a queue that invokes it."""
        for name, function in self.of_type(FUNCTION).items():
            for event in function["Properties"]["Events"].values():
                if event["Type"] == "SQS":
                    yield name, event["Properties"]

    def routes(self) -> Iterator[tuple[str, str, str]]:
        """Each function with the method and the path of a route that leads to it."""
        for name, function in self.of_type(FUNCTION).items():
            for event in function["Properties"]["Events"].values():
                if event["Type"] == "HttpApi":
                    yield name, event["Properties"]["Method"], event["Properties"]["Path"]

    @cached_property
    def translated(self) -> dict[str, Any]:
        return self.translate()

    def expanded(self, reading: Reading, **parameters: str) -> Stack:
        """Return the template after AWS::LanguageExtensions, which sees values instead of the parameters' names."""
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
        """Return what CloudFormation deploys with these parameters, after both transforms."""
        return self.expanded(reading, **parameters).translate(**parameters)

    def translate(self, **parameters: str) -> dict[str, Any]:
        """Return the template after SAM's transform alone, the artifacts being uploaded."""
        document = copy.deepcopy(self.document)
        for resource in document["Resources"].values():
            for key in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
                resource["Properties"][key] = f"s3://artifacts/{resource['Properties'][key]}"
        session = boto3.Session(region_name=REGION)
        translated = Translator({}, Parser(), boto_session=session).translate(document, parameters)
        return dict(json.loads(json.dumps(translated)))


def evaluated(template: dict[str, Any], value: Any, **parameters: str) -> Any:
    """Return a value of the template as CloudFormation passes it on, but for what only a deployed stack knows."""
    return _Expansion(template, parameters, resolves_if=True).of(value)


class _Expansion:
    """The values of parameters in the place of references to them; resources and pseudo parameters stay."""

    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, str], *, resolves_if: bool) -> None:
        declared: Mapping[str, Any] = document["Parameters"]
        # CloudFormation passes numbers on as text.
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
    """The logical id that a Ref or GetAtt names."""
    match value:
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [name, *_]}:
            return str(name)
        case {"Fn::GetAtt": str(path)}:
            return path.partition(".")[0]
    return None


def references(value: Any) -> Iterator[str]:
    """Every logical id, parameter or pseudo parameter that is named anywhere in the value."""
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
