"""Mistakes of our own: stopped in one place, and logged without a word of content."""

import logging
from types import TracebackType
from typing import Self

from meanwhile.domain.errors import ServiceError, place_of
from meanwhile.settings import SettingsError

logger = logging.getLogger(__name__)

_SAYS_NO_CONTENT = (ServiceError, SettingsError)
"""Errors whose messages are ours; any other may quote what it was given."""


class Stopped:
    """A context no exception leaves, other than the end of the task or the process.

    Only for the edge, where there is a caller to answer and nobody above to handle it.
    """

    def __init__(self, **about: str) -> None:
        self._about = about
        self.by: Exception | None = None
        """What was stopped."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self.by = error
        logger.error("unexpected error", extra=self._about | described(error, trace))
        return True


def described(error: BaseException, trace: TracebackType | None) -> dict[str, str]:
    """Return the type and place of an error; its message only if that is known to hold no content."""
    about = {"error": type(error).__qualname__, "where": place_of(trace)}
    if isinstance(error, _SAYS_NO_CONTENT):
        about["reason"] = str(error)
    return about
