"""Logs: one JSON object a line, ids and counts only. No content of a user is ever in one."""

from typing import Any

from aws_lambda_powertools import Logger

logger = Logger(service="meanwhile")
"""Formats what every `logging.getLogger("meanwhile....")` says, for it is their parent."""


def invocation_logged(handler: Any) -> Any:
    """Decorate a handler: its log lines carry the invocation's id, its own errors their type and place."""
    return logger.inject_lambda_context(handler, clear_state=True)
