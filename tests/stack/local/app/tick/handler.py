"""Notes when it was woken."""

import os
from typing import Any

import boto3

_notes = boto3.resource("dynamodb").Table(os.environ["NOTES_TABLE"])  # noqa: TID251 - a function without settings


def handler(event: dict[str, Any], _: Any) -> None:
    """Keep the schedule's input."""
    _notes.put_item(Item={"id": "ticks", "part": event["tick"]})
