"""Bodies nobody thought of."""

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from meanwhile.domain.errors import RequestError
from meanwhile.domain.request import Request
from meanwhile.providers.catalogue import Catalogue
from meanwhile.web.create import to_request
from tests.support.files import PDF, file_of

CATALOGUE = Catalogue.load(has_upstream=True)

WHOLE: dict[str, Any] = {
    "model": "simulator",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"},
                                     {"type": "input_image", "image_url": "https://x.example/y"},
                                     file_of("# Notes"), PDF | {"detail": "high"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "x"}],
         "content": [{"type": "reasoning_text", "text": "x"}]},
        {"type": "message", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []},
                     {"type": "refusal", "refusal": "No"}]},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"},
                                                                         file_of("x")]},
        {"type": "compaction", "encrypted_content": "x"},
    ],
    "tools": [{"type": "function", "name": "look", "description": "x", "strict": True,
               "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]},
    "text": {"format": {"type": "json_schema", "name": "x", "schema": {"a": {}}}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "metadata": {"a": "b"},
    "include": ["reasoning.encrypted_content"],
    "temperature": 1, "top_p": 0.5, "presence_penalty": 0, "frequency_penalty": 0, "top_logprobs": 3,
    "max_output_tokens": 100, "max_tool_calls": 3, "truncation": "auto", "service_tier": "auto",
    "context_management": [{"type": "compaction", "compact_threshold": 5000}],
    "store": True, "background": True, "stream": False, "parallel_tool_calls": True,
    "instructions": "x", "user": "x", "safety_identifier": "x", "prompt_cache_key": "x",
}  # fmt: skip
"""Something of everything that is taken."""

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["message", "function", "function_call", "input_text", "assistant", "auto", "", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "id", "<x>"]) | st.text(), inner, max_size=4
        )
    ),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def answered(raw: bytes) -> Request | RequestError:
    """Return the request or its refusal; anything else is a failed test."""
    try:
        request = to_request(raw, CATALOGUE)
    except RequestError as error:
        refusal = error
    else:
        return storable(request)
    assert json.dumps([refusal.message, refusal.param], ensure_ascii=False).encode()
    assert len(str(refusal.param)) <= 200
    return refusal


def storable(request: Request) -> Request:
    """Check what everything behind the web relies on."""
    stored = json.dumps(request.to_json(), ensure_ascii=False, allow_nan=False).encode()
    assert Request.from_json(json.loads(stored)).to_json() == json.loads(stored)
    ids = [item["id"] for item in request.input]
    assert len(set(ids)) == len(ids) > 0
    assert all(isinstance(item.get("content", []), list) for item in request.input)
    return request


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(raw: bytes) -> None:
    """With a refusal, never with a mistake of ours."""
    assert isinstance(answered(raw), RequestError)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(WHOLE)) | st.text(max_size=5), ANYTHING, max_size=4))
def test_any_object_is_answered(body: dict[str, Any]) -> None:
    """Taken as a request that can be stored, or refused by name."""
    answered(json.dumps({"model": "simulator", "input": "Hi"} | body).encode())


@settings(max_examples=500)
@given(place=st.sampled_from(places(WHOLE)[1:]), junk=ANYTHING, remove=st.booleans())
def test_any_slip_in_a_good_body_is_answered(place: tuple[Any, ...], junk: Any, *, remove: bool) -> None:
    """One value replaced or left out, anywhere: most mistakes of real callers look like this."""
    body = copy.deepcopy(WHOLE)
    holder = body
    for step in place[:-1]:
        holder = holder[step]
    if remove:
        del holder[place[-1]]
    else:
        holder[place[-1]] = junk

    answered(json.dumps(body).encode())


def test_the_good_body_is_good() -> None:
    """Else the test above would prove nothing."""
    assert isinstance(answered(json.dumps(WHOLE).encode()), Request)
