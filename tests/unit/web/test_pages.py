"""Lists in pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.errors import InvalidRequest
from meanwhile.web.pages import page


@given(count=st.integers(0, 30), limit=st.integers(1, 10), newest_first=st.booleans())
def test_pages_together_are_the_list(count: int, limit: int, *, newest_first: bool) -> None:
    """Following `last_id` while there is more meets every item once, in order, and ends."""
    items = [{"id": f"msg_{number}"} for number in range(count)]
    found, after = [], None

    for _ in range(count + 1):
        got = page(items, after=after, limit=limit, newest_first=newest_first)
        found += got["data"]
        after = got["last_id"]
        if not got["has_more"]:
            break

    assert found == (items[::-1] if newest_first else items)
    assert not got["has_more"]


def test_an_empty_page_has_no_ids() -> None:
    """Null, not missing."""
    assert page([], after=None, limit=20, newest_first=True) == {
        "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False
    }  # fmt: skip


def test_a_page_behind_nothing_is_refused() -> None:
    """An empty page would look like the end of the list."""
    with pytest.raises(InvalidRequest) as caught:
        page([{"id": "msg_1"}], after="msg_2", limit=20, newest_first=True)

    assert caught.value.param == "after"
