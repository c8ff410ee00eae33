"""What a model is shown of a thread, over stores in memory. A message costs a token a character."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.compaction import Compaction
from meanwhile.domain.errors import ConversationNotFound, InvalidRequest
from meanwhile.domain.facts import Dropped
from meanwhile.domain.request import Json, Request
from meanwhile.domain.window import NO_IMAGE, Window
from meanwhile.operations.context.build import Context
from tests.support.compacting import EXPAND
from tests.support.files import PDF, file_of
from tests.unit.operations.reading import OWNER, Reading, called, new, returned, said, short, size_of

THINKS: Json = {"id": "rs_1", "type": "reasoning", "summary": [], "content": []}
SUMMARY: Json = {
    "id": "cmp_1",
    "type": "compaction",
    "encrypted_content": EXPAND.compactions.close(OWNER, Compaction(summary="They met.", kept=[])),
}
IMAGE = {"type": "input_image", "image_url": "https://example.com/x.png"}


def numbers(error: pytest.ExceptionInfo[InvalidRequest]) -> tuple[str | None, str | None]:
    return error.value.narrow_code, error.value.param


# ── What is shown ─────────────────────────────────────────────────────────────────────────────────────


def test_a_request_in_no_thread_is_shown_as_it_is() -> None:
    """And costs no call."""
    scene = Reading()
    request = Request(model="m", input=[said("hello")])

    assert scene.context(OWNER, request).request is request
    assert (scene.calls, scene.counted) == ([], 0)


def test_what_was_said_before_stands_before_what_is_asked() -> None:
    """In the order of the thread, and nothing is dropped, nor counted, while there is room."""
    scene = Reading()
    talk = scene.talk(said("one"), said("two", "assistant"))

    shown = scene.shown(said("three"), conversation=talk)

    assert [short(item) for item in shown.request.input] == ["one", "two", "three"]
    assert (shown.dropped, shown.recalled, scene.counted) == (None, 6, 0)


def test_a_chain_is_shown_along_its_path() -> None:
    """Each response's input and output, back to the first."""
    scene = Reading()
    first = scene.ended(scene.accepted(said("one")))
    second = scene.ended(scene.accepted(said("two"), previous_response_id=first))
    beside = scene.ended(scene.accepted(said("beside"), previous_response_id=first))

    assert scene.texts(said("three"), previous_response_id=second) == ["one", "two", "three"]
    assert scene.texts(said("three"), previous_response_id=beside) == ["one", "beside", "three"]


def test_the_oldest_are_dropped_and_the_numbers_are_told() -> None:
    """How many, their tokens, and where they stood."""
    scene = Reading(window=10)
    talk = scene.talk(said("aaaa"), said("bbb"), said("cc"), said("d"))

    shown = scene.shown(said("eeee"), conversation=talk)

    assert [short(item) for item in shown.request.input] == ["bbb", "cc", "d", "eeee"]
    assert shown.dropped == Dropped(items=1, tokens=4, first=0, last=0)


def test_only_what_is_shown_is_opened() -> None:
    """The choice is made by what stands in the clear."""
    scene = Reading(window=6)
    talk = scene.talk(said("aaaa"), said("bbb"), said("cc"))

    scene.shown(said("d"), conversation=talk)

    assert [call for call in scene.calls if call.startswith("open")] == ["open msg_bbb", "open msg_cc"]


def test_long_walks_take_longer_steps() -> None:
    """8 batches, then 16, then 32, ...: what is read beside what is shown is no more than that."""
    scene = Reading()
    talk = scene.talk(*(said(f"{number:03d}") for number in range(100)))

    assert len(scene.texts(conversation=talk)) == 100
    assert scene.calls.count("newest") == 4


def test_there_are_no_holes() -> None:
    """What would fit behind what does not is not shown: nobody would understand it."""
    scene = Reading(window=6)
    talk = scene.talk(said("a"), said("bbbbbbbb"), said("cc"))

    assert scene.texts(said("d"), conversation=talk) == ["cc", "d"]


def test_deleted_items_are_passed_over() -> None:
    """They cost nothing, and leave no trace."""
    scene = Reading(window=6)
    talk = scene.talk(said("aaa"), said("bb"), said("cc"))
    scene.all.items.delete(OWNER, talk, "msg_bb")

    shown = scene.shown(said("d"), conversation=talk)

    assert [short(item) for item in shown.request.input] == ["aaa", "cc", "d"]
    assert shown.dropped is None


def test_nothing_is_dropped_that_must_not_be() -> None:
    """With `truncation: disabled` the response fails, and says by how much."""
    scene = Reading(window=10)
    talk = scene.talk(said("aaaa"), said("bbbb"))
    request = scene.asked(said("c"), truncation="disabled", conversation=talk)
    scene.add(talk, said("later"))
    late = scene.asked(said("cc"), conversation=talk)

    assert [short(item) for item in scene.context(OWNER, request).request.input] == ["aaaa", "bbbb", "c"]
    with pytest.raises(InvalidRequest, match="2 tokens of the request itself and at least 9") as error:
        scene.context(OWNER, Request.from_json({**late.to_json(), "truncation": "disabled"}))
    assert numbers(error) == ("context_length_exceeded", "input")


# ── What is pinned ────────────────────────────────────────────────────────────────────────────────────


def test_what_is_pinned_is_shown_however_old_it_is() -> None:
    """In its own order, before the rest; it is counted first."""
    scene = Reading(window=12)
    talk = scene.talk(
        said("aa"), said("bbb"), said("ccc"), said("dddd"), said("ee"), pinned=["msg_ccc", "msg_aa"]
    )

    shown = scene.shown(said("f"), conversation=talk)

    assert [short(item) for item in shown.request.input] == ["aa", "ccc", "dddd", "ee", "f"]
    assert shown.dropped == Dropped(items=1, tokens=3, first=1, last=1)


def test_what_is_pinned_stands_where_it_stood_while_it_is_shown_anyway() -> None:
    """And nobody has to look for it."""
    scene = Reading()
    talk = scene.talk(said("a"), said("b"), said("c"), pinned=["msg_b"])

    assert scene.texts(said("d"), conversation=talk) == ["a", "b", "c", "d"]
    assert "find" not in scene.calls


def test_a_deleted_item_is_not_shown_for_being_pinned() -> None:
    """Nor one that is no item of it."""
    scene = Reading(window=8)
    talk = scene.talk(said("aaa"), said("bbb"), said("ccc"), pinned=["msg_aaa", "msg_nobody"])
    scene.all.items.delete(OWNER, talk, "msg_aaa")

    assert scene.texts(said("dddd"), conversation=talk) == ["ccc", "dddd"]


def test_what_is_pinned_behind_a_place_is_found_at_a_later_one() -> None:
    """A warm worker that did not find it before the place of then looks again."""
    scene = Reading(window=10)
    talk = scene.talk(said("aaaaaaaaaa"), said("bb"))
    early = scene.asked(said("c"), conversation=talk)
    scene.add(talk, said("ddd"), said("eee"))
    scene.pin(talk, "msg_ddd")
    assert [short(item) for item in scene.context(OWNER, early).request.input] == ["bb", "c"]
    scene.add(talk, said("ffff"))

    shown = scene.shown(said("g"), conversation=talk)

    assert [short(item) for item in shown.request.input] == ["ddd", "ffff", "g"]


def test_more_pinned_than_fits_is_an_error() -> None:
    """`auto` drops what may be dropped, and nothing else."""
    scene = Reading(window=8)
    talk = scene.talk(said("aaaa"), said("bbbb"), said("c"), pinned=["msg_aaaa", "msg_bbbb"])

    with pytest.raises(InvalidRequest) as error:
        scene.shown(said("d"), conversation=talk)
    assert numbers(error) == ("context_length_exceeded", "input")


# ── Calls and their outputs ───────────────────────────────────────────────────────────────────────────


def test_an_output_is_not_shown_without_its_call() -> None:
    """No model takes it: both are dropped, and both are told of."""
    scene = Reading(window=8)
    talk = scene.talk(called("1"), returned("1"), said("bb"))

    shown = scene.shown(said("c"), conversation=talk)

    assert [short(item) for item in shown.request.input] == ["bb", "c"]
    assert shown.dropped == Dropped(items=2, tokens=6, first=0, last=1)


def test_a_call_that_nobody_has_answered_is_not_shown() -> None:
    """The caller went on without it."""
    scene = Reading()
    talk = scene.talk(said("a"), called("1"))

    shown = scene.shown(said("c"), conversation=talk)

    assert [short(item) for item in shown.request.input] == ["a", "c"]
    assert shown.dropped == Dropped(items=1, tokens=3, first=1, last=1)


def test_a_call_is_answered_by_what_is_asked() -> None:
    """So agents go on: the output is the next request's input."""
    scene = Reading()
    talk = scene.talk(said("a"), called("1"), called("2"))

    shown = scene.shown(returned("2"), returned("1"), conversation=talk)

    assert [short(item) for item in shown.request.input] == [
        "a",
        "call 1",
        "call 2",
        "call_output 2",
        "call_output 1",
    ]
    assert shown.dropped is None


@pytest.mark.parametrize(("window", "code"), [(100, None), (5, "context_length_exceeded")])
def test_an_answer_to_no_call_is_an_error(window: int, code: str | None) -> None:
    """Whether there was none, or it does not fit any more."""
    scene = Reading(window=window)
    talk = scene.talk(said("a")) if code is None else scene.talk(called("1"))

    with pytest.raises(InvalidRequest) as error:
        scene.shown(returned("1"), conversation=talk)
    assert numbers(error) == (code, "input")


def test_thoughts_stay_with_what_they_led_to() -> None:
    """OpenAI refuses them alone."""
    scene = Reading()
    talk = scene.talk(THINKS, called("1"), said("b"), {**THINKS, "id": "rs_2"}, said("c", "assistant"))

    assert scene.texts(said("d"), conversation=talk) == ["b", "reasoning", "c", "d"]


@pytest.mark.parametrize(
    ("there", "code"),
    [(said("too long"), "context_length_exceeded"), (called("1"), "missing_required_parameter")],
)
def test_no_model_is_asked_with_nothing(there: Json, code: str) -> None:
    """Where no input is given, and nothing before can be shown: what cannot be answered says why."""
    scene = Reading(window=5)
    talk = scene.talk(there)

    with pytest.raises(InvalidRequest) as error:
        scene.shown(conversation=talk)
    assert numbers(error) == (code, "input")


# ── Compactions, images ───────────────────────────────────────────────────────────────────────────────


def test_a_compaction_stands_for_everything_before_it() -> None:
    """Nothing before it is read, but for what is pinned."""
    scene = Reading()
    talk = scene.talk(said("a"), said("b"), SUMMARY, said("c"), pinned=["msg_a"])

    shown = scene.shown(said("d"), conversation=talk)

    first, summary, *rest = [short(item) for item in shown.request.input]
    assert (first, rest) == ("a", ["c", "d"])
    assert summary.endswith("They met.")
    assert shown.dropped is None


def test_what_is_pinned_and_kept_by_a_compaction_is_shown_once() -> None:
    """As it was said: what a compaction keeps may be cut. It keeps all that a developer has said, for one."""
    scene = Reading()
    kept = [said("rul", "developer", "msg_rule"), said("a")]
    compaction = {
        **SUMMARY,
        "encrypted_content": EXPAND.compactions.close(OWNER, Compaction(summary="They met.", kept=kept)),
    }
    rule = said("rule", "developer")
    talk = scene.talk(said("b"), rule, said("c"), compaction, said("d"), pinned=["msg_rule", "msg_c"])

    shown = scene.shown(said("e"), conversation=talk)

    assert [short(item).splitlines()[-1] for item in shown.request.input] == [
        *("c", "They met.", "rule", "a"),
        *("d", "e"),
    ]
    assert (shown.recalled, shown.dropped) == (size_of(compaction) + 2, None)


def test_a_compaction_in_the_input_stands_for_the_thread() -> None:
    """Whoever sends one has summed it up."""
    scene = Reading(window=200)
    talk = scene.talk(said("a" * 201))

    request = scene.asked(SUMMARY, truncation="disabled", conversation=talk)

    assert scene.context(OWNER, request).request.input[0]["type"] == "compaction"


def test_a_model_that_cannot_see_is_told_that_there_was_an_image() -> None:
    """A conversation may have begun with one that can."""
    picture = said("look")
    picture["content"].append(IMAGE)
    output = {**returned("1"), "output": [IMAGE]}

    for sees in (True, False):
        scene = Reading(sees_images=sees)
        talk = scene.talk(picture, called("1"), output)
        looked, _, gave = scene.shown(said("d"), conversation=talk).request.input[:3]
        seen = IMAGE if sees else {"type": "input_text", "text": NO_IMAGE}
        assert (looked["content"][1], gave["output"][0]) == (seen, seen)


def test_a_model_that_reads_no_files_is_told_that_there_was_one() -> None:
    """By its name, so that it can be asked for; text is shown to every model."""
    paper = said("look")
    paper["content"] += [PDF, file_of("# Notes"), IMAGE]
    output = {**returned("1"), "output": [PDF]}

    for reads in (True, False):
        scene = Reading(reads_files=reads)
        talk = scene.talk(paper, called("1"), output)
        looked, _, gave = scene.shown(said("d"), conversation=talk).request.input[:3]
        note = '[The file "report.pdf" was here. This model cannot read PDF files.]'
        read = PDF if reads else {"type": "input_text", "text": note}
        assert looked["content"][1:] == [read, file_of("# Notes"), IMAGE]
        assert gave["output"] == [read]


def test_images_of_megabytes_are_bounded_by_what_a_worker_can_hold() -> None:
    """A window of them fits by its tokens, and would take the worker and all that it does with it."""
    scene = Reading()
    image = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 3_000_000}
    photos = [said(f"{number}") for number in range(9)]
    for photo in photos:
        photo["content"].append(image)
    talk = scene.talk(*photos)

    shown = scene.shown(said("?"), conversation=talk)
    warm = scene.shown(said("?"), conversation=talk)
    with pytest.raises(InvalidRequest, match="more than 24 MB") as error:
        scene.shown(said("?"), conversation=talk, truncation="disabled")

    assert [short(item) for item in shown.request.input] == [
        *(f"{number}image" for number in range(2, 9)),
        "?",
    ]
    assert shown.dropped == Dropped(2, 2 * 6, 0, 1)
    assert (warm.request.input[:-1], warm.dropped) == (shown.request.input[:-1], shown.dropped)
    assert numbers(error) == ("context_length_exceeded", "input")


def test_a_call_that_a_compaction_keeps_is_left_out_without_the_rest_of_it() -> None:
    """The compaction itself is shown, and counts: nothing of the thread was dropped."""
    scene = Reading()
    content = EXPAND.compactions.close(OWNER, Compaction(summary="They met.", kept=[called("x")]))
    talk = scene.talk(SUMMARY | {"encrypted_content": content})

    shown = scene.shown(said("So?"), conversation=talk)

    assert [item["type"] for item in shown.request.input] == ["message", "message"]
    assert (shown.dropped, shown.recalled) == (None, size_of(SUMMARY))


# ── Before it is stored ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("truncation", ["auto", "disabled"])
def test_what_alone_is_too_long_is_refused(truncation: str) -> None:
    """Nothing is queued that must fail; the numbers say what to do."""
    scene = Reading(window=10)

    with pytest.raises(InvalidRequest, match="11 tokens of the request itself are more than 10") as error:
        scene.asked(said("a" * 11), truncation=truncation)
    assert numbers(error) == ("context_length_exceeded", "input")
    scene.asked(said("a" * 10), truncation=truncation)


def test_outside_of_threads_an_unknown_window_refuses_nothing() -> None:
    """Its provider knows."""
    Reading(window=10, is_known=False).asked(said("a" * 11))


def test_a_thread_that_does_not_fit_is_refused_and_not_locked() -> None:
    """Before anything is stored: the conversation can be used for something else."""
    scene = Reading(window=10)
    talk = scene.talk(said("aaaa"), said("bbbb"))

    with pytest.raises(InvalidRequest, match=r"3 tokens .* and at least 8 of what it continues") as error:
        scene.asked(said("ccc"), truncation="disabled", conversation=talk)

    assert numbers(error) == ("context_length_exceeded", "input")
    assert scene.texts(said("cc"), truncation="disabled", conversation=talk) == ["aaaa", "bbbb", "cc"]


def test_what_surely_fits_is_neither_counted_nor_read() -> None:
    """Accepting is what people wait for: the sum beside the tip is enough."""
    scene = Reading(window=100)
    talk = scene.talk(*(said(f"{number}") for number in range(10)))
    scene.calls.clear()

    scene.asked(said("a"), truncation="disabled", conversation=talk)

    assert (scene.calls, scene.counted) == (["lock", "up", "release"], 0)


def test_deleting_makes_room() -> None:
    """The sum still holds what was deleted: when it gets close, the thread is read."""
    scene = Reading(window=10)
    talk = scene.talk(said("aaaa"), said("bbbb"))
    scene.all.items.delete(OWNER, talk, "msg_aaaa")

    assert scene.texts(said("cccc"), truncation="disabled", conversation=talk) == ["bbbb", "cccc"]


def test_every_place_knows_what_stands_before_it() -> None:
    """In conversations, chains, their forks, and beside a conversation: never less than there is."""
    scene = Reading()
    talk = scene.talk(said("one"), said("two"))
    inside = scene.accepted(said("three"), conversation=talk)
    scene.ended(inside)
    first = scene.ended(scene.accepted(said("a")))
    second = scene.ended(scene.accepted(said("bb"), previous_response_id=first))
    fork = scene.ended(scene.accepted(said("ccc"), previous_response_id=first))
    branch = scene.all.conversations.fork(OWNER, talk, at=2, items=new(said("x")))

    places = {
        "conversation": scene.asked(conversation=talk),
        "beside it": scene.asked(previous_response_id=inside.id),
        "chain": scene.asked(previous_response_id=second),
        "fork": scene.asked(previous_response_id=fork),
        "first": scene.asked(previous_response_id=first),
        "branch": scene.asked(conversation=branch.id),
    }

    assert {name: scene.place(request).tokens for name, request in places.items()} == {
        "conversation": 11,
        "beside it": 11,
        "chain": 3,
        "fork": 4,
        "first": 1,
        "branch": 12,  # of what it branched off all is counted: at the most
    }


@pytest.mark.parametrize(
    ("known", "asked", "most", "room"),
    [
        (1_000, None, None, 750),
        (1_000, 100, None, 900),
        (1_000, None, 200, 800),
        (1_000, None, 1_000, 500),
        (1_000, 1_000, None, 0),
        (None, None, None, 6_000),
        (None, 100_000, None, 4_000),
    ],
)
def test_the_answer_has_its_room(known: int | None, asked: int | None, most: int | None, room: int) -> None:
    """What was asked for, what the model can write, or a share; of a guess no more than half."""
    assert Window.of(known, otherwise=8_000, asked=asked, most=most, sees_images=True).room == room


# ── What is remembered ────────────────────────────────────────────────────────────────────────────────


def test_a_warm_worker_reads_only_what_is_new() -> None:
    """One call for the heads, one for what was added; nothing is opened twice."""
    scene = Reading()
    talk = scene.talk(*(said(f"{number}") for number in range(9)))
    scene.shown(conversation=talk)
    scene.add(talk, said("new"))

    assert scene.texts(said("?"), conversation=talk) == [*map(str, range(9)), "new", "?"]
    assert scene.calls == ["known", "newest", "open msg_new"]


def test_nothing_deleted_comes_back() -> None:
    """Not an item, not one that a branch shares, not a response's, not a whole conversation."""
    scene = Reading()
    talk = scene.talk(said("a"), said("b"), said("c"))
    branch = scene.all.conversations.fork(OWNER, talk, at=2, items=new(said("x"))).id
    first = scene.accepted(said("one"))
    scene.ended(first)
    second = scene.ended(scene.accepted(said("two"), previous_response_id=first.id))
    assert scene.texts(conversation=talk) == ["a", "b", "c"]
    assert scene.texts(conversation=branch) == ["a", "b", "x"]
    assert scene.texts(previous_response_id=second) == ["one", "two"]

    scene.all.items.delete(OWNER, branch, "msg_a")
    scene.forget(first, None)

    assert scene.texts(conversation=talk) == ["b", "c"]
    assert scene.texts(conversation=branch) == ["b", "x"]
    assert scene.texts(previous_response_id=second) == ["two"]

    in_branch, in_talk = scene.asked(conversation=branch), scene.asked(conversation=talk)
    scene.all.conversations.delete(OWNER, talk)

    assert [short(item) for item in scene.context(OWNER, in_branch).request.input] == ["x"]
    with pytest.raises(ConversationNotFound):
        scene.context(OWNER, in_talk)


def test_a_read_in_the_middle_of_a_deletion_is_not_remembered() -> None:
    """It counts before and after: who looked at the number in between has another one."""
    scene = Reading()
    talk = scene.talk(said("a"), said("b"))
    request = scene.asked(conversation=talk)

    scene.threads.heads.changed(talk)  # the deletion begins
    scene.context(OWNER, request)  # and is not there yet
    found = scene.recall.find(OWNER, scene.place(request).path, "msg_a")
    assert found
    scene.threads.log.erase(OWNER, talk, found.batch, {0})
    scene.threads.heads.changed(talk)

    assert [short(item) for item in scene.context(OWNER, request).request.input] == ["b"]


def test_who_deletes_again_what_is_deleted_counts_again() -> None:
    """The first one may have died before it counted."""
    scene = Reading()
    talk = scene.talk(said("a"), said("b"))
    request = scene.asked(conversation=talk)
    found = scene.recall.find(OWNER, scene.place(request).path, "msg_a")
    assert found
    scene.context(OWNER, request)
    scene.threads.log.erase(OWNER, talk, found.batch, {0})
    assert [short(item) for item in scene.context(OWNER, request).request.input] == ["a", "b"]

    scene.clock.advance(300)

    assert [short(item) for item in scene.context(OWNER, request).request.input] == ["b"]


def test_an_owner_remembers_only_their_own() -> None:
    """The name is part of the key, beside the thread's."""
    scene = Reading()
    request = scene.asked(conversation=scene.talk(said("a")))
    scene.context(OWNER, request)

    with pytest.raises(ConversationNotFound):
        scene.context("bob", request)


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    """In bytes, for all owners together."""
    scene = Reading()
    talks = [scene.talk(said("x" * 100)) for _ in range(4)]
    scene.texts(conversation=talks[0])
    scene.restart(most_bytes=3 * scene.remembered.bytes)
    for talk in talks[:3]:
        scene.texts(conversation=talk)
    scene.texts(conversation=talks[0])
    scene.texts(conversation=talks[3])

    def opens(talk: str) -> bool:
        scene.texts(conversation=talk)
        return any(call.startswith("open") for call in scene.calls)

    assert scene.remembered.bytes <= 3 * 1_000
    assert [opens(talks[0]), opens(talks[3]), opens(talks[2]), opens(talks[1])] == [False, False, False, True]


def test_where_memory_is_short_nothing_is_remembered() -> None:
    """A worker that is ended for its memory takes many answers with it."""
    scene = Reading()
    talk = scene.talk(said("a"))
    scene.texts(conversation=talk)
    scene.is_short = True
    scene.texts(conversation=scene.talk(said("b")))

    assert scene.remembered.bytes == 0
    scene.texts(conversation=talk)
    assert "open msg_a" in scene.calls


# ── All of it ─────────────────────────────────────────────────────────────────────────────────────────

KINDS = st.sampled_from(["user", "assistant", "call", "output", "reasoning", "image", "deleted"])
LIFE = st.lists(st.tuples(KINDS, st.integers(1, 6), st.booleans()), max_size=14)
STEPS = st.lists(st.tuples(LIFE, st.integers(4, 60)), min_size=1, max_size=4)


def made(kind: str, number: int, size: int, last_call: list[str]) -> Json:
    if kind == "call":
        last_call.append(f"{number}")
        return called(f"{number}")
    if kind == "output" and last_call:
        return {**returned(last_call.pop()), "id": f"fco_{number}"}
    if kind == "reasoning":
        return {**THINKS, "id": f"rs_{number}"}
    item = said("x" * size, "assistant" if kind == "assistant" else "user", f"msg_{number}")
    if kind == "image":
        item["content"].append(IMAGE)
    return item


@given(steps=STEPS, pins=st.sets(st.integers(0, 30), max_size=3), sees=st.booleans())
def test_what_is_shown_is_the_newest_that_fits(
    steps: Any,
    pins: set[int],
    sees: bool,  # noqa: FBT001  # drawn by Hypothesis
) -> None:
    """With what is pinned, in order, never more than fits, pairs together; and warm as cold."""
    scene = Reading(sees_images=sees)
    talk = scene.talk()
    all_items: list[Json | None] = []
    open_calls: list[str] = []
    for life, window in steps:
        for kind, size, pins_then in life:
            number = len(all_items)
            if kind == "deleted":
                item = next((each for each in all_items if each), None)
                if item is not None:
                    all_items[all_items.index(item)] = None
                    scene.all.items.delete(OWNER, talk, item["id"])
                continue
            item = made(kind, number, size, open_calls)
            all_items.append(item)
            scene.add(talk, item)
            if pins_then:
                scene.pin(talk, *(item["id"] for item in all_items if item and all_items.index(item) in pins))
        scene.window = Window(tokens=window, answer=0, sees_images=sees)
        request = scene.asked(said("own"), conversation=talk)
        pinned = set(scene.all.conversations.get(OWNER, talk).about.pinned)

        warm, cold = outcome(scene, scene.context, request), outcome(scene, scene.cold(), request)

        assert warm == cold == expected(all_items, pinned, window)


def outcome(scene: Reading, context: Context, request: Request) -> list[str] | None:
    try:
        shown = context(OWNER, request)
    except InvalidRequest:
        return None
    assert shown.recalled + size_of(said("own")) <= scene.window.room
    return [item["id"] for item in shown.request.input[:-1]]


def expected(items: list[Json | None], pinned: set[str], window: int) -> list[str] | None:
    """Say it once more, slowly: try every border, the oldest first."""
    alive = [item for item in items if item]
    for border in range(len(alive) + 1):
        chosen = [item for at, item in enumerate(alive) if at >= border or item["id"] in pinned]
        if sum(map(size_of, [*chosen, said("own")])) <= window:
            return [item["id"] for item in paired(chosen)]
    return None


def paired(chosen: list[Json]) -> list[Json]:
    calls = {item["call_id"]: at for at, item in enumerate(chosen) if item["type"] == "function_call"}
    outputs = {
        item["call_id"]: at for at, item in enumerate(chosen) if item["type"] == "function_call_output"
    }
    both = {call_id for call_id in calls if calls[call_id] < outputs.get(call_id, -1)}
    kept = [item for item in chosen if "call_id" not in item or item["call_id"] in both]
    while True:
        alone = [
            item
            for at, item in enumerate(kept)
            if item["type"] == "reasoning"
            and not (
                at + 1 < len(kept)
                and (
                    kept[at + 1]["type"] in {"reasoning", "function_call"}
                    or kept[at + 1].get("role") == "assistant"
                )
            )
        ]
        if not alone:
            return kept
        kept = [item for item in kept if item not in alone]
