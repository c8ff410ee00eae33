"""`python -m tests.golden`: store a response and a thread of every kind as this release does, for later ones.

A release's file never changes: it is what deployments have in their tables.
"""

import json
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from meanwhile.domain.facts import Compacted, Dropped, Fact, ItemDone, Started
from meanwhile.domain.ids import new_id
from meanwhile.domain.log import facts_of, tip_of
from meanwhile.domain.model_events import Finished, FinishReason, ModelEvent, Usage
from meanwhile.domain.request import Request
from meanwhile.domain.response import Ended, Head, Status
from meanwhile.operations.responses.cancel import Cancel
from meanwhile.operations.responses.ending import failed
from tests.golden.stored import NOW, OWNER, RELEASES, Room
from tests.golden.threads import Shelf
from tests.support import aws
from tests.unit.domain import histories

_INPUT = [{"id": "msg_1", "type": "message", "role": "user", "status": "completed", "content": [
    {"type": "input_text", "text": "What is it, and why?"}
]}]  # fmt: skip
_LONG = [{"id": "msg_1", "type": "message", "role": "user", "status": "completed", "content": [
    {"type": "input_text", "text": " ".join(f"{number**7:x}" for number in range(400))}
]}]  # fmt: skip
_CUT: Sequence[ModelEvent] = histories.EVERYTHING[:-1]
_LENGTH: Sequence[ModelEvent] = [*histories.TEXT[:-1], Finished(FinishReason.LENGTH)]


class Writer:
    """Stores responses by the hand of a worker."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def accept(self, *, background: bool = True, long: bool = False) -> Head:
        """Accept a question."""
        request = Request(
            model="simulator",
            input=_LONG if long else _INPUT,
            tools=[histories.WEATHER],
            metadata={"chat": "7"},
            background=background,
        )
        head = Head(
            id=new_id("resp"),
            owner=OWNER,
            created_at=NOW - 60,
            background=background,
            store=True,
            expires_at=NOW + 86_400,
            due_at=NOW,
        )
        self._room.stores.responses.accept(head, request)
        return head

    def write(self, head: Head, facts: Sequence[Fact], *, epoch: int = 1) -> None:
        """Append facts, a few in a batch."""
        log = self._room.stores.log
        for start in range(0, len(facts), 3):
            tip = tip_of(log.read(head))
            log.append(head, tip.next(*facts[start : start + 3], epoch=epoch, nonce=f"nonce-{tip.number}"))

    def say(self, head: Head, said: Sequence[ModelEvent]) -> None:
        """Let a model speak; if it comes to an end, so does the response."""
        self.write(head, histories.logged(said, background=head.background))
        self.finish(head)

    def say_again(self, head: Head, said: Sequence[ModelEvent]) -> None:
        """Let a second claim start over, after the first has died in mid-sentence."""
        before = list(facts_of(self._room.stores.log.read(head)))
        whole = histories.logged(said, background=head.background, after=before)
        self.write(head, whole[len(before) :], epoch=2)
        self.finish(head)

    def cancel(self, head: Head) -> None:
        """Cancel it."""
        Cancel(read=self._room.read, ending=self._room.ending, now=lambda: NOW)(OWNER, head.id)

    def end(self, head: Head, end: Ended) -> None:
        """End it from outside."""
        self._room.ending.decide(head, end)

    def finish(self, head: Head) -> None:
        """Let the head follow a log that has ended."""
        self._room.ending.mend(head)


def _started_over(writer: Writer, head: Head) -> None:
    writer.say(head, _CUT)
    writer.say_again(head, histories.TEXT)


def _cancelled(writer: Writer, head: Head) -> None:
    writer.say(head, _CUT)
    writer.cancel(head)


def _behind(*before: Fact) -> Callable[[Writer, Head], None]:
    def said(writer: Writer, head: Head) -> None:
        writer.write(head, histories.logged(histories.TEXT, after=[Started(), *before]))
        writer.finish(head)

    return said


def _not_mended(writer: Writer, head: Head) -> None:
    writer.write(head, [*histories.logged(_CUT), Ended(status=Status.CANCELLED, at=NOW)])


_KINDS: dict[str, Callable[[Writer], Head]] = {}


def _kind(
    name: str, do: Callable[[Writer, Head], object], *, background: bool = True, long: bool = False
) -> None:
    def stored(writer: Writer) -> Head:
        head = writer.accept(background=background, long=long)
        do(writer, head)
        return head

    _KINDS[name] = stored


_kind("queued", lambda _writer, _head: None)
_kind("running", lambda writer, head: writer.say(head, _CUT))
_kind("text", lambda writer, head: writer.say(head, histories.TEXT))
_kind("foreground", lambda writer, head: writer.say(head, histories.TEXT), background=False)
_kind("call", lambda writer, head: writer.say(head, histories.CALL))
_kind("reasoning, text, calls and refusal", lambda writer, head: writer.say(head, histories.EVERYTHING))
_kind("incomplete", lambda writer, head: writer.say(head, _LENGTH))
_kind("started over", _started_over)
_kind("cancelled", _cancelled)
_kind("failed", lambda writer, head: writer.end(head, failed("provider_error", "It broke.", at=NOW)))
_kind("shown a part of its thread", _behind(Dropped(items=3, tokens=70, first=0, last=2)))
_kind("compacted", _behind(Compacted("c2VhbGVk", Usage(input_tokens=9, output_tokens=4)), ItemDone(0)))
_kind("ended, and its head does not know", _not_mended)
_kind("large, in the bucket", lambda writer, head: writer.say(head, histories.EVERYTHING), long=True)


def main() -> int:
    """Write this release's file; return the exit status."""
    path = RELEASES / f"{version('meanwhile')}.json"
    if path.exists():
        print(f"{path.name} is there already, and never changes.", file=sys.stderr)  # noqa: T201
        return 1
    with aws.moto_aws():
        room = Room()
        writer = Writer(room)
        stored = [room.taken(name, make(writer).id).to_json() for name, make in _KINDS.items()]
        threads = Shelf(room).filled(_KINDS["text"](writer)).to_json()
    path.write_text(json.dumps({"responses": stored, "threads": threads}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
