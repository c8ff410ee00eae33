"""Requests that arrive at a fixed rate, whether or not those before have been answered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import httpx

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Arrival:
    """One accept: its response's id, empty if it failed, and how late the answer to the POST came."""

    response_id: str
    seconds: float


def arrive(base_url: str, headers: Any, body: Any, *, rate: float, count: int) -> Sequence[Arrival]:
    """Send so many create calls, `rate` a second; return when all have been answered."""
    return asyncio.run(_all(base_url, headers, body, rate, count))


async def _all(base_url: str, headers: Any, body: Any, rate: float, count: int) -> list[Arrival]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=base_url, headers=headers, timeout=_TIMEOUT_SECONDS, limits=limits, trust_env=False
    ) as client:
        began = perf_counter()
        return await asyncio.gather(*(_one(client, body, began + at / rate) for at in range(count)))


async def _one(client: httpx.AsyncClient, body: Any, due: float) -> Arrival:
    await asyncio.sleep(due - perf_counter())
    try:
        answer = (await client.post("/responses", json=body)).raise_for_status()
    except httpx.HTTPError:
        return Arrival("", perf_counter() - due)
    return Arrival(answer.json()["id"], perf_counter() - due)
