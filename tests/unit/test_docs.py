"""The documentation names files, headings, commands, options, parameters and actions that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from botocore.session import Session

from segment_loops.commands.main import segment_loops
from tests.template.template_stack import ALARM, FUNCTION, Stack

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PRODUCTION = (ROOT / "docs" / "production.md").read_text("utf-8")
DEPLOY = (ROOT / "docs" / "deploy.md").read_text("utf-8")

AWS_OPTIONS = {"query", "output"}
"""Options of every command of the AWS CLI."""


def _blocks(page: Path, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def _commands(program: str) -> list[list[str]]:
    """Return the words of each command of a program in the pages' shell blocks and, between backticks, in their text."""
    found: dict[tuple[str, ...], None] = {}
    for page in PAGES:
        lines = [line for block in _blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
        lines += re.findall(rf"`((?:\S+=\S+ )?{program} [^`]+)`", page.read_text("utf-8"))
        for line in lines:
            parts = re.findall(rf"(?:^|&& |[A-Z_]+=\S+ )((?:\.venv/bin/)?{program} .*)", line)
            parts += re.findall(rf"\$\(({program} [^)]*)\)", line)
            for part in parts:
                words = shlex.split(part, comments=True)
                end = next((index for index, word in enumerate(words) if word in {"&&", "<", ">", "|"}), len(words))
                found[tuple(words[:end])] = None
    assert found
    return [list(words) for words in found]


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w-]", "", heading.lstrip("#").strip().lower().replace(" ", "-"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each link between the pages leads to a file, and to a heading if it names one."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        if anchor:
            lines = file.read_text("utf-8").splitlines()
            assert anchor in {_anchor(line) for line in lines if line.startswith("#")}, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_dead_letter_has_its_full_name(page: Path) -> None:
    """No page says `letter` alone."""
    assert not re.findall(r"(?<!dead )(?<!dead-)(?<!dead\n)\bletters?\b", page.read_text("utf-8"), re.IGNORECASE)


@pytest.mark.parametrize("words", _commands("segment-loops"), ids=" ".join)
def test_every_command_of_segment_loops_exists(words: list[str]) -> None:
    """Each `segment-loops` command on the pages exists and has the options that are shown."""
    command: click.Command = segment_loops
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands
        command, rest = command.commands[rest[0]], rest[1:]
    options = {name: option for option in command.params for name in option.opts}
    for word in rest:
        assert not word.startswith("--") or word.partition("=")[0] in options, word
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    assert arguments or not [word for word in rest[:1] if not word.startswith("-")]


@pytest.mark.parametrize("words", _commands("make"), ids=" ".join)
def test_every_make_target_exists(words: list[str]) -> None:
    """Each `make` target on the pages exists, and the Makefile reads the variables that are shown."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in words[1:]:
        name, is_variable, _ = word.partition("=")
        assert re.search(rf"\$\({name}\)" if is_variable else rf"^{name}:", makefile, re.MULTILINE), word


@pytest.mark.parametrize("words", _commands("aws"), ids=" ".join)
def test_every_aws_command_exists(words: list[str]) -> None:
    """Each operation of the AWS CLI on the pages exists, has the parameters that are shown, and is given all it needs."""
    service, command = words[1:3]
    model = Session().get_service_model(service)
    names = {_kebab(name): name for name in model.operation_names}
    shape: Any = model.operation_model(names[command]).input_shape
    members = {_kebab(name): name for name in shape.members} if shape else {}
    given = {word[2:].removeprefix("no-") for word in words if word.startswith("--")} - AWS_OPTIONS
    assert given <= members.keys()
    if len(words) > 3:  # in a sentence the name alone is enough
        assert set(shape.required_members if shape else []) <= {members[name] for name in given}


def _kebab(name: str) -> str:
    """Return a name as the AWS CLI writes it: `get-open-id` for `GetOpenID`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


@pytest.mark.parametrize("words", _commands("sam"), ids=" ".join)
def test_every_sam_command_names_what_exists(words: list[str]) -> None:
    """Each `sam` command on the pages names functions of the template and files of the repository."""
    functions = Stack.read().of_type(FUNCTION)
    assert [word for word in words if word.endswith("Function") and word not in functions] == []
    assert [word for word in words if word.endswith(".json") and not (ROOT / word).is_file()] == []


def test_every_parameter_is_in_the_table() -> None:
    """The table of parameters on the deploy page has every parameter of the template, with its default."""
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|", DEPLOY, re.MULTILINE)
    shown = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    parameters = Stack.read().document["Parameters"]
    assert shown.keys() == parameters.keys()
    for name, parameter in parameters.items():
        expected = {"": "\N{EN DASH}", "https://app.loops.so/api": "Loops"}.get(
            str(parameter["Default"]), parameter["Default"]
        )
        assert shown[name].strip("`") == str(expected), name


def test_the_fixed_cost_is_that_of_the_template() -> None:
    """The arithmetic of the monthly cost counts the template's alarms and the metrics that they read, and adds up."""
    alarms = [each["Properties"] for each in Stack.read().of_type(ALARM).values()]
    insights = [alarm for alarm in alarms if "SELECT" in str(alarm.get("Metrics"))]
    read = [sum("MetricStat" in each for each in alarm.get("Metrics", [{"MetricStat": {}}])) for alarm in alarms]
    assert f"| {len(alarms) - len(insights)} alarms that read {sum(read)} metrics " in PRODUCTION
    assert f"| {len(insights)} alarms with a Metrics Insights query," in PRODUCTION
    table = PRODUCTION.partition("**Per month:**")[2].partition("**Per million")[0]
    amounts = re.findall(r"^\|.*\| \**\$([\d.]+)(?: to \$([\d.]+))?\** \|$", table, re.MULTILINE)
    *fixed, at_rest, metrics, queries, steady = [(float(low), float(high or low)) for low, high in amounts]
    assert round(sum(low for low, _ in fixed), 2) == at_rest[0]
    total = tuple(round(at_rest[0] + metrics[end] + queries[end], 2) for end in (0, 1))
    assert total == steady


def test_the_readme_gives_the_same_costs() -> None:
    """The README rounds the monthly costs, and repeats the costs per million events, of the page on production."""
    bold = r"\*\*\$([\d.]+)"
    found = re.search(
        rf"at rest\*\* \| {bold}.*{bold} to \$([\d.]+).*together\*\* \| {bold}\*\* \| {bold}", PRODUCTION, re.DOTALL
    )
    assert found
    at_rest, low, high, at_once, queued = found.groups()
    shown = " ".join((ROOT / "README.md").read_text("utf-8").split())
    monthly = (
        f"about ${float(at_rest):.0f} a month at rest, ${float(low):.0f} to ${float(high):.0f} with steady traffic"
    )
    assert f"{monthly}, plus ${at_once} per million events, or ${queued} if queued" in shown


def test_the_pipeline_is_one_that_ci_would_accept() -> None:
    """The example of a pipeline pins each action by a commit, those of CI by the same, and leaves no credentials behind."""
    [text] = _blocks(ROOT / "docs" / "production.md", "yaml")
    ci = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    used = re.findall(r"uses: (.*)$", text, re.MULTILINE)
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used)
    assert {action for action in used if action.startswith("actions/")} == set(
        re.findall(r"uses: (.*)$", ci, re.MULTILINE)
    )
    document = yaml.safe_load(text)
    assert document["permissions"] == {"contents": "read", "id-token": "write"}
    assert document["jobs"]["deploy"]["steps"][0]["with"] == {"persist-credentials": False}
