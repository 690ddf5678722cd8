"""The template as the rules look at it: as it is written, and as CloudFormation gets it after SAM's transform."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local.template import REGION

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"

FUNCTION = "AWS::Serverless::Function"
LAYER = "AWS::Serverless::LayerVersion"
QUEUE = "AWS::SQS::Queue"
ALARM = "AWS::CloudWatch::Alarm"

_SUBSTITUTED = re.compile(r"\$\{([^!}][^}]*)\}")


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

    def translate(self, **parameters: str) -> dict[str, Any]:
        """What CloudFormation gets, the artifacts being uploaded."""
        document = copy.deepcopy(self.document)
        for resource in document["Resources"].values():
            for key in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
                resource["Properties"][key] = f"s3://artifacts/{resource['Properties'][key]}"
        session = boto3.Session(region_name=REGION)
        translated = Translator({}, Parser(), boto_session=session).translate(document, parameters)
        return dict(json.loads(json.dumps(translated)))


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
