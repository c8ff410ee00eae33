"""What a process has used of the machine so far, as Linux tells it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Used:
    """Processor time in seconds; memory that is resident, now and at most, in megabytes (of 1024 kB)."""

    seconds: float
    now: float
    peak: float

    @classmethod
    def by(cls, pid: int) -> Self:
        """Look at a process; a machine without /proc tells nothing, and all is 0."""
        folder = Path(f"/proc/{pid}")
        if not folder.exists():
            return cls(0, 0, 0)
        # The command's name, which may hold anything, stands in brackets before the numbers.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        user, system = fields[11:13]
        seconds = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        status = (folder / "status").read_text()
        return cls(seconds, _megabytes(status, "VmRSS"), _megabytes(status, "VmHWM"))


def _megabytes(status: str, name: str) -> float:
    return int(status.partition(f"{name}:")[2].split(maxsplit=1)[0]) / 1024
