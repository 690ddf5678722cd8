"""What a mapping costs, in microseconds: `python bench/mapping.py`, with layers/destination on PYTHONPATH."""

from timeit import repeat
from typing import Any

from loops_destination.mapping import Mapping


def first_that_exists(path: str, otherwise: Any) -> dict[str, Any]:
    """The directive that Segment's defaults use for a field with two sources."""
    return {"@if": {"exists": {"@path": path}, "then": {"@path": path}, "else": otherwise}}


CONTACT = {
    "customAttributes": {"@path": "$.traits"},
    "email": first_that_exists("$.traits.email", {"@path": "$.email"}),
    "firstName": {"@path": "$.traits.firstName"},
    "lastName": {"@path": "$.traits.lastName"},
    "userGroup": {"@path": "$.traits.userGroup"},
    "source": first_that_exists("$.traits.source", "Segment"),
    "userId": {"@path": "$.userId"},
}
SENT_EVENT = {
    "email": first_that_exists("$.properties.email", {"@path": "$.context.traits.email"}),
    "eventName": {"@path": "$.event"},
    "userId": {"@path": "$.userId"},
    "eventProperties": {"@path": "$.properties"},
}
IDENTIFY = {
    "type": "identify",
    "userId": "u-1",
    "traits": {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace", "plan": "pro"},
    "context": {"ip": "203.0.113.9"},
}
TRACK = {
    "type": "track",
    "event": "Order Completed",
    "userId": "u-1",
    "properties": {"total": 9.5, "products": [{"name": "Tea"}]},
    "context": {"traits": {"email": "ada@example.com"}},
}


def microseconds(statement: str, times: int, **names: object) -> float:
    """The best of seven rounds, for one run of the statement."""
    return min(repeat(statement, globals=names, number=times, repeat=7)) / times * 1e6


def main() -> None:
    """Print one line for each measurement."""
    defaults = [("createOrUpdateContact", CONTACT, IDENTIFY), ("sendEvent", SENT_EVENT, TRACK)]
    for name, definition, event in defaults:
        resolve = Mapping(definition).resolve
        print(f"{name}: resolve {microseconds('resolve(event)', 100_000, resolve=resolve, event=event):.2f} µs")
        compiling = microseconds("Mapping(definition)", 1_000, Mapping=Mapping, definition=definition)
        print(f"{name}: check and compile {compiling:.0f} µs")


if __name__ == "__main__":
    main()
