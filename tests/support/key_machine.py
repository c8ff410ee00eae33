"""Conversations that are made under keys, under every accident, beside all that happens to threads anyway."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from meanwhile.domain.attempt import Attempt
from meanwhile.operations.threads.make_once import Made
from tests.support.faults import Crash
from tests.support.thread_machine import MANY, OWNER, PICK, SLIP, Group, Talk, ThreadMachine, text_of


class KeyMachine(ThreadMachine):
    """What is made under a key is made once: whoever else comes with it is given that."""

    @rule(many=st.integers(0, 3), slip=SLIP)
    def create_under_a_key(self, many: int, slip: Any) -> None:
        items, lines = self._new(many)
        attempt = self._attempt()
        made = self._made_once(lambda: self.all.make_once.create(OWNER, attempt, items=items), slip)
        self._know(made, lines, own=lines)

    @rule(pick=PICK, slip=SLIP)
    def fork_under_a_key(self, pick: int, slip: Any) -> None:
        conversation = self._talk(pick)
        if conversation is None:
            return
        self._settle(conversation)
        lines, attempt = [*self.talks[conversation].lines], self._attempt()
        if not lines or lines[-1].gone:
            return
        fork, after = self.all.make_once.fork, lines[-1].id
        made = self._made_once(lambda: fork(OWNER, conversation, attempt, after=after), slip)
        self._know(made, lines, own=[])

    @rule(pick=PICK, at=PICK, slip=SLIP)
    def edit_under_a_key(self, pick: int, at: int, slip: Any) -> None:
        conversation, line = self._line(pick, at)
        if conversation is None or line is None:
            return
        (new,), (edited,) = self._new(1)
        attempt = self._attempt()

        def edit() -> Made:
            made, item = self.all.make_once.edit(OWNER, conversation, attempt, line.id, new)
            assert item.entry.version == (item.entry.parent_version or 0) + 1
            assert text_of(item.content) == edited.said
            return made

        made = self._made_once(edit, slip)
        lines, edited.id = self.talks[conversation].lines, line.id
        self._know(made, [*lines[: lines.index(line)], edited], own=[edited])

    def _attempt(self) -> Attempt:
        return Attempt(digest=b"this", key=f"call {self._next()}")

    def _made_once(self, make: Callable[[], Made], slip: Any) -> Made:
        """Make it, while others come with the same key, or the process dies; then come with it once more."""
        others: list[Made] = []
        made = self._try(make, slip, others=lambda: others.append(make()))
        again = make()
        assert again.replayed or made is Crash
        assert made is Crash or made.conversation.id == again.conversation.id
        assert not others or made.replayed is not others[0].replayed
        return again

    def _know(self, made: Made, lines: Group, *, own: Group) -> None:
        """Let the model know it; a life with too many conversations forgets some, and they are gone."""
        here = [each for each, talk in self.talks.items() if not talk.deleted]
        if len(here) >= 2 * MANY:
            self.all.conversations.delete(OWNER, made.conversation.id)
            return
        self.talks[made.conversation.id], self.owned[made.conversation.id] = Talk([*lines]), [*own]
