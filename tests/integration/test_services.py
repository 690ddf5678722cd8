"""What `sam local` needs: stand-ins that containers can reach, and a template that leads to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3

from local.sam_template import read_document
from segment_loops import PROJECT, services
from segment_loops.local_addresses import REGION


@pytest.fixture
def served(tmp_path: Path) -> Any:
    """The written template, and where things are, for containers that know this machine as localhost."""
    options = ["--loops-port=0", "--aws-port=0", "--name=localhost", f"--template={tmp_path / 'template.yaml'}"]
    with services.serving(PROJECT, services.parser().parse_args(options)) as places:
        yield read_document(tmp_path / "template.yaml"), places


def _variables(document: dict[str, Any]) -> dict[str, str]:
    variables: dict[str, str] = document["Resources"]["SendEventFunction"]["Properties"]["Environment"]["Variables"]
    return variables


def test_the_template_leads_to_the_artifacts(served: Any) -> None:
    """Functions and layers are found wherever the template is written."""
    document, _ = served
    assert document["Resources"]["SendEventFunction"]["Properties"]["CodeUri"] == str(PROJECT / "functions/send_event")
    assert document["Resources"]["MappingsLayer"]["Properties"]["ContentUri"] == str(PROJECT / "layers/mappings")


def test_the_functions_find_their_secret_and_queues(served: Any) -> None:
    """By its variables a function reaches the secret, with the sandbox's key, and both queues."""
    variables = _variables(served[0])
    session = boto3.Session("local", "local", region_name=REGION)
    secrets, sqs = (
        session.client(name, endpoint_url=variables["AWS_ENDPOINT_URL"]) for name in ("secretsmanager", "sqs")
    )
    value = json.loads(secrets.get_secret_value(SecretId=variables["SECRET_ID"])["SecretString"])
    assert value == {"apiKey": "sandbox-key", "sharedSecret": "sample-shared-secret"}
    for name in ("RETRY_QUEUE_URL", "DEAD_LETTER_QUEUE_URL"):
        assert variables[name].startswith(variables["AWS_ENDPOINT_URL"])
        sqs.send_message(QueueUrl=variables[name], MessageBody="{}")


def test_the_functions_find_loops(served: Any) -> None:
    """The sandbox takes its key at the address that a function is given, and shows what it got."""
    document, places = served
    url = f"{_variables(document)['LOOPS_BASE_URL']}/v1/api-key"
    answer = urllib3.request("GET", url, headers={"Authorization": "Bearer sandbox-key"})
    assert answer.status == 200
    assert urllib3.request("GET", places["Loops"]).json()[0]["path"] == "/api/v1/api-key"


def test_nothing_listens_beyond_this_machine_unless_it_is_asked_for() -> None:
    """The default address is the loopback one, which containers of Docker Desktop know by its name."""
    assert services.parser().parse_args([]).host == "127.0.0.1"


def test_without_artifacts_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is built yet, it says how to, and ends."""
    assert services.main([f"--build={tmp_path}"]) == 1
    assert "make package" in capsys.readouterr().err
