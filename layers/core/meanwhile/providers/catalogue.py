"""Which models there are, what each can do, and what it costs. Reads `catalogue.toml`; speaks to nobody."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Literal, Self, get_args

from meanwhile.domain.errors import InvalidRequest
from meanwhile.domain.request import Request
from meanwhile.domain.window import Window

UNKNOWN_ENCODING: Literal["cl100k_base"] = "cl100k_base"
"""What an unknown model's tokens are counted by: it loads faster than the newer one and mostly finds more."""

Continuation = Literal["none", "final_message", "continue_final_message", "prefix", "prefix_echoed"]
"""How a model is asked to go on from a given beginning; `catalogue.toml` says what each value means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars per million tokens."""

    input: float = 0.0
    cached_input: float = 0.0
    output: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model. None means unknown (nothing is refused for it), or, for a limit, the setting applies."""

    id: str
    provider: Literal["simulator", "chat_completions"]
    owned_by: str = "meanwhile"
    created: int = 1_767_225_600
    """A fixed moment for `GET /models`; it says nothing about the model."""

    context_window: int | None = None
    max_output_tokens: int | None = None
    images: bool = True
    files: bool = True
    """Whether it is sent PDFs; text files go to all as text."""
    tools: bool = True
    structured_output: bool = True
    reasoning: bool = True
    continuation: Continuation = "none"
    output_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The name the upstream has for `max_output_tokens`."""
    encoding: Literal["cl100k_base", "o200k_base"] = UNKNOWN_ENCODING
    """The vocabulary that its tokens are counted by."""

    prices: Prices = Prices()
    first_token_seconds: float | None = None
    gap_seconds: float | None = None
    tokens_per_second: float = 0
    """How fast a simulator writes; 0 is as fast as it can."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models by id, and what stands for the ids it does not know."""

    entries: Mapping[str, ModelEntry]
    upstream: Sequence[ModelEntry] = ()
    """Shell patterns as ids, first fit wins; empty when there is no upstream."""

    @classmethod
    def load(cls, *, has_upstream: bool) -> Self:
        """Read the catalogue; `has_upstream` is whether MODEL_BASE_URL is set."""
        models, upstream = _read()
        return cls({each.id: each for each in models}, upstream if has_upstream else ())

    def find(self, model_id: str) -> ModelEntry:
        """Return what is known about the model.

        Raises:
            InvalidRequest: Nobody here knows it (`model_not_found`).
        """
        if model_id in self.entries:
            return self.entries[model_id]
        for pattern in self.upstream:
            if fnmatchcase(model_id, pattern.id):
                return replace(pattern, id=model_id)
        raise InvalidRequest(f"The model '{model_id}' does not exist.", param="model", code="model_not_found")

    def known(self, model_id: str) -> ModelEntry | None:
        """Return what is known about the model, if anything is."""
        try:
            return self.find(model_id)
        except InvalidRequest:
            return None

    def encoding_of(self, model_id: str) -> str:
        """Return the vocabulary that a model's tokens are counted by; also of a model that is no more."""
        entry = self.known(model_id)
        return entry.encoding if entry else UNKNOWN_ENCODING

    def window_for(self, request: Request, *, otherwise: int) -> Window:
        """Return the window of a request's model; `otherwise` is that of one whose window is not known."""
        entry = self.known(request.model)
        return Window.of(
            entry.context_window if entry else None,
            otherwise=otherwise,
            asked=request.max_output_tokens,
            most=entry.max_output_tokens if entry else None,
            sees_images=entry is None or entry.images,
            reads_files=entry is None or entry.files,
        )

    def list(self) -> Sequence[ModelEntry]:
        """Return the models known by name, in the catalogue's order."""
        return tuple(self.entries.values())


@cache
def _read() -> tuple[tuple[ModelEntry, ...], tuple[ModelEntry, ...]]:
    text = files("meanwhile.providers").joinpath("catalogue.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    models = tuple(_entry(each) for each in document["models"])
    upstream = tuple(
        _entry({"provider": "chat_completions", "owned_by": "upstream", "id": each.pop("match"), **each})
        for each in document["upstream"]
    )
    return models, upstream


def _entry(row: Mapping[str, Any]) -> ModelEntry:
    if row.get("continuation", "none") not in get_args(Continuation):
        raise ValueError(f"catalogue.toml: {row['id']} cannot have the continuation {row['continuation']!r}")
    return ModelEntry(**{**row, "prices": Prices(**row.get("prices", {}))})
