"""One clock for every process of a chaos run: moved by hand, it moves for all of them at once."""

import mmap
import struct
from pathlib import Path

_SECONDS = struct.Struct("d")


class SharedClock:
    """Seconds since 1970, in a file that every process maps."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _SECONDS.size)

    @classmethod
    def new(cls, path: Path, start: float = 1_800_000_000.0) -> "SharedClock":
        """Make the file, and return the clock in it."""
        path.write_bytes(_SECONDS.pack(start))
        return cls(path)

    def __call__(self) -> float:
        now: float = _SECONDS.unpack_from(self._shared)[0]
        return now

    def milliseconds(self) -> int:
        """Return the same as moto's queues want it."""
        return round(self() * 1000)

    def advance(self, seconds: float) -> None:
        """Let time pass, for everybody. One process at a time may do so."""
        _SECONDS.pack_into(self._shared, 0, self() + seconds)
