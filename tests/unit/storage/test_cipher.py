"""The cipher: what was sealed opens in its own place and nowhere else, and in no other shape."""

import copy
import hmac
import pickle
import struct
import traceback
from collections.abc import Callable
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from meanwhile.domain.errors import Tampered
from meanwhile.storage.cipher import OVERHEAD, DataKey, Seal

SECRET = bytes(range(32))
PLAIN = b"the words of a user"
HEADER, NONCE, TAG = 5, 12, 16

PLACES = st.lists(st.one_of(st.text(max_size=6), st.integers(0, 99)), min_size=1, max_size=4)
NAMES = st.sampled_from(["ada", "adaresp_", "bob", "resp_1", "resp_12", "1", ""])


def seal(owner: str = "ada", subject: str = "resp_1", *, secret: bytes = SECRET, current: int = 1) -> Seal:
    """Return a seal whose owner has two versions of one key, so that only the version tells them apart."""

    def of(_: str, version: int) -> DataKey:
        if version not in (1, 2):
            raise Tampered("a sealed field under a key that never was")
        return DataKey(version, secret)

    return Seal(owner, subject, current=lambda _: DataKey(current, secret), of=of)


# ── The parts it is made of ───────────────────────────────────────────────────────────────────────────


def test_the_library_computes_what_the_specifications_say() -> None:
    """Test case 16 of the GCM submission, and the third of RFC 5869, whose salt is left out as ours is."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    about = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    expected = bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )

    sealed = AESGCM(key).encrypt(bytes.fromhex("cafebabefacedbaddecaf888"), plain, about)
    derived = HKDF(SHA256(), length=42, salt=None, info=b"").derive(b"\x0b" * 22)

    assert sealed == expected
    assert derived.hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


def test_the_form_of_a_sealed_field_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored must open for as long as it is kept; the bytes were worked out by hand below."""
    monkeypatch.setattr("meanwhile.storage.cipher.secrets.token_bytes", bytes)

    sealed = seal().close(PLAIN, "log#000007", 3)

    pseudo_random = hmac.digest(bytes(32), SECRET, sha256)
    key = hmac.digest(pseudo_random, b"meanwhile/1/resp_1\x01", sha256)
    parts = (b"ada", b"resp_1", b"1", b"log#000007", b"3")
    about = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    body = AESGCM(key).encrypt(bytes(NONCE), PLAIN, about)
    assert sealed == b"\x01" + b"\x00\x00\x00\x01" + bytes(NONCE) + body
    assert len(sealed) == len(PLAIN) + OVERHEAD == len(PLAIN) + 33


@given(st.binary(max_size=300), PLACES)
def test_what_was_sealed_opens_in_its_place(plain: bytes, place: list[str | int]) -> None:
    """Any bytes, empty ones too, at any place."""
    assert seal().open(seal().close(plain, *place), *place) == plain


# ── Altered ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("at", range(HEADER + NONCE + len(PLAIN) + TAG))
def test_every_single_byte_counts(at: int) -> None:
    """Form, version, nonce, body and tag: there is no byte that can be changed unnoticed, in any bit."""
    sealed = seal().close(PLAIN, "request")

    for bit in range(8):
        altered = bytearray(sealed)
        altered[at] ^= 1 << bit

        with pytest.raises(Tampered):
            seal().open(bytes(altered), "request")


@given(st.data())
def test_nothing_but_the_sealed_bytes_opens(data: st.DataObject) -> None:
    """Cut, grown, spliced with another field of the same place: only what was written comes out."""
    one, other = (seal().close(plain, "request") for plain in (b"one" * 9, b"two" * 9))
    cut = st.integers(0, len(one))
    spliced = st.builds(lambda at, on: one[:at] + other[on:], cut, cut)
    altered = data.draw(st.one_of(spliced, st.binary(max_size=80), st.binary().map(lambda more: one + more)))

    try:
        assert seal().open(altered, "request") == {one: b"one" * 9, other: b"two" * 9}[altered]
    except Tampered:
        assert altered not in (one, other)


def test_a_field_cannot_be_passed_off_as_one_of_another_key_version() -> None:
    """Even where two versions are of the same secret: a downgrade would need just that."""
    sealed = seal(current=2).close(PLAIN, "request")

    with pytest.raises(Tampered):
        seal().open(sealed[:1] + struct.pack(">I", 1) + sealed[HEADER:], "request")


# ── Moved ─────────────────────────────────────────────────────────────────────────────────────────────


@given(NAMES, NAMES, PLACES, NAMES, NAMES, PLACES)
def test_no_two_places_share_a_name(
    owner: str, subject: str, place: list[str | int], owner2: str, subject2: str, place2: list[str | int]
) -> None:
    """Parts carry their lengths: no other owner, subject and field run together to the same name.

    With one secret for all, so that nothing but the associated data and the subject's key tells them apart.
    """
    here, there = (owner, subject, *map(str, place)), (owner2, subject2, *map(str, place2))
    sealed = seal(owner, subject).close(PLAIN, *place)

    if here == there:
        assert seal(owner2, subject2).open(sealed, *place2) == PLAIN
    else:
        with pytest.raises(Tampered):
            seal(owner2, subject2).open(sealed, *place2)


def test_another_owners_key_does_not_open_it() -> None:
    """Were the associated data the same, the secret still is not."""
    sealed = seal().close(PLAIN, "request")

    with pytest.raises(Tampered):
        seal(secret=bytes(32)).open(sealed, "request")


# ── What is never repeated, and never told ────────────────────────────────────────────────────────────


def test_no_nonce_comes_twice() -> None:
    """One nonce used twice under a key gives away the difference of two texts, and lets others forge."""
    ours = seal()
    sealed = [ours.close(PLAIN, "log#000001") for _ in range(5_000)]

    assert len({each[HEADER:][:NONCE] for each in sealed}) == len(set(sealed)) == len(sealed)


def test_every_response_has_a_key_of_its_own() -> None:
    """Random nonces wear a key out by numbers; a response never writes that many."""
    key = DataKey(1, SECRET)
    ciphertexts = {
        key.for_subject(subject).encrypt(bytes(NONCE), PLAIN, None) for subject in ("resp_1", "resp_2", "")
    }

    assert len(ciphertexts) == 3


@pytest.mark.parametrize("shown", [repr, str, "{}".format, "{!r}".format], ids=["r", "s", "f", "fr"])
def test_a_key_does_not_show_its_secret(shown: Callable[[object], str]) -> None:
    """Tracebacks and debug lines print what is at hand."""
    key = DataKey(1, b"unmistakably secret")

    assert "unmistakably" not in shown(key)
    assert "unmistakably" not in shown([key])


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_is_not_written_down(copied: Callable[[object], object]) -> None:
    """A cache or a queue between processes would take it out of memory without anybody meaning to."""
    with pytest.raises(TypeError, match="never leaves the process"):
        copied(DataKey(1, SECRET))


def test_an_error_tells_neither_key_nor_content() -> None:
    """It is logged, and its causes with it."""
    sealed = seal().close(PLAIN, "request")

    with pytest.raises(Tampered) as caught:
        seal().open(sealed[:-1] + b"?", "request")

    told = "".join(traceback.format_exception(caught.value)).encode()
    for secret in (SECRET, PLAIN, sealed):
        assert not any(form in told for form in (secret, secret.hex().encode(), repr(secret)[2:-1].encode()))
