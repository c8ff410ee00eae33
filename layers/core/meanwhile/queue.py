"""The queues: which response to work on, never what it says."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from meanwhile.domain.errors import Unavailable

logger = logging.getLogger(__name__)

_PER_CALL = 10
"""Messages that one SQS call takes."""

MAX_DELAY = 900
"""Seconds that SQS holds a message back, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkMessage:
    """One delivery of one response. The queue promises at least one."""

    response_id: str
    owner: str
    alone: bool = False
    """It came from the solo queue: nothing else runs beside it."""
    id: str = ""
    receipt: str = ""

    @classmethod
    def from_record(cls, record: Mapping[str, Any], *, alone: bool) -> Self:
        """Read a record of a Lambda event, or a message as `receive` gets it (only the keys differ)."""
        body = json.loads(record.get("body") or record["Body"])
        return cls(
            response_id=body["response_id"],
            owner=body["owner"],
            alone=alone,
            id=record.get("messageId") or record["MessageId"],
            receipt=record.get("receiptHandle") or record["ReceiptHandle"],
        )


def read_records(records: Sequence[Mapping[str, Any]], *, alone: bool) -> tuple[list[WorkMessage], list[str]]:
    """Return the messages of an event or of a receive, and the ids of those that are none of ours.

    Somebody else's message in our queue must not keep ours from being read; it ends as a dead letter.
    """
    messages, foreign = [], []
    for record in records:
        try:
            messages.append(WorkMessage.from_record(record, alone=alone))
        except (KeyError, TypeError, ValueError):
            message_id: str = record.get("messageId") or record["MessageId"]
            logger.error("a message that is not ours", extra={"message_id": message_id})
            foreign.append(message_id)
    return messages, foreign


class WorkQueue:
    """The work queue and the solo queue. The client is made when first needed."""

    def __init__(self, client: Callable[[], Any], *, work_url: str, solo_url: str) -> None:
        self._client = client
        self._work_url = work_url
        self._solo_url = solo_url

    def is_solo(self, queue_arn: str) -> bool:
        """Whether an event's source is the solo queue."""
        return queue_arn.rpartition(":")[2] == self._solo_url.rpartition("/")[2]

    def send(self, response_id: str, owner: str, *, alone: bool = False, delay: float = 0) -> None:
        """Ask for a response to be worked on, `delay` seconds from now at the earliest.

        The owner is the message group: on a standard queue that shares the workers fairly, without order.
        """
        with _errors_translated():
            self._client().send_message(
                QueueUrl=self._url(alone=alone),
                MessageBody=json.dumps({"response_id": response_id, "owner": owner}),
                MessageGroupId=owner,
                DelaySeconds=min(MAX_DELAY, int(delay)),
            )

    def receive(self, most: int, *, visibility: float, wait: int) -> list[WorkMessage]:
        """Take up to `most` further messages of the work queue, waiting `wait` seconds for the first."""
        with _errors_translated():
            found = self._client().receive_message(
                QueueUrl=self._work_url,
                MaxNumberOfMessages=min(_PER_CALL, most),
                VisibilityTimeout=int(visibility),
                WaitTimeSeconds=wait,
            )
        return read_records(found.get("Messages", []), alone=False)[0]

    def delete(self, message: WorkMessage) -> None:
        """Say that a message is done with."""
        with _errors_translated():
            self._client().delete_message(
                QueueUrl=self._url(alone=message.alone), ReceiptHandle=message.receipt
            )

    def hide(self, messages: Sequence[WorkMessage], *, seconds: float) -> None:
        """Keep messages from being delivered again for this long; one that is gone already is no error."""
        for alone in (False, True):
            same = [message for message in messages if message.alone is alone]
            for start in range(0, len(same), _PER_CALL):
                entries = [
                    {
                        "Id": str(index),
                        "ReceiptHandle": message.receipt,
                        "VisibilityTimeout": max(0, int(seconds)),
                    }
                    for index, message in enumerate(same[start : start + _PER_CALL])
                ]
                with _errors_translated():
                    self._client().change_message_visibility_batch(
                        QueueUrl=self._url(alone=alone), Entries=entries
                    )

    def _url(self, *, alone: bool) -> str:
        return self._solo_url if alone else self._work_url


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unavailable("the queue did not answer") from error
