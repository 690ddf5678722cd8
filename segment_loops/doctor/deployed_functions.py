"""The functions of a deployed stack that events reach: the versions to which the alias `live` points."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from loops_destination.subscriptions import Subscription, load_subscriptions
from segment_loops.command_errors import CommandError
from segment_loops.deployed_stack import DeployedStack, aws_errors

ALIAS = "live"
"""The alias that every event source invokes (`AutoPublishAlias` in template.yaml)."""

_MAPPINGS_FILE = "mappings.json"
_RENAMED = {"LogLevel": "POWERTOOLS_LOG_LEVEL"}
"""The parameters whose variable does not have their name in capitals."""


@dataclass(frozen=True, slots=True)
class LiveFunction:
    """The version of a function that is live, and the variables of the latest code, which a deployment has updated."""

    logical_id: str
    name: str
    variables: Mapping[str, str]
    latest_variables: Mapping[str, str]
    layers: tuple[str, ...]

    def stale(self, parameters: Mapping[str, str]) -> list[str]:
        """Return the parameters and variables whose values today are not those of the live version."""
        named = {variable_of(name): name for name in parameters}
        stale = {
            name
            for variable, name in named.items()
            if self.variables.get(variable, parameters[name]) != parameters[name]
        }
        for variable in self.variables.keys() | self.latest_variables.keys():
            if self.variables.get(variable) != self.latest_variables.get(variable):
                stale.add(named.get(variable, variable))
        # PARAMETERS repeats all other variables, so it adds nothing where one of those is named.
        return sorted(stale - {"PARAMETERS"}) or sorted(stale)


def variable_of(parameter: str) -> str:
    """Return the variable that holds a parameter: `LOOPS_BASE_URL` for `LoopsBaseUrl`."""
    in_words = "".join(f"_{letter}" if letter.isupper() else letter for letter in parameter)
    return _RENAMED.get(parameter, in_words.removeprefix("_").upper())


def live_functions(stack: DeployedStack, client: Any) -> Iterator[LiveFunction]:
    """Yield the live version of each function; raise `CommandError` for one without the alias."""
    for logical_id, name in sorted(stack.functions().items()):
        with aws_errors(f"The function {name}"):
            live = client.get_function_configuration(FunctionName=name, Qualifier=ALIAS)
            latest = client.get_function_configuration(FunctionName=name)
        layers = tuple(layer["Arn"] for layer in live.get("Layers", []))
        yield LiveFunction(logical_id, name, _variables(live), _variables(latest), layers)


def deployed_subscriptions(function: LiveFunction, client: Any) -> list[Subscription]:
    """Return the subscriptions in the function's layers; raise `CommandError` if they cannot be read."""
    return load_subscriptions(deployed_mappings(function.name, function.layers, client))


def deployed_mappings(name: str, layers: Sequence[str], client: Any) -> bytes:
    """Return the mappings file in a function's layers; raise `CommandError` if it cannot be read."""
    for arn in reversed(layers):  # the mappings come last, so that the larger layer is not downloaded
        with aws_errors(f"The layer {arn}"):
            location = client.get_layer_version_by_arn(Arn=arn)["Content"]["Location"]
        try:
            content = urllib3.request("GET", location, timeout=30.0, retries=False).data
            archive = zipfile.ZipFile(io.BytesIO(content))
        except (HTTPError, zipfile.BadZipFile) as error:
            raise CommandError(f"The layer {arn} could not be downloaded: {type(error).__name__}.") from None
        if _MAPPINGS_FILE in archive.namelist():
            return archive.read(_MAPPINGS_FILE)
    raise CommandError(f"No layer of {name} contains {_MAPPINGS_FILE}.")


def _variables(configuration: Mapping[str, Any]) -> Mapping[str, str]:
    variables: Mapping[str, str] = configuration.get("Environment", {}).get("Variables", {})
    return variables
