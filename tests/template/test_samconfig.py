"""samconfig.toml says what the template knows."""

from __future__ import annotations

import shlex
import tomllib
from typing import Any

import pytest

from tests.template.stack import ROOT, Stack

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
STACKS = [name for name in CONFIG if name != "version"]


def test_each_section_is_a_stack_of_its_own() -> None:
    """Deploying one section never changes the stack of another."""
    names = [CONFIG[name]["global"]["parameters"]["stack_name"] for name in STACKS]
    assert STACKS == ["default", "staging", "production"]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", STACKS)
def test_each_section_can_be_deployed(name: str) -> None:
    """A deployment has what its roles and its two transforms need, a bucket, and parameters with allowed values."""
    options = CONFIG[name]["deploy"]["parameters"]
    declared = Stack.read().document["Parameters"]
    assert options["capabilities"].split(" ") == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    assert options["resolve_s3"]
    for override in shlex.split(options.get("parameter_overrides", "")):
        parameter, _, value = override.partition("=")
        assert value in map(str, declared[parameter]["AllowedValues"])


def test_production_asks_before_it_changes_anything() -> None:
    """A production deployment shows its changes first, and goes out as a canary."""
    options = CONFIG["production"]["deploy"]["parameters"]
    assert options["confirm_changeset"]
    assert "Canary=true" in options["parameter_overrides"]
