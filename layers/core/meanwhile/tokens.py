"""How many tokens a model reads: of one item, and of a whole request.

An estimate by published rules: OpenAI's cookbook ("How to count tokens with tiktoken") for messages, its
vision guide for images, and for calls what recorded traffic of gpt-4o shows. A server with a prompt template
of its own reads a few tokens more or less per message. Text files are counted as the text that is shown of
them; PDFs by their pages, which is a guess twice: at their number (`pdfs.py`), and at what one costs.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meanwhile.domain.files import bytes_of, is_pdf, named, words_of
from meanwhile.domain.request import Request
from meanwhile.images import size_of
from meanwhile.pdfs import pages_of
from meanwhile.vocabulary import CountText

MESSAGE = 3
"""Around every message."""
REPLY = 3
"""The beginning of the answer."""

IMAGE = 85
"""Of every image; all of it when the detail is low."""
TILE = 170
"""Of every 512 by 512 pixels, once the image fits 2048 by 2048 with a short side of at most 768."""
UNKNOWN_IMAGE = IMAGE + 8 * TILE
"""Where the size cannot be told (an address, another format): the most that the rule gives."""

PAGE = 2_000
"""Of every page of a PDF: providers show models its text and a picture of it."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts by one vocabulary. A request's count is that of its items and of what stands around them."""

    of_text: CountText

    def of_request(self, request: Request) -> int:
        """Return what the model reads before it answers."""
        return self.around(request) + sum(self.of_item(item) for item in request.input)

    def around(self, request: Request) -> int:
        """Return the tokens beside the items: instructions, tools, the format, the beginning of the reply."""
        count = REPLY
        if request.instructions:
            count += self._message("system", request.instructions)
        count += sum(self.of_tool(tool) for tool in request.tools)
        wanted = request.text_format
        if wanted["type"] == "json_schema":
            count += self._json(wanted, "name", "description", "schema")
        return count

    def of_item(self, item: Mapping[str, Any]) -> int:
        """Return the tokens of one item, in the form that is stored (content as parts, or a plain string).

        A call pays for the address on its output too, since only the call knows the name; the two are never
        apart. Thoughts count as far as they can be read.
        """
        match item["type"]:
            case "message":
                return self._message(item["role"], item["content"])
            case "function_call":
                name, arguments = item["name"], item["arguments"]
                address = self.of_text(f"assistant to=functions.{name}") + self.of_text(f"functions.{name}")
                return MESSAGE + address + self.of_text(arguments)
            case "function_call_output":
                return MESSAGE + self._parts(item["output"])
            case "reasoning":
                return self._message("assistant", [*item.get("summary", ()), *item.get("content", ())])
            case _:
                return MESSAGE + self._json(item, *(name for name in item if name not in {"id", "status"}))

    def of_tool(self, tool: Mapping[str, Any]) -> int:
        """Return the tokens of a function's definition, as JSON: what open models' templates contain.

        OpenAI writes types instead, which is less: 31 tokens where this counts 40, 68 where it counts 78.
        """
        return self._json(tool, "name", "description", "parameters")

    def _message(self, role: str, content: str | Sequence[Mapping[str, Any]]) -> int:
        return MESSAGE + self.of_text(role) + self._parts(content)

    def _parts(self, content: str | Sequence[Mapping[str, Any]]) -> int:
        if isinstance(content, str):
            return self.of_text(content)
        return sum(self._part(part) for part in content)

    def _part(self, part: Mapping[str, Any]) -> int:
        if part["type"] == "input_image":
            return of_image(part)
        if is_pdf(part):
            return self.of_text(named(part)) + PAGE * pages_of(bytes_of(part))
        return self.of_text(words_of(part) or "")

    def _json(self, value: Mapping[str, Any], *names: str) -> int:
        said = {name: value[name] for name in names if value.get(name) is not None}
        return self.of_text(json.dumps(said, ensure_ascii=False, separators=(",", ":")))


AT_MOST = Tokens(lambda text: len(text.encode(errors="surrogatepass")))
"""Counts by no vocabulary, and never fewer: a token is one byte of text at the least.

Images and pages cost the same by either.
"""


def of_image(part: Mapping[str, Any]) -> int:
    """Return the tokens of an image part; a detail other than `low` counts as `high`."""
    if part.get("detail") == "low":
        return IMAGE
    size = size_of(part.get("image_url") or "")
    if size is None:
        return UNKNOWN_IMAGE
    shrink = min(1, 2048 / max(size), 768 / min(size))
    across, down = (math.ceil(max(1, round(side * shrink)) / 512) for side in size)
    return IMAGE + TILE * across * down
