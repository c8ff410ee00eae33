"""Every parameter of the SDK's `responses.create`, and what becomes of it: the source of docs/parameters.md.

`make parameters` writes the page. Tests hold the table against the SDK's own signature and against what the
service does with each example.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "parameters.md"


class Fate(StrEnum):
    """What becomes of a parameter."""

    HONOURED = "honoured"
    IGNORED = "accepted and ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: what becomes of it, why or how, and a value of it that somebody may send."""

    name: str
    fate: Fate
    note: str
    example: Any
    needs: str = ""
    """Another parameter without which the example means nothing."""


_YES, _IGNORED, _NO = Fate.HONOURED, Fate.IGNORED, Fate.REFUSED

_TOOL = {"type": "function", "name": "look"}

PARAMETERS = [
    Parameter("access_programs", _NO, "Programs of OpenAI's own.", {"id": "x"}),
    Parameter(
        "background", _YES, "The answer comes at once, `queued`; else when the response has ended.", True
    ),
    Parameter(
        "context_management",
        _YES,
        "`compaction` with a `compact_threshold` of 1,000 tokens at least: what is longer, or leaves no"
        " room for the answer, is summed up by the model before it answers.",
        [{"type": "compaction", "compact_threshold": 1000}],
    ),
    Parameter(
        "conversation",
        _YES,
        "Locked while the response runs; what was asked and answered joins it at the end.",
        f"conv_{'0' * 48}",
    ),
    Parameter("image", _NO, "Not available yet.", {"size": "auto"}),
    Parameter(
        "include",
        _IGNORED,
        "The words of the API are taken; what they ask for is not made here, so nothing is left out.",
        ["message.output_text.logprobs"],
    ),
    Parameter(
        "input",
        _YES,
        "Text, or items: messages, function calls and their outputs, reasoning, compactions. Messages"
        " and outputs hold text, images (`image_url`) and files (`file_data` with `filename`: text in UTF-8,"
        " and PDFs for models that read them); `file_id` and `file_url` are not available yet."
        " It may be left out where something is continued: the model answers what was said last.",
        "Bye",
    ),
    Parameter("instructions", _YES, "", "Be brief."),
    Parameter("max_output_tokens", _YES, "16 at least, and no more than the model writes.", 100),
    Parameter("max_tool_calls", _IGNORED, "Echoed. It bounds built-in tools, and there are none yet.", 3),
    Parameter("metadata", _YES, "16 pairs, 64 and 512 characters; stored encrypted.", {"chat": "7"}),
    Parameter(
        "model", _YES, "One of `GET /models`, or any id where an upstream is configured.", "simulator-fast"
    ),
    Parameter("moderation", _NO, "Not available yet.", {"model": "x"}),
    Parameter("parallel_tool_calls", _YES, "", False, needs="tools"),
    Parameter(
        "previous_response_id",
        _YES,
        "Goes on behind that response, which must have ended; not together with `conversation`.",
        f"resp_{'0' * 48}",
    ),
    Parameter("prompt", _NO, "Prompt templates are stored at OpenAI; send their text.", {"id": "pmpt_1"}),
    Parameter("prompt_cache_key", _IGNORED, "Echoed; providers cache by themselves.", "chat-7"),
    Parameter("prompt_cache_options", _IGNORED, "Hints for a cache; the answer is the same.", {"a": "b"}),
    Parameter("prompt_cache_retention", _IGNORED, "As above.", "24h"),
    Parameter(
        "reasoning",
        _YES,
        "`effort` for models that reason, others refuse it; `summary`. `context` is `auto` and `mode`"
        " `standard`: their other words are refused.",
        {"summary": "auto"},
    ),
    Parameter("safety_identifier", _IGNORED, "Echoed; the owner is whom the key names.", "somebody"),
    Parameter("service_tier", _IGNORED, "There is one: `auto` while queued, `default` when done.", "flex"),
    Parameter("store", _YES, "`false`: kept until 10 minutes after the end, and then gone.", False),
    Parameter("stream", _YES, "Events as they come; `GET /responses/{id}?stream=true` resumes.", True),
    Parameter("stream_options", _IGNORED, "No padding is added to events.", {"include_obfuscation": False}),
    Parameter("temperature", _YES, "0 to 2; passed on only if it was set.", 0.5),
    Parameter(
        "text", _YES, "Plain text, any JSON, or JSON by a schema; and `verbosity`.", {"verbosity": "low"}
    ),
    Parameter("tool_choice", _YES, "", "required", needs="tools"),
    Parameter(
        "tools", _YES, "Functions that the caller runs. Built-in tools are refused by their type.", [_TOOL]
    ),
    Parameter("top_logprobs", _YES, "0 to 20; passed on only if it was set.", 3),
    Parameter("top_p", _YES, "0 to 1; passed on only if it was set.", 0.5),
    Parameter(
        "truncation",
        _YES,
        "`auto` drops the oldest of what is continued, and `dropped` on the response says how much;"
        " `disabled` refuses what does not fit.",
        "auto",
    ),
    Parameter("user", _IGNORED, "Echoed; the older name of `safety_identifier`.", "somebody"),
]

BEYOND_THE_SDK = [
    Parameter("frequency_penalty", _YES, "-2 to 2; from Open Responses, in `extra_body`.", 0.5),
    Parameter("personality", _NO, "From counting tokens: a style of OpenAI's own models.", "friendly"),
    Parameter("presence_penalty", _YES, "-2 to 2; from Open Responses, in `extra_body`.", 0.5),
]

EXAMPLE_OF_TOOLS = {"tools": [_TOOL]}

_HEAD = """# Parameters of a create call

Written by `make parameters` from `infra/parameters.py`; tests compare the table with the OpenAI SDK's own
signature and with what the service does. Every parameter of `responses.create` is in it:

- **honoured**: it changes the answer, or how it is kept.
- **accepted and ignored**: taken so that a caller's code need not change, checked for its type, of no effect.
- **refused**: a 400 whose `param` names it and whose `code` is `unsupported_parameter`. Null is always taken.

Any other name is refused as `unknown_parameter`.

| parameter | | |
|---|---|---|
"""


def page() -> str:
    """Return docs/parameters.md."""
    rows = sorted([*PARAMETERS, *BEYOND_THE_SDK], key=lambda each: each.name)
    return _HEAD + "".join(f"| `{each.name}` | {each.fate} | {each.note} |\n" for each in rows)


if __name__ == "__main__":
    PAGE.write_text(page())
