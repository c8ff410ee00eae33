"""Run: ask a model for one claimed response, and log what it says until there is an end."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from math import ceil

from meanwhile.domain.answer import Answer
from meanwhile.domain.continuation import Step, resumption
from meanwhile.domain.errors import (
    ConversationNotFound,
    InvalidRequest,
    LogCorrupt,
    NotContinued,
    ProviderBroken,
    ProviderBusy,
    ProviderError,
    ProviderRejected,
)
from meanwhile.domain.facts import Fact
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Status
from meanwhile.domain.transcript import Transcript
from meanwhile.operations.context.build import Context, Shown
from meanwhile.operations.context.compact import Ask, Compact
from meanwhile.operations.responses.ending import failed
from meanwhile.operations.responses.overdue import attempts_exhausted, deadline_exceeded, interrupted
from meanwhile.operations.running.claimed import Claimed
from meanwhile.operations.running.commit import Commit

logger = logging.getLogger(__name__)

_CALLS = 3
"""Model calls of one claim whose streams may break, but for those that have gone on with an answer."""
_CONTINUATIONS = 50
"""Model calls of one claim in all: what cuts a connection every minute keeps no answer from its end."""


class PutDown(Exception):
    """The provider wants to be left alone for `delay` seconds: nobody should wait at a worker's cost."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self.delay = delay


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Sees a claimed response to its end. What it raises leaves the log as it is, to be gone on with."""

    ask: Ask
    """Asks the request's model, waiting patiently at first (`providers/retry.py`)."""
    compact: Compact
    now: Callable[[], float]
    response_deadline_seconds: float
    max_attempts: int
    commit_watched_seconds: float
    commit_unwatched_seconds: float
    context: Context | None = None
    """Finds what the model is shown of the thread that a request runs in; without it, its own input."""

    async def __call__(self, claimed: Claimed) -> None:
        """Return once the response has ended, in its log and in its head.

        Raises:
            ClaimLost: Somebody else has it now, or has ended it.
            PutDown: The provider is busy for longer than it pays to wait.
            Unavailable: The table does not answer.
        """
        answer = await asyncio.to_thread(claimed.open)
        if answer.end is not None:
            return
        commit = Commit(claimed.append, pause=lambda: self._pause(claimed))
        put_down: PutDown | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(commit.run())
                try:
                    await self._answer(claimed, answer, commit)
                except PutDown as down:
                    put_down = down  # what was said is written first: the next claim may go on from it
                commit.close()
        except BaseExceptionGroup as group_of_errors:
            raise _first(group_of_errors) from group_of_errors
        if put_down is not None:
            raise put_down
        await asyncio.to_thread(claimed.finish)

    def _pause(self, claimed: Claimed) -> float:
        return self.commit_watched_seconds if claimed.is_watched() else self.commit_unwatched_seconds

    async def _answer(self, claimed: Claimed, answer: Answer, commit: Commit) -> None:
        """Ask until there is an end, and hand every fact to the commit."""
        end = self._end_before_asking(claimed)
        if end is None and claimed.request is not None:
            deadline = (claimed.lease.first_claimed_at or self.now()) + self.response_deadline_seconds
            try:
                async with asyncio.timeout(deadline - self.now()) as limit:
                    end = await self._from_context(claimed, claimed.request, answer, commit)
            except PutDown as down:
                raise PutDown(min(down.delay, max(1, ceil(deadline - self.now())))) from None
            except TimeoutError:
                if not limit.expired():
                    raise  # somebody else's, and a bug
                end = None if answer.end else deadline_exceeded(at=self.now())
        if end is not None:
            commit.add(_applied(answer, [end]))

    def _end_before_asking(self, claimed: Claimed) -> Ended | None:
        if claimed.request is None:
            return failed("server_error", "The request was not stored whole.", at=self.now())
        if claimed.lease.attempts > self.max_attempts:
            return attempts_exhausted(at=self.now())
        return None

    async def _from_context(
        self, claimed: Claimed, request: Request, answer: Answer, commit: Commit
    ) -> Ended | None:
        """Ask with what the request continues, compacted where it is wanted; or make only the compaction."""
        shown = await self._shown(claimed, request, answer, commit)
        if isinstance(shown, Ended):
            return shown
        try:
            facts = await self.compact.facts_for(claimed.owner, answer, request, shown)
        except (ProviderError, InvalidRequest) as error:
            return self._end_of(error)
        commit.add(_applied(answer, facts))
        if request.is_compaction:
            return Ended(status=Status.COMPLETED, at=int(self.now()), usage=answer.spent)
        asked = await asyncio.to_thread(self.compact.behind, claimed.owner, answer, shown)
        return await self._converse(claimed, asked, answer, commit)

    async def _shown(
        self, claimed: Claimed, request: Request, answer: Answer, commit: Commit
    ) -> Shown | Ended:
        """Return what the model is asked, with what it continues; or the end, if that cannot be."""
        try:
            shown = await asyncio.to_thread(self._recalled, claimed.owner, request)
        except InvalidRequest as refused:
            return failed(refused.narrow_code or "invalid_request", refused.message, at=self.now())
        except ConversationNotFound as gone:
            return failed("conversation_not_found", gone.message, at=self.now())
        except LogCorrupt:
            logger.error("a thread that cannot be read", extra={"response_id": claimed.response_id})
            return failed("server_error", "What was said before cannot be read.", at=self.now())
        if shown.dropped is not None and shown.dropped != answer.dropped:
            commit.add(_applied(answer, [shown.dropped]))
        return shown

    def _recalled(self, owner: str, request: Request) -> Shown:
        shown = Shown(request=request) if self.context is None else self.context(owner, request)
        return replace(shown, request=self.compact.expanded(owner, shown.request))

    async def _converse(
        self, claimed: Claimed, request: Request, answer: Answer, commit: Commit
    ) -> Ended | None:
        """Return the end that we have to give it, or `None` if the model gave its own."""
        error: ProviderError = ProviderBroken("the provider was not asked")
        continues, fruitless = claimed.can_continue(), 0
        taken_up = resumption(answer, request, continues=continues)
        for _ in range(_CONTINUATIONS):
            transcript, size = Transcript(answer, taken_up.message), _size(answer)
            has_spoken = is_refused = False
            try:
                async with aclosing(self.ask(request, taken_up.beginning)) as events:
                    async for event in events:
                        if not has_spoken:  # from here on something stands in place of what is given up
                            commit.add(_applied(answer, taken_up.given_up))
                        has_spoken = True
                        commit.add(transcript.add(event, at=int(self.now())))
                        if answer.end is not None:
                            return None  # how the connection closes does not matter any more
                error = ProviderBroken("the provider's stream stopped without its own end")
            except NotContinued as refused:
                error, continues, is_refused = refused, False, True
            except (ProviderRejected, InvalidRequest) as final:
                return self._end_of(final)
            except (ProviderBusy, ProviderBroken) as broken:
                error = broken
            if not has_spoken and not is_refused:
                break  # it never said a word, and was asked patiently
            went_on = taken_up.step is Step.CONTINUE and _size(answer) > size
            fruitless += not went_on
            commit.withdraw(answer)
            taken_up = resumption(answer, request, continues=continues)
            if taken_up.step is Step.INTERRUPT:
                return interrupted(at=self.now())
            if fruitless >= _CALLS:
                break
        return self._end_of(error)

    def _end_of(self, error: ProviderError | InvalidRequest) -> Ended:
        """Return the end that an error of the model's side makes, unless it is worth another try later."""
        if isinstance(error, ProviderBusy):
            raise PutDown(error.retry_after or 30)
        if isinstance(error, InvalidRequest):
            return failed(error.narrow_code or ProviderRejected.code, error.message, at=self.now())
        return failed(error.code or "provider_error", str(error), at=self.now())


def _applied(answer: Answer, facts: Sequence[Fact]) -> Sequence[Fact]:
    for fact in facts:
        answer.apply(fact)
    return facts


def _size(answer: Answer) -> int:
    """Return how much of an answer there is, in characters."""
    return sum(len(part.text) for item in answer.items for part in item.parts)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that made the task group stop; the others only followed."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
