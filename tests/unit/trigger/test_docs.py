import json
import re
from pathlib import Path

import pytest

from loops_destination.errors import TriggerError
from loops_destination.trigger import Trigger
from loops_destination.trigger.conditions import COMPARISONS

PAGE = (Path(__file__).parents[3] / "docs" / "triggers.md").read_text("utf-8")
BEFORE_PROBLEMS, _, PROBLEMS = PAGE.partition("## Problems")
EXAMPLES = re.findall(r"^\| `(.+)` \| `(.+)` \| (yes|no) \|$", BEFORE_PROBLEMS, re.MULTILINE)
REFUSED = re.findall(r"^\| `(.+?)` \| (?!message)(.+) \|$", PROBLEMS, re.MULTILINE)


@pytest.mark.parametrize(("expression", "event", "answer"), EXAMPLES)
def test_example(expression: str, event: str, answer: str) -> None:
    """Each example on the page gives the result that the page shows."""
    assert Trigger(expression).matches(json.loads(event)) is (answer == "yes")


def test_examples_are_complete() -> None:
    """Every operator, every function and its negation, and both joiners have an example that matches."""
    matching = [expression for expression, _, answer in EXAMPLES if answer == "yes"]
    operators = [f" {operator} " for operator in ("=", "!=", *COMPARISONS, "and", "or")]
    calls = [f"{negation}{function}(" for negation in ("", "!") for function in ("contains", "match")]
    for written in [*operators, *calls]:
        assert any(re.search(rf"(?<!!){re.escape(written)}", expression) for expression in matching), written


def test_rows_are_examples() -> None:
    """Every row of the page's tables is run by a test of this file."""
    rows = re.findall(r"^\| .*`.*$", PAGE, re.MULTILINE)
    assert len(rows) == len(EXAMPLES) + len(REFUSED)


@pytest.mark.parametrize(("expression", "message"), REFUSED)
def test_refused(expression: str, message: str) -> None:
    """Each invalid trigger on the page is refused with the message that the page shows."""
    with pytest.raises(TriggerError, match=re.escape(message)):
        Trigger(expression)


def test_message() -> None:
    """The full message on the page is the one with which its trigger is refused."""
    message = PROBLEMS.split("```\n")[1].rstrip("\n")
    with pytest.raises(TriggerError) as error:
        Trigger(message.splitlines()[1].strip())
    assert str(error.value) == message
