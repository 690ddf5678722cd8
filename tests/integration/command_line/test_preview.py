"""`segment-loops preview`."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from local.sandbox import SandboxServer
from loops_destination.idempotency import idempotency_key_of
from loops_destination.outcomes import Outcome, Result
from loops_destination.subscriptions import load_entries
from segment_loops.event_files import SAMPLES
from segment_loops.event_preview import Preview
from tests.integration.command_line.conftest import CommandLine

TRACK = {"type": "track", "messageId": "m-1", "userId": "u-1", "event": "Signed Up", "properties": {"email": "a@b.co"}}


@pytest.fixture
def event_file(tmp_path: Path) -> Path:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(TRACK))
    return path


def mappings(path: Path, **subscription: Any) -> Path:
    path.write_text(json.dumps({"subscriptions": [{"name": "s", "action": "sendEvent", **subscription}]}))
    return path


def test_the_exact_request_is_shown(cli: CommandLine, event_file: Path) -> None:
    """A matching subscription shows the mapped payload and the request with all headers, but without the API key."""
    run = cli("preview", event_file, "--json")
    assert run.status == 0
    (event,) = run.json["events"]
    matching = event["subscriptions"][1]
    assert matching["matches"] is True
    assert matching["mapped"]["eventName"] == "Signed Up"
    assert matching["request"] == {
        "method": "POST",
        "url": "https://app.loops.so/api/v1/events/send",
        "headers": {
            "Authorization": "Bearer (API key)",
            "Content-Type": "application/json",
            "User-Agent": "segment-loops-destination",
            "Idempotency-Key": idempotency_key_of(TRACK, "send-an-event", json.dumps(TRACK)),
        },
        "body": {
            "email": "a@b.co",
            "eventName": "Signed Up",
            "userId": "u-1",
            "eventProperties": {"email": "a@b.co"},
        },
    }


def test_people_see_the_same_request(cli: CommandLine, event_file: Path) -> None:
    """Without --json the request is printed as it would be sent, and other subscriptions show why they do not match."""
    out = cli("preview", event_file).out
    assert "Event: track, event Signed Up, userId u-1, messageId m-1" in out
    assert "POST https://app.loops.so/api/v1/events/send" in out
    assert "Idempotency-Key: " in out
    assert 'no   type = "identify"' in out
    assert "\033" not in out


def test_the_deciding_conditions_are_marked(cli: CommandLine, event_file: Path, tmp_path: Path) -> None:
    """Of several conditions, those that decide the result are marked."""
    file = mappings(tmp_path / "m.json", trigger='type = "track" and (properties.total > 10 or userId = "x")')
    out = cli("preview", event_file, "--mappings", file).out
    assert 'yes  type = "track"\n' in out
    assert "no   properties.total > 10  (decides)" in out
    assert 'no   userId = "x"  (decides)' in out
    assert "No subscription matches" in out


def test_a_disabled_subscription_says_so(cli: CommandLine, event_file: Path, tmp_path: Path) -> None:
    """A disabled subscription shows its trigger, but no request."""
    run = cli("preview", event_file, "--mappings", mappings(tmp_path / "m.json", enabled=False))
    assert run.status == 0
    assert "s (sendEvent): disabled" in run.out
    assert "Request" not in run.out


def test_a_rejected_payload_shows_the_reason(cli: CommandLine, event_file: Path, tmp_path: Path) -> None:
    """An invalid payload is shown with the invalid field, and the status is 1."""
    wrong = {"userId": {"@path": "$.userId"}, "eventName": {"@path": "$.event"}, "email": "nobody"}
    run = cli("preview", event_file, "--mappings", mappings(tmp_path / "m.json", mapping=wrong))
    assert run.status == 1
    assert "rejected: invalid-payload: email:" in run.out
    assert '"email": "nobody"' in run.out


def test_a_mapping_that_fails_shows_the_place(cli: CommandLine, event_file: Path, tmp_path: Path) -> None:
    """A mapping that fails for this event shows the path of the directive, and the status is 1."""
    wrong = {"userId": {"@template": {"@path": "$.properties"}}}
    run = cli("preview", event_file, "--mappings", mappings(tmp_path / "m.json", mapping=wrong))
    assert run.status == 1
    assert "mapping-failed: /userId/@template" in run.out


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_can_be_previewed(cli: CommandLine, sample: Path) -> None:
    """Each file in events/ can be previewed, and at least one subscription matches."""
    run = cli("preview", sample, "--json")
    assert run.status == 0
    assert any(each["matches"] for event in run.json["events"] for each in event["subscriptions"])


def test_a_batch_is_previewed_event_by_event(cli: CommandLine, tmp_path: Path) -> None:
    """A batch is previewed as the functions read it, including elements that are not events."""
    (tmp_path / "batch.json").write_text(json.dumps([{"json": TRACK}, 5, {"type": "page"}]))
    run = cli("preview", tmp_path / "batch.json")
    assert run.status == 1
    assert "Event 1 of 3: track" in run.out
    assert "Event 2 of 3: an event is a JSON object" in run.out
    assert "Event 3 of 3: page" in run.out


def test_standard_input_is_read(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file name `-` means standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(TRACK).encode())))
    assert cli("preview", "-", "--json").json["events"][0]["messageId"] == "m-1"


@pytest.mark.parametrize("text", ["", "{", "[]", "5"])
def test_a_file_without_an_event_is_an_error(cli: CommandLine, tmp_path: Path, text: str) -> None:
    """A file without an event ends with status 1 and one line on standard error."""
    (tmp_path / "event.json").write_text(text)
    run = cli("preview", tmp_path / "event.json")
    assert (run.status, run.out, run.err.count("\n")) == (1, "", 1)
    assert "contains no event" in run.err


def test_invalid_mappings_are_an_error(cli: CommandLine, event_file: Path, tmp_path: Path) -> None:
    """With an invalid mappings file nothing is previewed, and its problems are printed as by `check`."""
    run = cli("preview", event_file, "--mappings", mappings(tmp_path / "m.json", trigger="x"))
    assert (run.status, run.out) == (1, "")
    assert "/subscriptions/0/trigger" in run.err


def test_send_shows_the_response(cli: CommandLine, event_file: Path, sandbox: SandboxServer) -> None:
    """With --send the event is delivered, and the response and outcome are shown; Loops processes a repeat only once."""
    run = cli("preview", event_file, "--send", "--loops-url", sandbox.url)
    assert run.status == 0
    assert "Response  200 {" in run.out
    assert "Outcome   delivered" in run.out
    assert [event.name for event in sandbox.sandbox.events.all()] == ["Signed Up"]
    again = cli("preview", event_file, "--send", "--loops-url", sandbox.url, "--json")
    sent = again.json["events"][0]["subscriptions"][1]
    assert (sent["response"]["status"], sent["outcome"]) == (409, "delivered")
    assert len(sandbox.sandbox.events.all()) == 1


def test_a_request_that_loops_refuses_is_shown(cli: CommandLine, tmp_path: Path, sandbox: SandboxServer) -> None:
    """A request that Loops refuses is shown with the response and the outcome, and the status is 1."""
    (tmp_path / "event.json").write_text(json.dumps(TRACK | {"event": "a:b"}))
    run = cli("preview", tmp_path / "event.json", "--send", "--loops-url", sandbox.url)
    assert run.status == 1
    assert "400 {" in run.out
    assert "Outcome   rejected: refused: " in run.out


def test_without_a_response_the_outcome_is_queued(cli: CommandLine, event_file: Path) -> None:
    """If nothing answers at Loops' URL, the outcome is that of the functions: queued."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = cli("preview", event_file, "--send", "--loops-url", f"http://127.0.0.1:{port}/api")
    assert run.status == 1
    assert "Response  none" in run.out
    assert "Outcome   queued: connection-failed" in run.out


def test_nothing_is_sent_to_the_real_loops_without_a_yes(
    cli: CommandLine, event_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an API key, or without a person or --yes to agree, nothing is sent to a Loops on another machine."""
    elsewhere = ("preview", event_file, "--send", "--loops-url", "https://loops.invalid/api")
    assert "set LOOPS_API_KEY to the API key" in cli(*elsewhere).err
    monkeypatch.setenv("LOOPS_API_KEY", "k-123")
    run = cli(*elsewhere)
    assert (run.status, run.out) == (1, "")
    assert "Nothing was sent" in run.err


@pytest.mark.parametrize("url", ["http://loops.example/api", "ftp://127.0.0.1", "nowhere", "http://["])
def test_the_api_key_is_only_sent_encrypted(cli: CommandLine, event_file: Path, url: str) -> None:
    """A URL that is invalid, or over which the API key would be sent unencrypted, is misuse."""
    assert cli("preview", event_file, "--send", "--yes", "--loops-url", url).status == 2


def test_warnings_follow(cli: CommandLine, event_file: Path, tmp_path: Path) -> None:
    """Warnings about the mappings are printed after the previews; a path of the previewed event is in a sample."""
    mapping = {"userId": {"@path": "$.userId"}, "eventName": {"@path": "$.properties.email"}, "x": 1}
    file = mappings(tmp_path / "m.json", id="s", mapping=mapping)
    run = cli("preview", event_file, "--mappings", file)
    assert run.status == 0
    assert run.err.count("Warning: ") == 1
    assert "Warning: /subscriptions/0/mapping/x" in run.err
    machine = cli("preview", event_file, "--mappings", file, "--json")
    assert [(each["kind"], each["path"]) for each in machine.json["warnings"]] == [
        ("unknown-field", "/subscriptions/0/mapping/x")
    ]


@pytest.mark.parametrize("outcome", Outcome)
def test_only_what_loops_did_not_take_fails(outcome: Outcome) -> None:
    """A preview that was sent fails if the event was queued or rejected; with nothing to send it succeeds."""
    (entry,) = load_entries('[{"name": "contacts", "action": "createOrUpdateContact"}]')
    preview = Preview(entry, [], matches=True, result=Result(outcome))
    assert preview.fails is (outcome in {Outcome.QUEUED, Outcome.REJECTED})
