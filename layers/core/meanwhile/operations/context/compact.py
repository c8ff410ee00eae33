"""Compact: have a model sum up what it would be shown, where that is wanted or is too long."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from meanwhile.domain.answer import Answer
from meanwhile.domain.compaction import (
    MAX_SUMMARY,
    Compaction,
    divided,
    divided_with_turn,
    shortened,
    summary_request,
    with_originals,
)
from meanwhile.domain.continuation import Beginning
from meanwhile.domain.errors import InvalidRequest, ProviderBroken, ProviderRejected
from meanwhile.domain.facts import Compacted, ItemDone
from meanwhile.domain.model_events import Finished, FinishReason, ModelEvent, TextDelta, Usage
from meanwhile.domain.request import Request
from meanwhile.domain.window import unpaired
from meanwhile.operations.context.build import Shown
from meanwhile.operations.context.choose import Measure
from meanwhile.operations.context.expand import Expand

_CALLS = 3
"""Model calls for one summary whose streams may break."""
NOTHING_TO_COMPACT = "nothing_to_compact"
"""Code of the failure where only a developer has spoken, or a model has only thought."""

Ask = Callable[[Request, Beginning], AsyncGenerator[ModelEvent, None]]
"""Asks a model for what stands behind a beginning; an empty one is that of every answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """Makes the compaction item of a response, at most one, always its first item.

    It is not made again by who goes on with an answer that has one; nor by who goes on with one that has
    begun without.
    """

    ask: Ask
    expand: Expand
    measure: Measure

    async def facts_for(
        self, owner: str, answer: Answer, request: Request, shown: Shown
    ) -> list[Compacted | ItemDone]:
        """Return the facts of the item, to be written together; none if none is wanted, or it is there.

        `shown` is what the model would be shown of the request, its compaction items expanded.

        Raises:
            ProviderError: There is no summary, for this reason.
            InvalidRequest: There is nothing that could be summed up, and that is all that is wanted,
                or it leaves no room for the answer.
        """
        if answer.items or not await asyncio.to_thread(self._is_wanted, request, shown):
            return []
        divide = divided_with_turn if request.is_compaction else divided
        older, kept = divide(shown.request.input)
        asked = summary_request(shown.request, older)
        if not asked.input[0]["content"]:
            if request.is_compaction:
                raise InvalidRequest(
                    "There is nothing to compact: nobody has said anything.", code=NOTHING_TO_COMPACT
                )
            await asyncio.to_thread(self._check_room, request, shown)
            return []
        summary, usage = await self._summary(asked)
        made = Compaction(summary=summary, kept=shortened(kept))
        content = await asyncio.to_thread(self.expand.compactions.close, owner, made)
        return [Compacted(content, usage), ItemDone(0)]

    def expanded(self, owner: str, request: Request) -> Request:
        """Return a request with its compaction items opened, for its model: what it cannot read is noted.

        Raises:
            Tampered, OwnerDeleted: As `Expand` does.
            InvalidRequest: There is no such model any more.
        """
        shown = self.expand.request(owner, request)
        if shown is request:
            return shown
        return replace(shown, input=self.measure.window(request).readable(shown.input))

    def behind(self, owner: str, answer: Answer, shown: Shown) -> Request:
        """Return what the model is shown once the answer has its compaction item; else the same.

        What is pinned stands before it, word for word, as it will for the next response.
        """
        item, request = answer.compaction, shown.request
        if item is None:
            return request
        kept = with_originals(self.expand(owner, item), request.input)
        there = {each["id"] for each in kept}
        pinned = [each for each in request.input if each["id"] in shown.pinned - there]
        lost = unpaired(pinned, kept)
        pinned = [each for at, each in enumerate(pinned) if at not in lost]
        return replace(request, input=[*pinned, *kept])

    def _is_wanted(self, request: Request, shown: Shown) -> bool:
        most = request.compact_threshold
        if request.is_compaction or most is None:
            return request.is_compaction
        # What was recalled was counted when it was written; the rest is bounded first, for that is cheap.
        own, most = _own(request, shown), min(most, self._room(request) or most)
        if shown.recalled + self.measure.at_most(own) <= most:
            return False
        return shown.recalled + self.measure.count(own) > most

    def _check_room(self, request: Request, shown: Shown) -> None:
        """Refuse what leaves no room for the answer and cannot be summed up."""
        room, own = self._room(request), self.measure.count(_own(request, shown))
        if room is not None and shown.recalled + own > room:
            raise self.measure.window(request).exceeded(own=own, before=shown.recalled)

    def _room(self, request: Request) -> int | None:
        """Return what may be read beside an answer; `None` if nobody says so."""
        window = self.measure.window(request)
        return window.room if window.is_known or request.place is not None else None

    async def _summary(self, request: Request) -> tuple[str, Usage | None]:
        """Ask until there is a summary, and return it with what it has cost."""
        for _ in range(_CALLS - 1):
            said: list[str] = []
            try:
                return await self._asked(request, said)
            except ProviderBroken:
                if not said:
                    raise  # it was asked patiently already, and never said a word
        return await self._asked(request, [])

    async def _asked(self, request: Request, said: list[str]) -> tuple[str, Usage | None]:
        async with aclosing(self.ask(request, Beginning())) as events:
            async for event in events:
                match event:
                    case TextDelta(text):
                        said.append(text)
                    case Finished(reason, usage):
                        return _summary_in("".join(said), reason), usage
        raise ProviderBroken("the provider's stream stopped without its own end")


def _own(request: Request, shown: Shown) -> Request:
    """Return what has to be counted beside what was recalled."""
    return request if shown.recalled else shown.request


def _summary_in(text: str, reason: FinishReason) -> str:
    """Return the summary; one that the model could not write to its end is still one."""
    if reason is FinishReason.CONTENT_FILTER or not text.strip():
        raise ProviderRejected("The model wrote no summary of the conversation.")
    return text.strip()[:MAX_SUMMARY]
