"""Group commit: the first words at once, later ones together, and nothing left behind."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.errors import ClaimLost
from meanwhile.domain.facts import Delta, Fact, ItemAdded, ItemDone, PartDone, TextDone, coalesced, to_compact
from meanwhile.domain.response import Ended, Status
from meanwhile.operations.running.commit import MAX_BATCH_CHARS, Commit, in_batches

FOR_EVER = 3600.0
END = Ended(status=Status.COMPLETED, at=1)


class Writer:
    """An append that can be held up, and says when it was called."""

    def __init__(self) -> None:
        self.groups: list[list[Fact]] = []
        self.called = threading.Semaphore(0)
        self.free = threading.Event()
        self.free.set()

    def __call__(self, facts: Sequence[Fact]) -> None:
        self.groups.append(list(facts))
        self.called.release()
        assert self.free.wait(5)

    async def writes(self, times: int = 1) -> None:
        """Wait until it was called so many times more."""
        for _ in range(times):
            assert await asyncio.to_thread(self.called.acquire, timeout=5)


Story = Callable[[Commit, Writer], Coroutine[Any, Any, None]]


def told(story: Story, *, pause: float = FOR_EVER) -> list[list[Fact]]:
    """Run a commit while the story goes on, and return the groups it wrote."""
    writer = Writer()

    async def main() -> None:
        commit = Commit(writer, pause=lambda: pause)
        running = asyncio.create_task(commit.run())
        await story(commit, writer)
        async with asyncio.timeout(5):
            await running

    asyncio.run(main())
    return writer.groups


async def settled() -> None:
    """Let everything happen that can happen without time passing."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_the_first_group_goes_at_once_and_the_next_waits() -> None:
    """A reader sees the first word when it is said; after that a write costs more than it tells."""

    async def story(commit: Commit, writer: Writer) -> None:
        commit.add([Delta(0, "a")])
        await writer.writes()
        commit.add([Delta(0, "b")])
        await settled()
        assert len(writer.groups) == 1
        commit.close()

    assert told(story) == [[Delta(0, "a")], [Delta(0, "b")]]


def test_what_comes_while_a_group_is_on_its_way_waits_for_the_pause_too() -> None:
    """At eighty tokens a second there is always something new: without the pause every token is a write."""

    async def story(commit: Commit, writer: Writer) -> None:
        writer.free.clear()
        commit.add([Delta(0, "a")])
        await writer.writes()
        commit.add([Delta(0, "b")])
        writer.free.set()
        assert not await asyncio.to_thread(writer.called.acquire, timeout=0.05)
        commit.add([Delta(0, "c")])
        commit.close()

    assert told(story) == [[Delta(0, "a")], [Delta(0, "bc")]]


def test_after_the_pause_it_goes_on() -> None:
    """Without anybody having to say so."""

    async def story(commit: Commit, writer: Writer) -> None:
        for text in "abc":
            commit.add([Delta(0, text)])
            await writer.writes()
        commit.close()

    assert told(story, pause=0) == [[Delta(0, "a")], [Delta(0, "b")], [Delta(0, "c")]]


def test_closing_writes_the_rest_without_a_pause() -> None:
    """The end is what everybody waits for."""

    async def story(commit: Commit, writer: Writer) -> None:
        commit.add([Delta(0, "a")])
        await writer.writes()
        commit.add([Delta(0, "b"), END])
        commit.close()

    assert told(story)[1:] == [[Delta(0, "b"), END]]


def test_closing_while_a_group_is_on_its_way_writes_what_came_meanwhile() -> None:
    """The last words are often said while the ones before are being written."""

    async def story(commit: Commit, writer: Writer) -> None:
        writer.free.clear()
        commit.add([Delta(0, "a")])
        await writer.writes()
        commit.add([END])
        commit.close()
        writer.free.set()

    assert told(story) == [[Delta(0, "a")], [END]]


@pytest.mark.parametrize("facts", [[], [Delta(0, "a")]], ids=["nothing", "something"])
def test_closing_before_it_began_to_run_loses_nothing(facts: list[Fact]) -> None:
    """A model may be done before the writer has woken."""

    async def story(commit: Commit, writer: Writer) -> None:
        del writer
        commit.add(facts)
        commit.close()

    assert told(story) == ([facts] if facts else [])


def test_what_an_append_raises_ends_it() -> None:
    """Nobody may go on talking to a model for a log that is somebody else's."""

    def lost(facts: Sequence[Fact]) -> None:
        raise ClaimLost(str(len(facts)))

    async def main() -> None:
        commit = Commit(lost, pause=lambda: FOR_EVER)
        commit.add([Delta(0, "a")])
        await commit.run()

    with pytest.raises(ClaimLost):
        asyncio.run(main())


def size(batch: list[Fact]) -> int:
    """Return the bytes of a batch before it is compressed."""
    return len(json.dumps([to_compact(fact) for fact in batch], ensure_ascii=False).encode())


DELTAS = st.tuples(st.integers(0, 1), st.characters(exclude_categories=["Cs"]), st.integers(0, 70_000))


@given(st.lists(DELTAS, max_size=8))
def test_batches_fit_and_say_the_same_in_the_same_order(deltas: list[tuple[int, str, int]]) -> None:
    """An item holds 400 KB, and DynamoDB refuses a larger one for good."""
    facts: list[Fact] = [ItemAdded("message"), *(Delta(item, text * times) for item, text, times in deltas)]

    batches = list(in_batches(facts))

    assert coalesced([fact for batch in batches for fact in batch]) == coalesced(facts)
    assert max(map(size, batches)) < 400_000


@pytest.mark.parametrize(
    "text", ["a", '"', "é", "𝄞", "\0"], ids=["plain", "quoted", "two bytes", "four", "escaped"]
)
def test_a_very_long_delta_becomes_several(text: str) -> None:
    """A provider that does not stream says everything in one piece."""
    batches = list(in_batches([Delta(0, text * 200_000)]))

    facts = [fact for batch in batches for fact in batch]
    assert "".join(fact.text for fact in facts if isinstance(fact, Delta)) == text * 200_000
    assert max(map(size, batches)) < 400_000


@pytest.mark.parametrize("short_of_full", range(0, 140, 7))
def test_an_items_end_is_never_written_without_the_responses(short_of_full: int) -> None:
    """A crash between the two would leave a final message beside the next try's: the text twice."""
    closing: list[Fact] = [TextDone(0), PartDone(0), ItemDone(0), END]

    batches = list(in_batches([Delta(0, "a" * (MAX_BATCH_CHARS - short_of_full)), *closing]))

    assert [batch for batch in batches if batch[-1] != END and ItemDone(0) in batch] == []
    assert batches[-1][-1] == END
