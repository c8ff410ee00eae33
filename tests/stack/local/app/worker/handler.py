"""Notes every message that it gets, then does what the message says."""

import json
import os
from typing import Any

import boto3
import shared_by_all  # type: ignore[import-not-found]  # the layer's: only there at run time

_notes = boto3.resource("dynamodb").Table(os.environ["NOTES_TABLE"])  # noqa: TID251 - a function without settings


def handler(event: dict[str, Any], _: Any) -> Any:
    """Fail the messages that ask for it."""
    failed = []
    for record in event["Records"]:
        message = json.loads(record["body"])
        count = record["attributes"]["ApproximateReceiveCount"]
        _notes.put_item(
            Item={
                "id": message["id"],
                "part": f"delivery#{count}",
                "record": json.dumps(record),
                "pid": os.getpid(),
            }
        )
        if message.get("do") == "fail":
            failed.append({"itemIdentifier": record["messageId"]})
        if message.get("do") == "fail once" and count == "1":
            failed.append({"itemIdentifier": record["messageId"]})
        if message.get("do") == "nonsense once" and count == "1":
            failed.append({"itemIdentifier": "nobody"})
        if message.get("do") == "hold":
            shared_by_all.hold(message["latch"])
    return {"batchItemFailures": failed}
