"""The services that functions in `sam local` call: the sandbox and the local AWS, and a template that names them.

Run it with `python -m local.services`. Only this machine can reach it, unless `--host` says otherwise.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import click
import yaml
from moto.core.base_backend import BackendDict

from local.aws import create_queues, create_tables, moto_app, queue_values
from local.http_server import LOOPBACK, HttpServer, PortInUse
from local.package import CACHE
from local.package.build import Architecture
from local.sam_template import Application, SamTemplate, read_document
from local.sandbox import Sandbox, SandboxServer
from local.stack import SHARED_SECRET
from segment_loops import PROJECT
from segment_loops.command_errors import CommandError
from segment_loops.commands.program import run_program
from segment_loops.console import say
from segment_loops.local_addresses import REGION

TEMPLATE = PROJECT / ".cache" / "sam-local.yaml"
"""The template that `sam local` uses according to samconfig.toml."""

LOOPS_PORT = 8790
AWS_PORT = 8791
DOCKER_HOST = "host.docker.internal"
"""The name under which Docker Desktop's containers reach their host's loopback address."""

_NOT_LOCAL = ("AutoPublishAlias", "DeploymentPreference", "KmsKeyArn", "ReservedConcurrentExecutions")

_EXAMPLES = """  sam local invoke ContactUpsertFunction --event events/identify.json
  sam local start-api"""


@click.command()
@click.option(
    "--host", default=LOOPBACK, show_default=True, help="The address to listen on; on Linux, that of Docker's bridge."
)
@click.option(
    "--name",
    help=f"The name of that address in containers.  [default: {DOCKER_HOST} for a loopback address, else --host]",
)
@click.option(
    "--build", type=click.Path(path_type=Path), help="The output of `sam build`.  [default: that of `make package`]"
)
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    default=TEMPLATE,
    help="The template to write.  [default: .cache/sam-local.yaml]",
)
@click.option("--loops-port", type=int, default=LOOPS_PORT, show_default=True, help="The sandbox's port.")
@click.option("--aws-port", type=int, default=AWS_PORT, show_default=True, help="The port of the local AWS.")
def services(*, build: Path | None, **options: Any) -> int:
    """Serve a sandbox and a local AWS for `sam local`, until Ctrl-C."""
    build = build or build_for_this_machine()
    if not (build / "template.yaml").is_file():
        raise CommandError(f"There are no artifacts for this machine in {build}. Run `make package` first.")
    try:
        with serving(build, **options) as places:
            say("\n".join(f"{name:8} {place}" for name, place in places.items()))
            say(f"\nRun in another terminal, for example:\n\n{_EXAMPLES}\n\nCtrl-C stops.")
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except PortInUse as error:
        raise CommandError(str(error.strerror)) from None
    return 0


@contextlib.contextmanager
def serving(  # noqa: PLR0913  # one parameter for each option
    build: Path,
    *,
    template: Path = TEMPLATE,
    host: str = LOOPBACK,
    name: str | None = None,
    loops_port: int = 0,
    aws_port: int = 0,
) -> Iterator[Mapping[str, str]]:
    """Serve what the template in `build` needs; yield where everything is, by name."""
    name = name or _name_in_containers(host)
    BackendDict.reset()
    with contextlib.ExitStack() as running:
        loops = running.enter_context(SandboxServer(Sandbox(), host=host, port=loops_port, allowed_hosts=[name]))
        aws = running.enter_context(HttpServer(moto_app(), aws_port, "aws", host=host))
        endpoint = f"http://{name}:{aws.port}"
        application = _provisioned(build, aws.root, endpoint, f"http://{name}:{loops.port}/api")
        template.parent.mkdir(exist_ok=True)
        template.write_text(yaml.safe_dump(_template(build, application, endpoint), sort_keys=False), "utf-8")
        yield {"Loops": f"{loops.root}/sandbox/requests", "AWS": aws.root, "Template": str(template)}


def build_for_this_machine() -> Path:
    """Return the folder into which `make package` builds for this machine's processor, which containers have too."""
    shipped = Architecture.of_template((PROJECT / "template.yaml").read_text("utf-8"))
    own = Architecture.of_this_machine()
    folder = PROJECT if own is shipped else CACHE / own.title
    return folder / ".aws-sam" / "build"


def _name_in_containers(host: str) -> str:
    return DOCKER_HOST if ipaddress.ip_address(host).is_loopback else host


def _provisioned(build: Path, aws_url: str, endpoint: str, loops_url: str) -> Application:
    """Create the template's queues, tables and secret; return the resolved template, with the names that containers use."""
    client = _clients(aws_url)
    template = SamTemplate.read(build / "template.yaml", {"LoopsBaseUrl": loops_url})
    values = {name: queue_values(endpoint, name) for name in template.logical_ids("AWS::SQS::Queue")}
    text = json.dumps({"apiKey": Sandbox().api_key, "sharedSecret": SHARED_SECRET})
    for name in template.logical_ids("AWS::SecretsManager::Secret"):
        values[name] = {"Ref": client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"]}
    application = template.resolve({**values, **{name: {"Ref": name} for name in ("Api", "Dashboard")}})
    create_queues(client("sqs"), application.queues.values())
    create_tables(client("dynamodb"), application.tables.values())
    return application


def _clients(url: str) -> Any:
    session = boto3.Session("local", "local", region_name=REGION)
    return lambda service: session.client(service, endpoint_url=url)


def _template(build: Path, application: Application, endpoint: str) -> dict[str, Any]:
    """Return the built template with its variables filled in, without properties that `sam local` does not support."""
    document = read_document(build / "template.yaml")
    everywhere = document["Globals"]["Function"]
    for name in _NOT_LOCAL:
        everywhere.pop(name, None)
    everywhere.pop("Environment")
    for name, folder in SamTemplate(document, folder=build).folders().items():
        properties = document["Resources"][name]["Properties"]
        properties["CodeUri" if "CodeUri" in properties else "ContentUri"] = str(folder.resolve())
        if name in application.functions:
            variables = {**application.functions[name].environment, "AWS_ENDPOINT_URL": endpoint}
            properties |= {"Environment": {"Variables": variables}}
    return document


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_program(services, arguments, "python -m local.services")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
