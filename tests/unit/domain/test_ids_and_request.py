"""Ids nobody can guess or confuse, and requests that come back as they were stored."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.ids import call_id, derived_id, new_id, new_nonce, shard_of
from meanwhile.domain.request import Request
from meanwhile.domain.response import SHARDS

RESPONSES = st.from_regex(r"resp_[0-9a-f]{48}", fullmatch=True)
TEXTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
REQUESTS = st.builds(
    Request,
    model=st.text(),
    input=st.lists(TEXTS, max_size=3),
    instructions=st.none() | st.text(),
    tools=st.lists(TEXTS, max_size=2),
    tool_choice=st.text() | TEXTS,
    text=st.fixed_dictionaries({"format": TEXTS}),
    reasoning=st.none() | TEXTS,
    temperature=st.floats(0, 2),
    max_output_tokens=st.none() | st.integers(16),
    metadata=TEXTS,
    store=st.booleans(),
    background=st.booleans(),
    user=st.none() | st.text(),
    sampling=st.lists(st.sampled_from(["temperature", "top_p"])),
)


def test_a_new_id_has_its_prefix_and_48_hex_digits_nobody_saw_before() -> None:
    """Whoever has an id may try it: guessing one must be hopeless."""
    made = {new_id("resp") for _ in range(1000)}

    assert len(made) == 1000
    assert all(re.fullmatch(r"resp_[0-9a-f]{48}", each) for each in made)


def test_nonces_differ() -> None:
    """A write is told from every other by its nonce alone."""
    assert len({new_nonce() for _ in range(1000)}) == 1000


@given(RESPONSES, RESPONSES, st.integers(0, 50), st.integers(0, 50))
def test_derived_ids_are_stable_and_distinct(one: str, other: str, first: int, second: int) -> None:
    """The same place gives the same id in every replay, another place or response another."""
    same = (one, first) == (other, second)

    assert (derived_id("msg", one, first) == derived_id("msg", other, second)) is same
    assert (call_id(one, first) == call_id(other, second)) is same
    assert re.fullmatch(r"msg_[0-9a-f]{48}", derived_id("msg", one, first))


@given(RESPONSES)
def test_every_id_has_a_shard_that_the_sweeper_looks_at(response_id: str) -> None:
    """A response outside the index would be found by nobody."""
    assert shard_of(response_id, SHARDS) in map(str, range(SHARDS))


def test_shards_share_the_load() -> None:
    """One hot partition would slow every accept down."""
    found = [shard_of(new_id("resp"), SHARDS) for _ in range(2000)]

    assert min(found.count(str(shard)) for shard in range(SHARDS)) > 2000 / SHARDS / 2


@given(REQUESTS)
def test_a_request_survives_the_table(request: Request) -> None:
    """The worker asks what the caller asked, and the echo shows it."""
    assert Request.from_json(json.loads(json.dumps(request.to_json()))) == request


@given(REQUESTS)
def test_names_of_another_version_are_passed_over(request: Request) -> None:
    """During a deployment, workers of both versions read the same requests."""
    assert Request.from_json(request.to_json() | {"of_tomorrow": 1}) == request


def test_a_request_without_a_format_asks_for_text() -> None:
    """`text` may come without it."""
    bare = Request(model="m", input=[], text={"verbosity": "low"})

    assert bare.text_format == {"type": "text"}
    assert Request(model="m", input=[], text={"format": {"type": "json_object"}}).text_format == {
        "type": "json_object"
    }
