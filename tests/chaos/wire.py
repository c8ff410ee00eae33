"""Every request that a process sends to AWS, in order; at one of them something happens to it.

It sits below the AWS library, where the library hands a request to the network: so the library's retries
are the real ones, and so is what the service makes of them.
"""

import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.httpsession import URLLib3Session


class Blow(StrEnum):
    """What can happen at a call."""

    DEAD_BEFORE = "dead before"
    DEAD_AFTER = "dead after"
    PAUSED = "paused"
    """Stopped right before the request is sent, and resumed when `meanwhile` has happened."""
    PAUSED_AFTER = "paused after"
    THROTTLED = "throttled"
    FAILED = "500"
    NEVER_SENT = "no connection"
    ANSWER_LOST = "done, answer lost"


DEATHS = (Blow.DEAD_BEFORE, Blow.DEAD_AFTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One blow at one call of a process."""

    at: int | str
    """The number of the call, from 1, or how the name of the first one meant begins."""
    blow: Blow
    lasting: bool = False
    """Whether a fault meets each of the library's tries, so that the call fails as a whole."""
    meanwhile: Callable[[Any], None] | None = None
    """What a pause is for; called with the world, in the process that plays it."""


class Wire:
    """Numbers the calls of this process, tells of each, and strikes. Safe to use from many threads."""

    def __init__(self, tell: Callable[[dict[str, Any]], None], strikes: Sequence[Strike]) -> None:
        self._tell = tell
        self._strikes = dict(enumerate(strikes))
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self.done: Callable[[str], object] = lambda _: None
        """Called in any thread with the name of each call that AWS has done, whatever its caller learns."""

    def install(self) -> None:
        """Put this between the AWS library and the network; its waits between two tries are left out."""
        send, wire = URLLib3Session.send, self

        def watched(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
            return wire.send(request, lambda: send(session, request))

        URLLib3Session.send = watched  # type: ignore[method-assign, assignment]  # replacing it is the point
        vars(botocore.endpoint)["time"] = SimpleNamespace(sleep=lambda _: None)

    def send(self, request: AWSPreparedRequest, through: Callable[[], AWSResponse]) -> AWSResponse:
        """Send one request, or do to it what was planned."""
        name = name_of(request)
        strike = self._numbered(request, name)
        blow = strike.blow if strike else None
        if blow is Blow.DEAD_BEFORE:
            os._exit(0)
        if blow is Blow.PAUSED:
            _stop()
        if blow is Blow.NEVER_SENT:
            raise ConnectTimeoutError(endpoint_url=request.url)
        if blow in (Blow.THROTTLED, Blow.FAILED):
            return _refusal(request, throttled=blow is Blow.THROTTLED)
        answer = through()
        if blow is Blow.DEAD_AFTER:
            os._exit(0)
        if answer.status_code == 200:
            self.done(name)
        if blow is Blow.PAUSED_AFTER:
            _stop()
        if blow is Blow.ANSWER_LOST:
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    def _numbered(self, request: AWSPreparedRequest, name: str) -> Strike | None:
        """Count a call, not its repetitions, and return the strike that is meant for it."""
        call = _text(request.headers["amz-sdk-invocation-id"])
        with self._lock:
            is_first = call not in self._numbers
            number = self._numbers.setdefault(call, len(self._numbers) + 1)
            if is_first:
                self._tell({"call": name})
            for index, strike in self._strikes.items():
                by_name = isinstance(strike.at, str) and name.startswith(strike.at)
                if not (by_name or strike.at == number) or not (is_first or strike.lasting):
                    continue
                if by_name:
                    del self._strikes[index]
                self._tell({"struck": index})
                return strike
        return None


def name_of(request: AWSPreparedRequest) -> str:
    """Return what a request does, and to which item: `PutItem log#000001`."""
    target = _text(request.headers.get("X-Amz-Target", ""))
    service, _, operation = target.partition(".")
    if not service:
        return f"{str(request.method).title()}Object"
    if not service.startswith("DynamoDB"):
        return operation
    said = json.loads(_text(request.body))
    place = said.get("Key") or said.get("Item") or {}
    if "part" in place:
        return f"{operation} {place['part']['S']}"
    if "owner" in place or said.get("TableName", "").startswith("owner-keys"):
        return f"{operation} key"
    return f"{operation} {said['IndexName']}" if "IndexName" in said else operation


def _stop() -> None:
    """Stop the whole process, with all its threads; returns when somebody lets it go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class _Body:
    """What an answer's bytes are read from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> list[bytes]:
        return [self._content]


def _answer(request: AWSPreparedRequest, status: int, kind: str, body: str) -> AWSResponse:
    headers: Any = HeadersDict({"content-type": f"application/{kind}"})
    return AWSResponse(request.url, status, headers, _Body(body.encode()))


def _refusal(request: AWSPreparedRequest, *, throttled: bool) -> AWSResponse:
    """Return the answer of a service that is throttled, or that failed, in its own words."""
    service = _text(request.headers.get("X-Amz-Target", "")).partition(".")[0]
    if not service:
        status, code = (503, "SlowDown") if throttled else (500, "InternalError")
        body = f"<Error><Code>{code}</Code><Message>Try again.</Message></Error>"
        return _answer(request, status, "xml", body)
    codes = {
        "DynamoDB_20120810": ("ProvisionedThroughputExceededException", "InternalServerError"),
        "AmazonSQS": ("RequestThrottled", "InternalFailure"),
        "TrentService": ("ThrottlingException", "KMSInternalException"),
    }
    code = codes[service][0 if throttled else 1]
    answer = json.dumps({"__type": f"com.amazonaws#{code}", "message": "Try again."})
    status = 400 if throttled else 500
    return _answer(request, status, "json", answer)
