"""`segment-loops preview`."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from local.sandbox import SandboxServer
from loops_destination.idempotency import idempotency_key
from segment_loops import PROJECT
from tests.integration.command_line.conftest import Cli

TRACK = {"type": "track", "messageId": "m-1", "userId": "u-1", "event": "Signed Up", "properties": {"email": "a@b.co"}}
EVENTS = PROJECT / "events"


@pytest.fixture
def event_file(tmp_path: Path) -> Path:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(TRACK))
    return path


def mappings(path: Path, **subscription: Any) -> Path:
    path.write_text(json.dumps({"subscriptions": [{"name": "s", "action": "sendEvent", **subscription}]}))
    return path


def test_the_exact_request_is_shown(cli: Cli, event_file: Path) -> None:
    """A matching subscription shows its mapped payload and the request, key and all headers, but never the API key."""
    run = cli("preview", event_file, "--json")
    assert run.status == 0
    (event,) = run.json["events"]
    taken = event["subscriptions"][1]
    assert taken["matches"] is True
    assert taken["mapped"]["eventName"] == "Signed Up"
    assert taken["request"] == {
        "method": "POST",
        "url": "https://app.loops.so/api/v1/events/send",
        "headers": {
            "Authorization": "Bearer (API key)",
            "Content-Type": "application/json",
            "User-Agent": "segment-loops-destination",
            "Idempotency-Key": idempotency_key(TRACK, "send-an-event", json.dumps(TRACK)),
        },
        "body": {
            "email": "a@b.co",
            "eventName": "Signed Up",
            "userId": "u-1",
            "eventProperties": {"email": "a@b.co"},
        },
    }


def test_people_see_the_same(cli: Cli, event_file: Path) -> None:
    """On a terminal it reads as the request would on the wire, and other subscriptions say why they do not match."""
    out = cli("preview", event_file).out
    assert "Event: track, event Signed Up, userId u-1, messageId m-1" in out
    assert "POST https://app.loops.so/api/v1/events/send" in out
    assert "Idempotency-Key: " in out
    assert 'no   type = "identify"' in out
    assert "\033" not in out


def test_the_deciding_conditions_are_marked(cli: Cli, event_file: Path, tmp_path: Path) -> None:
    """Of a trigger with several conditions, those are marked on which the outcome rests."""
    file = mappings(tmp_path / "m.json", trigger='type = "track" and (properties.total > 10 or userId = "x")')
    out = cli("preview", event_file, "--mappings", file).out
    assert 'yes  type = "track"\n' in out
    assert "no   properties.total > 10  (decides)" in out
    assert 'no   userId = "x"  (decides)' in out
    assert "No subscription takes it" in out


def test_a_disabled_subscription_says_so(cli: Cli, event_file: Path, tmp_path: Path) -> None:
    """A disabled subscription takes nothing, whatever its trigger finds."""
    run = cli("preview", event_file, "--mappings", mappings(tmp_path / "m.json", enabled=False))
    assert run.status == 0
    assert "s (sendEvent) is disabled" in run.out
    assert "request" not in run.out


def test_a_rejected_payload_says_why(cli: Cli, event_file: Path, tmp_path: Path) -> None:
    """What Loops would never be asked shows the payload and the field that is wrong, and ends with status 1."""
    wrong = {"userId": {"@path": "$.userId"}, "eventName": {"@path": "$.event"}, "email": "nobody"}
    run = cli("preview", event_file, "--mappings", mappings(tmp_path / "m.json", mapping=wrong))
    assert run.status == 1
    assert "rejected: invalid-payload: email:" in run.out
    assert '"email": "nobody"' in run.out


def test_a_mapping_that_fails_says_where(cli: Cli, event_file: Path, tmp_path: Path) -> None:
    """A mapping that cannot be resolved over this event names the directive."""
    wrong = {"userId": {"@template": {"@path": "$.properties"}}}
    run = cli("preview", event_file, "--mappings", mappings(tmp_path / "m.json", mapping=wrong))
    assert run.status == 1
    assert "mapping-failed: /userId/@template" in run.out


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_can_be_previewed(cli: Cli, sample: Path) -> None:
    """Each file in events/ is taken as it is, and one of its events by one of the project's subscriptions."""
    run = cli("preview", sample, "--json")
    assert run.status == 0
    assert any(each["matches"] for event in run.json["events"] for each in event["subscriptions"])


def test_a_batch_is_taken_event_by_event(cli: Cli, tmp_path: Path) -> None:
    """A batch is previewed as the functions read it, with what is no event among it."""
    (tmp_path / "batch.json").write_text(json.dumps([{"json": TRACK}, 5, {"type": "page"}]))
    run = cli("preview", tmp_path / "batch.json")
    assert run.status == 1
    assert "Event 1 of 3: track" in run.out
    assert "Event 2 of 3: an event is a JSON object" in run.out
    assert "Event 3 of 3: page" in run.out


def test_standard_input_is_read(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(TRACK).encode())))
    assert cli("preview", "-", "--json").json["events"][0]["messageId"] == "m-1"


@pytest.mark.parametrize("text", ["", "{", "[]", "5"])
def test_what_holds_no_event_is_told(cli: Cli, tmp_path: Path, text: str) -> None:
    """A file without an event is one line on standard error."""
    (tmp_path / "event.json").write_text(text)
    run = cli("preview", tmp_path / "event.json")
    assert (run.status, run.out, run.err.count("\n")) == (1, "", 1)
    assert "holds no event" in run.err


def test_faulty_mappings_are_told_first(cli: Cli, event_file: Path, tmp_path: Path) -> None:
    """With a faulty mappings file nothing is previewed, and its problems are shown as `check` shows them."""
    run = cli("preview", event_file, "--mappings", mappings(tmp_path / "m.json", trigger="x"))
    assert (run.status, run.out) == (1, "")
    assert "/subscriptions/0/trigger" in run.err


def test_sent_to_the_sandbox_it_shows_the_answer(cli: Cli, event_file: Path, sandbox: SandboxServer) -> None:
    """With --send Loops has the event, and its answer and the outcome are shown; again, it is delivered already."""
    run = cli("preview", event_file, "--send", "--loops-url", sandbox.url)
    assert run.status == 0
    assert '200 {\n                 "success": true' in run.out
    assert "outcome    delivered" in run.out
    assert [event.name for event in sandbox.sandbox.events.all()] == ["Signed Up"]
    again = cli("preview", event_file, "--send", "--loops-url", sandbox.url, "--json")
    sent = again.json["events"][0]["subscriptions"][1]
    assert (sent["answer"]["status"], sent["outcome"]) == (409, "delivered")
    assert len(sandbox.sandbox.events.all()) == 1


def test_a_refusal_of_loops_is_shown(cli: Cli, tmp_path: Path, sandbox: SandboxServer) -> None:
    """What Loops refuses is shown with its message and what the functions would do, and ends with status 1."""
    (tmp_path / "event.json").write_text(json.dumps(TRACK | {"event": "a:b"}))
    run = cli("preview", tmp_path / "event.json", "--send", "--loops-url", sandbox.url)
    assert run.status == 1
    assert "400 {" in run.out
    assert "outcome    rejected: refused: " in run.out


def test_a_loops_that_is_not_there_is_shown(cli: Cli, event_file: Path) -> None:
    """Where nothing answers, the outcome is that of the functions: queued."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = cli("preview", event_file, "--send", "--loops-url", f"http://127.0.0.1:{port}/api")
    assert run.status == 1
    assert "answer     none" in run.out
    assert "outcome    queued: connection-failed" in run.out


def test_the_real_loops_is_not_written_to_unasked(cli: Cli, event_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key, or without anybody who could agree, nothing is sent to a Loops that is not this machine's."""
    elsewhere = ("preview", event_file, "--send", "--loops-url", "https://loops.invalid/api")
    assert "put the API key into LOOPS_API_KEY" in cli(*elsewhere).err
    monkeypatch.setenv("LOOPS_API_KEY", "k-123")
    run = cli(*elsewhere)
    assert (run.status, run.out) == (1, "")
    assert "nothing was sent" in run.err


@pytest.mark.parametrize("url", ["http://loops.example/api", "ftp://127.0.0.1", "nowhere", "http://["])
def test_a_key_is_sent_in_private_only(cli: Cli, event_file: Path, url: str) -> None:
    """A URL that is none, or that would show the API key on the way, is misuse."""
    assert cli("preview", event_file, "--send", "--yes", "--loops-url", url).status == 2
