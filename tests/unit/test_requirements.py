"""What is installed is what was locked, everywhere the same."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DEVELOPERS = ROOT / "requirements/dev.txt"
LAYER = ROOT / "layers/dependencies/requirements.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(path: Path) -> list[Requirement]:
    """Return the requirements of a lock file, without their hashes."""
    text = re.sub(r"\\\n", " ", path.read_text())
    lines = (re.sub(r"--hash=\S+", "", line).strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def versions(path: Path) -> dict[str, set[str]]:
    """Return each package's pinned versions (one per kind of machine, mostly one)."""
    found: dict[str, set[str]] = {}
    for requirement in locked(path):
        (pin,) = requirement.specifier
        assert pin.operator == "==", requirement
        found.setdefault(canonicalize_name(requirement.name), set()).add(pin.version)
    return found


@pytest.mark.parametrize(
    ("wanted", "lock"),
    [
        (PROJECT["project"]["dependencies"], LAYER),
        (PROJECT["project"]["dependencies"], DEVELOPERS),
        (PROJECT["dependency-groups"]["dev"], DEVELOPERS),
        (PROJECT["build-system"]["requires"], DEVELOPERS),
    ],
)
def test_the_lock_satisfies_the_project(wanted: list[str], lock: Path) -> None:
    """A dependency added without `make lock` works for its author only."""
    pinned = versions(lock)

    for requirement in map(Requirement, wanted):
        found = pinned.get(canonicalize_name(requirement.name), set())
        assert found, f"{requirement} is not in {lock.name}: make lock"
        assert all(version in requirement.specifier for version in found), f"{requirement}: make lock"


def test_the_layer_ships_what_developers_test() -> None:
    """Two locks that drift apart would test one thing and deploy another."""
    ours = versions(DEVELOPERS)

    assert {name: found for name, found in versions(LAYER).items() if ours.get(name) != found} == {}


@pytest.mark.parametrize("lock", [DEVELOPERS, LAYER], ids=lambda path: path.name)
def test_every_package_is_pinned_by_hash_and_names_no_registry(lock: Path) -> None:
    """Any mirror may serve the packages, and none may change them."""
    text = lock.read_text()
    entries = re.split(r"\n(?=\S)", text.strip())

    assert len(entries) == len(locked(lock))
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"://|^-|--find-links|--index| @ ", text, flags=re.MULTILINE) == []


def test_the_layers_lock_needs_no_condition() -> None:
    """Pip would judge a condition by the machine that builds, not by the one in Lambda."""
    assert [str(requirement) for requirement in locked(LAYER) if requirement.marker] == []
