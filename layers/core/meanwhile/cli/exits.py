"""What the shell is told at the end."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; `--help` lists them."""

    COMPLETED = 0
    FAILED = 1
    USAGE = 2
    CANCELLED = 3
    INTERRUPTED = 130
    """128 and the number of SIGINT, as shells have it."""

    @classmethod
    def of_response(cls, status: str) -> "Exit":
        """Return the code for a response that ended."""
        return {"completed": cls.COMPLETED, "cancelled": cls.CANCELLED}.get(status, cls.FAILED)


LISTED = (
    "Exit codes: 0 completed; 1 failed, incomplete or an error; 2 wrong usage; 3 cancelled; 130 interrupted."
)
