"""Third-party code is pinned by content: packages by their hashes, actions by their commit."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LAYER = "layers/destination/requirements"
SOURCES = [LAYER, *sorted(f"requirements/{path.stem}" for path in (ROOT / "requirements").glob("*.in"))]
"""Each is an `.in` file that people edit, and the `.txt` file that `make lock` writes from it."""

MAKEFILES = ["Makefile", "layers/destination/Makefile"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())

PINNED = re.compile(
    r"(?P<name>[a-z0-9.-]+)(?:\[[a-z0-9,-]+\])?==(?P<version>[0-9][^\s;]*)(?: ; [^\\]+?)?(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)


@dataclass(frozen=True)
class Pin:
    version: str
    hashes: frozenset[str]


def logical_lines(text: str) -> list[str]:
    """Return the lines without comments, each with its continuation lines."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\s*\\\n\s*", " ", kept)
    return [line.strip() for line in joined.splitlines() if line.strip()]


def requirements(source: str) -> list[str]:
    return logical_lines((ROOT / f"{source}.txt").read_text("utf-8"))


def pins(source: str) -> dict[str, set[Pin]]:
    """Return each package's pins; a package has two where Python versions differ."""
    found: dict[str, set[Pin]] = {}
    for line in requirements(source):
        pin = PINNED.fullmatch(line)
        assert pin, f"{source}.txt: {line[:80]!r} is not pinned with a hash"
        found.setdefault(pin["name"], set()).add(Pin(pin["version"], frozenset(pin["hashes"].split())))
    return found


def direct(source: str) -> Iterator[str]:
    """Yield the packages that an `.in` file names."""
    for line in logical_lines((ROOT / f"{source}.in").read_text("utf-8")):
        if not line.startswith("-"):
            yield re.split(r"[\s\[=<>~!;]", line)[0]


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def test_every_requirement_file_is_locked() -> None:
    """No requirement file is without its lock, and no lock without its source."""
    named = [*ROOT.glob("*requirements*"), *ROOT.glob("requirements/*"), *ROOT.glob("layers/*/requirements*")]
    files = {path.relative_to(ROOT).as_posix() for path in named if path.is_file()}
    assert files == {f"{source}{suffix}" for source in SOURCES for suffix in (".in", ".txt")}


def test_make_lock_writes_every_lock() -> None:
    """`make lock` leaves out no requirement file."""
    listed = re.search(
        r"^LOCKS := (\S+) \$\(addprefix requirements/,(.*)\)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    assert listed
    assert sorted([listed[1], *(f"requirements/{name}" for name in listed[2].split())]) == sorted(SOURCES)


@pytest.mark.parametrize("source", SOURCES)
def test_every_requirement_is_pinned_with_a_hash(source: str) -> None:
    """A lock names one version and the hashes of each package, and has everything that its source asks for."""
    assert set(direct(source)) <= set(pins(source))


@pytest.mark.parametrize("source", SOURCES)
def test_no_requirement_file_names_a_host(source: str) -> None:
    """The installer's own settings decide where packages come from."""
    for suffix in (".in", ".txt"):
        text = (ROOT / f"{source}{suffix}").read_text("utf-8")
        assert not re.search(r"://|--?i(ndex-url)?\b|--extra-index-url|--find-links|--trusted-host|\s@\s", text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LAYER, "requirements/dev"),
        (LAYER, "requirements/runtime"),
        ("requirements/dev", "requirements/runtime"),
        ("requirements/dev", "requirements/browser"),
    ],
)
def test_locks_that_meet_agree(one: str, other: str) -> None:
    """Packages that run side by side, on Lambda or in the tests, have the same version in both locks."""
    these, those = pins(one), pins(other)
    shared = these.keys() & those.keys()
    assert {name: these[name] for name in shared} == {name: those[name] for name in shared}


def test_the_tests_run_with_all_of_the_layers_packages() -> None:
    """The tests run with each package that the layer ships."""
    assert pins(LAYER).keys() <= pins("requirements/dev").keys()


def test_the_layer_leaves_to_the_runtime_what_the_runtime_has() -> None:
    """The layer's lock has neither boto3 nor botocore."""
    assert not pins(LAYER).keys() & {"boto3", "botocore", "s3transfer"}


@pytest.mark.parametrize("makefile", MAKEFILES)
def test_every_install_checks_hashes(makefile: str) -> None:
    """`make` installs wheels from a lock with hashes, and the project itself without a download."""
    text = (ROOT / makefile).read_text("utf-8")
    locked = re.search(r"^LOCKED := (.*)$", text, re.MULTILINE)
    installs = [line for line in logical_lines(text) if "pip install" in line]
    assert installs
    for line in installs:
        options = line.replace("$(LOCKED)", locked[1] if locked else "").split()
        if "--editable" in options:
            assert {"--no-deps", "--no-build-isolation"} <= set(options)
        else:
            assert {"--require-hashes", "--only-binary=:all:", "--requirement"} <= set(options)


def test_the_build_backend_is_locked() -> None:
    """The editable install is built by a setuptools from the lock."""
    assert "setuptools" in pins("requirements/dev")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    """A workflow names each action by a full commit, and its version in a comment."""
    used = re.findall(r"^\s*(?:- )?uses: *(.*)$", workflow.read_text("utf-8"), re.MULTILINE)
    assert len(used) == sum("uses" in step for step in steps(workflow))
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


def test_ci_runs_the_same_script_with_no_rights() -> None:
    """CI on GitHub runs `.ci/run`, may only read the repository, and leaves no credentials behind."""
    workflow = ROOT / ".github" / "workflows" / "ci.yml"
    document = yaml.safe_load(workflow.read_text("utf-8"))
    assert document["permissions"] == {"contents": "read"}
    assert not [job for job in document["jobs"].values() if "permissions" in job]
    assert [step["run"] for step in steps(workflow) if "run" in step] == [".ci/run"]
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False]
