"""Two whole stacks, each with settings that hurry it: one that is well, and one whose workers are killed.

A stack serves one test at a time: every module here names its stack with `xdist_group`, and `--dist
loadgroup` keeps a group in one process.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from infra.local.client import LocalStack
from tests.stack.upstream import Upstream

HEARTBEAT_SECONDS = 1
LEASE_SECONDS = 3
RESEND_SECONDS = 2
KEEP_ALIVE_SECONDS = 0.3
FIRST_TOKEN_SECONDS = 1.5
GAP_SECONDS = 4
PATIENCE_SECONDS = 2.5
UNSTORED_RETENTION_SECONDS = 5
WATCH_SECONDS = 2
STREAMS_PER_RESPONSE = 3
INLINE_BYTES = 4000
SLOTS_OF_FRAGILE = 3
ATTEMPTS_OF_FRAGILE = 2

IMPATIENT = "impatient"
"""Models whose names begin so may not be silent for long; all others for as long as the defaults allow."""
_ROW_OF_IMPATIENT = f"""
[[upstream]]
match = "{IMPATIENT}-*"
first_token_seconds = {FIRST_TOKEN_SECONDS}
gap_seconds = {GAP_SECONDS}
"""
_ROOT = Path(__file__).parents[2]

HURRIED = {
    "HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "RESEND_SECONDS": str(RESEND_SECONDS),
    "COMMIT_UNWATCHED_SECONDS": "0.2",
    "API_KEY_CACHE_SECONDS": "0.5",
    "WATCH_SECONDS": str(WATCH_SECONDS),
    "STREAMS_PER_RESPONSE": str(STREAMS_PER_RESPONSE),
}


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """Play the model provider."""
    with Upstream() as playing:
        yield playing


@pytest.fixture(scope="session")
def stack(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Run the whole service, with one more row in its catalogue."""
    folder = tmp_path_factory.mktemp("stack")
    template = shutil.copy(_ROOT / "template.yaml", folder)
    (folder / "functions").symlink_to(_ROOT / "functions")
    shutil.copytree(_ROOT / "layers", folder / "layers", ignore=shutil.ignore_patterns("__pycache__"))
    catalogue = folder / "layers/core/meanwhile/providers/catalogue.toml"
    models, first, upstreams = catalogue.read_text(encoding="utf-8").partition("\n[[upstream]]\n")
    catalogue.write_text(models + _ROW_OF_IMPATIENT + first + upstreams, encoding="utf-8")
    environment = HURRIED | {
        "MODEL_BASE_URL": upstream.base_url,
        "KEEP_ALIVE_SECONDS": str(KEEP_ALIVE_SECONDS),
        "PATIENCE_SECONDS": str(PATIENCE_SECONDS),
        "UNSTORED_RETENTION_SECONDS": str(UNSTORED_RETENTION_SECONDS),
        "INLINE_BYTES": str(INLINE_BYTES),
        "SEALING_KEY_CACHE_SECONDS": "300",  # or a look for a newer key is among the calls that are counted
    }
    with LocalStack(template=Path(template), environment=environment, schedule_seconds=1) as running:
        yield running


@pytest.fixture(scope="session")
def fragile(upstream: Upstream) -> Iterator[LocalStack]:
    """Run the whole service with one worker that has few slots and whose responses get few attempts."""
    environment = HURRIED | {
        "MODEL_BASE_URL": upstream.base_url,
        "SLOTS": str(SLOTS_OF_FRAGILE),
        "MAX_ATTEMPTS": str(ATTEMPTS_OF_FRAGILE),
    }
    with LocalStack(environment=environment, schedule_seconds=1, max_concurrency=1) as running:
        yield running


@pytest.fixture(scope="session")
def sdk(stack: LocalStack) -> Iterator[OpenAI]:
    """Call as a client does: the SDK as it comes, its retries included."""
    with OpenAI(base_url=stack.url, api_key="sk-local") as client:
        yield client


@pytest.fixture(scope="session")
def fragile_sdk(fragile: LocalStack) -> Iterator[OpenAI]:
    """Call the stack whose workers are killed."""
    with OpenAI(base_url=fragile.url, api_key="sk-local") as client:
        yield client
