"""Logs: one JSON object a line, ids and counts only. No content of a user is ever in one."""

import logging
from typing import Any

from aws_lambda_powertools import Logger

from meanwhile.domain.errors import place_of

logger = Logger(service="meanwhile")
"""Formats what every `logging.getLogger("meanwhile....")` says, for it is their parent."""


class WithoutMessages(logging.Filter):
    """Logs of an exception its type and place: its message, and those of its causes, may quote the user."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without its exception."""
        if record.exc_info and record.exc_info[0]:
            kind, _, trace = record.exc_info
            record.error, record.where = kind.__qualname__, place_of(trace)
        record.exc_info = record.exc_text = record.stack_info = None
        return True


logger.registered_handler.addFilter(WithoutMessages())

for library in ("boto3", "botocore", "httpcore", "httpx", "pynamodb", "s3transfer", "urllib3"):
    # At DEBUG, which Lambda's runtime sets for everybody, they print bodies: an owner's key among them.
    logging.getLogger(library).setLevel(logging.WARNING)


def log_as_json() -> None:
    """Let this process log as described above: importing this module does it, and a call says so."""


def invocation_logged(handler: Any) -> Any:
    """Decorate a handler: its log lines carry the invocation's id, its own errors their type and place."""
    return logger.inject_lambda_context(handler, clear_state=True)
