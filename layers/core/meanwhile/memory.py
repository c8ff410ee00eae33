"""How much memory this process takes, as Linux says; Lambda ends one that takes more than it was given."""

import os
from pathlib import Path

_STATM = Path("/proc/self/statm")


_FULL = 0.75
"""The share of what it was given above which a process is short of memory."""


def is_short(megabytes: int) -> bool:
    """Whether so much of the memory it was given is taken that nothing more should be; 0 is no limit."""
    return bool(megabytes) and resident_bytes() > megabytes * 2**20 * _FULL


def resident_bytes() -> int:
    """Return what of the process is in memory; 0 where the system does not say."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
