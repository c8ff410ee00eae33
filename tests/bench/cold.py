"""Cold starts: importing a function against importing only the third-party packages it needs.

Processor time, in fresh processes, in turns, and the least of several: whatever else the machine does can
only add to it.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench.report import Cell, Report, Table, Target

_ROOT = Path(__file__).resolve().parents[2]
_ROUNDS = 7

_IMPORT = """
import sys, time
before = time.process_time()
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        pass  # a name that stands for no module of its own
print(time.process_time() - before)
"""

_LIST = """
import sys
known = set(sys.modules)
for name in sys.argv[1:]:
    __import__(name)
for name, module in list(sys.modules.items()):
    origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
    if name not in known and "site-packages" in origin:
        print(name)
"""

_CONNECT = """
import sys, time
before = time.process_time()
import handler
from meanwhile import wiring, worker
worker.work()
wiring.aws_client("sqs")
print(time.process_time() - before)
"""


@dataclass(frozen=True, slots=True)
class _Start:
    name: str
    folder: Path
    modules: tuple[str, ...]


_FUNCTIONS = (
    _Start("worker", _ROOT / "functions/worker", ("handler",)),
    _Start("api", _ROOT / "functions/api", ("handler",)),
    _Start("stream", _ROOT / "functions/stream", ("uvicorn", "meanwhile.web.app")),
)


def measure() -> Report:
    """Import every function on the way of a request, several times."""
    rows: list[list[Cell]] = []
    targets = []
    for function in _FUNCTIONS:
        packages = _run(function, _LIST, *function.modules).split()
        whole, alone = _in_turns(function, packages)
        rows.append([function.name, len(packages), whole / alone])
        targets.append(Target(what=f"cold start, {function.name}", value=whole / alone, limit=1.3))
        if function.name == "worker":
            connected = min(float(_run(function, _CONNECT)) for _ in range(_ROUNDS)) / alone
    table = Table(
        title="Cold start: importing the function / importing its third-party modules alone",
        columns=["function", "third-party modules", "ratio"],
        rows=rows,
        notes=[
            f"Processor time, the least of {_ROUNDS} fresh processes each, byte code at hand.",
            f"The worker with everything wired and an SQS client made, as it first needs: {connected:.2f}.",
        ],
    )
    return Report(name="cold", tables=[table], targets=targets)


def _in_turns(function: _Start, packages: list[str]) -> tuple[float, float]:
    """Return the least that importing the function takes, and importing these packages alone."""
    whole, alone = [], []
    for _ in range(_ROUNDS):
        whole.append(float(_run(function, _IMPORT, *function.modules)))
        alone.append(float(_run(function, _IMPORT, *packages)))
    return min(whole), min(alone)


def _run(function: _Start, program: str, *arguments: str) -> str:
    """Run a program as the function would be, and return what it prints."""
    environment = {
        "PYTHONPATH": f"{function.folder}:{_ROOT / 'layers/core'}",
        "PATH": "/usr/bin:/bin",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "RESPONSES_TABLE": "bench",
        "OWNER_KEYS_TABLE": "bench",
        "API_KEYS_TABLE": "bench",
        "THREADS_TABLE": "bench",
        "BUCKET": "bench",
        "MASTER_KEY": "bench",
        "WORK_QUEUE_URL": "https://localhost/bench",
        "SOLO_QUEUE_URL": "https://localhost/bench-solo",
    }
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return done.stdout
