"""What was asked: one request, checked and normalised, as it is stored and echoed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The parameters of one response, in the API's own names and JSON shapes.

    `input` holds items with ids (a plain string has become one user message), so that
    `input_items` lists the same ids every time.
    """

    model: str
    input: Sequence[Json]
    instructions: str | None = None
    tools: Sequence[Json] = field(default_factory=list)
    tool_choice: str | Json = "auto"
    parallel_tool_calls: bool = True
    text: Json = field(default_factory=lambda: {"format": {"type": "text"}})
    reasoning: Json | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    top_logprobs: int = 0
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    truncation: str = "disabled"
    metadata: Mapping[str, str] = field(default_factory=dict)
    store: bool = True
    background: bool = False
    stream: bool = False
    """Whether the caller reads it as it is written: what was said there cannot be taken back."""
    service_tier: str = "auto"
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    user: str | None = None
    previous_response_id: str | None = None
    conversation: str | None = None
    place: Json | None = None
    """Where in a thread it runs (`threads.Place`), once that is decided; sealed with the rest of it."""
    context_management: Sequence[Json] = field(default_factory=list)
    """When what the model is shown is compacted first; each entry with a number of tokens."""
    is_compaction: bool = False
    """Whether a compaction item is all that is asked for."""
    sampling: Sequence[str] = field(default_factory=list)
    """Which of the sampling parameters the caller set; a provider is sent no others."""

    def to_json(self) -> Json:
        """Return it as plain JSON values, without those that are what they would be anyway."""
        plain = asdict(type(self)(model=self.model, input=[]))
        always = {"model", "input"}
        return {name: value for name, value in asdict(self).items() if name in always or value != plain[name]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` gave; names that a later version dropped are ignored."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})

    @property
    def compact_threshold(self) -> int | None:
        """The number of tokens above which what the model is shown is compacted first."""
        return min((each["compact_threshold"] for each in self.context_management), default=None)

    @property
    def text_format(self) -> Json:
        """The wanted format of the text: `text`, `json_object` or `json_schema`."""
        found: Json = self.text.get("format") or {"type": "text"}
        return found
