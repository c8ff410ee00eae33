"""The adapter against a real server on loopback: what it makes of a provider's answers."""

import asyncio
import json

import pytest

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
from meanwhile.providers import chat_completions
from tests.fake_provider import (
    PATIENCE,
    Cut,
    FakeProvider,
    Raw,
    Script,
    Silence,
    calls,
    chunk,
    end,
    says,
    text,
)
from tests.integration.providers.asking import STOP, USAGE, adapter, answer, ask, events_of
from tests.support.files import file_of, pdf_of


def test_an_answer_is_text_and_then_its_end_with_usage(provider: FakeProvider) -> None:
    """Deltas pass one by one, and `completed` rests on the provider's own end."""
    assert answer(provider, says("Good", " day")) == [TextDelta("Good"), TextDelta(" day"), STOP]


def test_the_request_carries_the_key_and_asks_for_a_stream_with_usage(provider: FakeProvider) -> None:
    """Without `include_usage` most servers never count for us."""
    answer(provider, says("x"))

    exchange = provider.exchanges[0]
    assert exchange.path == "/v1/chat/completions"
    assert exchange.headers["authorization"] == "Bearer key"
    assert exchange.body == {
        "model": "fake",
        "messages": [{"role": "user", "content": "Hello?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_one_adapter_serves_one_event_loop_after_another(provider: FakeProvider) -> None:
    """A Lambda invocation is one `asyncio.run`; a client kept from the last one would be dead."""
    model = adapter(provider)

    first, second = asyncio.run(events_of(model, ask())), asyncio.run(events_of(model, ask()))

    assert first == second


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("tool_calls", FinishReason.STOP),
        ("function_call", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("content_filter", FinishReason.CONTENT_FILTER),
    ],
)
def test_every_finish_reason_has_its_meaning(
    provider: FakeProvider, finish: str, reason: FinishReason
) -> None:
    """The reason decides between completed and incomplete."""
    assert answer(provider, says("x", finish=finish))[-1] == Finished(reason, USAGE)


@pytest.mark.parametrize(
    "ending", [[], [Cut()], [Raw(b"data: {nonsense\n\n")]], ids=["closes", "cut", "garbage"]
)
def test_after_the_finish_reason_nothing_can_spoil_the_answer(provider: FakeProvider, ending: Script) -> None:
    """The provider has said its last word; only the usage may be lost."""
    seen = answer(provider, [*text("Whole"), chunk({}, finish="stop"), *ending])

    assert seen == [TextDelta("Whole"), Finished(FinishReason.STOP, None)]


def test_usage_that_never_comes_is_not_waited_for(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some servers leave the connection open behind their last word."""
    monkeypatch.setattr(chat_completions, "_AFTER_THE_END_SECONDS", 0)
    seen = answer(provider, [chunk({"content": "Whole"}, finish="stop"), Silence()], gap=2 * PATIENCE)

    assert seen == [TextDelta("Whole"), Finished(FinishReason.STOP, None)]
    assert not provider.exchanges[0].answered.is_set()


def test_usage_is_read_with_its_details(provider: FakeProvider) -> None:
    """Cached and reasoning tokens have prices of their own."""
    ending = end(
        prompt_tokens_details={"cached_tokens": 5}, completion_tokens_details={"reasoning_tokens": 2}
    )

    seen = answer(provider, [*text("x"), *ending])

    assert seen[-1] == Finished(
        FinishReason.STOP, Usage(input_tokens=7, output_tokens=3, cached_tokens=5, reasoning_tokens=2)
    )


def test_comments_between_two_words_are_no_part_of_the_answer(provider: FakeProvider) -> None:
    """OpenRouter and others send them as a sign of life."""
    seen = answer(provider, [*text("a"), Raw(b": PROCESSING\n\n"), Raw(b": x\r\n\r\n"), *text("b"), *end()])

    assert seen == [TextDelta("a"), TextDelta("b"), STOP]


def test_an_event_cut_into_pieces_is_put_together(provider: FakeProvider) -> None:
    """TCP keeps no message boundaries, not even inside a character."""
    event = f"data: {json.dumps(chunk({'content': 'é'}), ensure_ascii=False)}\r\n\r\n".encode()

    seen = answer(provider, [*(Raw(event[at : at + 1]) for at in range(len(event))), *end()])

    assert seen == [TextDelta("é"), STOP]


def test_function_arguments_arrive_in_fragments(provider: FakeProvider) -> None:
    """Each call starts once, with its id and name; its arguments are text in pieces."""
    seen = answer(provider, calls("get_weather", '{"city": "Rome"}', call_id="call_7"))

    assert seen[0] == ToolCallStarted(0, "call_7", "get_weather")
    assert "".join(each.arguments for each in seen if isinstance(each, ToolCallDelta)) == '{"city": "Rome"}'
    assert seen[-1] == STOP


def test_thinking_and_refusing_have_events_of_their_own(provider: FakeProvider) -> None:
    """Neither is part of the answer's text."""
    deltas = [{"reasoning_content": "Hm."}, {"reasoning": "Well."}, {"refusal": "I won't."}]

    seen = answer(provider, [*map(chunk, deltas), *end()])

    assert seen == [ReasoningDelta("Hm."), ReasoningDelta("Well."), RefusalDelta("I won't."), STOP]


def test_a_character_split_between_two_chunks_is_whole_again(provider: FakeProvider) -> None:
    """Servers that cut by UTF-16 units send half an emoji, and half of one cannot be stored."""
    halves = [b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n', *[b": x\n\n"] * 2]
    halves.append(b'data: {"choices":[{"delta":{"content":"\\ude00b"}}]}\n\n')

    seen = answer(provider, [*map(Raw, halves), *end()])

    assert seen == [TextDelta("a"), TextDelta("😀b"), STOP]


def test_half_a_character_that_stays_alone_becomes_a_mark(provider: FakeProvider) -> None:
    """It is shown as U+FFFD, and nothing that encodes the text can fail."""
    seen = answer(provider, [Raw(b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n'), *end()])

    assert seen == [TextDelta("a"), TextDelta("\ufffd"), STOP]


def test_structured_output_and_images_reach_the_provider(provider: FakeProvider) -> None:
    """What the request says about form and pictures is said in the other API's words."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    image = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}
    content = [{"type": "input_text", "text": "What is this?"}, image]
    form = {"format": {"type": "json_schema", "name": "it", "schema": schema, "strict": True}}

    request = ask(input=[{"type": "message", "role": "user", "content": content}], text=form)
    asyncio.run(events_of(adapter(provider), request))

    body = provider.exchanges[0].body
    assert body["response_format"]["json_schema"] == {"name": "it", "schema": schema, "strict": True}
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
    ]


def test_files_reach_the_provider(provider: FakeProvider) -> None:
    """Text as text, and a PDF as the other API has it, byte for byte, however large."""
    large = file_of(pdf_of(3, size=3_000_000), "large.pdf", "application/pdf")
    content = [file_of("# Notes"), large, {"type": "input_text", "text": "What do they say?"}]

    request = ask(input=[{"type": "message", "role": "user", "content": content}])
    asyncio.run(events_of(adapter(provider), request))

    assert provider.exchanges[0].body["messages"][0]["content"] == [
        {"type": "text", "text": '<file name="notes.md">\n# Notes\n</file>'},
        {"type": "file", "file": {"filename": "large.pdf", "file_data": large["file_data"]}},
        {"type": "text", "text": "What do they say?"},
    ]


@pytest.mark.parametrize("before", [[], text("Half")], ids=["before the first word", "in mid-answer"])
def test_cancelling_closes_the_connection_also_while_it_is_silent(
    provider: FakeProvider, before: Script
) -> None:
    """A provider goes on, and bills, for as long as somebody listens."""
    silence = Silence()
    provider.script([*before, silence])

    async def cancel_in_silence() -> None:
        task = asyncio.create_task(events_of(adapter(provider), ask()))
        await asyncio.to_thread(silence.reached.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(provider.exchanges[0].closed.wait, 20)

    asyncio.run(cancel_in_silence())
    assert not provider.exchanges[0].answered.is_set()


def test_closing_the_iterator_closes_the_connection(provider: FakeProvider) -> None:
    """A worker that has lost its claim stops reading and stops paying."""
    provider.script([*text("Half"), Silence()])

    async def read_one() -> ModelEvent:
        events = adapter(provider).stream(ask())
        first = await anext(events)
        await events.aclose()
        assert await asyncio.to_thread(provider.exchanges[0].closed.wait, 20)
        return first

    assert asyncio.run(read_one()) == TextDelta("Half")
