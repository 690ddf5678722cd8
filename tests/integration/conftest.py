"""Fixtures for an AWS on this machine: moto's server, which the product calls over HTTP as in production."""

from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest
from moto.server import ThreadedMotoServer
from urllib3 import request

# All sessions of a test process share botocore's models, because reading them takes longer than most tests.
botocore.session.create_loader = cache(botocore.session.create_loader)


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty AWS, to which all boto3 clients of the test connect."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    request("POST", f"{moto_url}/moto-api/reset")
    return moto_url
