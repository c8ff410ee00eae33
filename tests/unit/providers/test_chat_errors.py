"""What is read out of a refusal, and what never is."""

import pytest

from meanwhile.providers.chat_errors import code_of, retry_after_in


def test_a_date_to_come_back_at_counts_from_the_answer_s_own_date() -> None:
    """Our clock and the provider's need not agree."""
    headers = {"date": "Wed, 21 Oct 2026 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}

    assert retry_after_in(headers) == 30


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"date": "x", "retry-after": "y"}, None),
        ({"date": "Wed, 21 Oct 2026 07:28:30 GMT", "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0),
        ({"retry-after": "999999999"}, 3600),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "inf"}, None),
    ],
)
def test_nonsense_is_no_time_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    """A header cannot make us wait for ever, or not at all."""
    assert retry_after_in(headers) == seconds


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "rate_limit_exceeded"}, "rate_limit_exceeded"),
        ({"code": None, "type": "server_error"}, "server_error"),
        ({"code": "You said: my secret", "type": "x"}, "x"),
        ({"code": "a" * 65}, None),
        ({"code": 17}, None),
        ("rate_limit", None),
        (None, None),
    ],
)
def test_only_what_looks_like_an_identifier_is_repeated(error: object, code: str | None) -> None:
    """A sentence in the code's place may quote the prompt."""
    assert code_of(error) == code
