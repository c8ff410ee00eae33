"""Who may import whom, and other rules of the house that no linter knows."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "layers/core"
OURS = "meanwhile"

ROOMS = {
    "domain": {"domain"},
    "storage": {"domain", "storage"},
    "providers": {"domain", "providers", "settings"},
    "operations": {"domain", "operations", "queue", "storage"},
    "operations.accounts": {"domain", "storage"},
    "operations.responses": {"domain", "operations.responses", "storage"},
    "operations.threads": {"domain", "operations.responses", "operations.threads", "storage"},
    "operations.context": {"domain", "operations.context", "operations.threads", "storage"},
    "operations.accepting": {
        "domain",
        "operations.accepting",
        "operations.context",
        "operations.responses",
        "operations.threads",
        "queue",
        "storage",
    },
    "operations.running": {
        "domain",
        "operations.context",
        "operations.responses",
        "operations.running",
        "queue",
        "storage",
    },
    "web": {"api", "domain", "operations", "web", "wiring", "settings", "providers", "observability"},
    "cli": {
        "cli",
        "settings",
        "domain.keys",
        # `keys` and `owners` reach the tables themselves, not the API:
        "domain.errors",
        "operations.accounts.delete_owner",
        "operations.accounts.manage_keys",
        "storage.api_keys",
        "storage.keyring",
        "storage.thread_table",
        "storage.threads",
        "wiring.now",
    },
}
"""What of the package each room, and each room within a room, may import."""

GUESTS = {
    "domain": set[str](),
    "storage": {"boto3", "botocore", "cryptography", "pynamodb"},
    "providers": {"httpx", "httpx_sse"},
    "operations": set[str](),
    "web": {"fastapi", "mangum", "pydantic", "pydantic_core", "starlette", "uvicorn"},
    "queue": {"boto3", "botocore"},
    "aws": {"botocore"},
    "vocabulary": {"tiktoken"},
    "observability": {"aws_lambda_powertools"},
    "cli": {"boto3", "botocore", "httpx", "rich", "typer"},
}
"""What of other people's packages each room (or file beside them) may import; others none."""

WEB_ONLY = {"fastapi", "mangum", "pydantic", "pydantic_core", "starlette", "uvicorn"}
NEVER = {"hypothesis", "moto", "openai", "pytest", "rich", "tiktoken", "typer"}


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    path: Path

    @property
    def name(self) -> str:
        """Its name inside the package: `domain.log`, `settings`."""
        parts = self.path.relative_to(CORE / OURS).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The folder it lives in, or its own name at the top."""
        return self.name.partition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.path.read_text(), str(self.path))

    @cached_property
    def imports(self) -> set[str]:
        """Everything it imports, wherever in the file; `from a import b` counts as `a.b`."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} imports relatively"
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
        return found

    @property
    def ours(self) -> set[str]:
        """What of the package it imports, by the names inside the package."""
        return {name.removeprefix(f"{OURS}.") for name in self.imports if name.startswith(f"{OURS}.")}

    @property
    def foreign(self) -> set[str]:
        """Top-level names of what is neither ours nor the standard library's."""
        return {name.partition(".")[0] for name in self.imports} - sys.stdlib_module_names - {OURS}

    def dotted(self) -> Iterator[str]:
        """Yield every `a.b` and `a.b.c` that the code says, and every imported name."""
        yield from self.imports
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                yield ast.unparse(node)


MODULES = [Module(path) for path in sorted((CORE / OURS).rglob("*.py"))]
FILES = sorted(
    path for folder in ("layers/core", "functions", "infra") for path in (ROOT / folder).rglob("*.py")
)


def within(name: str, allowed: set[str]) -> bool:
    """Whether a dotted name is one of these, or inside one of these."""
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_opens_only_onto_its_neighbours(room: str) -> None:
    """The arrows of the design: the domain knows nobody, and only wiring knows everybody."""
    modules = [module for module in MODULES if within(module.name, {room})]

    strangers = {
        (module.name, name) for module in modules for name in module.ours if not within(name, ROOMS[room])
    }

    assert modules
    assert strangers == set()


def test_nobody_needs_the_command_line() -> None:
    """It is installed where people type; what it imports is not in the layer."""
    importers = {
        module.name
        for module in MODULES
        if module.room != "cli" and any(within(name, {"cli"}) for name in module.ours)
    }

    assert importers == set()


def test_every_room_has_its_rule() -> None:
    """A new folder without a line in the table would be allowed everything."""
    rooms = {module.room for module in MODULES if module.path.parent != CORE / OURS}
    within_operations = {module.name.rpartition(".")[0] for module in MODULES if module.room == "operations"}

    assert rooms | within_operations - {""} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name or OURS)
def test_other_peoples_packages_stay_in_their_rooms(module: Module) -> None:
    """PynamoDB can be replaced in storage, FastAPI in web, httpx in providers, and nowhere else."""
    assert module.foreign - GUESTS.get(module.room, set()) == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name or OURS)
def test_the_environment_is_read_in_settings_only(module: Module) -> None:
    """What a deployment can choose is one list, and one error names all that is missing."""
    reads = {
        name for name in module.dotted() if name in {"os.environ", "os.getenv", "os.environb", "os.putenv"}
    }

    assert reads == set() or module.name == "settings"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name or OURS)
def test_the_clock_is_read_in_wiring_only(module: Module) -> None:
    """Everybody else is told the time, so tests never sleep and never depend on the day they run."""
    clocks = ("time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today")
    reads = {
        name for name in module.dotted() if name in clocks or name.endswith(tuple(f".{c}" for c in clocks))
    }

    assert reads == set() or module.name == "wiring"


def test_the_domain_does_nothing_but_compute() -> None:
    """Its rules are checked on thousands of made-up histories; a thread or a socket would end that."""
    effects = {"asyncio", "io", "logging", "os", "pathlib", "socket", "subprocess", "threading", "time"}

    found = {
        (module.name, name)
        for module in MODULES
        if module.room == "domain"
        for name in module.imports
        if name.partition(".")[0] in effects
    }

    assert found == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name or OURS)
def test_only_errors_that_can_be_acted_on_are_caught(module: Module) -> None:
    """`except Exception` turns a mistake of ours into a wrong answer."""
    caught = {
        name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        for name in (
            {ast.unparse(each) for each in ast.walk(node.type) if isinstance(each, ast.Name)}
            if node.type
            else {"everything"}
        )
    }

    assert caught & {"Exception", "BaseException", "everything"} == set()


def test_no_module_imports_itself_in_a_circle() -> None:
    """A circle is one module in several files; also when an import hides inside a function."""
    names = {module.name for module in MODULES}
    graph = {
        module.name: {
            target
            for name in module.ours
            for target in (name, name.rpartition(".")[0])
            if target in names and target != module.name
        }
        for module in MODULES
        if module.name
    }

    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")

    assert order


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_one_subject(path: Path) -> None:
    """Past three hundred lines there is a second one; and `utils` is no subject."""
    assert len(path.read_text().splitlines()) <= 300
    assert path.stem not in {"common", "helper", "helpers", "misc", "util", "utils"}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "functions").glob("*/*.py")), ids=lambda path: path.parent.name
)
def test_a_handler_fits_on_one_screen(path: Path) -> None:
    """Parse, call, answer: what is worth testing lives in the layer."""
    assert path.name == "handler.py"
    assert len(path.read_text().splitlines()) <= 60


@pytest.mark.parametrize(
    "folder",
    [path for path in sorted((ROOT / "functions").iterdir()) if path.is_dir()],
    ids=lambda path: path.name,
)
def test_a_function_folder_holds_one_file(folder: Path) -> None:
    """In Lambda the folder is the import root: a second file would have two names, or hide Python's own."""
    assert len([path for path in folder.iterdir() if path.name != "__pycache__"]) == 1


@pytest.mark.parametrize("function", ["worker", "sweeper", "dead_letters"])
def test_a_function_without_http_imports_no_web_framework(function: str) -> None:
    """Every cold start pays for what is imported: FastAPI alone takes longer than the rest together."""
    loaded = loaded_by(function)

    assert {name for name in WEB_ONLY | NEVER if name in loaded} == set()


def test_the_api_imports_nothing_that_only_others_need() -> None:
    """The same, for the function that people wait for."""
    loaded = loaded_by("api")

    assert {name for name in NEVER if name in loaded} == set()


def loaded_by(function: str) -> set[str]:
    """Return the modules that importing a function's handler loads, in a process like Lambda's."""
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251  # another process starts here
        "PYTHONPATH": str(ROOT / "functions" / function),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "RESPONSES_TABLE": "responses",
        "OWNER_KEYS_TABLE": "owner-keys",
        "API_KEYS_TABLE": "api-keys",
        "THREADS_TABLE": "threads",
        "BUCKET": "payloads",
        "MASTER_KEY": "alias/meanwhile",
        "WORK_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/work",
        "SOLO_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/solo",
        "POWERTOOLS_SERVICE_NAME": function,
    }
    script = "import sys, json, handler; assert handler.handler; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(  # noqa: S603  # our own interpreter and our own script
        [sys.executable, "-c", script], env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))
