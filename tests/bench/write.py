"""What it costs to write an answer down, from accept to end, beside rewriting all of it every time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil

from tests.bench.report import Cell, Report, Table, Target
from tests.bench.rewriting import Stored, Written
from tests.bench.service import (
    STREAM,
    TOKENS_PER_SECOND,
    WORKER,
    NotInTime,
    Service,
    serving,
)
from tests.bench.spent import COLUMNS, Spent

_UNWATCHED_SECONDS, _WATCHED_SECONDS = 1.0, 0.15
"""The settings' defaults: between two commits while nobody watches, and while somebody does."""

_LENGTHS = (1000, 4000)
_FENCE_FIRST_AND_LAST = 3


@dataclass(frozen=True, slots=True)
class _Answer:
    """One answer and what it cost."""

    tokens: int
    watched: bool
    spent: Spent
    stored: Stored

    @property
    def name(self) -> str:
        return f"{self.tokens:,} tokens {'watched' if self.watched else 'unwatched'}"

    @property
    def pause(self) -> float:
        return _WATCHED_SECONDS if self.watched else _UNWATCHED_SECONDS

    @property
    def seconds(self) -> float:
        return self.tokens / TOKENS_PER_SECOND

    @property
    def log(self) -> Written:
        return Written.of(self.stored.part("log#"))

    @property
    def text(self) -> Written:
        """The log and the output: what a rewritten item would stand for."""
        return Written.of([*self.stored.part("log#"), *self.stored.part("output")])

    @property
    def plain(self) -> Written:
        return self.stored.rewritten(compressed=False)

    @property
    def compressed(self) -> Written:
        return self.stored.rewritten(compressed=True)

    @property
    def at_most(self) -> int:
        """Write units if appends took no time at all: moto's slowness makes commits fewer."""
        most = ceil(self.seconds / self.pause) + _FENCE_FIRST_AND_LAST
        return self.spent.write_units + max(0, most - self.log.writes)


def measure() -> Report:
    """Have answers written that nobody watches, and others, in a stack of their own, that somebody does."""
    with ThreadPoolExecutor() as both:
        found = [*both.map(_answers, (False, True))]
    (short, long), (short_watched, long_watched) = found
    answers = (short, long, short_watched, long_watched)
    return Report(
        name="write",
        tables=[_operations(short), _operations(short_watched), _totals(answers), _ratios(answers)],
        targets=[
            Target(what=f"write units, {short.name}", value=short.spent.write_units, limit=30),
            Target(
                what=f"write units, {short_watched.name}", value=short_watched.spent.write_units, limit=105
            ),
            Target(
                what=f"{long_watched.name}: rewriting plain / ours",
                value=long_watched.plain.units / long_watched.text.units,
                limit=8,
                at_least=True,
            ),
            Target(
                what=f"{long_watched.name}: rewriting compressed / ours",
                value=long_watched.compressed.units / long_watched.text.units,
                limit=5,
                at_least=True,
            ),
        ],
    )


def _answers(watched: bool) -> Sequence[_Answer]:  # noqa: FBT001  # mapped
    with serving() as service:
        service.create(16)  # an owner's very first answer also pays for the owner's key: see `cold`
        service.until_idle(1, seconds=1)
        return [_answer(service, tokens, watched=watched) for tokens in _LENGTHS]


def _answer(service: Service, tokens: int, *, watched: bool) -> _Answer:
    """Have one answer written with nothing beside it; a watched one is asked for as a stream and read."""
    service.stack.reset_calls()
    response_id = service.watch(tokens) if watched else service.create(tokens)
    service.until_idle(1, seconds=tokens / TOKENS_PER_SECOND)
    spent = Spent.so_far(service.stack, STREAM, WORKER)
    found = service.get(response_id)
    if found["status"] != "completed" or found["usage"]["output_tokens"] != tokens:
        raise NotInTime(f"{tokens} tokens were asked for; the response is {found['status']}")
    return _Answer(tokens, watched, spent, Stored.read(service.stack, response_id))


def _operations(answer: _Answer) -> Table:
    accepted = Spent([call for call in answer.spent.calls if call["caller"] == STREAM])
    worked = Spent([call for call in answer.spent.calls if call["caller"] == WORKER])
    return Table(
        title=f"Run: {answer.name}, alone",
        columns=COLUMNS,
        rows=[*accepted.rows(who="accept, watch" if answer.watched else "accept"), *worked.rows(who="run")],
    )


def _totals(answers: Sequence[_Answer]) -> Table:
    return Table(
        title="Write units from accept to end (prompt of 1 kB, 80 tokens/s)",
        columns=[
            "answer",
            "all",
            "at most",
            "accept, watch",
            "log",
            "output",
            "lease and head",
            "per 1,000 tokens",
        ],
        rows=[list(_total(answer)) for answer in answers],
        notes=[
            "at most: if an append took no time, so that no commit was ever late.",
            "watched: made with stream=true and read to the end; its watch and its marks on the lease count.",
        ],
    )


def _total(answer: _Answer) -> Iterator[Cell]:
    accept = Spent([call for call in answer.spent.calls if call["caller"] == STREAM]).write_units
    output = answer.text.units - answer.log.units
    whole = answer.spent.write_units
    yield from (answer.name, whole, answer.at_most, accept, answer.log.units, output)
    yield from (whole - accept - answer.log.units - output, whole * 1000 / answer.tokens)


def _ratios(answers: Sequence[_Answer]) -> Table:
    return Table(
        title="The same commits, appended and rewritten (each time the whole text so far)",
        columns=["answer", "commits", "apart", "way", "write units", "bytes", "units / ours", "bytes / ours"],
        rows=[row for answer in answers for row in _ways(answer)],
        notes=[
            "ours: the log and the output at the end. plain, compressed: the smallest item that holds the "
            "text, and no output. in head: the head holds the text, too.",
            "apart: seconds between two commits, as a multiple of the setting.",
        ],
    )


def _ways(answer: _Answer) -> Iterator[list[Cell]]:
    ours = answer.text
    apart = answer.seconds / max(1, answer.log.writes - 2) / answer.pause
    ways = {
        "ours": ours,
        "plain": answer.plain,
        "compressed": answer.compressed,
        "compressed, in head": answer.stored.rewritten_in_head(),
    }
    for way, cost in ways.items():
        ratios = (cost.units / ours.units, cost.bytes / ours.bytes)
        yield [answer.name, answer.log.writes, apart, way, cost.units, cost.bytes, *ratios]
