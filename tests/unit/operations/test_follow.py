"""A stream: from the log alone, from any event on, never ending in silence."""

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.errors import (
    LogCorrupt,
    ResponseNotFound,
    StreamDisplaced,
    StreamTimeLimit,
    Unavailable,
)
from meanwhile.domain.events import events
from meanwhile.domain.facts import Delta, Fact, ItemAdded, PartAdded, Started
from meanwhile.domain.log import Batch
from meanwhile.domain.model_events import ModelEvent
from meanwhile.domain.response import Ended, Status
from meanwhile.operations.responses.tail import AT_ONCE
from tests.unit.domain.histories import logged
from tests.unit.domain.test_transcript_properties import speeches
from tests.unit.operations.following import FAST, LIMIT, SILENCE, SLOW, WATCH, Reading, asked, types
from tests.unit.operations.scene import HELLO, OWNER, Scene

BEGUN: list[Fact] = [Started(), ItemAdded("message"), PartAdded(0, "output_text"), Delta(0, "Hel")]
END = Ended(status=Status.COMPLETED, at=1)


@pytest.fixture
def reading(scene: Scene) -> Reading:
    """Return a reader of streams."""
    return Reading(scene)


def test_the_first_events_come_before_any_worker_wakes(reading: Reading) -> None:
    """They follow from the head: whoever asks knows at once that the question was taken, and its id."""
    head = reading.scene.accepted()

    async def first_two() -> list[object]:
        async with aclosing(reading.stream(head)) as stream:
            return [await anext(stream), await anext(stream)]

    assert [event["type"] for event in asyncio.run(first_two())] == ["response.created", "response.queued"]  # type: ignore[index]  # events
    assert reading.time() == 0


def test_text_comes_as_it_is_written_and_the_end_last(reading: Reading) -> None:
    """Live from the log: the reader and the worker share nothing else."""
    head = reading.scene.accepted()
    reading.time.at(1, lambda: reading.write(head, *BEGUN))
    reading.time.at(2, lambda: reading.write(head, Delta(0, "lo")))
    reading.time.at(3, lambda: reading.write(head, END))

    found = reading.events(head)

    assert types(found) == [
        "created", "queued", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
        "output_text.delta", "completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in found] == [*range(8)]


@given(said=speeches(), background=st.booleans(), data=st.data())
def test_any_cut_any_cursor(said: list[ModelEvent], *, background: bool, data: st.DataObject) -> None:
    """Whatever was written when a reader came, and wherever it resumes: it gets the rest, and only that.

    Live and replayed events are the same, however the facts were put into batches.
    """
    scene = Scene()
    reading = Reading(scene)
    head = scene.accepted(background=background)
    facts = [*logged(said, background=background)]
    whole = list(events(head, asked(head), facts))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(facts) - 1), max_size=4))) if len(facts) > 1 else []
    parts = [facts[start:end] for start, end in zip([0, *cuts], [*cuts, len(facts)], strict=True)]
    before = data.draw(st.integers(0, len(parts)))
    after = data.draw(st.integers(-1, len(whole) + 1))
    for part in parts[:before]:
        reading.write(head, *part)
    for number, part in enumerate(parts[before:], start=1):
        reading.time.at(number, lambda part=part: reading.write(head, *part))  # type: ignore[misc]  # bound now

    live = reading.events(head, after=after)

    assert live == whole[after + 1 :]
    assert reading.events(head, after=after) == live


def test_readings_are_many_while_text_flows_and_few_while_nothing_comes(reading: Reading) -> None:
    """Each costs; and a model that thinks for minutes is looked at often enough twice a second."""
    head = reading.scene.accepted()
    readings: list[float] = []
    log = reading.scene.stores.log
    read = log.read

    def counted(*args: object, **more: object) -> list[Batch]:
        readings.append(reading.time())
        return read(*args, **more)  # type: ignore[arg-type]  # as it was called

    reading.scene.broken("log", read=counted)
    for tenth in range(600, 700):
        words = BEGUN if tenth == 600 else [Delta(0, "lo")]
        reading.time.at(tenth / 10, lambda words=words: reading.write(head, *words))  # type: ignore[misc]  # bound now
    reading.time.at(70, lambda: reading.write(head, END))

    reading.events(head)

    silent = [at for at in readings if 10 <= at < 60]
    flowing = [at for at in readings if 61 <= at < 70]
    assert 50 / SLOW - 2 <= len(silent) <= 50 / SLOW + 2
    assert 9 / FAST * 0.7 <= len(flowing) - 90 <= 9 / FAST + 2  # the writes of this test read, too


def test_a_silent_stream_shows_signs_of_life(reading: Reading) -> None:
    """Proxies cut connections on which nothing passes."""
    head = reading.scene.accepted()
    reading.time.at(4 * SILENCE - 1, lambda: reading.write(head, Started(), END))

    assert types(reading.read(head)) == ["created", "queued", *["..."] * 3, "in_progress", "completed"]


def test_a_stream_at_its_limit_ends_with_its_cursor(reading: Reading) -> None:
    """A stream that just ended would look like a whole one; with its cursor nothing is read twice."""
    head = reading.scene.accepted()
    reading.write(head, *BEGUN)

    with pytest.raises(StreamTimeLimit, match=r"resume with starting_after=5\.$"):
        reading.read(head)

    assert LIMIT <= reading.time() <= LIMIT + SLOW
    assert reading.watches.open == {}


def test_a_stream_that_resumes_at_its_limit_again_names_the_cursor_it_came_with(reading: Reading) -> None:
    """Nothing was sent, so nothing has moved."""
    head = reading.scene.accepted()
    reading.write(head, *BEGUN)

    with pytest.raises(StreamTimeLimit, match="starting_after=5"):
        reading.read(head, after=5)


def test_a_watched_response_is_written_often(reading: Reading) -> None:
    """The worker learns it from the lease; after the last reader has left it lapses by itself."""
    head = reading.scene.accepted()
    leases, now = reading.scene.stores.leases, reading.scene.clock
    watched: list[bool] = []

    def look() -> None:
        lease = leases.read(head.id)
        watched.append(lease is not None and lease.watched_until > now())

    for seconds in range(1, 200, 3):
        reading.time.at(seconds, look)
    reading.time.at(200, lambda: reading.write(head, Started(), END))

    reading.read(head)

    assert watched
    assert all(watched)
    assert (reading.watches.open, reading.watches.begun) == ({}, 1)
    now.advance(WATCH + 1)
    look()
    assert not watched[-1]


def test_what_was_accepted_as_a_stream_is_not_marked_again(reading: Reading) -> None:
    """Accepting it has said so already; a second write would cost and change nothing."""
    head = reading.scene.accepted()
    reading.time.at(5, lambda: reading.write(head, Started(), END))

    reading.read(head, is_new=True)

    lease = reading.scene.stores.leases.read(head.id)
    assert lease is not None
    assert lease.watched_until == 0
    assert reading.watches.begun == 1


def test_an_ended_response_is_replayed_without_watching(reading: Reading) -> None:
    """Nobody writes any more, and the stream is over in a moment."""
    head = reading.scene.accepted()
    reading.scene.ended(head)

    assert types(reading.events(head))[-1] == "completed"
    assert (reading.watches.begun, reading.time()) == (0, 0)


def test_whoever_leaves_stops_watching_at_once(reading: Reading) -> None:
    """Its place is free for the next stream."""
    head = reading.scene.accepted()

    async def leave() -> None:
        async with aclosing(reading.stream(head)) as stream:
            async for event in stream:
                if event is None:
                    assert len(reading.watches.open) == 1
                    break

    asyncio.run(leave())

    assert (reading.watches.open, reading.watches.begun) == ({}, 1)


def test_a_displaced_stream_ends_with_its_cursor(reading: Reading) -> None:
    """A client that has left holds its execution until a newer one takes its place."""
    head = reading.scene.accepted()
    reading.write(head, *BEGUN)
    reading.time.at(5, reading.watches.open.clear)

    with pytest.raises(StreamDisplaced, match="starting_after=5"):
        reading.read(head)
    assert reading.time() <= WATCH


def test_a_table_that_fails_for_a_moment_only_delays(reading: Reading) -> None:
    """Whoever reads along is not told of every hiccup."""
    head = reading.scene.accepted()
    reading.write(head, *BEGUN, END)
    well = reading.scene.stores
    failures = iter(range(5))

    def sometimes(*args: object, **more: object) -> list[Batch]:
        if next(failures, None) is not None:
            raise Unavailable("no answer")
        return well.log.read(*args, **more)  # type: ignore[arg-type]  # as it was called

    reading.scene.broken("log", read=sometimes)

    assert types(reading.events(head))[-1] == "completed"


def test_a_table_that_stays_away_ends_the_stream(reading: Reading) -> None:
    """No retry is without a bound."""
    head = reading.scene.accepted()

    def never(*args: object, **more: object) -> list[Batch]:
        raise Unavailable(f"{len(args) + len(more)}")

    reading.scene.broken("log", read=never)

    with pytest.raises(Unavailable):
        reading.read(head)
    assert reading.time() < 60


def test_a_watch_that_cannot_be_noted_keeps_nobody_from_reading(reading: Reading) -> None:
    """Text then comes once a second; that is all that is lost."""
    head = reading.scene.accepted()

    def never(*args: object, **more: object) -> None:
        raise Unavailable(f"{len(args) + len(more)}")

    reading.scene.broken("leases", watch=never)
    reading.time.at(5, lambda: reading.write(head, Started(), END))

    assert types(reading.events(head))[-1] == "completed"


def test_what_is_deleted_keeps_nobody_waiting(reading: Reading) -> None:
    """Ended and deleted between two readings, its log is empty; only the head says why."""
    head = reading.scene.accepted()

    def end_and_delete() -> None:
        reading.scene.ended(head)
        reading.scene.delete(OWNER, head.id)

    reading.time.at(3, end_and_delete)

    with pytest.raises(ResponseNotFound):
        reading.read(head)
    assert reading.time() <= SILENCE + SLOW


def test_a_log_that_has_no_end_is_not_waited_for(reading: Reading) -> None:
    """Its head alone says that it failed: what was stored of it cannot be read."""
    head = reading.scene.accepted()
    reading.time.at(1, lambda: reading.scene.ending.end_unreadable(head))

    with pytest.raises(LogCorrupt):
        reading.read(head)
    assert reading.time() <= 3 * SILENCE


def test_a_hole_in_a_cheap_reading_is_looked_into(reading: Reading) -> None:
    """It may be of that reading alone; nothing is ever skipped."""
    head = reading.scene.accepted()
    for facts in (BEGUN, [Delta(0, "lo")], [END]):
        reading.write(head, *facts)
    well = reading.scene.stores

    def lacking(*args: object, consistent: bool = True, **more: object) -> list[Batch]:
        found = well.log.read(*args, **more)  # type: ignore[arg-type]  # as it was called
        return found if consistent else [batch for batch in found if batch.number != 1]

    reading.scene.broken("log", read=lacking)

    assert types(reading.events(head))[-3:] == ["output_text.delta", "output_text.delta", "completed"]


def test_a_batch_that_is_missing_ends_the_stream(reading: Reading) -> None:
    """An answer with a hole would be a wrong one."""
    head = reading.scene.accepted()
    for facts in (BEGUN, [Delta(0, "lo")], [END]):
        reading.write(head, *facts)
    well = reading.scene.stores

    def lacking(*args: object, **more: object) -> list[Batch]:
        return [batch for batch in well.log.read(*args, **more) if batch.number != 1]  # type: ignore[arg-type]  # as it was called

    reading.scene.broken("log", read=lacking)

    with pytest.raises(LogCorrupt):
        reading.read(head)


def test_a_slow_reader_costs_one_reading_of_memory(reading: Reading) -> None:
    """The log keeps what was not taken yet; a process holds no more of it than one reading brings."""
    head = reading.scene.accepted()
    reading.write(head, *BEGUN)
    for _ in range(3 * AT_ONCE):
        reading.write(head, Delta(0, "lo"))
    taken: list[int] = []
    well = reading.scene.stores

    def counted(*args: object, **more: object) -> list[Batch]:
        found = well.log.read(*args, **more)  # type: ignore[arg-type]  # as it was called
        taken.append(len(found))
        return found

    reading.scene.broken("log", read=counted)

    async def a_few() -> None:
        async with aclosing(reading.stream(head)) as stream:
            for _ in range(10):
                await anext(stream)

    asyncio.run(a_few())

    assert taken == [AT_ONCE]


def test_a_reader_that_takes_its_time_is_held_to_the_limit(reading: Reading) -> None:
    """A backlog that lasts is no way round it: the function is killed in silence soon after."""
    head = reading.scene.accepted()
    reading.write(head, *BEGUN)
    for _ in range(3 * AT_ONCE):
        reading.write(head, Delta(0, "lo"))
    reading.write(head, END)

    async def slowly() -> None:
        async with aclosing(reading.stream(head)) as stream:
            async for _ in stream:
                await reading.time.sleep(10)

    with pytest.raises(StreamTimeLimit):
        asyncio.run(slowly())
    assert LIMIT <= reading.time() <= LIMIT + 20
    assert (reading.watches.begun, reading.watches.open) == (1, {})


def test_a_reader_that_was_away_for_long_is_not_taken_for_displaced(reading: Reading) -> None:
    """Its place has expired, and another stream may have removed it; nobody has taken it."""
    head = reading.scene.accepted()
    reading.write(head, *BEGUN)
    reading.time.at(60, reading.watches.open.clear)
    reading.time.at(100, lambda: reading.write(head, END))

    async def sleepily() -> list[object]:
        told: list[object] = []
        async with aclosing(reading.stream(head)) as stream:
            async for event in stream:
                told.append(event and event["type"])
                if event is None:
                    await reading.time.sleep(2 * WATCH)
        return told

    assert asyncio.run(sleepily())[-1] == "response.completed"
    assert reading.watches.begun == 2


def test_whoever_waits_for_a_table_hears_signs_of_life(reading: Reading) -> None:
    """However long each failing call takes; and not for longer than half a minute in all."""
    head = reading.scene.accepted()

    def slowly_never(*args: object, **more: object) -> list[Batch]:
        reading.time.passed += 6.5
        raise Unavailable(f"{len(args) + len(more)}")

    reading.scene.broken("log", read=slowly_never)
    told: list[object] = []

    async def read() -> None:
        async with aclosing(reading.stream(head)) as stream:
            async for event in stream:
                told.append(event)  # noqa: PERF401  # what came before the error counts

    with pytest.raises(Unavailable):
        asyncio.run(read())
    assert None in told
    assert reading.time() < 60


@pytest.mark.parametrize("background", [True, False])
def test_a_cancelled_response_ends_its_stream_as_failed(
    reading: Reading,
    *,
    background: bool,
) -> None:
    """There is no event for it, so SDKs read the status in the response."""
    head = reading.scene.accepted(background=background)
    reading.scene.said(head, *HELLO[:1])
    reading.time.at(2, lambda: reading.scene.cancel(OWNER, head.id))

    found = reading.events(head)

    assert types(found)[-1] == "failed"
    assert found[-1]["response"]["status"] == "cancelled"
