"""Kills what the local stack started when the stack itself is killed.

A process that dies of SIGKILL cannot tidy up, so it tells this one what it starts (`+1234` on standard input)
and what has ended (`-1234`). When the input ends, every process group still on the list is killed. Unlike a
parent-death signal this works on every POSIX system and reaches grandchildren. Standard library only.
"""

import os
import signal
import sys
from collections.abc import Iterable


def watch(lines: Iterable[str]) -> None:
    """Follow the list to its end, then kill what is on it."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # gone already; macOS says the second for a zombie
            continue


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch(sys.stdin)
