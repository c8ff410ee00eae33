"""What the simulator says when it is asked for a summary: the beginning of everything that was said."""

from collections.abc import Iterator

from meanwhile.domain.compaction import INTRODUCTION, SUMMARISE
from meanwhile.domain.files import is_pdf
from meanwhile.domain.request import Request
from meanwhile.providers.simulation.context import parts_of
from meanwhile.providers.surrogates import healed

_LONGEST = 200
"""Characters of one turn."""
_MOST = 8_000
"""Characters of all, the newest first."""


def summary_of(request: Request) -> str | None:
    """Return the summary that a request asks for; `None` if it asks for none."""
    if not (request.instructions or "").startswith(SUMMARISE):
        return None
    lines: list[str] = []
    left = _MOST
    for line in reversed(list(_lines(request))):
        left -= len(line) + 1
        if left < 0:
            break
        lines.append(line)
    return "\n".join(reversed(lines)) or "Nothing was said."


def _lines(request: Request) -> Iterator[str]:
    for item in request.input:
        for part in parts_of(item):
            text = healed(str(part.get("text") or ""))
            who, _, said = text.partition(": ")
            if INTRODUCTION in said:  # an earlier summary: its lines are as good as new ones
                yield from said.partition(INTRODUCTION)[2].strip().splitlines()
            elif said.strip():
                yield f"The {who} said: {' '.join(said.split())[:_LONGEST]}"
            elif part.get("type") == "input_image":
                yield "An image was shown."
            elif is_pdf(part):
                yield "A PDF was shown."
