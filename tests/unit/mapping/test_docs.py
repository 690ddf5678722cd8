import json
import re
from pathlib import Path
from typing import Any

import pytest

from loops_destination.errors import MappingError
from loops_destination.mapping import Mapping
from loops_destination.mapping.directives import DIRECTIVES
from loops_destination.mapping.liquid.filters import DISABLED_FILTERS
from loops_destination.mapping.liquid.liquid_parser import DISABLED_TAGS

PAGE = (Path(__file__).parents[3] / "docs" / "mapping.md").read_text("utf-8")
BLOCKS = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
EXAMPLES = [block for block in BLOCKS if "output" in block]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: json.dumps(example["mapping"])[:60])
def test_example(example: dict[str, Any]) -> None:
    """Each example on the page gives the output beside it."""
    assert Mapping(example["mapping"]).resolve(example["event"]) == example["output"]


def test_every_directive_has_a_section() -> None:
    """Each directive has a section with an example, in the order in which messages list them."""
    sections = re.findall(r"^## (@\w+)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in sections] == list(DIRECTIVES)
    assert all("```json" in text and f'"{name}"' in text for name, text in sections)


def test_problems() -> None:
    """The invalid mapping on the page is refused with the problems that the page shows."""
    (invalid,) = [block for block in BLOCKS if "output" not in block]
    shown = re.findall(r"^```text\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    with pytest.raises(MappingError) as refused:
        Mapping(invalid["mapping"])
    assert [str(refused.value)] == shown


def test_disabled_words_are_listed() -> None:
    """The page names every disabled tag and filter of Liquid."""
    section = PAGE.partition("## @liquid")[2].partition("\n## ")[0]
    assert all(f"`{word}`" in section for word in DISABLED_TAGS | DISABLED_FILTERS)
