"""Every error this service raises on purpose, sorted by what to do next.

    ServiceError
    ├── RequestError              the caller can fix it
    │   ├── InvalidRequest            a parameter is wrong; `param` names it
    │   ├── NotAuthenticated          no key, or one we do not know
    │   ├── NotPermitted              the key is known, and may not do that
    │   ├── KeyNotFound, KeyNotGood   no such API key to manage, or it has ended
    │   ├── OwnerNotFound             nothing is kept of such an owner
    │   ├── ResponseNotFound          no such id, another owner's, deleted, or expired
    │   ├── ConversationNotFound      the same of a conversation
    │   ├── ItemNotFound              no such item in it, or deleted
    │   ├── VersionConflict           it has changed since the caller read it
    │   ├── NotCancellable            it has already ended otherwise
    │   ├── StillRunning              it cannot be deleted yet
    │   ├── TooLarge                  the body is over the limit
    │   └── OwnerDeleted              the owner's key is destroyed, and with it everything of theirs
    ├── StreamEnded               a stream ends before its response, which goes on; it names the cursor
    │   ├── StreamTimeLimit           it has taken as long as a stream may
    │   └── StreamDisplaced           newer streams have taken its place
    ├── ProviderError             the model's side failed
    │   ├── ProviderBusy              come back later: it may say when
    │   ├── ProviderBroken            the stream failed or just stopped: try again
    │   ├── ProviderRejected          final: asking again would get the same answer
    │   │   └── ProviderClosed            whatever is asked: it serves this account nothing
    │   └── NotContinued              it does not go on from the beginning it was given: start over
    ├── ClaimRefused              this delivery is not ours to run
    │   ├── LeaseHeld                 another worker runs it
    │   ├── NotYet                    its provider asked to be left alone until later
    │   ├── RunsAlone                 it is on a second attempt: the solo queue's work
    │   └── Gone                      it was deleted or its time is over
    ├── ClaimLost                 another claim, a cancel or the clock took our response away
    ├── SlotTaken                 somebody else's batch stands where ours should
    ├── LogCorrupt                what was read breaks a rule of the log
    │   └── Tampered                  it is not what was written, or stands where it was not written
    └── Unavailable               a part we depend on did not answer; nothing half written

`code` is the stable name on the wire; the sentence may change. No message holds content of a user.
"""

from types import TracebackType
from typing import ClassVar


class ServiceError(Exception):
    """The root of the family."""

    code: ClassVar[str | None] = "server_error"


class RequestError(ServiceError):
    """The caller can fix it. `param` names the part of the request at fault, where there is one."""

    code: ClassVar[str | None] = None

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(RequestError):
    """A parameter is wrong. The code can be narrower than the class: `invalid_type`, `model_not_found`."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, param=param)
        self.narrow_code = code


class NotAuthenticated(RequestError):
    """There is no key, or one that nobody here knows."""

    code = "invalid_api_key"


class NotPermitted(RequestError):
    """The key is known, and lacks the scope for what was asked."""

    code = "insufficient_scope"


class KeyNotFound(RequestError):
    """There is no API key with that id."""

    code = "key_not_found"


class KeyNotGood(RequestError):
    """The API key has expired or was revoked."""

    code = "key_not_good"


class OwnerNotFound(RequestError):
    """Nothing is kept of an owner with that name."""

    code = "owner_not_found"


class ResponseNotFound(RequestError):
    """No such id for this owner: never made, another owner's, deleted, or past its retention."""

    def __init__(self, response_id: str) -> None:
        super().__init__(f"Response with id '{response_id}' not found.")


class ConversationNotFound(RequestError):
    """No such id for this owner: never made, another owner's, or deleted."""

    def __init__(self, conversation_id: str, *, param: str | None = None) -> None:
        super().__init__(f"Conversation with id '{conversation_id}' not found.", param=param)


class ItemNotFound(RequestError):
    """The conversation has no such item, or not any more."""

    def __init__(self, item_id: str) -> None:
        super().__init__(f"Item with id '{item_id}' not found.")


class VersionConflict(RequestError):
    """It is not at the version that the caller wants to change: somebody else has changed it since."""

    code = "version_conflict"

    def __init__(self, expected: int, there: int) -> None:
        super().__init__(f"This is at version {there}, not {expected}: read it again, then change it.")


class NotCancellable(RequestError):
    """It ended before, and not by a cancel."""

    def __init__(self, status: str) -> None:
        super().__init__(f"Cannot cancel {'an' if status[0] in 'aeiou' else 'a'} {status} response.")


class StillRunning(RequestError):
    """It has not ended; cancel it first."""

    def __init__(self) -> None:
        super().__init__("Cannot delete an in-flight response.")


class TooLarge(RequestError):
    """The body is larger than the service promises to take."""

    code = "request_too_large"


class OwnerDeleted(RequestError):
    """The owner's key was destroyed: nothing of theirs opens, and nothing is written for them again."""

    code = "owner_deleted"

    def __init__(self) -> None:
        super().__init__("This owner was deleted.")


class StreamEnded(ServiceError):
    """A stream ends before its response, which goes on; `cursor` is the last event that was sent."""

    reason: ClassVar[str]

    def __init__(self, cursor: int) -> None:
        super().__init__(f"{self.reason} The response goes on: resume with starting_after={cursor}.")


class StreamTimeLimit(StreamEnded):
    """It has taken as long as a stream may."""

    code = "stream_time_limit"
    reason = "The stream has reached its time limit."


class StreamDisplaced(StreamEnded):
    """Newer streams of the same response, or of the same owner, have taken its place."""

    code = "stream_displaced"
    reason = "Newer streams have taken the place of this one."


class ProviderError(ServiceError):
    """The model's side failed. The message is ours, never the provider's, which may quote the user."""


class ProviderBusy(ProviderError):
    """The provider asked to be left alone for a while: `retry_after` seconds, where it said so."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProviderBroken(ProviderError):
    """The provider failed, fell silent, or its stream stopped without its own end: worth another try."""

    code = "provider_error"


class ProviderRejected(ProviderError):
    """The provider will not answer this request, however often it is asked."""

    code = "provider_rejected"


class ProviderClosed(ProviderRejected):
    """The provider will not answer this account, whatever it is asked: a bad key, or nothing left to pay."""


class NotContinued(ProviderError):
    """The provider refused the beginning it was given, or began anew: this answer has to start over."""

    code = "provider_error"


class ClaimRefused(ServiceError):
    """This delivery is not ours to run."""


class LeaseHeld(ClaimRefused):
    """Another worker's lease lives."""


class NotYet(ClaimRefused):
    """Its provider asked to be left alone until `not_before`, in seconds since 1970."""

    def __init__(self, response_id: str, *, not_before: float) -> None:
        super().__init__(response_id)
        self.not_before = not_before


class RunsAlone(ClaimRefused):
    """It was tried before, so it may be poisonous: it runs from the solo queue."""


class Gone(ClaimRefused):
    """It was deleted, or TTL removed it."""


class ClaimLost(ServiceError):
    """The response is no longer ours: a newer claim, a cancel, or our own lease ran out."""


class SlotTaken(ServiceError):
    """The next place in the log holds a batch that is not ours."""


class LogCorrupt(ServiceError):
    """What was read is not a log that these rules can have written."""


class Tampered(LogCorrupt):
    """Sealed content does not open where it stands: it was altered, moved, or is somebody else's."""


class Unavailable(ServiceError):
    """A part we depend on did not answer in time; the same call may succeed later."""

    code = "service_unavailable"


def place_of(trace: TracebackType | None) -> str:
    """Return the file and line an exception was raised at."""
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def named(error: BaseException) -> dict[str, str]:
    """Return an error's type and place for a log line; its message may quote a user."""
    return {"error": type(error).__qualname__, "where": place_of(error.__traceback__)}
