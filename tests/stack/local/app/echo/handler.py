"""Answers the API: tells what it was asked, or misbehaves on request."""

import json
import os
import time
from typing import Any

import shared_by_all  # type: ignore[import-not-found]  # the layer's: only there at run time

_STARTED = time.monotonic()
_served = 0


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do what the body's `do` says; without one, tell the event."""
    global _served
    _served += 1
    asked = json.loads(event["body"]) if event["httpMethod"] == "POST" else {}
    match asked.get("do"):
        case "sleep":
            time.sleep(asked["seconds"])
        case "hold":
            shared_by_all.hold(asked["latch"])
        case "raise":
            raise ValueError("asked for it")
        case "exit":
            os._exit(7)
        case "malformed":
            return {"status": 200}
        case "binary":
            return {
                "statusCode": 200,
                "headers": {"content-type": "image/png"},
                "body": "iVBORw==",
                "isBase64Encoded": True,
            }
        case "big":
            return {"statusCode": 200, "body": "x" * asked["bytes"]}
        case "cookies":
            return {"statusCode": 201, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "body": ""}
    told = {
        "event": event,
        "served": _served,
        "pid": os.getpid(),
        "layer": shared_by_all.NAME,
        "memory": context.memory_limit_in_mb,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "environment": dict(os.environ),  # noqa: TID251 - the test asks what a function sees
    }
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(told)}
