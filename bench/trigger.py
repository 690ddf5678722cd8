"""What a trigger costs, in microseconds: `python bench/trigger.py`, with layers/destination on PYTHONPATH."""

from timeit import repeat

from loops_destination.trigger import Trigger

SIMPLE = 'type = "identify"'
RICH = 'type = "track" and match(event, "Order*") and (properties.total > 10 or !contains(context.page.title, "Test"))'
LONG = " or ".join(f'event = "Event Number {number}"' for number in range(1000))
IDENTIFY = {"type": "identify", "userId": "u-1", "traits": {"email": "ada@example.com"}}
TRACK = {
    "type": "track",
    "event": "Order Completed",
    "properties": {"total": 7},
    "context": {"page": {"title": "Thank you"}},
}


def microseconds(statement: str, times: int, **names: object) -> float:
    """The best of seven rounds, for one run of the statement."""
    return min(repeat(statement, globals=names, number=times, repeat=7)) / times * 1e6


def main() -> None:
    """Print one line for each measurement."""
    for name, expression, event in [("simple", SIMPLE, IDENTIFY), ("rich", RICH, TRACK)]:
        matches = Trigger(expression).matches
        print(f"{name}: matches {microseconds('matches(event)', 100_000, matches=matches, event=event):.3f} µs")
    for name, expression in [("simple", SIMPLE), ("rich", RICH), ("1,000 conditions", LONG)]:
        times = 1 if expression is LONG else 1_000
        cost = microseconds("Trigger(expression)", times, Trigger=Trigger, expression=expression)
        print(f"{name}: parse and compile {cost:,.0f} µs")


if __name__ == "__main__":
    main()
