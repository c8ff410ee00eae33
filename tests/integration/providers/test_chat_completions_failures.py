"""The adapter against a real server on loopback: everything that goes wrong, and what it means."""

import asyncio

import pytest

from meanwhile.domain.errors import (
    ProviderBroken,
    ProviderBusy,
    ProviderClosed,
    ProviderError,
    ProviderRejected,
)
from meanwhile.domain.model_events import (
    TextDelta,
)
from tests.fake_provider import (
    Answer,
    Cut,
    Done,
    FakeProvider,
    Raw,
    Script,
    Silence,
    chunk,
    end,
    says,
    text,
)
from tests.integration.providers.asking import adapter, ask, events_of, failure


def test_a_finish_reason_nobody_knows_is_no_end(provider: FakeProvider) -> None:
    """Servers say "abort" when they gave up: that is not an answer."""
    seen, error = failure(provider, says("x", finish="abort"))

    assert seen == [TextDelta("x")]
    assert isinstance(error, ProviderBroken)
    assert "abort" in str(error)


@pytest.mark.parametrize("ending", [[], [Cut()], [Done()]], ids=["closes", "cut", "done-without-reason"])
def test_a_stream_that_just_stops_is_broken(provider: FakeProvider, ending: Script) -> None:
    """Half an answer must never look like a whole one, however the stream stopped."""
    seen, error = failure(provider, [*text("Half"), *ending])

    assert seen == [TextDelta("Half")]
    assert isinstance(error, ProviderBroken)


def test_silence_before_the_first_word_is_broken_after_its_limit(provider: FakeProvider) -> None:
    """Otherwise a provider that accepts and forgets would hold a slot until Lambda's wall."""
    seen, error = failure(provider, [Silence()], first=0.05)

    assert seen == []
    assert isinstance(error, ProviderBroken)


def test_comments_do_not_stand_in_for_the_first_word(provider: FakeProvider) -> None:
    """A proxy's keep-alives can go on for ever while the model behind it is dead."""
    _, error = failure(provider, [Raw(b": alive\n\n"), chunk({"role": "assistant"}), Silence()], first=0.05)

    assert isinstance(error, ProviderBroken)


def test_silence_in_mid_answer_is_broken_after_its_limit(provider: FakeProvider) -> None:
    """The gap limit is the shorter one: a model that has begun does not pause for minutes."""
    seen, error = failure(provider, [*text("Half"), Silence()], gap=0.5)

    assert seen == [TextDelta("Half")]
    assert isinstance(error, ProviderBroken)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "soon"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_busy_provider_says_when_to_come_back(
    provider: FakeProvider, status: int, headers: dict[str, str], seconds: float | None
) -> None:
    """Coming back sooner makes it worse for everyone."""
    _, error = failure(provider, [Answer(status, headers=headers)])

    assert isinstance(error, ProviderBusy)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, ProviderBroken),
        (502, ProviderBroken),
        (408, ProviderBroken),
        (409, ProviderBroken),
        (400, ProviderRejected),
        (401, ProviderClosed),
        (403, ProviderClosed),
        (404, ProviderRejected),
        (307, ProviderRejected),
    ],
)
def test_a_status_says_whether_another_try_makes_sense(
    provider: FakeProvider, status: int, kind: type[ProviderError]
) -> None:
    """A final answer asked for again only costs time."""
    _, error = failure(provider, [Answer(status)])

    assert type(error) is kind


def test_a_refusal_is_passed_on_by_code_and_never_in_the_provider_s_words(provider: FakeProvider) -> None:
    """Error messages quote prompts; ours are logged and stored in the clear."""
    body = {"error": {"code": "context_length_exceeded", "type": "x", "message": "You wrote: my secret"}}

    _, error = failure(provider, [Answer(400, body)])

    assert isinstance(error, ProviderRejected)
    assert "context_length_exceeded" in str(error)
    assert "secret" not in str(error)


def test_an_account_without_money_is_not_busy(provider: FakeProvider) -> None:
    """OpenAI says 429 here too, but no wait fills the account."""
    _, error = failure(provider, [Answer(429, {"error": {"code": "insufficient_quota"}})])

    assert isinstance(error, ProviderClosed)


@pytest.mark.parametrize(
    ("error_object", "kind"),
    [
        ({"message": "secret", "code": 429}, ProviderBusy),
        ({"message": "secret", "type": "overloaded_error"}, ProviderBusy),
        ({"message": "secret", "type": "server_error"}, ProviderBroken),
        ({"message": "secret", "type": "invalid_request_error"}, ProviderRejected),
        ("secret", ProviderBroken),
    ],
)
def test_an_error_inside_the_stream_is_an_error(
    provider: FakeProvider, error_object: object, kind: type[ProviderError]
) -> None:
    """The status was 200 long before things went wrong."""
    seen, error = failure(provider, [*text("Half"), {"error": error_object}, Done()])

    assert seen == [TextDelta("Half")]
    assert type(error) is kind
    assert "secret" not in str(error)


@pytest.mark.parametrize("data", [b"data: {half\n\n", b"data: [1]\n\n", b"data: \xff\n\n"])
def test_a_chunk_that_cannot_be_read_breaks_the_stream(provider: FakeProvider, data: bytes) -> None:
    """Skipping it would lose words without a trace."""
    _, error = failure(provider, [*text("x"), Raw(data), *end()])

    assert isinstance(error, ProviderBroken)


def test_an_answer_that_is_no_event_stream_is_broken(provider: FakeProvider) -> None:
    """A captive portal answers 200 to everything."""
    _, error = failure(provider, [Answer(200, {"choices": []})])

    assert isinstance(error, ProviderBroken)


def test_an_event_without_end_is_broken_before_it_fills_the_memory(provider: FakeProvider) -> None:
    """One upstream must not take the other forty-nine responses of this worker along."""
    _, error = failure(provider, [Raw(b"data: "), *[Raw(b"x" * 1_000_000)] * 11, Silence()])

    assert isinstance(error, ProviderBroken)


def test_a_port_where_nobody_listens_is_broken() -> None:
    """An upstream that restarts is worth another try."""
    with FakeProvider() as gone:
        model = adapter(gone)

    with pytest.raises(ProviderBroken, match="ConnectError"):
        asyncio.run(events_of(model, ask()))
