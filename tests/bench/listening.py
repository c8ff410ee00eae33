"""Readers of streams: what each was told, and when."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.bench.model import Said, now, stamps

_DATA = "data: "


@dataclass(slots=True)
class Heard:
    """One stream of an answer of the clock model (`model.py`)."""

    asked: float
    """When its reader sent the request."""
    response_id: str = ""
    first: float = 0
    """When its first text came; 0 if none did."""
    text: str = ""
    lags: list[float] = field(default_factory=list)
    """For every word, the seconds from the model to this reader."""
    ended: str = ""
    """The last event's type."""
    ended_at: float = 0

    @property
    def said(self) -> Said:
        """What the model says about the same."""
        return Said.read(self.text)

    @property
    def first_added(self) -> float:
        """Seconds until the first text, beyond the model's own."""
        return self.before + self.after

    @property
    def before(self) -> float:
        """Seconds from the request until the model was asked."""
        return self.said.asked - self.asked

    @property
    def after(self) -> float:
        """Seconds from the model's first word until its reader had it."""
        return self.first - self.said.words[0]


def listen(base_url: str, headers: Any, bodies: Sequence[dict[str, Any]]) -> list[Heard]:
    """Ask for so many streams at the same moment, and read them all to their end."""
    return asyncio.run(_all(base_url, headers, bodies))


async def _all(base_url: str, headers: Any, bodies: Sequence[dict[str, Any]]) -> list[Heard]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=base_url, headers=headers, timeout=60, limits=limits, trust_env=False
    ) as client:
        await client.get("/models")  # connected, and httpx is warm
        return await asyncio.gather(*(_one(client, body) for body in bodies))


async def _one(client: httpx.AsyncClient, body: dict[str, Any]) -> Heard:
    heard = Heard(asked=now())
    with suppress(httpx.HTTPError):  # then `ended` tells that it has no end
        async with client.stream("POST", "/responses", json={**body, "stream": True}) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith(_DATA) and line != "data: [DONE]":
                    _take(heard, json.loads(line.removeprefix(_DATA)))
    return heard


def _take(heard: Heard, event: dict[str, Any]) -> None:
    at = now()
    if event["type"] == "response.output_text.delta":
        words = stamps(event["delta"])
        if not heard.text:
            heard.first = at
            words = words[1:]  # before the first word stands when the model was asked
        heard.text += event["delta"]
        heard.lags += [at - word for word in words]
    elif event["type"] == "response.created":
        heard.response_id = event["response"]["id"]
    heard.ended, heard.ended_at = event["type"], at
