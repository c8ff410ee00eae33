"""Bodies of create calls with their bytes disturbed: never a 5xx, and nothing is stored of the refused.

A few with the other tests; `make fuzz` runs the same with a profile of thousands.
"""

import json
import random
from collections import Counter
from collections.abc import Callable

import httpx
import pytest
from hypothesis import settings

from tests.integration.web.world import World
from tests.unit.web.test_any_body import WHOLE

pytestmark = [pytest.mark.anyio, pytest.mark.exhaustive]

BODIES_PER_EXAMPLE = 4
"""For each example that the Hypothesis profile gives to a test."""

GOOD = [
    json.dumps(WHOLE).encode(),
    json.dumps(WHOLE, ensure_ascii=True, indent=1).encode(),
    b'{"model": "simulator", "input": "H\\u00e9llo \\ud83d\\ude00", "background": true}',
    b'{"model": "simulator", "input": [{"role": "user", "content": "Hello"}], "background": true}',
    '{"model": "simulator", "input": "Grüße 😀", "metadata": {"a": "b"}, "background": true}'.encode(),
]
TOKENS = [
    b"", b"\x00", b"\\u0000", b"\\ud800", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"NaN",
    b"-Infinity", b"1e999", b"-0", b"0.1e-400", b"9" * 60, b"9" * 5000, b"null", b"true", b"[]", b"{}", b'""',
    b"[" * 300, b'{"a":' * 300, b"}", b"]", b",", b":", b'"', b"\\", b'"type"', b'"model"', b"/*", b"\r\n",
    b'"input": "twice",', b"<message>", b"a" * 70_000,
]  # fmt: skip


def _cut(body: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.choices(range(len(body) + 1), k=2))
    return body[:start] + body[min(end, start + 40) :]


def _flip(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body)) if body else 0
    return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]


def _insert(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    return body[:at] + chance.choice(TOKENS) + body[at:]


def _repeat(body: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.choices(range(len(body) + 1), k=2))
    return body[:end] + body[start:end] + body[end:]


def _replace_value(body: bytes, chance: random.Random) -> bytes:
    """Put something else where one value of the text begins: the most likely to stay JSON."""
    places = [at + 1 for at, byte in enumerate(body) if byte in b":["]
    start = chance.choice(places) if places else 0
    ends = [at for at in (body.find(mark, start) for mark in (b",", b"}", b"]")) if at >= 0]
    return body[:start] + chance.choice(TOKENS) + body[min(ends, default=len(body)) :]


def _truncate(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    _cut, _flip, _insert, _repeat, _replace_value, _replace_value, _truncate,
]  # fmt: skip


def mutated(seed: int) -> bytes:
    """Return a good body with one to three slips; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  # not for secrets
    body = chance.choice(GOOD)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        body = chance.choice(MUTATIONS)(body, chance)
    return body


@pytest.mark.parametrize("part", range(10))
async def test_any_bytes_are_answered(part: int, http: httpx.AsyncClient, world: World) -> None:
    """A part of all; the seed in a failure's message gives its body back."""
    world.set(wait_limit_seconds=0.01)
    count = settings().max_examples * BODIES_PER_EXAMPLE // 10
    answers: Counter[int] = Counter()
    for seed in range(part * count, (part + 1) * count):
        world.calls.clear()
        got = await http.post("/responses", content=mutated(seed))
        answers[got.status_code] += 1
        assert got.status_code in (200, 400, 413), f"seed {seed}"
        if got.status_code != 200:
            assert got.json()["error"]["type"] == "invalid_request_error", f"seed {seed}"
            assert world.calls == [], f"seed {seed}"
    heads = [item for item in world.items() if item["part"]["S"] == "head"]

    assert answers.total() == count
    assert len(heads) == answers[200]


def test_many_slips_are_refused_and_some_are_not() -> None:
    """Bodies that are all broken, or all fine, would try little."""
    parsed = 0
    for seed in range(500):
        try:
            json.loads(mutated(seed))
        except (ValueError, RecursionError):
            continue
        parsed += 1

    assert 50 < parsed < 450
