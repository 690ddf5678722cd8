"""template.yaml as the local stack needs it: the functions, their routes and queues, with everything resolved."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REGION = "us-east-1"
ACCOUNT = "123456789012"
"""The one that moto knows, and AWS' documentation uses."""

PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "local",
    "AWS::URLSuffix": "amazonaws.com",
}

_NOT_SQS_ATTRIBUTES = frozenset({"QueueName", "Tags"})
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_ABSENT = object()
"""What `AWS::NoValue` resolves to: the property is as if it were not written."""


GREEDY = "{proxy+}"
"""The path variable that takes all that is left of a request's path."""


class TemplateError(Exception):
    """The template says what the local stack cannot follow; the message names the place."""

    def __init__(self, path: Sequence[str], message: str) -> None:
        super().__init__(f"{'/'.join(path)}: {message}")


class Route(NamedTuple):
    """An HTTP method and a path, which may end in a greedy variable: `/contacts/{proxy+}`."""

    method: str
    path: str

    def rest(self, path: str) -> str | None:
        """Return what the greedy variable takes of a request's path, or None where the route does not lead.

        It takes an empty rest too, so `/contacts/` is routed. AWS documents only that a greedy variable "catches all
        child resources of a route", not whether an empty one is a child.
        """
        parent, variable, _ = self.path.partition(GREEDY)
        return path.removeprefix(parent) if variable and path.startswith(parent) else None


@dataclass(frozen=True, slots=True)
class QueueSource:
    """A queue whose messages invoke a function; `maximum_concurrency` None is as much as Lambda has."""

    queue_arn: str
    batch_size: int = 10
    maximum_concurrency: int | None = None
    reports_failures: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function as Lambda is told of it; `timeout` in seconds, `memory` in MB, `code` its folder, as are its layers'."""

    name: str
    code: Path
    handler: str
    timeout: int
    memory: int
    environment: Mapping[str, str]
    routes: Sequence[Route]
    queue_sources: Sequence[QueueSource]
    layers: Sequence[Path] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue by its logical id, with the attributes that SQS takes, all of them texts."""

    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Application:
    """What there is to run, by logical id; `outputs` are the values of the stack's outputs."""

    functions: Mapping[str, Function]
    queues: Mapping[str, Queue]
    outputs: Mapping[str, str]


class Template:
    """A SAM template; `parameters` stand in for its defaults.

    Raises TemplateError for a parameter that it does not have, or that has no value.
    """

    def __init__(
        self, document: Mapping[str, Any], parameters: Mapping[str, str] | None = None, folder: Path = Path()
    ) -> None:
        self._document = document
        self._folder = folder
        self._parameters = _parameters(document.get("Parameters", {}), parameters or {})

    @classmethod
    def read(cls, path: Path, parameters: Mapping[str, str] | None = None) -> Self:
        """The template in this file; the folders of its functions are relative to the file's."""
        return cls(read_document(path), parameters, path.parent)

    def logical_ids(self, resource_type: str) -> list[str]:
        """The resources of this type that the stack has, its conditions being what they are."""
        return list(self._resources(_Resolver(self._document, self._parameters, {}), resource_type))

    def folders(self) -> dict[str, Path]:
        """Where each function's code and each layer's content is, by logical id."""
        properties = {name: each.get("Properties", {}) for name, each in self._document.get("Resources", {}).items()}
        return {
            name: self._folder / each[key]
            for name, each in properties.items()
            for key in ("CodeUri", "ContentUri")
            if key in each
        }

    def resolve(self, values: Mapping[str, Mapping[str, str]]) -> Application:
        """The application, given for each resource what refers to it: `Ref` and its attributes by their names.

        Raises TemplateError for an intrinsic function or a value that is not known here.
        """
        resolver = _Resolver(self._document, self._parameters, values)
        functions = self._resources(resolver, "AWS::Serverless::Function")
        queues = self._resources(resolver, "AWS::SQS::Queue")
        outputs = self._document.get("Outputs", {})
        return Application(
            {name: self._function(resolver, name, function) for name, function in functions.items()},
            {name: _queue(resolver, name, queue) for name, queue in queues.items()},
            {name: str(resolver.at(["Outputs", name], output["Value"])) for name, output in outputs.items()},
        )

    def _resources(self, resolver: _Resolver, resource_type: str) -> dict[str, Any]:
        resources: Mapping[str, Any] = self._document.get("Resources", {})
        return {
            name: resource
            for name, resource in resources.items()
            if resource["Type"] == resource_type and resolver.exists(name, resource)
        }

    def _function(self, resolver: _Resolver, name: str, resource: Mapping[str, Any]) -> Function:
        everywhere = self._document.get("Globals", {}).get("Function", {})
        merged = _merged(everywhere, resource.get("Properties", {}))
        wanted = ["CodeUri", "Handler", "Timeout", "MemorySize", "Environment", "Events", "Layers"]
        place = ["Resources", name, "Properties"]
        given = resolver.at(place, {key: merged[key] for key in wanted if key in merged})
        events = given.get("Events", {})
        return Function(
            name,
            code=self._folder / given["CodeUri"],
            handler=given["Handler"],
            timeout=int(given.get("Timeout", 3)),
            memory=int(given.get("MemorySize", 128)),
            environment={key: _text(value) for key, value in given.get("Environment", {}).get("Variables", {}).items()},
            routes=[
                _route([*place, "Events", event], each["Properties"])
                for event, each in events.items()
                if each["Type"] == "HttpApi"
            ],
            queue_sources=[_queue_source(event["Properties"]) for event in _of_queues([*place, "Events"], events)],
            layers=[self.folders()[name] for name in given.get("Layers", [])],
        )


def read_document(path: Path) -> dict[str, Any]:
    """The template in this file, with CloudFormation's short tags as their long forms."""
    # A SafeLoader that knows these tags, which make nothing but dicts.
    document: dict[str, Any] = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506
    return document


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as their long forms: `!Ref x` as `{"Ref": "x"}`."""


def _long_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = node.value
    return {tag if tag in {"Ref", "Condition"} else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _long_form)


class _Resolver:
    """Puts values in the place of intrinsic functions.

    `values` are those of the resources, by logical id and attribute, under `Ref` what a Ref gives.
    """

    def __init__(
        self, document: Mapping[str, Any], parameters: Mapping[str, str], values: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._conditions = document.get("Conditions", {})
        self._resources = document.get("Resources", {})
        self._parameters = parameters
        self._values = values
        self._functions: dict[str, Callable[[list[str], Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
            "Fn::Join": lambda path, argument: argument[0].join(self.at(path, argument[1])),
            "Fn::Equals": lambda path, argument: self.at(path, argument[0]) == self.at(path, argument[1]),
            "Fn::Not": lambda path, argument: not self.at(path, argument[0]),
            "Fn::And": lambda path, argument: all(self.at(path, each) for each in argument),
            "Fn::Or": lambda path, argument: any(self.at(path, each) for each in argument),
            "Condition": self._condition,
        }

    def exists(self, name: str, resource: Mapping[str, Any]) -> bool:
        """Whether the resource's condition, if it has one, holds."""
        return "Condition" not in resource or bool(self._condition(["Resources", name], resource["Condition"]))

    def at(self, path: Sequence[str], value: Any) -> Any:
        """The value with everything in it resolved; `path` is where it stands, for the message of an error."""
        path = list(path)
        if isinstance(value, dict):
            if intrinsic := _intrinsic(value):
                return self._call(path, intrinsic, value[intrinsic])
            resolved = {key: self.at([*path, key], each) for key, each in value.items()}
            return {key: each for key, each in resolved.items() if each is not _ABSENT}
        if isinstance(value, list):
            items = [self.at([*path, str(index)], each) for index, each in enumerate(value)]
            return [each for each in items if each is not _ABSENT]
        return value

    def _call(self, path: list[str], name: str, argument: Any) -> Any:
        if name not in self._functions:
            known = ", ".join(sorted(self._functions))
            raise TemplateError(path, f"{name} is not known to the local stack, which knows {known}")
        return self._functions[name]([*path, name], argument)

    def _ref(self, path: list[str], name: str) -> Any:
        if name == "AWS::NoValue":
            return _ABSENT
        for table in (self._parameters, PSEUDO_PARAMETERS):
            if name in table:
                return table[name]
        if name in self._resources and name not in self._values:
            return name  # nothing stands for it here, and nothing is asked of it by that name
        return self._value(path, name, "Ref")

    def _get_att(self, path: list[str], argument: Any) -> str:
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        return self._value(path, name, attribute)

    def _value(self, path: list[str], name: str, attribute: str) -> str:
        try:
            return self._values[name][attribute]
        except KeyError:
            raise TemplateError(path, f"the local stack has no {attribute} of {name}") from None

    def _sub(self, path: list[str], argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})

        def value(placeholder: re.Match[str]) -> str:
            name = placeholder[1].strip()
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in own:
                return str(self.at(path, own[name]))
            return str(self._get_att(path, name) if "." in name else self._ref(path, name))

        return _PLACEHOLDER.sub(value, text)

    def _if(self, path: list[str], argument: Any) -> Any:
        condition, then, otherwise = argument
        return self.at(path, then if self._condition(path, condition) else otherwise)

    def _condition(self, path: list[str], name: str) -> Any:
        if name not in self._conditions:
            raise TemplateError(path, f"there is no condition {name}")
        return self.at(["Conditions", name], self._conditions[name])


def _intrinsic(value: dict[str, Any]) -> str | None:
    """The name of the intrinsic function that this object is a call of."""
    name = next(iter(value), "")
    return name if len(value) == 1 and (name in {"Ref", "Condition"} or name.startswith("Fn::")) else None


def _parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    for name in given:
        if name not in declared:
            raise TemplateError(["Parameters", name], "there is no such parameter")
    defaults = {
        name: _text(declaration["Default"]) for name, declaration in declared.items() if "Default" in declaration
    }
    values = defaults | dict(given)
    for name in declared:
        if name not in values:
            raise TemplateError(["Parameters", name], "it has no default, so it needs a value")
    return values


def _merged(everywhere: Any, own: Any) -> Any:
    """What SAM makes of a property in Globals and in the resource: objects and lists are joined, the rest is the own."""
    if isinstance(everywhere, dict) and isinstance(own, dict) and not (_intrinsic(everywhere) or _intrinsic(own)):
        both = {key: _merged(everywhere[key], own[key]) for key in everywhere.keys() & own.keys()}
        return {**everywhere, **own, **both}
    if isinstance(everywhere, list) and isinstance(own, list):
        return [*everywhere, *own]
    return own


def _of_queues(path: list[str], events: Mapping[str, Any]) -> list[Any]:
    for name, event in events.items():
        if event["Type"] not in {"HttpApi", "SQS"}:
            raise TemplateError([*path, name], f"events of type {event['Type']} do not come on one machine")
    return [event for event in events.values() if event["Type"] == "SQS"]


def _route(place: list[str], properties: Mapping[str, Any]) -> Route:
    path = properties["Path"]
    if path.endswith("/") and path != "/":
        raise TemplateError(place, f"API Gateway makes no route of {path}: leave out the slash at its end")
    if "{" in path.removesuffix(GREEDY):
        raise TemplateError(place, f"the local gateway does not know the variable in {path}: use {GREEDY} at its end")
    return Route(properties["Method"].upper(), path)


def _queue_source(properties: Mapping[str, Any]) -> QueueSource:
    scaling = properties.get("ScalingConfig", {})
    return QueueSource(
        properties["Queue"],
        int(properties.get("BatchSize", 10)),
        int(scaling["MaximumConcurrency"]) if "MaximumConcurrency" in scaling else None,
        "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
    )


def _queue(resolver: _Resolver, name: str, resource: Mapping[str, Any]) -> Queue:
    properties = resolver.at(["Resources", name, "Properties"], resource.get("Properties", {}))
    return Queue(name, {key: _text(value) for key, value in properties.items() if key not in _NOT_SQS_ATTRIBUTES})


def _text(value: Any) -> str:
    """As CloudFormation passes a value on: numbers and booleans as JSON writes them, objects as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
