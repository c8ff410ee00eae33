"""Clients that insist: they ask, read along, are cut off, and come back with what they know."""

import threading
import time
import uuid
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
from openai import OpenAI

_AGAIN_SECONDS = 0.2
_ENDED = {"completed", "failed", "cancelled", "incomplete"}
_CUT_OFF = (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError, httpx.HTTPError)
"""What a client meets whose server is killed: no answer, a bad one, or half a stream; or nobody is free."""
_DISPLACED = "stream_displaced"
"""The code of a stream's last event when newer ones took its place. Streams whose process was killed count as
open until their watch expires, so a reader who was cut off often displaces others."""


@dataclass(slots=True)
class Asked:
    """One question and what its client saw."""

    prompt: str
    model: str
    how: str
    """`stream`: asked for as a stream; `follow`: streamed afterwards; `poll`: polled."""
    response_id: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Of those who stream: everything they were sent, in the order it came."""
    problems: list[str] = field(default_factory=list)


class Clients:
    """Asks in one thread each, so that a slow answer keeps nobody from asking."""

    def __init__(self, url: str, *, at_once: int, deadline: float) -> None:
        self._sdk = OpenAI(base_url=url, api_key="sk-local", max_retries=0, timeout=30)
        self._deadline = deadline
        self._pool = ThreadPoolExecutor(at_once)
        self._running: list[Future[None]] = []
        self._lock = threading.Lock()
        self.cut_off: Counter[str] = Counter()
        """How often a call or a stream was cut off, by what it was; throttled ones apart."""
        self.asked: list[Asked] = []

    def ask(self, asked: Asked) -> None:
        """Let one client ask and see its answer through."""
        self.asked.append(asked)
        self._running.append(self._pool.submit(self._see_through, asked))

    def wait(self) -> None:
        """Wait until every client has its answer, or has given up at the deadline."""
        for each in self._running:
            each.result()
        self._pool.shutdown()

    def _see_through(self, asked: Asked) -> None:
        try:
            if asked.how == "stream":
                self._stream_from_the_start(asked)
            else:
                asked.response_id = self._insist("ask", lambda: self._create(asked)).id
            if asked.how == "poll":
                self._poll(asked)
            else:
                self._stream_to_the_end(asked)
        except TimeoutError:
            asked.problems.append(f"no end by the deadline for whoever does: {asked.how}")

    def _create(self, asked: Asked) -> Any:
        # An SDK would repeat the call under this header by itself; here each cut is to be counted.
        return self._sdk.responses.create(
            model=asked.model,
            input=asked.prompt,
            background=True,
            extra_headers={"idempotency-key": uuid.uuid5(uuid.NAMESPACE_OID, asked.prompt).hex},
        )

    def _stream_from_the_start(self, asked: Asked) -> None:
        key = {"idempotency-key": uuid.uuid4().hex}
        while not asked.response_id:
            self._check_time()
            try:
                stream = self._sdk.responses.create(
                    model=asked.model, input=asked.prompt, background=True, stream=True, extra_headers=key
                )
                self._take(asked, stream)
            except _CUT_OFF as error:
                self._was_cut("stream" if asked.events else "ask", error)

    def _stream_to_the_end(self, asked: Asked) -> None:
        while not self._has_end(asked):
            self._check_time()
            after = {"starting_after": asked.events[-1]["sequence_number"]} if asked.events else {}
            before = len(asked.events)
            try:
                stream = self._sdk.responses.retrieve(asked.response_id, stream=True, **after)
                ended = self._take(asked, stream)
            except _CUT_OFF as error:
                self._was_cut("stream", error)
                continue
            if ended and not self._has_end(asked):
                asked.problems.append(f"a stream ended in silence, {len(asked.events) - before} events on")
                return

    def _take(self, asked: Asked, stream: Any) -> bool:
        """Take down a stream; `True` if it ended by itself, `False` if it told its reader to come again."""
        try:
            with stream:
                for event in stream:
                    asked.events.append(event.to_dict())
                    asked.response_id = asked.response_id or event.response.id
        except openai.APIError as error:
            if error.code != _DISPLACED:
                raise
            self._was_cut("displaced", error)
            return False
        return True

    def _poll(self, asked: Asked) -> None:
        while True:
            found = self._insist("poll", lambda: self._sdk.responses.retrieve(asked.response_id))
            self._insist("input items", lambda: self._sdk.responses.input_items.list(asked.response_id))
            if found.status in _ENDED:
                return
            time.sleep(3 * _AGAIN_SECONDS)

    def _insist(self, what: str, call: Any) -> Any:
        while True:
            self._check_time()
            try:
                return call()
            except _CUT_OFF as error:
                self._was_cut(what, error)

    def _was_cut(self, what: str, error: Exception) -> None:
        with self._lock:
            self.cut_off["throttled" if isinstance(error, openai.RateLimitError) else what] += 1
        time.sleep(_AGAIN_SECONDS)

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise TimeoutError

    @staticmethod
    def _has_end(asked: Asked) -> bool:
        return bool(asked.events) and asked.events[-1].get("response", {}).get("status") in _ENDED
