"""The AWS account that the commands use."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from segment_loops.command_errors import MisusedError
from segment_loops.deployed_stack import AwsAccount, aws_errors


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of credentials, for the profile `team`."""
    path = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    log_in(path, "FIRST")
    return path


def log_in(credentials: Path, access_key: str) -> None:
    credentials.write_text(
        f"[team]\naws_access_key_id = {access_key}\naws_secret_access_key = s\naws_session_token = t\n", "utf-8"
    )


def access_key(account: AwsAccount) -> str:
    """Return the access key with which the account signs."""
    query = parse_qs(urlsplit(account.sqs().generate_presigned_url("list_queues")).query)
    return query["X-Amz-Credential"][0].partition("/")[0]


@pytest.mark.usefixtures("credentials")
def test_each_service_has_one_client() -> None:
    """An account creates one client per service, and accounts share none."""
    account = AwsAccount("eu-west-1", "team")
    assert account.sqs() is account.sqs()
    assert account.sqs() is not AwsAccount("eu-west-1", "team").sqs()


@pytest.mark.usefixtures("credentials")
def test_clients_do_not_make_accounts_differ() -> None:
    """Two accounts are equal if their region and profile are, whatever clients they have created."""
    account = AwsAccount("eu-west-1", "team")
    account.sqs()
    assert account == AwsAccount("eu-west-1", "team")
    assert hash(account) == hash(AwsAccount("eu-west-1", "team"))


@pytest.mark.parametrize(
    ("code", "used_next"),
    [("ExpiredToken", "SECOND"), ("ExpiredTokenException", "SECOND"), ("AccessDenied", "FIRST")],
)
def test_expired_credentials_are_read_again(credentials: Path, code: str, used_next: str) -> None:
    """After AWS rejects credentials as expired, the next call uses those of a new login; no other error changes them."""
    account = AwsAccount("eu-west-1", "team")
    with Stubber(account.sqs()) as stub:
        stub.add_client_error("list_queues", code)
        with pytest.raises(ClientError):
            account.sqs().list_queues()
    log_in(credentials, "SECOND")
    assert access_key(account) == used_next


@pytest.mark.usefixtures("credentials")
def test_an_unknown_profile_is_reported_each_time() -> None:
    """Every call under a profile that does not exist says so, and blocks no later one."""
    account = AwsAccount("eu-west-1", "nobody")
    for _ in range(2):
        with pytest.raises(MisusedError, match="nobody"), aws_errors("SQS"):
            account.sqs()
