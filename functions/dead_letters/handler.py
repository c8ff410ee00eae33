"""Ends as `failed` what was delivered too often. Trigger: the dead-letter queue."""

from typing import Any

from meanwhile import sweeper
from meanwhile.observability import invocation_logged
from meanwhile.queue import read_records


@invocation_logged
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001  # the runtime's signature
    """End every response named in the batch; those that somebody works on come again."""
    messages, _ = read_records(event["Records"], alone=False)
    again = [message for message in messages if not sweeper.end_dead()(message.response_id)]
    return {"batchItemFailures": [{"itemIdentifier": message.id} for message in again]}
