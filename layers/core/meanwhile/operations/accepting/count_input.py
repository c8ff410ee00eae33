"""Count input: how many tokens a request would cost to read, with what it continues."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from meanwhile.domain.compaction import last_compaction
from meanwhile.domain.request import Request
from meanwhile.operations.context.build import Context
from meanwhile.operations.context.expand import Expand
from meanwhile.operations.threads.resolve import Resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class CountInput:
    """By the counts that were made when things were written. Nothing is locked, written or opened for it."""

    resolve: Resolve
    context: Context
    expand: Expand
    count: Callable[[Request], int]

    def __call__(self, owner: str, request: Request) -> int:
        """Return the tokens; with `truncation: auto` those that are left where not all fits.

        Raises:
            InvalidRequest, ConversationNotFound: What it continues cannot be continued; or a compaction in it
                does not open.
        """
        self.expand.check(owner, request)
        place, before = self.resolve.look(owner, request)
        if last_compaction(request.input) is not None:
            return self.count(self.expand.request(owner, request))
        if place is None:
            before = self.expand.shown(owner, before)
            return self._left(replace(request, input=[*before, *request.input]), len(before))
        return self.context.tokens(owner, request, place)

    def _left(self, whole: Request, before: int) -> int:
        """Return what a request costs to read, of whose input so many items stand before its own.

        Each item is counted once: a count is the sum of the items' and of what stands around them.
        """
        if whole.truncation != "auto" or not before:
            return self.count(whole)
        bare = Request(model=whole.model, input=[])
        around, room = self.count(bare), self.context.measure.window(whole).room
        total = self.count(replace(whole, input=whole.input[before:]))
        for item in reversed(whole.input[:before]):
            more = self.count(replace(bare, input=[item])) - around
            if total + more > room:
                break
            total += more
        return total
