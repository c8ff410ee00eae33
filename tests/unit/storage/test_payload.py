"""Content as bytes: every JSON value comes back as it was, and nothing else passes for one."""

import traceback
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.errors import LogCorrupt
from meanwhile.storage.payload import pack, unpack

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_content_comes_back_as_it_was(content: Any) -> None:
    """Whatever a user wrote, in any script."""
    assert unpack(pack(content)) == content


def test_long_content_is_deflated_and_short_is_not() -> None:
    """Deflating makes a few words longer."""
    assert pack("yes")[:1] == b"\x00"
    assert len(pack("again and " * 100)) < 100


@given(st.binary(max_size=60))
def test_bytes_that_are_no_content_are_refused(packed: bytes) -> None:
    """Whatever they are, the error is ours."""
    try:
        content = unpack(packed)
    except LogCorrupt:
        return
    assert unpack(pack(content)) == content or content != content


@pytest.mark.parametrize(
    "packed",
    [b"\x00a secret", b"\x00\xff secret", b"\x01" + zlib.compress(b"a secret"), b"\x01 secret", b"a secret"],
)
def test_the_error_says_nothing_of_the_content(packed: bytes) -> None:
    """It is logged; a decoder's own error carries the whole text it could not read."""
    with pytest.raises(LogCorrupt) as caught:
        unpack(packed)

    error: BaseException | None = caught.value
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    while error is not None:
        assert "secret" not in repr(vars(error)) + repr(getattr(error, "doc", ""))
        error = error.__cause__ or error.__context__
