"""The service as a forked process has it: the real wiring, over clients that were made before the fork."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from functions.sweeper import handler as sweeper
from functions.worker import handler as work_handler
from meanwhile import api, aws, wiring, worker
from meanwhile.domain.attempt import Attempt
from meanwhile.domain.errors import ServiceError
from meanwhile.domain.request import Json, Request
from meanwhile.domain.threads import NewItem
from meanwhile.providers import simulator  # noqa: F401  # here, for the forks would each import it again
from meanwhile.providers.catalogue import Catalogue
from meanwhile.providers.router import Providers
from meanwhile.settings import Settings
from meanwhile.storage.dynamodb import sharing
from meanwhile.storage.table import Item, bound_to
from meanwhile.vocabulary import Vocabularies
from tests.chaos.processes import Tell
from tests.chaos.wire import Wire
from tests.support.vocabulary import vocabularies

MODEL = "simulator"
INVOCATION_SECONDS = 300
"""As long as the margin for taking more: a worker runs what it was given, so its calls come in one order."""
_TOKENS_BETWEEN = 4
_APPEND = "PutItem log"
_HEARTBEAT = "ChangeMessageVisibilityBatch"
_EXPECTED = {"Unavailable"}
"""What a response may not be worked on for, when AWS is away."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Clients of AWS that have not called anybody yet, so that every fork opens connections of its own."""

    dynamodb: type[Item]
    others: dict[str, Any]
    vocabularies: Vocabularies
    """Loaded, for the forks would each load them again."""

    @classmethod
    def new(cls, settings: Settings) -> "Clients":
        """Make them, which takes a while: a call each fills their caches, then the connection is closed."""
        table = bound_to("nobody's")
        others = {name: aws.client(name, settings) for name in ("sqs", "kms", "s3")}
        for client, call in (
            (table._get_connection().connection.client, "list_tables"),
            (others["sqs"], "list_queues"),
            (others["kms"], "list_keys"),
            (others["s3"], "list_buckets"),
        ):
            getattr(client, call)()
            client.close()
        loaded = vocabularies()
        loaded.counter(Catalogue.load(has_upstream=False).encoding_of(MODEL))
        return cls(table, others, loaded)


class Pace:
    """What the simulated model waits for between two tokens: that what it said stands in the log.

    So an answer is always cut into the same batches. It waits a few times, then goes on to the end. A model
    that is silent for long waits for a heartbeat, too.
    """

    def __init__(self, wire: Wire, *, silent: bool) -> None:
        self._tokens = 0
        self._waited_for = [_APPEND, _HEARTBEAT if silent else _APPEND]
        self._done: Counter[str] = Counter()
        self._wire = wire
        self._something = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        """Wait for the log, every few tokens."""
        del seconds
        loop = asyncio.get_running_loop()
        self._wire.done = lambda call: loop.call_soon_threadsafe(self._take_note, call)
        self._tokens += 1
        if self._tokens % _TOKENS_BETWEEN == 0 and self._waited_for:
            wanted = self._waited_for.pop(0)
            before = self._done[wanted]
            while self._done[wanted] == before:
                await self._something.wait()
                self._something.clear()

    def _take_note(self, call: str) -> None:
        self._done[call.partition("#")[0]] += 1
        self._something.set()


def installed(
    settings: Settings, clients: Clients, clock: Callable[[], float], wire: Wire, tell: Tell
) -> None:
    """Make this process one of the service's: with its settings, its clock, and a model that keeps pace."""
    silent = settings.heartbeat_seconds < 1
    pace: Callable[[float], Awaitable[None]] = Pace(wire, silent=silent)

    def paced(*args: Any) -> Providers:
        catalogue, settings, count = args
        return Providers(catalogue, settings, count, sleep=pace, clock=None)

    vars(wiring).update(
        settings=lambda: settings,
        now=clock,
        aws_client=clients.others.__getitem__,
        vocabularies=lambda: clients.vocabularies,
    )
    vars(worker).update(Providers=paced)
    sharing(wiring.items(), clients.dynamodb)
    logging.getLogger("meanwhile").handlers = [_Listener(tell)]


class _Listener(logging.Handler):
    """Tells the parent of errors that have no place here, whatever AWS does."""

    def __init__(self, tell: Tell) -> None:
        super().__init__(logging.ERROR)
        self._tell_of = tell

    def emit(self, record: logging.LogRecord) -> None:
        error = getattr(record, "error", None)
        if error not in _EXPECTED:
            self._tell_of({"wrong": f"{record.getMessage()} ({error} {getattr(record, 'where', '')})"})


def begin(owner: str, said: Sequence[str]) -> str:
    """Make a conversation that says this; return its id."""
    items = [NewItem(content=item_of(each, f"msg_{index}"), tokens=1) for index, each in enumerate(said)]
    return api.conversing().conversations.create(owner, items=items).id


def accept(owner: str, request: Request, key: str | None) -> str:
    """Take a request; return its id."""
    attempt = Attempt(digest=b"the same", key=key)
    return api.accept_once()(owner, request, attempt).head.id


def work(records: Sequence[dict[str, Any]]) -> list[str]:
    """Run one invocation of the worker; return the messages that the queue should deliver again."""
    answer = work_handler.handler({"Records": list(records)}, _context())
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def sweep() -> int:
    """Run one invocation of the sweeper; return how many responses it looked at."""
    looked_at: int = sweeper.handler({}, _context())["looked_at"]
    return looked_at


def cancel(owner: str, response_id: str) -> str:
    """Cancel; return the status that its owner is told."""
    status: str = api.cancel()(owner, response_id)["status"]
    return status


def item_of(text: str, item_id: str) -> Json:
    """Return what a user says, as it is stored."""
    return {
        "id": item_id,
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
    }


def told_of(act: Callable[[], Any], tell: Tell) -> Any:
    """Return what an act returns; an error that a client would be told is told."""
    try:
        return act()
    except ServiceError as error:
        tell({"refused": type(error).__name__})
        return None


def _context() -> Any:
    return SimpleNamespace(
        get_remaining_time_in_millis=lambda: INVOCATION_SECONDS * 1000,
        function_name="chaos",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:chaos",
        aws_request_id="chaos",
    )
