"""The services for `sam local`: containers can reach them, and the template contains their addresses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3

from local import services
from local.sam_template import read_document
from segment_loops import PROJECT
from segment_loops.local_addresses import REGION


@pytest.fixture
def served(tmp_path: Path) -> Any:
    """The written template and the services' places, for containers that know this machine as localhost."""
    with services.serving(PROJECT, name="localhost", template=tmp_path / "template.yaml") as places:
        yield read_document(tmp_path / "template.yaml"), places


def _variables(document: dict[str, Any]) -> dict[str, str]:
    variables: dict[str, str] = document["Resources"]["SendEventFunction"]["Properties"]["Environment"]["Variables"]
    return variables


def test_the_template_names_the_artifacts(served: Any) -> None:
    """The template has absolute folders of functions and layers, so it can be written anywhere."""
    document, _ = served
    assert document["Resources"]["SendEventFunction"]["Properties"]["CodeUri"] == str(PROJECT / "functions/send_event")
    assert document["Resources"]["MappingsLayer"]["Properties"]["ContentUri"] == str(PROJECT / "layers/mappings")


def test_the_functions_find_their_secret_queues_and_table(served: Any) -> None:
    """A function's variables lead to both queues, the contact ledger's table, and the secret with the sandbox's API key."""
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
    dynamodb = session.client("dynamodb", endpoint_url=variables["AWS_ENDPOINT_URL"])
    assert dynamodb.describe_table(TableName=variables["CONTACT_LEDGER_TABLE"])["Table"]["TableStatus"] == "ACTIVE"


def test_the_functions_find_loops(served: Any) -> None:
    """A function's variables lead to the sandbox, which accepts its API key and shows the request."""
    document, places = served
    url = f"{_variables(document)['LOOPS_BASE_URL']}/v1/api-key"
    answer = urllib3.request("GET", url, headers={"Authorization": "Bearer sandbox-key"})
    assert answer.status == 200
    assert urllib3.request("GET", places["Loops"]).json()[0]["path"] == "/api/v1/api-key"


def test_only_this_machine_is_served_by_default() -> None:
    """Without --host the services listen on the loopback address."""
    (host,) = (option for option in services.services.params if option.name == "host")
    assert host.default == "127.0.0.1"


def test_missing_artifacts_name_make_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without artifacts the error names `make package`."""
    assert services.main([f"--build={tmp_path}"]) == 1
    assert "make package" in capsys.readouterr().err
