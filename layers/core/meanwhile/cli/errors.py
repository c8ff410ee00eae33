"""Why a command could not do what it was asked; each message is a sentence for the person who typed it.

CommandFailed
├── TemporarilyFailed       asking again may help
│   ├── Unreachable           nobody answered
│   └── Overloaded            429 or 5xx
├── Refused                 4xx: the request is wrong, or the key
└── NotOurs                 something answered that is not this service
"""


class CommandFailed(Exception):
    """Root of the family."""


class TemporarilyFailed(CommandFailed):
    """The same call may succeed a moment later."""


class Unreachable(TemporarilyFailed):
    """No connection, or one that broke off."""


class Overloaded(TemporarilyFailed):
    """The service answered that it cannot at the moment."""


class Refused(CommandFailed):
    """The service understood, and said no."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotOurs(CommandFailed):
    """The answer is not one that this service gives."""
