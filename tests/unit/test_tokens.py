"""What is counted, by which rule, and how long that may take."""

import base64
import hashlib
import json
import socket
import struct
import time
import zipfile
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st
from samtranslator.yaml_helper import yaml_parse
from tiktoken_ext import openai_public

from layers.dependencies import vocabulary as build
from meanwhile import vocabulary
from meanwhile.domain.request import Request
from meanwhile.images import size_of
from meanwhile.providers.catalogue import Catalogue
from meanwhile.tokens import IMAGE, REPLY, TILE, UNKNOWN_IMAGE, Tokens, of_image
from meanwhile.vocabulary import VOCABULARIES, Vocabularies, VocabularyMissing, pieces_of
from meanwhile.web.create import to_request
from tests.support.vocabulary import FOLDER, vocabularies
from tests.unit.web.test_any_body import WHOLE

ROOT = Path(__file__).parents[2]
BOTH = sorted(VOCABULARIES)
TEXTS = st.text(st.characters(codec=None), max_size=200)
"""Any, with halves of surrogate pairs."""
WEATHER = "What is the weather in Paris? Use the get_weather tool."


def tokens(name: str = "o200k_base") -> Tokens:
    """Return what counts by a vocabulary."""
    return Tokens(vocabularies().counter(name))


def asked(*items: dict[str, Any], **more: Any) -> Request:
    """Return a request."""
    return Request(model="gpt-4o", input=items, **more)


def said(text: str, role: str = "user") -> dict[str, Any]:
    """Return a message."""
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


# ── Text ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "cl100k", "o200k"),
    [
        ("", 0, 0),
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 9, 8),
    ],
)
def test_known_texts_have_their_known_counts(text: str, cl100k: int, o200k: int) -> None:
    """The examples of OpenAI's cookbook."""
    assert [tokens(name).of_text(text) for name in BOTH] == [cl100k, o200k]


@pytest.fixture(scope="module")
def their_own() -> tiktoken.Encoding:
    """Return an encoding as tiktoken itself loads it, from the same folder."""
    vocabularies()
    with pytest.MonkeyPatch.context() as env:
        env.setenv("TIKTOKEN_CACHE_DIR", str(FOLDER))
        return tiktoken.get_encoding("cl100k_base")


@settings(max_examples=300, deadline=None)
@given(text=TEXTS)
@example("<|endoftext|>")
@example("it's\r\n  don't\t\tDON'T  123456 \u0301\ud83d end ")
def test_any_text_counts_as_tiktoken_counts_it(their_own: tiktoken.Encoding, text: str) -> None:
    """No text is refused, whatever a user pastes: lone surrogates and signs of control included."""
    assert tokens("cl100k_base").of_text(text) == len(their_own.encode(text, disallowed_special=()))
    assert tokens("o200k_base").of_text(text) >= bool(text)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("special", ["<|endoftext|>", "<|fim_prefix|>", "<|endofprompt|>", "<|start|>"])
def test_a_special_token_in_a_text_is_text(special: str, name: str) -> None:
    """Users write about them; read as one token they would end the prompt, and tiktoken's default raises."""
    assert tokens(name).of_text(special) > 3


@pytest.mark.parametrize("name", BOTH)
def test_what_is_known_of_a_vocabulary_is_what_tiktoken_knows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names, hashes and patterns are copies: an upgrade of tiktoken that changes one must be noticed."""
    asked_for: list[tuple[str, str]] = []

    def load(url: str, expected_hash: str) -> dict[bytes, int]:
        asked_for.append((hashlib.sha1(url.encode()).hexdigest(), expected_hash))  # noqa: S324  # a file's name
        return {}

    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", load)
    theirs = openai_public.ENCODING_CONSTRUCTORS[name]()
    ours = VOCABULARIES[name]

    assert asked_for == [(ours.file, ours.sha256)]
    assert ours.pattern == theirs["pat_str"]


# ── Long texts ────────────────────────────────────────────────────────────────────────────────────────

WORDS = st.lists(
    st.sampled_from(["Every", "word,", "(здесь)", "it's", "42", "\n\n", "e\u0301te", "世界", "--", "x  y"]),
    min_size=40,
    max_size=80,
).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(text=WORDS, longest=st.integers(60, 90))
@pytest.mark.parametrize("name", BOTH)
def test_cut_between_words_a_text_has_the_same_tokens(name: str, text: str, longest: int) -> None:
    """What is cut for speed must not change what is counted."""
    count = tokens(name).of_text

    pieces = list(pieces_of(text, longest, 50))

    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= longest
    assert sum(map(count, pieces)) == count(text)


@settings(deadline=None)
@given(text=TEXTS, longest=st.integers(2, 50), near=st.integers(1, 50))
def test_a_text_is_the_sum_of_its_pieces(text: str, longest: int, near: int) -> None:
    """Nothing is lost or counted twice, wherever the cuts fall."""
    pieces = list(pieces_of(text, longest, min(near, longest - 1)))

    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= longest


ENDLESS = {
    "a": 125_000,
    " ": None,
    "\n": None,
    "A": None,
    "7": None,
    "\U0001f600": None,
    "\u0301": None,
    "a b": None,
}


@pytest.mark.parametrize("sign", ENDLESS)
def test_a_million_of_anything_is_counted_in_seconds(sign: str) -> None:
    """tiktoken panics at a million spaces, and is slow at words without an end; one caller must not hold all."""
    text = (sign * 1_000_000)[:1_000_000] + "x"
    count = tokens().of_text
    before = time.thread_time()

    counted = count(text)

    assert time.thread_time() - before < 5
    assert counted == (ENDLESS[sign] or counted - 1) + 1
    assert counted > 1_000


# ── Where vocabularies come from ──────────────────────────────────────────────────────────────────────


def test_a_vocabulary_is_loaded_when_needed_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs half a second and 70 MB: only who counts pays, and only for what is counted by."""
    loads: list[str] = []
    at_once = Barrier(8)

    def load(name: str, _: str) -> None:
        loads.append(name)

    def ask() -> None:
        at_once.wait(5)
        fresh.counter("cl100k_base")

    monkeypatch.setattr(vocabulary, "_encoding", load)
    fresh = Vocabularies("anywhere")
    assert fresh.loaded == set()
    threads = [Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert loads == ["cl100k_base"]
    assert fresh.loaded == {"cl100k_base"}


@pytest.mark.parametrize("name", BOTH)
def test_a_missing_vocabulary_is_not_fetched(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function in a private network would hang at its first count; the error says what to do instead."""

    def connect(*_: object) -> None:
        pytest.fail("opened a connection")

    monkeypatch.setattr(socket, "socket", connect)
    monkeypatch.setattr(socket, "create_connection", connect)

    with pytest.raises(VocabularyMissing, match="make vocabulary"):
        Vocabularies(str(tmp_path)).counter(name)
    with pytest.raises(VocabularyMissing, match="TIKTOKEN_CACHE_DIR is not set"):
        Vocabularies("").counter(name)


def test_a_vocabulary_that_was_changed_is_refused(tmp_path: Path) -> None:
    """It would count wrongly, and nobody would see it."""
    file = tmp_path / VOCABULARIES["cl100k_base"].file
    file.write_bytes(b"IQ== 0\n")

    with pytest.raises(VocabularyMissing, match=f"{file} is not cl100k_base"):
        Vocabularies(str(tmp_path)).counter("cl100k_base")
    assert file.read_bytes() == b"IQ== 0\n"


def test_the_build_brings_what_is_looked_for() -> None:
    """The same files for the layer as for this machine; the layer has them where functions look."""
    template = yaml_parse((ROOT / "template.yaml").read_text())
    looked_in = template["Globals"]["Function"]["Environment"]["Variables"]["TIKTOKEN_CACHE_DIR"]

    assert {each.file: each.sha256 for each in VOCABULARIES.values()} == build.FILES
    assert looked_in == "/opt/tiktoken"
    assert '"$(ARTIFACTS_DIR)/tiktoken"' in (ROOT / "layers/dependencies/Makefile").read_text()


def test_a_build_that_has_them_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once made, it works on a train."""
    vocabularies()
    monkeypatch.setattr(build.subprocess, "run", lambda *_, **__: pytest.fail("asked the registry"))

    build.fill(FOLDER)


def test_a_build_refuses_another_vocabulary(tmp_path: Path) -> None:
    """The package is pinned by hash; so is what is taken out of it."""
    wheel = tmp_path / "any.whl"
    with zipfile.ZipFile(wheel, "w") as package:
        for name in build.FILES:
            package.writestr(f"llama_index/core/_static/tiktoken_cache/{name}", b"other")

    with pytest.raises(SystemExit, match="than expected"):
        build.unpack(wheel, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []


def test_every_model_has_a_vocabulary_there_is() -> None:
    """A typing error in the catalogue would show at the first count."""
    catalogue = Catalogue.load(has_upstream=True)

    assert {each.encoding for each in (*catalogue.list(), *catalogue.upstream)} <= set(VOCABULARIES)
    assert catalogue.find("nobody-knows-me").encoding == "cl100k_base"


@pytest.mark.parametrize(
    "model",
    ["o1", "o3-mini", "o4-mini-high", "gpt-5", "gpt-5.6-sol", "gpt-4.1", "gpt-4.1-mini", "gpt-4.5-preview",
     "gpt-4o", "gpt-4o-2024-08-06", "chatgpt-4o-latest", "ft:gpt-4o:x", "gpt-4", "gpt-4-turbo", "gpt-3.5-turbo",
     "gpt-oss-120b"],
)  # fmt: skip
def test_a_model_is_counted_by_the_vocabulary_that_tiktoken_names(model: str) -> None:
    """The catalogue has patterns of its own; for the models that tiktoken knows they must agree."""
    theirs = tiktoken.encoding_name_for_model(model).replace("o200k_harmony", "o200k_base")

    assert Catalogue.load(has_upstream=True).find(model).encoding == theirs


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────────

WEATHER_TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Get current weather for a city.",
    "parameters": {
        "additionalProperties": False,
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "type": "object",
    },
    "strict": True,
}
CALL = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": '{"city":"Paris"}'}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "Sunny and 72F in Paris"}


def test_a_message_costs_what_the_real_api_says() -> None:
    """gpt-4o answered with `input_tokens: 15`: eight words, a role, three around the message, three to begin."""
    assert tokens().of_request(asked(said("What is 2 + 2?"))) == 15


def test_a_call_and_its_output_cost_what_the_real_api_says() -> None:
    """gpt-4o read 51 tokens before the call and 78 after its output."""
    before, after = asked(said(WEATHER)), asked(said(WEATHER), CALL, OUTPUT)

    assert tokens().of_request(after) - tokens().of_request(before) == 78 - 51


def test_a_tool_costs_at_least_what_the_real_api_says() -> None:
    """An estimate too low would overfill a model's window; one far too high would waste it. 51 and 101 are real."""
    published = {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                "unit": {
                    "type": "string",
                    "description": "The unit of temperature to return",
                    "enum": ["celsius", "fahrenheit"],
                },
            },
            "required": ["location"],
        },
    }
    system = "You are a helpful assistant that can answer to questions about the weather."
    question = "What's the weather like in San Francisco?"

    recorded = tokens().of_request(asked(said(WEATHER), tools=[WEATHER_TOOL]))
    cookbook = tokens().of_request(asked(said(system, "system"), said(question), tools=[published]))

    assert 51 <= recorded <= 51 * 1.2
    assert 101 <= cookbook <= 101 * 1.2


def whole(**more: Any) -> Request:
    """Return a request with something of everything."""
    return to_request(json.dumps(WHOLE | more).encode(), Catalogue.load(has_upstream=False))


@pytest.mark.parametrize("name", BOTH)
def test_a_request_is_the_sum_of_its_items_and_what_is_around_them(name: str) -> None:
    """Items are counted once, when they are written; a context is put together from those counts."""
    counter, request = tokens(name), whole()

    assert all(counter.of_item(item) > 0 for item in request.input)
    assert counter.of_request(request) == counter.around(request) + sum(map(counter.of_item, request.input))


@pytest.mark.parametrize("left_out", ["instructions", "tools", "text"])
def test_everything_a_model_reads_counts(left_out: str) -> None:
    """Instructions, definitions and schemas fill the window, too."""
    without = {"tool_choice": "auto", left_out: None}

    assert tokens().around(whole(**without)) < tokens().around(whole(tool_choice="auto"))


def test_an_empty_request_is_the_beginning_of_an_answer() -> None:
    """The model is told that it is its turn."""
    assert tokens().of_request(asked()) == REPLY


def test_every_word_of_an_item_counts() -> None:
    """Wherever an item holds words: a refusal, a thought, a summary, a part of an output, or a plain string."""
    word, more = "word", "word and more"

    for item in (
        {"type": "message", "role": "user", "content": word},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": word}]},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": word}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": word}]},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": word}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": word},
        {"type": "function_call_output", "call_id": "c", "output": word},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": word}]},
        {"type": "of_tomorrow", "id": "x_1", "content": word},
    ):
        longer = json.loads(json.dumps(item).replace('"word"', f'"{more}"'))
        assert tokens().of_item(longer) == tokens().of_item(item) + 2, item["type"]


# ── Images ────────────────────────────────────────────────────────────────────────────────────────────


def png(width: int, height: int) -> bytes:
    """Return the beginning of a PNG."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)


def jpeg(width: int, height: int, *, before: int = 0, marker: int = 0xC0) -> bytes:
    """Return the beginning of a JPEG, with so many bytes of previews and profiles."""
    segments = b"".join(
        b"\xff\xe1" + struct.pack(">H", 2 + size) + bytes(size)
        for size in [min(65_000, before - at) for at in range(0, before, 65_000)]
    )
    tables = b"\xff\xc4" + struct.pack(">H", 4) + b"\0\0"
    frame = struct.pack(">BBHBHH", 0xFF, marker, 17, 8, height, width)
    return b"\xff\xd8" + segments + tables + b"\xff" + frame


def webp(kind: bytes, data: bytes) -> bytes:
    """Return the beginning of a WebP."""
    return b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + data


def url_of(data: bytes, kind: str = "png") -> str:
    """Return a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


SIZES = {
    "png": (png(640, 480), (640, 480)),
    "gif": (b"GIF89a" + struct.pack("<HH", 640, 480), (640, 480)),
    "older gif": (b"GIF87a" + struct.pack("<HH", 640, 480), (640, 480)),
    "jpeg": (jpeg(640, 480), (640, 480)),
    "progressive jpeg": (jpeg(640, 480, marker=0xC2), (640, 480)),
    "jpeg after a preview": (jpeg(640, 480, before=150_000), (640, 480)),
    "webp, lossy": (webp(b"VP8 ", bytes(6) + struct.pack("<HH", 640 | 0x4000, 480)), (640, 480)),
    "webp, lossless": (webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)), (640, 480)),
    "webp, extended": (webp(b"VP8X", bytes(4) + b"\x7f\x02\x00" + b"\xdf\x01\x00"), (640, 480)),
    "jpeg after very much": (jpeg(640, 480, before=400_000), None),
    "a bitmap": (b"BM" + bytes(60), None),
    "a png of nothing": (png(0, 480), None),
    "half a png": (png(640, 480)[:20], None),
    "half a jpeg": (jpeg(640, 480)[:12], None),
    "nothing": (b"", None),
}


@pytest.mark.parametrize("kind", SIZES)
def test_the_size_of_an_image_is_in_its_first_bytes(kind: str) -> None:
    """Decoding it would need a library, and memory that a caller could choose."""
    data, size = SIZES[kind]

    assert size_of(url_of(data + (bytes(99) if size else b""))) == size


@pytest.mark.parametrize(
    "data",
    [
        "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
    ],
)
def test_real_images_are_read(data: str) -> None:
    """One pixel each, as many pages on the web carry them."""
    assert size_of(f"data:image/any;base64,{data}") == (1, 1)
    assert size_of(f"data:image/any;base64,{data[:30]}\r\n {data[30:]}") == (1, 1)


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", b"RIFF", *(data for data, _ in SIZES.values())]),
    cut=st.integers(0, 40),
    junk=st.binary(max_size=60),
)
def test_any_bytes_have_a_size_or_none(start: bytes, cut: int, junk: bytes) -> None:
    """Whatever calls itself an image."""
    size = size_of(url_of(start[:cut] + junk))

    assert size is None or min(size) > 0


@given(st.text(max_size=50))
def test_any_url_has_a_size_or_none(text: str) -> None:
    """Base64 that is none, addresses, nothing at all."""
    for url in (text, f"data:image/png;base64,{text}", f"data:{text},{text}"):
        assert size_of(url) is None or url.startswith("data:")


@pytest.mark.parametrize(
    ("width", "height", "tiles"),
    [(1024, 1024, 4), (2048, 4096, 6), (4096, 2048, 6), (512, 512, 1), (513, 512, 2), (1, 1, 1), (2048, 768, 8),
     (100_000, 1, 4), (2**31, 2**31, 4)],
)  # fmt: skip
def test_an_image_costs_its_tiles(width: int, height: int, tiles: int) -> None:
    """The rule of OpenAI's vision guide, and its examples (765 and 1,105 tokens)."""
    url = url_of(png(width, height))

    assert of_image({"image_url": url, "detail": "high"}) == IMAGE + TILE * tiles
    assert of_image({"image_url": url, "detail": "auto"}) == IMAGE + TILE * tiles
    assert of_image({"image_url": url, "detail": "low"}) == IMAGE


@settings(max_examples=300)
@given(width=st.integers(1, 2**31), height=st.integers(1, 2**31))
def test_an_unknown_image_costs_as_much_as_any(width: int, height: int) -> None:
    """An estimate too low would overfill the window."""
    assert of_image({"image_url": url_of(png(width, height))}) <= UNKNOWN_IMAGE
    assert of_image({"image_url": "https://example.com/x.png"}) == UNKNOWN_IMAGE


def test_an_image_is_not_counted_as_text() -> None:
    """Its base64 would be a hundred thousand tokens; wherever it stands."""
    part = {"type": "input_image", "image_url": url_of(png(512, 512) + bytes(300_000)), "detail": "high"}
    shown = {"type": "message", "role": "user", "content": [part]}
    returned = {"type": "function_call_output", "call_id": "c", "output": [part]}

    assert tokens().of_item(shown) == 3 + 1 + IMAGE + TILE
    assert tokens().of_item(returned) == 3 + IMAGE + TILE
