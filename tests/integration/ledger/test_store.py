"""The table in DynamoDB, on moto, and the fake one: the same promises for both."""

import socket
from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.config import Config

from loops_destination.clock import Clock
from loops_destination.ledger import LedgerStore, LedgerUnavailable, Write
from loops_destination.ledger.event_clock import EventClock
from loops_destination.ledger.record import ContactRecord, Lease, Mark, Property
from loops_destination.ledger.store import DynamoStore
from tests.fakes import NOW, ManualClock
from tests.unit.ledger.fake_store import FakeStore

DAY = 24 * 3600


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["DynamoDB", "fake"])
def store(request: pytest.FixtureRequest, clock: ManualClock) -> LedgerStore:
    if request.param == "fake":
        return FakeStore(clock)
    make: Callable[[Clock], LedgerStore] = request.getfixturevalue("make_store")
    return make(clock)


def write(key: str = "k", if_version: int | None = 0, kept_seconds: int = DAY, **item: object) -> Write:
    return Write(key, {"version": if_version or 0, **item}, if_version, kept_seconds)


def test_what_was_never_written_is_absent(store: LedgerStore) -> None:
    """An item that nobody wrote is read as None."""
    assert store.read("k") is None
    assert store.read("k", consistent=True) is None


def test_an_item_comes_back_as_it_was_written(store: LedgerStore) -> None:
    """A contact with everything it can hold is read as it was written, with the next version."""
    when = EventClock(1, 2, "m-\ud800é", "s")
    contact = ContactRecord(
        properties={"Größe": Property(when, None, 3), "mailingLists.a": Property(when, "hash", 4)},
        lease=Lease("id", round(NOW * 1000)),
        deleted_at=when,
        deleting=Mark(when, 5),
        waiting=Mark(when, 6),
        untracked=True,
    )
    assert store.write(Write("k", contact.to_item(), 0, DAY))
    read = store.read("k")
    assert read == contact.to_item() | {"version": 1}
    assert ContactRecord.from_item(read).to_item() == read


def test_a_version_is_written_once(store: LedgerStore) -> None:
    """Of two writes that saw the same version, the second one is lost and changes nothing."""
    assert store.write(write(value=1))
    assert not store.write(write(value=2))
    assert store.write(write(if_version=1, value=3))
    assert not store.write(write(if_version=1, value=4))
    assert store.read("k", consistent=True) == {"version": 2, "value": 3}


def test_a_version_of_nothing_is_lost(store: LedgerStore) -> None:
    """A write for a version of an item that is absent is lost."""
    assert not store.write(write(if_version=7))
    assert store.read("k") is None


def test_a_write_without_a_version_always_counts(store: LedgerStore) -> None:
    """A write for no version in particular replaces what is there."""
    assert store.write(write(if_version=None, value=1))
    assert store.write(write(if_version=None, value=2))
    assert store.read("k") == {"version": 1, "value": 2}


def test_an_expired_item_is_absent(store: LedgerStore, clock: ManualClock) -> None:
    """An item that has expired is absent, although DynamoDB may still hold it, and the next one begins anew."""
    assert store.write(write(value=1))
    assert store.write(write(if_version=1, value=2))
    clock.sleep(DAY + 1)
    assert store.read("k") is None
    assert store.write(write(value=3))
    assert store.read("k") == {"version": 1, "value": 3}


def test_several_items_are_written_together_or_not_at_all(store: LedgerStore) -> None:
    """When one of several writes is lost, all are."""
    assert store.write(write("a"), write("b"))
    assert not store.write(write("a", 1, value=2), write("c"), write("b", 7))
    assert store.read("a") == {"version": 1}
    assert store.read("c") is None


@pytest.fixture
def hanging_url() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def client_of(url: str, seconds: float) -> DynamoStore:
    config = Config(connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1})
    return DynamoStore("t", ManualClock(), boto3.client("dynamodb", endpoint_url=url, config=config))


@pytest.mark.usefixtures("aws")
def test_a_table_that_does_not_answer_is_unavailable(hanging_url: str) -> None:
    """A table that hangs raises LedgerUnavailable, for reads and for writes."""
    store = client_of(hanging_url, 0.05)
    with pytest.raises(LedgerUnavailable):
        store.read("k")
    with pytest.raises(LedgerUnavailable):
        store.write(write())


def test_a_table_that_is_missing_is_unavailable(make_store: Callable[[Clock], DynamoStore], aws: str) -> None:
    """An error of DynamoDB raises LedgerUnavailable, which names its code and quotes nothing else."""
    assert make_store(ManualClock()).read("k") is None
    with pytest.raises(LedgerUnavailable, match=r"^DynamoDB answered ResourceNotFoundException$"):
        client_of(aws, 1).read("k")


class Failing:
    """A client whose every call takes this long and fails."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        self.calls = 0
        self._clock = clock
        self._seconds = seconds

    def get_item(self, **_: object) -> None:
        self.calls += 1
        self._clock.sleep(self._seconds)
        raise LedgerUnavailable("down")


@pytest.mark.parametrize(("seconds", "calls"), [(0.05, 2), (1.0, 1)])
def test_only_what_fails_at_once_is_asked_again(seconds: float, calls: int) -> None:
    """A broken connection is asked once more; a table that hangs is not, so that the answer to Segment leaves in time."""
    clock = ManualClock()
    client = Failing(clock, seconds)
    with pytest.raises(LedgerUnavailable):
        DynamoStore("t", clock, client).read("k")  # type: ignore[arg-type]
    assert client.calls == calls
