"""Bodies that are no proper JSON, or too much of it."""

import json
from typing import Any

import pytest

from meanwhile.domain.errors import InvalidRequest
from meanwhile.web.body import MAX_DEPTH, parse_object
from meanwhile.web.params import TAG, param_of


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b'{"a":}',
        b"{'a': 1}",
        b'{"a": 1} x',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 41 + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\n"}',
        b'{"a": ' + b"[" * 100_000,
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"null",
        b"5",
        b'"text"',
        b"[]",
    ],
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    """By an error that says so, never by one of ours."""
    with pytest.raises(InvalidRequest):
        parse_object(raw)


@pytest.mark.parametrize("bad", ["\\u0000", "\\ud800", "\\udfff", "a\\udc00b", "\\ude00\\ud83d"])
@pytest.mark.parametrize(
    ("shape", "param"),
    [
        ('{"input": "%s"}', "input"),
        ('{"input": [{"content": [1, "%s"]}]}', "input[0].content[1]"),
        ('{"metadata": {"%s": "x"}}', "metadata"),
        ('{"%s": 1}', None),
        ('{"tools": [{"parameters": {"a": {"%s": {}}}}]}', "tools[0].parameters.a"),
    ],
)
def test_characters_that_cannot_be_kept_are_refused(bad: str, shape: str, param: str | None) -> None:
    """Lone surrogates have no UTF-8, and NUL ends strings in too many places behind us."""
    with pytest.raises(InvalidRequest) as caught:
        parse_object((shape % bad).encode())

    assert caught.value.param == param


@pytest.mark.parametrize("good", ["\\ud83d\\ude00", "\\u0001", "\\u00e9", "\\\\u0000", "é😀"])
def test_every_other_character_is_kept(good: str) -> None:
    """A pair of surrogates is one character, and an escaped backslash begins no escape."""
    raw = f'{{"a": "{good}"}}'.encode()

    assert parse_object(raw) == json.loads(raw)


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_nesting_has_a_limit(brackets: tuple[str, str]) -> None:
    """What reads the request later does it by recursion."""
    opening, closing = brackets

    def nested(levels: int) -> bytes:
        return f'{{"a": {opening * levels}1{closing * levels}}}'.encode()

    assert parse_object(nested(MAX_DEPTH - 1))
    with pytest.raises(InvalidRequest) as caught:
        parse_object(nested(MAX_DEPTH))
    assert str(caught.value.param).startswith("a")


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ((), None),
        (("input",), "input"),
        (("input", 0, "content", 1, "type"), "input[0].content[1].type"),
        (("input", f"{TAG}array", 0, f"{TAG}message of assistant", "role"), "input[0].role"),
        (("<x>",), "<x>"),
        (("",), ""),
        (("reasoning", "[key]"), "reasoning.[key]"),
        (("x" * 300,), "x" * 200),
    ],
)
def test_a_path_is_written_as_the_api_writes_it(path: Any, param: str | None) -> None:
    """Without the names that only tell our schemas apart, and never without end."""
    assert param_of(path) == param
