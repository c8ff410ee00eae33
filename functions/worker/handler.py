"""Runs queued responses, many at a time. Triggers: the work queue, and the solo queue for second attempts."""

from typing import Any

from meanwhile import wiring, worker
from meanwhile.observability import invocation_logged
from meanwhile.queue import read_records


@invocation_logged
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run every response named in the batch; report what SQS should deliver again."""
    records = event["Records"]
    alone = wiring.queue().is_solo(records[0]["eventSourceARN"])
    messages, again = read_records(records, alone=alone)
    until = wiring.now() + context.get_remaining_time_in_millis() / 1000
    batch = {message.id for message in messages}
    again += [message.id for message in worker.work()(messages, until=until) if message.id in batch]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}
