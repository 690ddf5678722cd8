"""samconfig.toml fits the template."""

from __future__ import annotations

import shlex
import tomllib
from typing import Any

import pytest

from tests.template.template_stack import ROOT, Stack

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
STACKS = [name for name in CONFIG if name != "version"]


def test_each_section_has_its_own_stack() -> None:
    """Each section names another stack, so that a deployment never changes the stack of another section."""
    names = [CONFIG[name]["global"]["parameters"]["stack_name"] for name in STACKS]
    assert STACKS == ["default", "staging", "production"]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", STACKS)
def test_each_section_can_be_deployed(name: str) -> None:
    """Each section has the capabilities that the template needs, a bucket, and allowed values of parameters."""
    options = CONFIG[name]["deploy"]["parameters"]
    declared = Stack.read().document["Parameters"]
    assert options["capabilities"].split(" ") == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    assert options["resolve_s3"]
    for override in shlex.split(options.get("parameter_overrides", "")):
        parameter, _, value = override.partition("=")
        assert value in map(str, declared[parameter]["AllowedValues"])


def test_production_is_confirmed_and_deployed_as_a_canary() -> None:
    """A production deployment shows its changes before it makes them, and is a canary deployment."""
    options = CONFIG["production"]["deploy"]["parameters"]
    assert options["confirm_changeset"]
    assert "Canary=true" in options["parameter_overrides"]
