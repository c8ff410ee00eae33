"""How text is counted, how long that may take, and where vocabularies come from."""

import hashlib
import socket
import subprocess
import time
import zipfile
from pathlib import Path
from threading import Barrier, Thread

import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st
from samtranslator.yaml_helper import yaml_parse
from tiktoken_ext import openai_public  # type: ignore[import-untyped]  # ships no types

from layers.dependencies import vocabulary as build
from meanwhile import vocabulary
from meanwhile.vocabulary import VOCABULARIES, Vocabularies, VocabularyMissing, pieces_of
from tests.support.vocabulary import FOLDER, vocabularies

ROOT = Path(__file__).parents[2]
BOTH = sorted(VOCABULARIES)
TEXTS = st.text(st.characters(codec=None), max_size=200)
"""Any, with halves of surrogate pairs."""


def tokens_of(text: str, name: str = "o200k_base") -> int:
    """Return how many tokens a text has."""
    return vocabularies().counter(name)(text)


# ── Text ─────────────────────────────────────────────────────────────────────────────────────────────


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
    assert [tokens_of(text, name) for name in BOTH] == [cl100k, o200k]


@pytest.fixture(scope="module")
def their_own() -> tiktoken.Encoding:
    """Return an encoding as tiktoken itself loads it, from the same folder."""
    vocabularies()
    with pytest.MonkeyPatch.context() as env:
        env.setenv("TIKTOKEN_CACHE_DIR", str(FOLDER))
        return tiktoken.get_encoding("cl100k_base")


@settings(max_examples=200)
@given(text=TEXTS)
@example("<|endoftext|>")
@example("it's\r\n  don't\t\tDON'T  123456 \u0301\ud83d end ")
def test_any_text_counts_as_tiktoken_counts_it(their_own: tiktoken.Encoding, text: str) -> None:
    """No text is refused, whatever a user pastes: lone surrogates and signs of control included."""
    assert tokens_of(text, "cl100k_base") == len(their_own.encode(text, disallowed_special=()))
    assert tokens_of(text) >= bool(text)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("special", ["<|endoftext|>", "<|fim_prefix|>", "<|endofprompt|>", "<|start|>"])
def test_a_special_token_in_a_text_is_text(special: str, name: str) -> None:
    """Users write about them; read as one token they would end the prompt, and tiktoken's default raises."""
    assert tokens_of(special, name) > 3


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


# ── Long texts ───────────────────────────────────────────────────────────────────────────────────────

WORDS = st.lists(
    st.sampled_from(
        ["Every", "word,", "(здесь)", "it's", "42", "\n\n", "e\u0301te", "世界", "--", "x  y", "a\tb"]
    ),
    min_size=40,
    max_size=80,
).map(" ".join)


@settings(max_examples=100)
@given(text=WORDS, longest=st.integers(60, 90))
@pytest.mark.parametrize("name", BOTH)
def test_cut_between_words_a_text_has_the_same_tokens(name: str, text: str, longest: int) -> None:
    """What is cut for speed must not change what is counted."""
    count = vocabularies().counter(name)

    pieces = list(pieces_of(text, longest, 50))

    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= longest
    assert sum(map(count, pieces)) == count(text)


@given(text=TEXTS, longest=st.integers(2, 50), near=st.integers(1, 50))
def test_a_text_is_the_sum_of_its_pieces(text: str, longest: int, near: int) -> None:
    """Nothing is lost or counted twice, wherever the cuts fall."""
    pieces = list(pieces_of(text, longest, min(near, longest - 1)))

    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= longest


ENDLESS = ["a", " ", "\n", "A", "7", "\U0001f600", "\u0301", "a b"]


@pytest.mark.parametrize("sign", ENDLESS)
def test_a_million_of_anything_is_counted_in_seconds(sign: str) -> None:
    """At a million spaces tiktoken panics, and endless words are slow: one caller must not hold up all."""
    text = (sign * 1_000_000)[:1_000_000] + "x"
    before = time.thread_time()

    counted = tokens_of(text)

    assert time.thread_time() - before < 5
    assert counted > 1_000


def test_a_cut_inside_a_word_adds_next_to_nothing() -> None:
    """A million letters without a space are 125,000 tokens uncut."""
    assert 125_000 <= tokens_of("a" * 1_000_000) <= 125_000 * 1.001


# ── Where vocabularies come from ─────────────────────────────────────────────────────────────────────


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


def test_an_estimate_is_a_count_where_the_vocabulary_is_there() -> None:
    """An estimate need not be a bad one."""
    there, missing = Vocabularies(str(FOLDER)), Vocabularies("")

    assert there.estimate("cl100k_base", "tiktoken is great!") == 6
    assert missing.estimate("cl100k_base", "tiktoken is great!") == 5
    assert missing.estimate("cl100k_base", "a\ud800") == 1


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
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("asked the registry"))

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
