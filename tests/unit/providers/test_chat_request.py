"""Requests in the words of the chat completions API."""

from typing import Any

import pytest

from meanwhile.domain.errors import ProviderRejected
from meanwhile.domain.request import Json, Request
from meanwhile.providers.catalogue import ModelEntry
from meanwhile.providers.chat_request import body_of, messages_of
from tests.support.files import PDF, file_of

SEEN = {"type": "input_image", "image_url": "https://example.com/a.png"}
PLAIN = ModelEntry(id="m", provider="chat_completions")
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": None,
    "parameters": {"type": "object"},
    "strict": True,
}
CLOCK = {"type": "function", "name": "clock"}


def message(role: str, *parts: Json | str) -> Json:
    """Return a message item; a string is a text part."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {
        "type": "message",
        "role": role,
        "content": [{"type": kind, "text": part} if isinstance(part, str) else part for part in parts],
    }


def call(call_id: str, name: str = "weather") -> Json:
    """Return a call item."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"}


def output(call_id: str, said: Any = "sunny") -> Json:
    """Return an output item."""
    return {"type": "function_call_output", "call_id": call_id, "output": said}


def messages(*items: Json, **changes: Any) -> list[Json]:
    """Return what the items become."""
    return messages_of(Request(model="m", input=items, **changes))


def body(**changes: Any) -> Json:
    """Return the body for a request, plain but for the changes."""
    return body_of(Request(**{"model": "m", "input": [message("user", "Hi")], **changes}), PLAIN)


@pytest.mark.parametrize(
    ("way", "marks", "flags"),
    [
        ("final_message", {}, {}),
        ("continue_final_message", {}, {"continue_final_message": True, "add_generation_prompt": False}),
        ("prefix", {"prefix": True}, {}),
        ("prefix_echoed", {"prefix": True}, {}),
    ],
)
def test_each_upstream_is_asked_in_its_own_way_to_go_on(way: Any, marks: Json, flags: Json) -> None:
    """The beginning is the assistant's last message; everything else is asked as before."""
    request = Request(model="m", input=[message("user", "Hi")], tools=[CLOCK], max_output_tokens=99)
    entry = ModelEntry(id="m", provider="chat_completions", continuation=way)

    sent = body_of(request, entry, "Once upon")

    plain = body_of(request, entry)
    opened = {"role": "assistant", "content": "Once upon"} | marks
    assert sent == plain | flags | {"messages": [*plain["messages"], opened]}


def test_a_beginning_does_not_join_what_the_assistant_said_before() -> None:
    """That message was whole."""
    request = Request(model="m", input=[message("user", "Hi"), message("assistant", "Yes?")])
    entry = ModelEntry(id="m", provider="chat_completions", continuation="final_message")

    sent = body_of(request, entry, "Once")["messages"]

    assert [each["content"] for each in sent] == ["Hi", "Yes?", "Once"]


def sent_call(call_id: str) -> Json:
    """Return a call as the other API has it."""
    return {"id": call_id, "type": "function", "function": {"name": "weather", "arguments": "{}"}}


def test_messages_keep_their_order_and_roles() -> None:
    """Every server knows "system"; "developer" is its newer name."""
    seen = messages(
        message("developer", "Be brief."),
        {"role": "user", "content": "Hi"},
        message("assistant", "Hello.", {"type": "refusal", "refusal": "No."}),
        message("user", "a", "b"),
        instructions="Be kind.",
    )

    assert seen == [
        {"role": "system", "content": "Be kind."},
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello.\nNo."},
        {"role": "user", "content": "a\nb"},
    ]


def test_calls_stand_in_one_message_with_the_words_before_them() -> None:
    """Parallel calls in two messages are refused: outputs must follow directly."""
    seen = messages(message("assistant", "Let me see."), call("1"), call("2"), output("1"), output("2"))

    assert seen == [
        {"role": "assistant", "content": "Let me see.", "tool_calls": [sent_call("1"), sent_call("2")]},
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "2", "content": "sunny"},
    ]


def test_words_between_a_call_and_its_output_join_the_call() -> None:
    """The Responses API allows that order, this one does not."""
    seen = messages(call("1"), message("assistant", "Wait."), output("1"))

    assert seen[0] == {"role": "assistant", "content": "Wait.", "tool_calls": [sent_call("1")]}
    assert seen[1]["role"] == "tool"


def test_an_output_stands_behind_its_call_whatever_was_said_in_between() -> None:
    """A conversation may hold them apart for ever; servers refuse all that follows such a pair."""
    seen = messages(
        call("1"),
        call("2"),
        output("2"),
        message("assistant", "Wait."),
        message("user", "Well?"),
        output("1"),
    )

    assert [each.get("tool_call_id", each["content"]) for each in seen] == [None, "2", "1", "Wait.", "Well?"]
    assert [each["id"] for each in seen[0]["tool_calls"]] == ["1", "2"]


def test_an_output_that_came_twice_is_told_once_as_it_was_last() -> None:
    """Servers refuse two for one call; and the same id in another round is another call."""
    seen = messages(
        *(call("1"), output("1", "rain"), output("1", "snow"), message("user", "And now?")),
        *(call("1"), output("1", "sun")),
    )

    assert [each["content"] for each in seen] == [None, "snow", "And now?", None, "sun"]


def test_calls_of_two_rounds_stay_apart() -> None:
    """The second call was made knowing the first one's output."""
    seen = messages(call("1"), output("1"), call("2"), output("2"))

    assert [each["role"] for each in seen] == ["assistant", "tool", "assistant", "tool"]


def test_an_output_s_image_is_shown_once_all_outputs_are_there() -> None:
    """Only a user can show images in this API, and nothing may stand between calls and outputs."""
    seen = messages(call("1"), call("2"), output("1", [SEEN]), output("2"), message("user", "So?"))

    assert [each["role"] for each in seen] == ["assistant", "tool", "tool", "user", "user"]
    assert seen[3]["content"] == [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]


def test_a_text_file_is_text_with_its_name() -> None:
    """Every server reads text; where there is nothing else it stays one string."""
    notes = {"type": "input_text", "text": "What is this?"}

    seen = messages(message("user", notes, file_of("# Notes")), message("user", file_of("x"), SEEN))

    text = '<file name="notes.md">\n# Notes\n</file>'
    assert seen[0]["content"] == f"What is this?\n{text}"
    assert seen[1]["content"][0] == {"type": "text", "text": '<file name="notes.md">\nx\n</file>'}
    assert messages(message("developer", file_of("# Notes")))[0] == {"role": "system", "content": text}


def test_a_pdf_is_a_file_of_the_other_api() -> None:
    """As it came: name and data URL, and nothing that API does not know."""
    seen = messages(message("user", "What is this?", PDF | {"detail": "low"}))

    file = {"filename": PDF["filename"], "file_data": PDF["file_data"]}
    assert seen[0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "file", "file": file},
    ]


def test_an_output_s_files_are_text_or_shown_once_all_outputs_are_there() -> None:
    """A tool can say text, and only a user can show a PDF."""
    seen = messages(call("1"), call("2"), output("1", [file_of("x")]), output("2", [PDF]))

    assert [each["role"] for each in seen] == ["assistant", "tool", "tool", "user"]
    assert seen[1]["content"] == '<file name="notes.md">\nx\n</file>'
    assert seen[2]["content"] == "The output is a file; it follows."
    assert [part["type"] for part in seen[3]["content"]] == ["file"]


def test_earlier_thoughts_are_left_out() -> None:
    """This API takes none back."""
    assert messages({"type": "reasoning", "summary": []}, message("user", "Hi"))[0]["role"] == "user"


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        message("user", {"type": "input_audio"}),
        message("user", {"type": "input_image", "file_id": "file_1"}),
        message("assistant", {"type": "input_image", "image_url": "x"}),
        message("assistant", PDF),
    ],
)
def test_what_cannot_be_said_is_refused(item: Json) -> None:
    """Leaving it out would answer another question than the one asked."""
    with pytest.raises(ProviderRejected):
        messages(item)


def test_defaults_stay_unsaid() -> None:
    """Old servers refuse parameters they do not know, and models have defaults of their own."""
    assert set(body()) == {"model", "messages", "stream", "stream_options"}


def test_only_sampling_that_the_caller_set_is_sent() -> None:
    """Reasoning models refuse a temperature, even the default one."""
    assert "temperature" not in body(temperature=0.3)
    assert body(temperature=0.3, sampling=["temperature"])["temperature"] == 0.3


def test_nobody_s_name_is_sent() -> None:
    """Who asks is between the caller and us."""
    told = body(
        user="ada", metadata={"tenant": "secret"}, safety_identifier="ada", prompt_cache_key="ada", store=True
    )

    assert told == body()


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_output_limit_has_the_name_the_model_knows(name: Any) -> None:
    """Old servers know only the one, OpenAI's reasoning models only the other."""
    entry = ModelEntry(id="m", provider="chat_completions", output_limit=name)

    assert body_of(Request(model="m", input=[], max_output_tokens=99), entry)[name] == 99


def test_functions_are_described_without_empty_fields() -> None:
    """Some servers take null for a value."""
    told = body(tools=[WEATHER, CLOCK], parallel_tool_calls=False, reasoning={"effort": "low"})

    assert told["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "parameters": {"type": "object"}, "strict": True},
        },
        {"type": "function", "function": {"name": "clock"}},
    ]
    assert told["parallel_tool_calls"] is False
    assert told["reasoning_effort"] == "low"
    assert "tool_choice" not in told


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "clock"}, {"type": "function", "function": {"name": "clock"}}),
    ],
)
def test_the_choice_of_a_function_is_passed_on(choice: Any, told: Any) -> None:
    """The caller decides whether a function must be called."""
    assert body(tools=[WEATHER, CLOCK], tool_choice=choice)["tool_choice"] == told


def test_allowed_tools_are_the_only_ones_sent() -> None:
    """Few servers know the notion; all know a shorter list."""
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "clock"}]}

    told = body(tools=[WEATHER, CLOCK], tool_choice=choice)

    assert [each["function"]["name"] for each in told["tools"]] == ["clock"]
    assert told["tool_choice"] == "required"


def test_a_tool_that_is_no_function_is_refused() -> None:
    """The upstream would not know what to do with it."""
    with pytest.raises(ProviderRejected):
        body(tools=[{"type": "web_search"}])


def test_the_text_s_form_is_passed_on() -> None:
    """Structured output is a promise of the API."""
    schema = {"type": "json_schema", "name": "it", "schema": {"type": "object"}, "strict": None}

    assert body(text={"format": {"type": "json_object"}})["response_format"] == {"type": "json_object"}
    assert body(text={"format": schema})["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "it", "schema": {"type": "object"}},
    }
