"""The few SQS calls of an event source, spoken directly: JSON over HTTP, unsigned as moto allows."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from infra.local.options import REGION

CALLER = "event-source"
_SCOPE = f"local-{CALLER}/20260101/{REGION}/sqs/aws4_request"
_CREDENTIAL = f"AWS4-HMAC-SHA256 Credential={_SCOPE}, SignedHeaders=, Signature="
LONG_POLL_SECONDS = 20

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Queues:
    """SQS as the event sources use it. On AWS their calls are on the bill, so they are metered too."""

    client: httpx.AsyncClient
    aws_url: str

    async def receive(self, url: str, count: int, *, wait: int) -> list[Message]:
        """Receive up to `count` messages, waiting up to `wait` seconds for the first."""
        answer = await self._call(
            "ReceiveMessage",
            QueueUrl=url,
            MaxNumberOfMessages=min(count, 10),
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[Message] = answer.get("Messages", [])
        return messages

    async def delete(self, url: str, messages: list[Message]) -> None:
        """Delete messages that were dealt with."""
        for start in range(0, len(messages), 10):
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages[start : start + 10])
            ]
            await self._call("DeleteMessageBatch", QueueUrl=url, Entries=entries)

    async def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        response = await self.client.post(
            self.aws_url,
            content=json.dumps(request),
            headers={
                "Authorization": _CREDENTIAL,
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": f"AmazonSQS.{operation}",
            },
        )
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer


def record_of(message: Message, queue_arn: str) -> dict[str, Any]:
    """Return a message as a function gets it (developer guide, "Using Lambda with Amazon SQS")."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {
                "stringValue": value.get("StringValue"),
                "binaryValue": value.get("BinaryValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }
