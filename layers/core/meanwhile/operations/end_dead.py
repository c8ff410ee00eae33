"""Dead letters: what was delivered too often ends as `failed`, so that no reader waits for ever."""

from collections.abc import Callable
from dataclasses import dataclass

from meanwhile.domain.answer import fold
from meanwhile.domain.log import facts_of
from meanwhile.operations.ending import Ending
from meanwhile.operations.sweep import failed
from meanwhile.storage.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDead:
    """Ends a response whose message died, unless somebody is working on it."""

    stores: Stores
    ending: Ending
    now: Callable[[], float]

    def __call__(self, response_id: str) -> bool:
        """End it as `failed`, or mend it if its log has ended; `False` while a lease lives: ask again."""
        found = self.stores.responses.everything(response_id)
        if found is None or found.record.head.deleted or found.record.head.has_ended:
            return True
        head = found.record.head
        answer = fold(head.id, facts_of(found.batches), background=head.background)
        if answer.end is not None:
            self.ending.finish(head, answer)
        elif found.lease.is_live(self.now()):
            return False
        else:
            end = failed("undeliverable", "The response could not be worked on.", at=self.now())
            self.ending.decide(head, end)
        return True
