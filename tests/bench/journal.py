"""When each response was accepted, claimed and ended: read from the log lines that the functions print.

Asking the service instead would load it with the asking.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

_ACCEPTED, _CLAIMED, _ENDED = "response accepted", "response claimed", "response ended"


@dataclass(frozen=True, slots=True)
class Life:
    """The life of one response that has ended; times in seconds."""

    accepted: float
    claimed: float
    ended: float
    status: str
    claims: int

    @property
    def waited(self) -> float:
        """From accepted to the first claim."""
        return self.claimed - self.accepted

    @property
    def worked(self) -> float:
        """From the first claim to the end."""
        return self.ended - self.claimed


def lives(lines: Iterable[str]) -> dict[str, Life]:
    """Return every response that these lines see from accepted to ended, by id."""
    told: dict[str, list[dict[str, str]]] = {}
    for entry in _entries(lines):
        told.setdefault(entry["response_id"], []).append(entry)
    found = {response_id: _life(entries) for response_id, entries in told.items()}
    return {response_id: life for response_id, life in found.items() if life is not None}


def _life(entries: Iterable[dict[str, str]]) -> Life | None:
    by_message: dict[str, list[dict[str, str]]] = {_ACCEPTED: [], _CLAIMED: [], _ENDED: []}
    for entry in entries:
        by_message[entry["message"]].append(entry)
    if not all(by_message.values()):
        return None
    accepted, claimed, ended = (min(map(_when, found)) for found in by_message.values())
    return Life(accepted, claimed, ended, by_message[_ENDED][0]["status"], len(by_message[_CLAIMED]))


def _entries(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    for line in lines:
        _, bar, said = line.partition(" | ")
        if not bar or not said.startswith("{"):
            continue
        entry = json.loads(said)
        if entry.get("message") in (_ACCEPTED, _CLAIMED, _ENDED):
            yield entry


def _when(entry: dict[str, str]) -> float:
    return datetime.strptime(entry["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
