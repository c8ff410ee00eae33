"""Runs queued responses, many at a time. Triggers: the work queue, and the solo queue for second attempts."""

from typing import Any

from meanwhile.observability import invocation_logged

from meanwhile import wiring
from meanwhile.queue import WorkMessage


@invocation_logged
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run every response named in the batch; report what SQS should deliver again."""
    queue = wiring.queue()
    messages = [
        WorkMessage.from_record(record, alone=queue.is_solo(record["eventSourceARN"]))
        for record in event["Records"]
    ]
    until = wiring.now() + context.get_remaining_time_in_millis() / 1000
    again = {message.id for message in wiring.work()(messages, until=until)}
    return {
        "batchItemFailures": [{"itemIdentifier": message.id} for message in messages if message.id in again]
    }
