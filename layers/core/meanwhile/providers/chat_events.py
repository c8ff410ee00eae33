"""The chunks of a chat completions stream as model events."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meanwhile.domain.errors import ProviderBroken
from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from meanwhile.providers.chat_errors import code_of, error_of_stream
from meanwhile.providers.surrogates import Healer

_REASONS = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "tool_calls": FinishReason.STOP,
    "function_call": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}
_Speech = type[TextDelta] | type[ReasoningDelta] | type[RefusalDelta]
_WORDS: Mapping[str, _Speech] = {
    "reasoning_content": ReasoningDelta,
    "reasoning": ReasoningDelta,
    "content": TextDelta,
    "refusal": RefusalDelta,
}


@dataclass(slots=True)
class _Call:
    """One function call as far as it has come; it starts when its name is known."""

    key: Any
    id: str = ""
    name: str = ""
    waiting: str = ""
    index: int | None = None
    healer: Healer = field(default_factory=Healer)
    said_anything: bool = False


class ChunkReader:
    """Reads one stream. `ended` once the provider itself has said why it stopped."""

    def __init__(self) -> None:
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None
        self._calls: list[_Call] = []
        self._started = 0
        self._healers = {kind: Healer() for kind in _WORDS.values()}
        self._speaking: _Speech | _Call | None = None

    @property
    def ended(self) -> bool:
        """Whether the finish reason was seen; what may follow is only the usage."""
        return self._reason is not None

    def read(self, data: str) -> Iterator[ModelEvent]:
        """Yield what one chunk says.

        Raises:
            ProviderError: The chunk cannot be read, or reports an error.
        """
        chunk = _parsed(data)
        if chunk.get("error"):
            raise error_of_stream(chunk["error"])
        if isinstance(chunk.get("usage"), Mapping):
            self._usage = _usage(chunk["usage"])
        choices = chunk.get("choices")
        choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
        delta = _mapping(choice.get("delta"))
        for name, kind in _WORDS.items():
            if name == "reasoning" and delta.get("reasoning_content"):
                continue  # some servers send the same thought under both names
            yield from self._words(kind, _text(delta.get(name)))
        fragments = _list(delta.get("tool_calls"))
        for place, fragment in enumerate(fragments):
            yield from self._fragment({"index": place if len(fragments) > 1 else None, **_mapping(fragment)})
        if choice.get("finish_reason"):
            self._reason = self._reason_named(choice["finish_reason"])

    def last(self) -> Iterator[ModelEvent]:
        """Yield what was held back, and the end.

        Raises:
            ProviderBroken: The stream stopped without the provider's own end.
        """
        if self._reason is None:
            raise ProviderBroken("The provider's stream stopped before its end.")
        yield from self._rest()
        for call in self._calls:
            if call.index is None:
                raise ProviderBroken("The provider called a function without a name.")
            if not call.said_anything and self._reason is FinishReason.STOP:
                yield ToolCallDelta(call.index, "{}")  # no arguments are still a JSON object
        yield Finished(self._reason, self._usage)

    def _words(self, kind: _Speech, text: str) -> Iterator[ModelEvent]:
        if not text:
            return
        if self._speaking is not kind:
            yield from self._rest()
            self._speaking = kind
        whole = self._healers[kind].feed(text)
        if whole:
            yield kind(whole)

    def _fragment(self, fragment: Mapping[str, Any]) -> Iterator[ModelEvent]:
        function = _mapping(fragment.get("function"))
        call = self._call_of(fragment, function)
        call.id = call.id or str(fragment.get("id") or "")
        call.name = call.name or str(function.get("name") or "")
        arguments = function.get("arguments")
        call.waiting += (
            arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
        )
        if not call.name:
            return
        if self._speaking is not call:
            yield from self._rest()
            self._speaking = call
        if call.index is None:
            call.index = self._started
            self._started += 1
            yield ToolCallStarted(call.index, call.id, call.name)
        whole = call.healer.feed(call.waiting)
        call.waiting = ""
        if whole:
            call.said_anything = True
            yield ToolCallDelta(call.index, whole)

    def _call_of(self, fragment: Mapping[str, Any], function: Mapping[str, Any]) -> _Call:
        """Return the call a fragment belongs to: servers leave out the index, or give all calls the same."""
        key, call_id = fragment.get("index"), fragment.get("id")
        known = [each for each in self._calls if key is None or each.key == key]
        for call in reversed(known):
            if not _is_another(call, call_id, function.get("name"), has_index=key is not None):
                return call
            if key is None:
                break
        same_id = [each for each in known if call_id and each.id == call_id]
        if same_id:
            return same_id[-1]
        self._calls.append(_Call(key))
        return self._calls[-1]

    def _rest(self) -> Iterator[ModelEvent]:
        """Yield the half character that whoever spoke last was left with."""
        speaking, self._speaking = self._speaking, None
        if isinstance(speaking, _Call):
            rest = speaking.healer.rest()
            if rest and speaking.index is not None:
                yield ToolCallDelta(speaking.index, rest)
        elif speaking is not None:
            rest = self._healers[speaking].rest()
            if rest:
                yield speaking(rest)

    def _reason_named(self, name: Any) -> FinishReason:
        if isinstance(name, str) and name.lower() in _REASONS:
            return _REASONS[name.lower()]
        known = code_of({"code": name})
        raise ProviderBroken(f"The provider stopped for an unknown reason{f' ({known})' if known else ''}.")


def _is_another(call: _Call, call_id: Any, name: Any, *, has_index: bool) -> bool:
    """Whether a fragment with this id and name begins a call other than this one."""
    if not name:
        return False
    if call_id and call.id:
        return bool(call_id != call.id)
    return not has_index and bool(call.name) and bool(name != call.name)


def _parsed(data: str) -> Mapping[str, Any]:
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError):
        raise ProviderBroken("The provider sent a chunk that is not JSON.") from None
    if not isinstance(chunk, Mapping):
        raise ProviderBroken("The provider sent a chunk that is not a JSON object.")
    return chunk


def _usage(said: Mapping[str, Any]) -> Usage:
    prompt, completion = (
        _mapping(said.get("prompt_tokens_details")),
        _mapping(said.get("completion_tokens_details")),
    )
    return Usage(
        input_tokens=_count(said.get("prompt_tokens")),
        output_tokens=_count(said.get("completion_tokens")),
        cached_tokens=_count(prompt.get("cached_tokens")),
        cache_write_tokens=_count(prompt.get("cache_write_tokens")),
        reasoning_tokens=_count(completion.get("reasoning_tokens")),
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(_mapping(part).get("text") or "") for part in _list(content))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
