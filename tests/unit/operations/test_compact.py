"""Compact: what is too long is summed up first, once, and whoever goes on uses what is there."""

import base64
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from meanwhile.domain.compaction import Compaction
from meanwhile.domain.continuation import Beginning
from meanwhile.domain.errors import (
    InvalidRequest,
    ProviderBroken,
    ProviderBusy,
    ProviderRejected,
    Tampered,
    Unavailable,
)
from meanwhile.domain.facts import Compacted, ItemDone
from meanwhile.domain.model_events import (
    Finished,
    FinishReason,
    ModelEvent,
    RefusalDelta,
    TextDelta,
    Usage,
)
from meanwhile.domain.request import Request
from meanwhile.domain.response import Head
from meanwhile.domain.window import NO_IMAGE
from meanwhile.operations.running.run import PutDown
from tests.support.compacting import BLIND, EXPAND
from tests.support.files import PDF
from tests.unit.domain.test_compaction import call, output, said
from tests.unit.operations.scene import HELLO, LEASE, OWNER, STOP, Scene

OLDER = [said("user", "My name is Ada."), said("assistant", "Hello Ada.")]
ASKED = said("user", "What is my name?")
SUMMARY: Sequence[ModelEvent] = [
    TextDelta("The user "),
    TextDelta("is Ada."),
    Finished(FinishReason.STOP, Usage(input_tokens=70, output_tokens=7)),
]
OVER, UNDER = (
    [{"type": "compaction", "compact_threshold": 5}],
    [{"type": "compaction", "compact_threshold": 99}],
)
BROKEN = ProviderBroken("The provider's stream broke.")


class Model:
    """Says what is written for it, one try after the other, and remembers what it was shown."""

    def __init__(self, *tries: Sequence[Any]) -> None:
        self.tries = tries
        self.shown: list[Request] = []

    async def __call__(self, request: Request, beginning: Beginning) -> AsyncGenerator[ModelEvent, None]:
        del beginning
        self.shown.append(request)
        for each in self.tries[len(self.shown) - 1]:
            if isinstance(each, Exception):
                raise each
            yield each

    def texts(self, call: int = -1) -> list[str]:
        """Return what it was shown in one call, message by message."""
        found = self.shown[call].input
        return [part["text"] for item in found for part in item.get("content", ())]


def asked(scene: Scene, **more: Any) -> Head:
    """Accept a conversation that is longer than its threshold."""
    return scene.accepted(**({"input": [*OLDER, ASKED], "context_management": OVER} | more))


def run(scene: Scene, head: Head, model: Model) -> None:
    """Claim it, and see it to its end."""
    scene.run(scene.claim(head.id, alone=True), model)


def sealed(scene: Scene, head: Head) -> Any:
    """Return what the compaction item in the output says."""
    item = scene.shown(head)["output"][0]
    assert (item["type"], item["id"][:4], set(item)) == (
        "compaction",
        "cmp_",
        {"id", "type", "encrypted_content"},
    )
    return EXPAND.compactions.open(OWNER, item["encrypted_content"])


# ── With a threshold ──────────────────────────────────────────────────────────────────────────────────


def test_what_is_too_long_is_summed_up_and_then_answered(scene: Scene) -> None:
    """The item comes first; the model is shown the summary and the question, and nothing older."""
    head, model = asked(scene), Model(SUMMARY, HELLO)

    run(scene, head, model)

    shown = scene.shown(head)
    assert [item["type"] for item in shown["output"]] == ["compaction", "message"]
    assert sealed(scene, head).summary == "The user is Ada."
    assert sealed(scene, head).kept == [ASKED]
    assert model.texts()[0].endswith("The user is Ada.")
    assert model.texts()[1:] == ["What is my name?"]
    assert "user: My name is Ada." in model.texts(0)
    assert not [text for text in model.texts(0) if "What is my name?" in text]


def test_what_it_costs_is_in_the_usage(scene: Scene) -> None:
    """Somebody pays for both calls."""
    head = asked(scene)

    run(scene, head, Model(SUMMARY, HELLO))

    usage = scene.shown(head)["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (73, 9, 82)


def test_what_is_not_too_long_is_left_alone(scene: Scene) -> None:
    """A threshold costs nothing until it is met."""
    head, model = asked(scene, context_management=UNDER), Model(HELLO)

    run(scene, head, model)

    assert model.texts() == ["My name is Ada.", "Hello Ada.", "What is my name?"]
    assert [item["type"] for item in scene.shown(head)["output"]] == ["message"]


def test_a_question_is_never_summed_up(scene: Scene) -> None:
    """However long it is: there is nothing older that could be left out."""
    head, model = asked(scene, input=[said("user", "word " * 50)]), Model(HELLO)

    run(scene, head, model)

    assert len(model.shown) == 1
    assert scene.text(head) == "Hello"


def test_a_question_that_is_too_long_to_be_kept_is_still_asked_whole(scene: Scene) -> None:
    """Only later responses are shown it cut."""
    long = said("user", "long " * 50_000)
    head, model = asked(scene, input=[*OLDER, long]), Model(SUMMARY, HELLO)

    run(scene, head, model)

    assert model.texts()[1] == long["content"][0]["text"]
    assert sealed(scene, head).kept[0]["content"][0]["text"].endswith("too long to be kept.]")


@pytest.mark.parametrize("times", [1, 2])
def test_a_summary_that_breaks_off_is_asked_for_again(scene: Scene, times: int) -> None:
    """Half a summary is none, and nobody has seen it."""
    head = asked(scene)

    run(scene, head, Model(*[[TextDelta("The us"), BROKEN]] * times, SUMMARY, HELLO))

    assert sealed(scene, head).summary == "The user is Ada."
    assert scene.text(head) == "Hello"


@pytest.mark.parametrize(
    ("tries", "code"),
    [
        pytest.param([[BROKEN]], "provider_error", id="it never says a word"),
        pytest.param([[TextDelta("The"), BROKEN]] * 3, "provider_error", id="it breaks each time"),
        pytest.param([[TextDelta("The")]] * 3, "provider_error", id="it just stops each time"),
        pytest.param([[ProviderRejected("The model said no.")]], "provider_rejected", id="it is rejected"),
        pytest.param(
            [[InvalidRequest("No such.", code="model_not_found")]], "model_not_found", id="no model"
        ),
        pytest.param([[TextDelta(" "), STOP]], "provider_rejected", id="it is blank"),
        pytest.param([[RefusalDelta("I won't."), STOP]], "provider_rejected", id="it refuses"),
        pytest.param(
            [[TextDelta("The"), Finished(FinishReason.CONTENT_FILTER)]],
            "provider_rejected",
            id="it is filtered",
        ),
    ],
)
def test_without_a_summary_the_response_fails(scene: Scene, tries: list[Any], code: str) -> None:
    """With the reason, and nothing of the summary is left."""
    head, model = asked(scene), Model(*tries)

    run(scene, head, model)

    shown = scene.shown(head)
    assert (shown["status"], shown["error"]["code"], shown["output"]) == ("failed", code, [])
    assert len(model.shown) == len(tries)


def test_a_summary_that_is_cut_at_the_models_limit_is_taken(scene: Scene) -> None:
    """It says less, and is the model's own."""
    head = asked(scene)

    run(scene, head, Model([TextDelta("The user is"), Finished(FinishReason.LENGTH)], HELLO))

    assert sealed(scene, head).summary == "The user is"
    assert scene.shown(head)["usage"] is None


def test_a_busy_provider_lets_it_be_put_down_before_the_summary(scene: Scene) -> None:
    """As before an answer."""
    head = asked(scene)

    with pytest.raises(PutDown):
        run(scene, head, Model([ProviderBusy("Too many requests.")]))

    scene.clock.advance(LEASE)
    run(scene, head, Model(SUMMARY, HELLO))
    assert scene.text(head) == "Hello"


# ── Crashes ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_in_the_log_is_used_and_not_made_again(scene: Scene) -> None:
    """A worker that dies between summary and answer has not spent the summary for nothing."""
    head = asked(scene)
    first = scene.claimed(head)
    content = EXPAND.compactions.close(OWNER, Compaction(summary="The user is Ada.", kept=[ASKED]))
    first.append([Compacted(content, Usage(input_tokens=70, output_tokens=7)), ItemDone(0)])
    scene.clock.advance(LEASE)
    model = Model(HELLO)

    run(scene, head, model)

    assert [item["type"] for item in scene.shown(head)["output"]] == ["compaction", "message"]
    assert model.texts()[1:] == ["What is my name?"]
    assert scene.shown(head)["usage"]["total_tokens"] == 82


@pytest.mark.parametrize("nth", range(1, 5))
@pytest.mark.parametrize("is_written", [True, False], ids=["after", "before"])
def test_a_crash_at_any_write_leaves_at_most_one_compaction(
    scene: Scene, nth: int, *, is_written: bool
) -> None:
    """Whatever was written, the next worker comes to the same end."""
    head = asked(scene)
    log, calls = scene.stores.log, 0

    def append(*args: Any, **named: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == nth and not is_written:
            raise Unavailable("it died here")
        log.append(*args, **named)
        if calls == nth:
            raise Unavailable("it died here")

    scene.broken("log", append=append)
    try:
        run(scene, head, Model(SUMMARY, HELLO))
    except Unavailable:
        scene.clock.advance(LEASE)
        run(scene, head, Model(SUMMARY, HELLO) if not _has_item(scene, head) else Model(HELLO))

    shown = scene.shown(head)
    assert [item["type"] for item in shown["output"] if item["type"] == "compaction"] == ["compaction"]
    assert (shown["status"], scene.text(head)) == ("completed", "Hello")


def test_a_broken_answer_is_asked_for_again_behind_the_same_compaction(scene: Scene) -> None:
    """In the same claim, too."""
    head, model = asked(scene), Model(SUMMARY, [TextDelta("Hel"), BROKEN], HELLO)

    run(scene, head, model)

    assert [item["type"] for item in scene.shown(head)["output"]].count("compaction") == 1
    assert model.texts(1) == model.texts(2)
    assert scene.text(head) == "Hello"


# ── On demand ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_compaction_on_demand_is_all_that_is_made(scene: Scene) -> None:
    """No answer is asked for, and open calls wait in it for their outputs."""
    items = [*OLDER, call("look")]
    head, model = asked(scene, input=items, is_compaction=True, context_management=[]), Model(SUMMARY)

    run(scene, head, model)

    shown = scene.shown(head)
    assert (shown["status"], len(shown["output"]), len(model.shown)) == ("completed", 1, 1)
    assert call("look") in sealed(scene, head).kept
    assert shown["usage"]["total_tokens"] == 77


def test_one_that_died_before_its_end_is_ended_without_a_model(scene: Scene) -> None:
    """The item is all that was asked for, and it is there."""
    head = asked(scene, is_compaction=True)
    first = scene.claimed(head)
    first.append([Compacted("c2VhbGVk", None), ItemDone(0)])
    scene.clock.advance(LEASE)

    run(scene, head, Model())

    assert (scene.shown(head)["status"], scene.shown(head)["usage"]) == ("completed", None)


# ── As input ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_compaction_item_stands_for_everything_before_it(scene: Scene) -> None:
    """What precedes it in the same input is not shown, nor are compactions before the last."""
    first, last = _item("Of old.", []), _item("The user is Ada.", [ASKED])
    head, model = (
        scene.accepted(input=[*OLDER, first, said("user", "x"), last, said("user", "So?")]),
        Model(HELLO),
    )

    run(scene, head, model)

    assert model.texts()[0].endswith("The user is Ada.")
    assert model.texts()[1:] == ["What is my name?", "So?"]


@pytest.mark.parametrize("model", ["simulator", BLIND])
def test_a_model_that_cannot_see_is_told_of_images_and_files_that_were_kept(scene: Scene, model: str) -> None:
    """They were shown to another; its own are refused before anything is stored."""
    image = {"type": "input_image", "image_url": "https://x.example/y"}
    item = _item("x", [{**ASKED, "content": [image, PDF]}])
    head, asked_of = scene.accepted(model=model, input=[item]), Model(HELLO)

    run(scene, head, asked_of)

    seen, read = asked_of.shown[0].input[1]["content"]
    assert seen == ({"type": "input_text", "text": NO_IMAGE} if model == BLIND else image)
    assert read == (PDF if model != BLIND else {"type": "input_text", "text": read["text"]})


def test_a_compaction_can_be_compacted(scene: Scene) -> None:
    """Conversations go on for ever; each summary is made from the one before."""
    item = _item("The user is Ada.", [])
    head, model = asked(scene, input=[item, *OLDER, ASKED]), Model(SUMMARY, HELLO)

    run(scene, head, model)

    assert "The user is Ada." in model.texts(0)[0]
    assert sealed(scene, head).kept == [ASKED]


def test_only_what_we_gave_the_same_owner_opens() -> None:
    """Refused by name before anything is stored, and told apart from nothing else."""
    mine, others = _item("x", []), _item("x", [], owner="bob")
    raw = base64.b64decode(mine["encrypted_content"])
    flipped = base64.b64encode(bytes([*raw[:-1], raw[-1] ^ 1])).decode()
    wrong = ["", "x", "é", "AAAA", mine["encrypted_content"][:-8], others["encrypted_content"], flipped]

    EXPAND.check(OWNER, Request(model="m", input=[mine]))
    for content in wrong:
        with pytest.raises(InvalidRequest, match="is not what this service has given you") as refused:
            EXPAND.check(OWNER, Request(model="m", input=[ASKED, mine | {"encrypted_content": content}]))
        assert refused.value.param == "input[1].encrypted_content"
    with pytest.raises(Tampered):
        EXPAND("bob", mine)


def test_an_output_may_answer_a_call_that_a_compaction_keeps() -> None:
    """An agent may have its context compacted in the middle of a task."""
    item = _item("x", [call("a")])

    EXPAND.check(OWNER, Request(model="m", input=[item, output("a")]))
    with pytest.raises(InvalidRequest, match="No tool call found"):
        EXPAND.check(OWNER, Request(model="m", input=[item, output("a"), output("b")]))
    with pytest.raises(InvalidRequest, match="No tool output found"):
        EXPAND.check(OWNER, Request(model="m", input=[item, ASKED]))
    EXPAND.check(OWNER, Request(model="m", input=[item, ASKED], is_compaction=True))


def _item(summary: str, kept: list[Any], owner: str = OWNER) -> dict[str, Any]:
    content = EXPAND.compactions.close(owner, Compaction(summary=summary, kept=kept))
    return {"id": f"cmp_{len(content)}", "type": "compaction", "encrypted_content": content}


def _has_item(scene: Scene, head: Head) -> bool:
    return any(isinstance(fact, Compacted) for fact in scene.facts(head))
