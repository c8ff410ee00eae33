"""Fit: what a model's window cannot hold is refused before it is stored, and what would leave it empty."""

from dataclasses import dataclass, replace

from meanwhile.domain.compaction import divided
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.domain.threads import Place
from meanwhile.domain.window import no_input, stands_alone
from meanwhile.operations.context.choose import Measure, Piece, Room, choose
from meanwhile.operations.context.expand import Expand
from meanwhile.operations.threads.recall import Recall


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Called once a request has its place; takes no call and no vocabulary unless it gets close.

    The worker looks again, at what is there by then.
    """

    recall: Recall
    measure: Measure
    expand: Expand

    def __call__(self, head: Head, request: Request) -> None:
        """Let pass what fits, or can be made to fit by leaving out what stands before.

        Outside of threads nothing is refused for a model whose window the catalogue does not name: its
        provider says so itself.

        Raises:
            InvalidRequest: `context_length_exceeded`, with the numbers; or nothing is asked, and nothing was
                said before.
        """
        place = Place.from_json(request.place) if request.place is not None else None
        if place is not None and not place.position and not request.input:
            raise no_input()
        whole = self.expand.request(head.owner, request)
        room = Room(self.measure, whole)
        if place is None and not room.window.is_known:
            return
        if not room.takes(0):
            raise room.exceeded(0)
        if request.compact_threshold is not None:
            self._check_what_stays(whole)
        if place is None or request.truncation == "auto" or stands_alone(request):
            return
        if place.tokens is not None and room.takes(place.tokens):
            return
        entries = self.recall.back(head.owner, place.path, below=place.position)
        chosen = choose(map(Piece, entries), room)
        if chosen.left_out is not None:
            raise room.exceeded(chosen.left_out)

    def _check_what_stays(self, request: Request) -> None:
        """Refuse what would not leave room for the answer, were all that can be summed up left out."""
        stays = replace(request, input=divided(request.input)[1], context_management=[])
        room = Room(self.measure, stays)
        if not room.takes(0):
            raise room.exceeded(0)
