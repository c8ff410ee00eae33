"""Notes every message that it gets, then does what the message says."""

import json
import os
import time
from typing import Any

import boto3

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
        if message.get("do") == "nonsense":
            failed.append({"itemIdentifier": "nobody"})
        if message.get("do") == "sleep":
            time.sleep(message["seconds"])
    return {"batchItemFailures": failed}
