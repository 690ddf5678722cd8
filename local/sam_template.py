"""The SAM template as the local stack needs it: functions, routes and queues, with every reference resolved."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import yaml

from segment_loops.local_addresses import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/local/local"

PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": STACK_ID,
    "AWS::StackName": "local",
    "AWS::URLSuffix": "amazonaws.com",
}

_NOT_SQS_ATTRIBUTES = frozenset({"QueueName", "Tags"})
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_ABSENT = object()
"""The value of `AWS::NoValue`: the property is left out."""


GREEDY = "{proxy+}"
"""The path variable that matches the rest of a request's path."""


class TemplateError(Exception):
    """The local stack does not support something in the template; the message begins with its path."""

    def __init__(self, path: Sequence[str], message: str) -> None:
        super().__init__(f"{'/'.join(path)}: {message}")


class Route(NamedTuple):
    """An HTTP method, and a path that may end in a greedy variable: `/contacts/{proxy+}`."""

    method: str
    path: str

    def rest(self, path: str) -> str | None:
        """Return the part of a request's path that the greedy variable matches, or None if the route does not match.

        An empty rest matches too, so `/contacts/` is routed. AWS documents only that a greedy variable "catches all child
        resources of a route", not whether an empty path is a child.
        """
        parent, variable, _ = self.path.partition(GREEDY)
        return path.removeprefix(parent) if variable and path.startswith(parent) else None


@dataclass(frozen=True, slots=True)
class QueueSource:
    """A queue whose messages invoke a function; without `maximum_concurrency` Lambda sets no limit."""

    queue_arn: str
    batch_size: int = 10
    maximum_concurrency: int | None = None
    reports_failures: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function: `timeout` in seconds, `memory` in MB, `code` and `layers` as folders."""

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
    """A queue: its logical id, and its attributes for SQS as text."""

    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of DynamoDB: its logical id, and the name of its partition key, which holds text."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Application:
    """The functions, queues, tables and output values of a template, by logical id."""

    functions: Mapping[str, Function]
    queues: Mapping[str, Queue]
    tables: Mapping[str, Table]
    outputs: Mapping[str, str]


class SamTemplate:
    """A SAM template; `parameters` override its defaults.

    Raises `TemplateError` for an unknown parameter, and for one without a value.
    """

    def __init__(
        self, document: Mapping[str, Any], parameters: Mapping[str, str] | None = None, folder: Path = Path()
    ) -> None:
        self._document = document
        self._folder = folder
        self._parameters = _parameters(document.get("Parameters", {}), parameters or {})

    @classmethod
    def read(cls, path: Path, parameters: Mapping[str, str] | None = None) -> Self:
        """Return the template in this file; relative folders in it start from the file's folder."""
        return cls(read_document(path), parameters, path.parent)

    def logical_ids(self, resource_type: str) -> list[str]:
        """Return the logical ids of the resources of this type whose conditions hold."""
        return list(self._resources(_Resolver(self._document, self._parameters, {}), resource_type))

    def folders(self) -> dict[str, Path]:
        """Return the folder of each function's code and each layer's content, by logical id."""
        properties = {name: each.get("Properties", {}) for name, each in self._document.get("Resources", {}).items()}
        return {
            name: self._folder / each[key]
            for name, each in properties.items()
            for key in ("CodeUri", "ContentUri")
            if key in each
        }

    def resolve(self, values: Mapping[str, Mapping[str, str]]) -> Application:
        """Return the application.

        `values` holds, for each resource, the values of `Ref` and of its attributes. Raises `TemplateError` for an
        intrinsic function that is not supported, and for a value that is missing.
        """
        resolver = _Resolver(self._document, self._parameters, values)
        functions = self._resources(resolver, "AWS::Serverless::Function")
        queues = self._resources(resolver, "AWS::SQS::Queue")
        tables = self._resources(resolver, "AWS::DynamoDB::Table")
        outputs = self._document.get("Outputs", {})
        return Application(
            {name: self._function(resolver, name, function) for name, function in functions.items()},
            {name: _queue(resolver, name, queue) for name, queue in queues.items()},
            {name: _table(resolver, name, table) for name, table in tables.items()},
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
    """Return the template in this file, with CloudFormation's short tags in their long form."""
    # The loader is safe: the tags that it adds only make dicts.
    document: dict[str, Any] = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506
    return document


class _Loader(yaml.SafeLoader):
    """A loader of CloudFormation's short tags in their long form: `!Ref x` as `{"Ref": "x"}`."""


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
    """Replaces intrinsic functions by their values; `values` as in `SamTemplate.resolve`."""

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
        """Return True if the resource has no condition, or if its condition holds."""
        return "Condition" not in resource or bool(self._condition(["Resources", name], resource["Condition"]))

    def at(self, path: Sequence[str], value: Any) -> Any:
        """Return the value with everything in it resolved; `path` is its place, for error messages."""
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
            raise TemplateError(path, f"{name} is not supported by the local stack. Use one of: {known}")
        return self._functions[name]([*path, name], argument)

    def _ref(self, path: list[str], name: str) -> Any:
        if name == "AWS::NoValue":
            return _ABSENT
        for table in (self._parameters, PSEUDO_PARAMETERS):
            if name in table:
                return table[name]
        if name in self._resources and name not in self._values:
            return name  # the local stack does not create it, and nothing uses the name
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
            raise TemplateError(path, f"the condition {name} does not exist")
        return self.at(["Conditions", name], self._conditions[name])


def _intrinsic(value: dict[str, Any]) -> str | None:
    """Return the name of the intrinsic function if the object is a call of one."""
    name = next(iter(value), "")
    return name if len(value) == 1 and (name in {"Ref", "Condition"} or name.startswith("Fn::")) else None


def _parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    for name in given:
        if name not in declared:
            raise TemplateError(["Parameters", name], "the parameter does not exist")
    defaults = {
        name: _text(declaration["Default"]) for name, declaration in declared.items() if "Default" in declaration
    }
    values = defaults | dict(given)
    for name in declared:
        if name not in values:
            raise TemplateError(["Parameters", name], "the parameter has no default and needs a value")
    return values


def _merged(everywhere: Any, own: Any) -> Any:
    """Merge a property in Globals with the resource's as SAM does: objects and lists are joined, others replaced."""
    if isinstance(everywhere, dict) and isinstance(own, dict) and not (_intrinsic(everywhere) or _intrinsic(own)):
        both = {key: _merged(everywhere[key], own[key]) for key in everywhere.keys() & own.keys()}
        return {**everywhere, **own, **both}
    if isinstance(everywhere, list) and isinstance(own, list):
        return [*everywhere, *own]
    return own


def _of_queues(path: list[str], events: Mapping[str, Any]) -> list[Any]:
    for name, event in events.items():
        if event["Type"] not in {"HttpApi", "SQS"}:
            raise TemplateError([*path, name], f"the local stack does not support events of type {event['Type']}")
    return [event for event in events.values() if event["Type"] == "SQS"]


def _route(place: list[str], properties: Mapping[str, Any]) -> Route:
    path = properties["Path"]
    if path.endswith("/") and path != "/":
        raise TemplateError(place, f"API Gateway creates no route for {path}: remove the slash at its end")
    if "{" in path.removesuffix(GREEDY):
        raise TemplateError(
            place, f"the local gateway does not support the variable in {path}: only {GREEDY} at its end"
        )
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


def _table(resolver: _Resolver, name: str, resource: Mapping[str, Any]) -> Table:
    place = ["Resources", name, "Properties"]
    keys = resolver.at([*place, "KeySchema"], resource["Properties"]["KeySchema"])
    if [each["KeyType"] for each in keys] != ["HASH"]:
        raise TemplateError([*place, "KeySchema"], "the local stack supports tables with a partition key only")
    return Table(name, keys[0]["AttributeName"])


def _text(value: Any) -> str:
    """Return a value as CloudFormation passes it on: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
