"""A request in the words of the chat completions API."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from meanwhile.domain.errors import ProviderRejected
from meanwhile.domain.files import is_pdf, is_seen, words_of
from meanwhile.domain.request import Json, Request
from meanwhile.providers.catalogue import ModelEntry

_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_TEXTS = ("input_text", "output_text", "text", "refusal", "input_file")
"""Parts that are text; of files those that are no PDF."""


def body_of(request: Request, entry: ModelEntry, beginning: str = "") -> Json:
    """Return the body to post; with a beginning, one that asks to go on from it in this upstream's way.

    Who asks (`user`, `metadata`, ids) is not in it: the upstream need not know.

    Raises:
        ProviderRejected: An item, part or tool has no counterpart in this API.
    """
    body: Json = {
        "model": request.model,
        "messages": messages_of(request),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    body |= {name: getattr(request, name) for name in _SAMPLING if name in request.sampling}
    if request.max_output_tokens is not None:
        body[entry.output_limit] = request.max_output_tokens
    effort = (request.reasoning or {}).get("effort")
    if effort:
        body["reasoning_effort"] = effort
    response_format = _response_format(request.text_format)
    if response_format:
        body["response_format"] = response_format
    if beginning:
        body["messages"].append(_opened(beginning, entry))
        if entry.continuation == "continue_final_message":
            body |= {"continue_final_message": True, "add_generation_prompt": False}
    return body | _tools(request)


def messages_of(request: Request) -> list[Json]:
    """Return the conversation as messages, calls beside the assistant's words, outputs right after them."""
    conversation = _Conversation()
    if request.instructions:
        conversation.messages.append({"role": "system", "content": request.instructions})
    answers = _answers(request.input)
    for at, item in enumerate(request.input):
        match item.get("type", "message"):
            case "message":
                conversation.add_message(item)
            case "function_call":
                conversation.add_call(item, answers.get(at))
            case "function_call_output":
                conversation.add_output(item)
            case "reasoning":
                pass  # this API has no place for thoughts of earlier turns
            case _:
                raise ProviderRejected("The upstream cannot be sent one of the input's item types.")
    conversation.close()
    return conversation.messages


def _answers(items: Sequence[Json]) -> dict[int, tuple[int, Json]]:
    """Return which output answers which call, by the places of both: of several for one call the last.

    Ids tell calls of one round apart; other rounds may have the same.
    """
    calls: dict[Any, int] = {}
    answers: dict[int, tuple[int, Json]] = {}
    for at, item in enumerate(items):
        if item.get("type") == "function_call":
            calls[item.get("call_id")] = at
        elif item.get("type") == "function_call_output" and item.get("call_id") in calls:
            answers[calls[item.get("call_id")]] = (at, item)
    return answers


def _opened(beginning: str, entry: ModelEntry) -> Json:
    """Return the assistant's last message, which is not at its end yet."""
    message: Json = {"role": "assistant", "content": beginning}
    return message | {"prefix": True} if entry.continuation in ("prefix", "prefix_echoed") else message


class _Conversation:
    """Messages in the order the API demands: after calls come their outputs, and nothing between."""

    def __init__(self) -> None:
        self.messages: list[Json] = []
        self._called: set[Any] = set()
        self._answers: list[tuple[int, Json]] = []
        """Of the calls in the last message, each with its place in the input."""
        self._to_show: list[Json] = []

    def add_message(self, item: Mapping[str, Any]) -> None:
        """Add what was said; an assistant's words right after its calls join them."""
        if item.get("role") == "assistant":
            text = _text_of(_parts_of(item.get("content")))
            if not text:
                return  # a message that a crash has cleared; some servers refuse empty ones
            calling = self._calling()
            if calling is not None:
                calling["content"] = (calling.get("content") or "") + text
                return
            self._show()
            self.messages.append({"role": "assistant", "content": text})
            return
        self.close()
        # "developer" is OpenAI's newer name; "system" is understood everywhere.
        role = "user" if item.get("role", "user") == "user" else "system"
        self.messages.append({"role": role, "content": _content_of(_parts_of(item.get("content")))})

    def add_call(self, item: Mapping[str, Any], answer: tuple[int, Json] | None) -> None:
        """Add a call to the assistant's last message, or begin one; its answer follows, wherever it was."""
        self._show()
        self._called.add(item.get("call_id"))
        self._answers += [answer] if answer is not None else []
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": None})
        function = {"name": item.get("name"), "arguments": item.get("arguments") or "{}"}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        self.messages[-1].setdefault("tool_calls", []).append(call)

    def add_output(self, item: Mapping[str, Any]) -> None:
        """Add what a function returned, with what was returned to the calls beside it, and once."""
        self._add_answers()
        if item.get("call_id") not in self._called:
            self._add_output(item)

    def close(self) -> None:
        """Add what belongs to the calls before, so that something else may follow."""
        self._add_answers()
        self._show()

    def _add_answers(self) -> None:
        answers, self._answers = sorted(self._answers, key=itemgetter(0)), []
        for _, item in answers:
            self._add_output(item)

    def _add_output(self, item: Mapping[str, Any]) -> None:
        """Add an output; its images and PDFs wait, since only a user can show them here."""
        parts = _parts_of(item.get("output"))
        shown = [part for part in parts if is_seen(part)]
        texts = [part for part in parts if not is_seen(part)]
        what = "a file" if shown and is_pdf(shown[0]) else "an image"
        text = _text_of(texts) if texts or not shown else f"The output is {what}; it follows."
        self.messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": text})
        self._to_show += [_content_part(part) for part in shown]

    def _show(self) -> None:
        """Add the images and PDFs of the outputs before, in a message of their own."""
        if self._to_show:
            self.messages.append({"role": "user", "content": self._to_show})
            self._to_show = []

    def _calling(self) -> Json | None:
        last = self.messages[-1] if self.messages else {}
        return last if "tool_calls" in last else None


def _parts_of(content: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    return content or []


def _text_of(parts: Iterable[Mapping[str, Any]]) -> str:
    parts = list(parts)
    if any(part.get("type") not in _TEXTS or is_seen(part) for part in parts):
        raise ProviderRejected("The upstream cannot be sent one of the input's content types.")
    return "\n".join(words_of(part) or "" for part in parts)


def _content_of(parts: Sequence[Mapping[str, Any]]) -> str | list[Json]:
    """Return a plain string where there is only text: not every server reads lists."""
    if not any(is_seen(part) for part in parts):
        return _text_of(parts)
    return [_content_part(part) for part in parts]


def _content_part(part: Mapping[str, Any]) -> Json:
    if is_pdf(part):
        return {"type": "file", "file": {name: part[name] for name in ("filename", "file_data")}}
    if part.get("type") != "input_image":
        return {"type": "text", "text": _text_of([part])}
    if not part.get("image_url"):
        raise ProviderRejected("The upstream can be sent images by URL or data URL only.")
    image: Json = {"url": part["image_url"]}
    if part.get("detail"):
        image["detail"] = part["detail"]
    return {"type": "image_url", "image_url": image}


def _tools(request: Request) -> Json:
    """Return what the request says about functions; the defaults are left unsaid for older servers."""
    choice: Any = request.tool_choice
    tools = list(request.tools)
    if isinstance(choice, Mapping) and choice.get("type") == "allowed_tools":
        allowed = {each.get("name") for each in choice.get("tools", [])}
        tools = [each for each in tools if each.get("name") in allowed]
        choice = choice.get("mode", "auto")
    elif isinstance(choice, Mapping):
        choice = {"type": "function", "function": {"name": choice.get("name")}}
    if not tools:
        return {}
    said: Json = {"tools": [_tool(each) for each in tools]}
    if choice != "auto":
        said["tool_choice"] = choice
    if not request.parallel_tool_calls:
        said["parallel_tool_calls"] = False
    return said


def _tool(tool: Mapping[str, Any]) -> Json:
    if tool.get("type") != "function":
        raise ProviderRejected("The upstream can be given functions only.")
    names = ("name", "description", "parameters", "strict")
    return {
        "type": "function",
        "function": {name: tool[name] for name in names if tool.get(name) is not None},
    }


def _response_format(wanted: Mapping[str, Any]) -> Json | None:
    if wanted.get("type") == "json_object":
        return {"type": "json_object"}
    if wanted.get("type") != "json_schema":
        return None
    names = ("name", "description", "schema", "strict")
    return {
        "type": "json_schema",
        "json_schema": {name: wanted[name] for name in names if wanted.get(name) is not None},
    }
