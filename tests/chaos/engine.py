"""The local stack's AWS in a process of its own, whose queues tell the time by a shared clock.

usage: python -m tests.chaos.engine CLOCK. A message that is hidden for half a minute then comes back when
the clock says so, and nobody waits.
"""

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local import aws, quick
from tests.chaos.clock import SharedClock

_ROOT = Path(__file__).resolve().parents[2]


class Engine:
    """A running engine and its clock, for as long as a `with` block lasts."""

    url: str
    clock: SharedClock

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            folder = opened.enter_context(tempfile.TemporaryDirectory())
            path = Path(folder) / "clock"
            self.clock = SharedClock.new(path)
            process = opened.enter_context(
                subprocess.Popen(  # noqa: S603  # our own module
                    [sys.executable, "-m", "tests.chaos.engine", str(path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=_ROOT,
                )
            )
            opened.callback(process.kill)
            assert process.stdout is not None
            self.url = f"http://127.0.0.1:{int(process.stdout.readline())}"
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()


def main() -> None:
    """Serve until standard input ends."""
    vars(quick)["now_ms"] = SharedClock(Path(sys.argv[1])).milliseconds
    aws.main()


if __name__ == "__main__":
    main()
