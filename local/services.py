"""What `sam local` needs: a Loops, SQS and Secrets Manager for its containers, and a template that leads to them.

Run as `python -m local.services`. It is reachable from this machine alone unless another address is asked for.
"""

from __future__ import annotations

import argparse
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
import yaml
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local import PROJECT
from local.http_server import LOOPBACK, HttpServer, PortInUse
from local.package import CACHE
from local.package.build import Architecture
from local.sandbox import Sandbox, SandboxServer
from local.stack import SHARED_SECRET
from local.template import ACCOUNT, REGION, Application, Template, read_document

TEMPLATE = PROJECT / ".cache" / "sam-local.yaml"
"""Which samconfig.toml has `sam local` use."""

PORTS = {"loops_port": 8790, "aws_port": 8791}
THE_HOST = "host.docker.internal"
"""How Docker Desktop's containers reach what listens on their host's loopback address."""

_NOT_LOCAL = ("AutoPublishAlias", "DeploymentPreference", "KmsKeyArn", "ReservedConcurrentExecutions")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after Ctrl-C."""
    options = parser().parse_args(arguments)
    build = options.build or build_for_this_machine()
    if not (build / "template.yaml").is_file():
        print(f"There are no artifacts for this machine in {build}: run `make package` first.", file=sys.stderr)
        return 1
    try:
        with serving(build, options) as places:
            print("\n".join(f"{name:8} {place}" for name, place in places.items()), flush=True)
            print(f"\nNow, in another terminal, for example:\n\n{_LINES}\n\nCtrl-C ends it.", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except PortInUse as error:
        print(error.strerror, file=sys.stderr)
    return 1


_LINES = """  sam local invoke ContactUpsertFunction --event events/identify.json
  sam local start-api"""


@contextlib.contextmanager
def serving(build: Path, options: argparse.Namespace) -> Iterator[Mapping[str, str]]:
    """Serves what the template in `build` needs; gives where everything is."""
    host = options.host
    name = options.name or _seen_from_a_container(host)
    BackendDict.reset()
    with contextlib.ExitStack() as running:
        server = SandboxServer(Sandbox(), host=host, port=options.loops_port, allowed_hosts=[name])
        loops = running.enter_context(server)
        aws = running.enter_context(HttpServer(_aws(), options.aws_port, "aws", host=host))
        endpoint = f"http://{name}:{aws.port}"
        application = _provisioned(build, aws.root, endpoint, f"http://{name}:{loops.port}/api")
        options.template.parent.mkdir(exist_ok=True)
        options.template.write_text(yaml.safe_dump(_template(build, application, endpoint), sort_keys=False), "utf-8")
        yield {"Loops": f"{loops.root}/sandbox/requests", "AWS": aws.root, "Template": str(options.template)}


def build_for_this_machine() -> Path:
    """Where `make package` has built for the processor that containers have here."""
    shipped = Architecture.of_template((PROJECT / "template.yaml").read_text("utf-8"))
    own = Architecture.of_this_machine()
    folder = PROJECT if own is shipped else CACHE / own.title
    return folder / ".aws-sam" / "build"


def _aws() -> Any:
    return DomainDispatcherApplication(create_backend_app)


def _seen_from_a_container(host: str) -> str:
    return THE_HOST if ipaddress.ip_address(host).is_loopback else host


def _provisioned(build: Path, aws_url: str, endpoint: str, loops_url: str) -> Application:
    """The template with its queues and its secret in place, all of it under the names that containers use."""
    client = _clients(aws_url)
    template = Template.read(build / "template.yaml", {"LoopsBaseUrl": loops_url})
    values = {name: _queue_values(endpoint, name) for name in template.logical_ids("AWS::SQS::Queue")}
    text = json.dumps({"apiKey": Sandbox().api_key, "sharedSecret": SHARED_SECRET})
    for name in template.logical_ids("AWS::SecretsManager::Secret"):
        values[name] = {"Ref": client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"]}
    application = template.resolve({**values, **{name: {"Ref": name} for name in ("Api", "Dashboard")}})
    for queue in sorted(application.queues.values(), key=lambda each: "RedrivePolicy" in each.attributes):
        client("sqs").create_queue(QueueName=queue.name, Attributes=dict(queue.attributes))
    return application


def _clients(url: str) -> Any:
    session = boto3.Session("local", "local", region_name=REGION)
    return lambda service: session.client(service, endpoint_url=url)


def _queue_values(endpoint: str, name: str) -> dict[str, str]:
    return {"Ref": f"{endpoint}/{ACCOUNT}/{name}", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "QueueName": name}


def _template(build: Path, application: Application, endpoint: str) -> dict[str, Any]:
    """The built template without what `sam local` does not play, its variables filled in."""
    document = read_document(build / "template.yaml")
    everywhere = document["Globals"]["Function"]
    for name in _NOT_LOCAL:
        everywhere.pop(name, None)
    everywhere.pop("Environment")
    for name, folder in Template(document, folder=build).folders().items():
        properties = document["Resources"][name]["Properties"]
        properties["CodeUri" if "CodeUri" in properties else "ContentUri"] = str(folder.resolve())
        if name in application.functions:
            variables = {**application.functions[name].environment, "AWS_ENDPOINT_URL": endpoint}
            properties |= {"Environment": {"Variables": variables}}
    return document


def parser() -> argparse.ArgumentParser:
    """The options, which `serving` takes."""
    options = argparse.ArgumentParser(prog="python -m local.services", description="What `sam local` needs.")
    options.add_argument(
        "--host", default=LOOPBACK, help="address to listen on (%(default)s); on Linux that of Docker's bridge"
    )
    options.add_argument(
        "--name", help=f"by which containers know the address (its own, {THE_HOST} for a loopback one)"
    )
    options.add_argument("--build", type=Path, help="what `sam build` made (for this machine, by `make package`)")
    options.add_argument("--template", type=Path, default=TEMPLATE, help="the template to write (%(default)s)")
    for name, port in PORTS.items():
        options.add_argument(f"--{name.replace('_', '-')}", type=int, default=port, help="(%(default)s)")
    return options


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
