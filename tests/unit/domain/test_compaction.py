"""Compactions: what is summed up, what stays word for word, and what stands in place of it all."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.compaction import (
    MAX_KEPT,
    SUMMARISE,
    Compaction,
    divided,
    divided_with_turn,
    shortened,
    summary_request,
    with_originals,
)
from meanwhile.domain.request import Request
from tests.support.files import PDF, file_of, pdf_of

Items = list[dict[str, Any]]


def said(role: str, text: str, item_id: str = "") -> dict[str, Any]:
    """Return a message."""
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text}]
    return {"id": item_id or f"msg_{text}", "type": "message", "role": role, "content": content}


def call(name: str) -> dict[str, Any]:
    """Return a call; its id is its name."""
    return {"id": f"fc_{name}", "type": "function_call", "call_id": name, "name": name, "arguments": "{}"}


def output(name: str, text: str = "done") -> dict[str, Any]:
    """Return what a call has returned."""
    return {"id": f"fco_{name}", "type": "function_call_output", "call_id": name, "output": text}


HI, HELLO, ASKED = said("user", "Hi"), said("assistant", "Hello"), said("user", "And now?")
RULES = said("developer", "Be brief.")
ITEMS = st.lists(
    st.sampled_from([HI, HELLO, ASKED, RULES, call("a"), output("a"), call("b"), output("b"), call("c")]),
    max_size=12,
)


def test_the_turn_to_be_answered_stays() -> None:
    """A summary of the question would be another question."""
    assert divided([HI, HELLO, ASKED]) == ([HI, HELLO], [ASKED])


def test_what_a_function_has_just_returned_stays_with_its_call_and_the_question() -> None:
    """The model is in the middle of a task: it needs to know what it asked for, and why."""
    items = [HI, HELLO, ASKED, call("a"), output("a"), call("b"), output("b")]

    assert divided(items) == ([HI, HELLO, call("a"), output("a")], [ASKED, call("b"), output("b")])


def test_a_turn_that_was_answered_is_summed_up_with_its_answer() -> None:
    """Left standing without it, it would be answered once more."""
    assert divided([RULES, HI, HELLO]) == ([HI, HELLO], [RULES])


def test_calls_without_an_output_stay() -> None:
    """Their outputs will come, and no server takes an output without its call."""
    older, kept = divided([HI, HELLO, ASKED, call("c")])

    assert (older, kept) == ([HI, HELLO], [ASKED, call("c")])


def test_instructions_stay_and_earlier_summaries_do_not() -> None:
    """Rules are not for a model to reword; a summary is, or each would hold all before it."""
    (summary,) = Compaction(summary="They met.", kept=[]).shown_as("cmp_1")

    assert divided([RULES, summary, HI, HELLO, ASKED]) == ([summary, HI, HELLO], [RULES, ASKED])


def test_a_turn_alone_is_summed_up_only_on_demand() -> None:
    """By itself the service never replaces a question; who asks for a compaction gets one."""
    items = [RULES, HI]

    assert divided(items) == ([], items)
    assert divided_with_turn(items) == ([HI], [RULES])
    assert divided_with_turn([HI, HELLO, ASKED]) == divided([HI, HELLO, ASKED])


@given(ITEMS)
def test_nothing_is_lost_and_order_is_kept(items: Items) -> None:
    """Every item is summed up or stays."""
    older, kept = divided(items)

    assert sorted(map(json.dumps, [*older, *kept])) == sorted(map(json.dumps, items))
    for part in (older, kept):
        left = iter(items)
        assert all(any(item is each for each in left) for item in part)


@given(ITEMS)
def test_what_stays_has_no_output_without_its_call(items: Items) -> None:
    """Servers refuse the whole request for one."""
    called = {item["call_id"] for item in items if item["type"] == "function_call"}
    kept = divided(items)[1]

    kept_calls = {item["call_id"] for item in kept if item["type"] == "function_call"}
    outputs = {item["call_id"] for item in kept if item["type"] == "function_call_output"}
    assert outputs & called <= kept_calls


def test_no_more_stays_than_can_be_kept() -> None:
    """The oldest are summed up with the rest; an output goes where its call goes."""
    calls = [call(f"{number}") for number in range(150)]
    outputs = [output(f"{number}") for number in range(150)]

    older, kept = divided([HI, *calls, *outputs])

    assert older == [HI, *calls[:100], *outputs[:100]]
    assert kept == [*calls[100:], *outputs[100:]]


def test_a_summary_says_what_it_is() -> None:
    """A model that took it for a message would thank for it."""
    shown = Compaction(summary="They met.", kept=[ASKED]).shown_as("cmp_1")

    assert shown[1:] == [ASKED]
    assert (shown[0]["id"], shown[0]["role"]) == ("cmp_1", "developer")
    assert "summary of the earlier conversation" in shown[0]["content"][0]["text"]
    assert shown[0]["content"][0]["text"].endswith("They met.")


@pytest.mark.parametrize("item_id", ["cmp_1", "mine"])
def test_a_summary_is_summed_up_again_under_whatever_id_it_comes(item_id: str) -> None:
    """It is no instruction of the developer's: kept word for word, summaries would only grow more."""
    shown = Compaction(summary="They met.", kept=[RULES]).shown_as(item_id)

    older, kept = divided([*shown, ASKED, HELLO])

    assert shown[0] in older
    assert kept == [RULES]


def test_a_compaction_survives_json() -> None:
    """It lies with the caller for months."""
    made = Compaction(summary="They met.", kept=[ASKED])

    assert Compaction.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_what_is_too_long_to_be_kept_is_cut_and_says_so() -> None:
    """It has to fit into one batch of the log, whatever the caller has sent; the newest comes first."""
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{'A' * MAX_KEPT}"}
    seen = {**ASKED, "id": "msg_2", "content": [image, {"type": "input_text", "text": "What is it?"}]}
    long = said("user", "é" * MAX_KEPT, "msg_1")
    asking = {**call("a"), "arguments": json.dumps({"a": "x" * MAX_KEPT})}

    kept = shortened([asking, long, seen])

    assert len(json.dumps(kept, ensure_ascii=False).encode()) < MAX_KEPT + 2000
    assert [part["type"] for part in kept[2]["content"]] == ["input_text", "input_text"]
    assert kept[2]["content"][1]["text"] == "What is it?"
    assert kept[1]["content"][0]["text"].endswith("[…: the rest was too long to be kept.]")
    assert kept[0]["arguments"] == "{}"
    assert with_originals(kept, [asking, long, seen]) == [asking, long, seen]


def test_files_are_kept_as_they_are_or_cut_to_what_there_is_room_for() -> None:
    """Of a text its beginning, of a PDF that it was there; the caller's own request has them whole."""
    small, text = file_of("# Notes"), file_of("é" * MAX_KEPT)
    pdf = file_of(pdf_of(1, size=MAX_KEPT), "report.pdf", "application/pdf")
    items = [{**HI, "content": [pdf]}, {**ASKED, "id": "msg_2", "content": [small, PDF, text]}]

    kept = shortened(items)

    assert kept[1]["content"][:2] == [small, PDF]
    assert kept[1]["content"][2]["text"].startswith('<file name="notes.md">\né')
    assert kept[1]["content"][2]["text"].endswith("[…: the rest was too long to be kept.]")
    assert kept[0]["content"][0]["type"] == "input_text"
    assert len(json.dumps(kept, ensure_ascii=False).encode()) < MAX_KEPT + 2000
    note = '[The file "report.pdf" was here, too large to be kept.]'
    assert shortened(items[:1])[0]["content"][0]["text"] == note
    assert with_originals(kept, items) == items


def test_what_is_short_is_kept_as_it_is() -> None:
    """Word for word means that."""
    items = [RULES, ASKED, call("a"), output("a")]

    assert shortened(items) == items


def test_the_model_is_given_a_record_and_a_task() -> None:
    """In one message: no turn, call or tool of the conversation can be taken for one of this request's."""
    image = {"type": "input_image", "image_url": "https://x.example/y"}
    seen = {**HI, "content": [{"type": "input_text", "text": "Look:"}, image, file_of("# Notes"), PDF]}
    thought = {"id": "rs_1", "type": "reasoning", "summary": []}

    asked = summary_request(
        Request(model="m", input=[], instructions="Be brief.", tools=[{"type": "function", "name": "a"}]),
        [seen, thought, HELLO, call("a"), output("a")],
    )

    (message,) = asked.input
    assert [part.get("text") or part.get("image_url") or part for part in message["content"]] == [
        'user: Look:\n\n<file name="notes.md">\n# Notes\n</file>',
        "https://x.example/y",
        PDF,
        "assistant: Hello",
        "call of a: {}",
        "it returned: done",
    ]
    assert (asked.instructions or "").startswith(SUMMARISE)
    assert (asked.instructions or "").endswith("Be brief.")
    assert (asked.model, asked.tools) == ("m", [])


def test_items_that_share_an_id_are_not_taken_for_each_other() -> None:
    """Callers choose ids, and may give the same in each request."""
    before, now = said("user", "Yesterday?", "turn"), said("user", "Today?", "turn")
    told = said("developer", "Be brief.", "turn")

    assert with_originals([told, before, now], [told, before, now]) == [told, before, now]
    assert with_originals([told], [now]) == [told]
