"""moto's SQS, made safe for several consumers and quick to hand a message over.

moto looks for messages once a second, gives one message to two consumers at a time, and loses a message
that is sent while another is deleted. Here a queue is looked at under its own lock, and a waiting consumer
wakes when a message is sent, made visible, or its visibility or delay ends.
"""

import time
from typing import Any

from moto.core.utils import unix_time_millis
from moto.sqs.models import Message, Queue, SQSBackend

from infra.local.meter import Meter


def improve(meter: Meter) -> None:
    """Replace what moto does; call once, before the first request."""
    receive = SQSBackend.receive_message
    change = SQSBackend.change_message_visibility
    delete = Queue.delete_message

    def receive_message(
        backend: SQSBackend, queue_name: str, count: int, wait: int, visibility: int, names: Any = None
    ) -> list[Message]:
        queue = backend.get_queue(queue_name)
        deadline = time.monotonic() + wait
        with queue._messages_lock:
            while True:
                found = receive(backend, queue_name, count, 0, visibility, names)
                remaining = deadline - time.monotonic()
                if found or remaining <= 0:
                    return found
                started = time.monotonic()
                queue._messages_lock.wait(min(remaining, _until_next(queue)))
                meter.call.waited += time.monotonic() - started

    def change_message_visibility(backend: SQSBackend, queue_name: str, *args: Any, **options: Any) -> None:
        queue = backend.get_queue(queue_name)
        with queue._messages_lock:
            change(backend, queue_name, *args, **options)
            queue._messages_lock.notify_all()

    def delete_message(queue: Queue, receipt_handle: str) -> None:
        with queue._messages_lock:
            delete(queue, receipt_handle)

    # Replacing them is the point; the parameters have other names, and moto passes them by position.
    SQSBackend.receive_message = receive_message  # type: ignore[method-assign, assignment]
    SQSBackend.change_message_visibility = change_message_visibility  # type: ignore[method-assign, assignment]
    Queue.delete_message = delete_message  # type: ignore[method-assign, assignment]


def _until_next(queue: Queue) -> float:
    """Return the seconds until a message that is hidden now can be received."""
    now = unix_time_millis()
    hidden = (max(message.visible_at, message.delayed_until) - now for message in queue._messages)
    return max(0.005, min((wait for wait in hidden if wait >= 0), default=60_000) / 1000 + 0.001)
