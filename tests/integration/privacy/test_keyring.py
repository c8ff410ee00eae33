"""Owners' keys while nobody destroys them: made once, kept for minutes, rotated, never mixed up."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from meanwhile.domain.errors import Tampered, Unavailable
from meanwhile.storage import keyring as keyring_module
from tests.integration.privacy.vault import CACHE_SECONDS, SEALING_SECONDS, Vault, kms_error

PLAIN = b"the words of a user"
T = TypeVar("T")


def at_once(count: int, do: Callable[[], T]) -> list[T]:
    """Return what so many threads get that do the same at the same moment."""
    together = threading.Barrier(count, timeout=10)

    def one(_: int) -> T:
        together.wait()
        return do()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


# ── Made ──────────────────────────────────────────────────────────────────────────────────────────────


def test_everybody_who_needs_the_first_key_at_once_gets_the_same(vault: Vault) -> None:
    """Two keys under one version would leave the content of one of the two unreadable."""
    processes = [vault.process() for _ in range(3)]
    made = at_once(6, lambda: [process.current("ada") for process in processes])

    assert len({key.secret for keys in made for key in keys}) == 1
    assert list(vault.wrapped("ada")) == [1]
    assert vault.process().current("ada") == made[0][0]


def test_a_key_whose_write_lost_its_answer_is_still_ours(vault: Vault) -> None:
    """The library sends the put again, which then finds our own item in its place."""
    other = vault.process()
    vault.calls.before("PutItem", lambda: other.current("ada"))

    assert vault.keyring.current("ada") == other.current("ada")


@pytest.mark.parametrize(
    "error",
    [
        kms_error("ThrottlingException"),
        kms_error("AccessDeniedException"),
        kms_error("KMSInvalidStateException"),
        EndpointConnectionError(endpoint_url="https://kms"),
        ReadTimeoutError(endpoint_url="https://kms"),
    ],
    ids=["throttled", "denied", "disabled", "unreachable", "silent"],
)
def test_a_key_service_in_trouble_is_said_to_be_unavailable(vault: Vault, error: Exception) -> None:
    """Never a reason to give content up, so never `Tampered`; and no half of a key is left."""
    vault.kms.error = error
    with pytest.raises(Unavailable):
        vault.keyring.current("ada")
    assert vault.wrapped("ada") == {}

    vault.kms.error = None
    sealed = vault.keyring.seal("ada", "r").close(PLAIN, "request")
    vault.kms.error = error

    with pytest.raises(Unavailable):
        vault.process().seal("ada", "r").open(sealed, "request")


def test_no_key_is_ever_printed(vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever level our own logger has."""
    with caplog.at_level(logging.DEBUG, "meanwhile"):
        secret = vault.keyring.current("ada").secret
        vault.keyring.rotate("ada")

    assert secret.hex() not in caplog.text
    assert "secret" not in repr(vars(vault.keyring)["_newest"])


# ── Kept ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_warm_key_costs_no_call_until_its_lifetime_ends(vault: Vault) -> None:
    """One call of KMS per owner, process and five minutes."""
    seal = vault.keyring.seal("ada", "r")
    sealed = seal.close(PLAIN, "request")
    assert vault.kms.calls == {"generate_data_key": 1}

    vault.calls.counts.clear()
    vault.clock.advance(CACHE_SECONDS - 1)
    assert seal.open(sealed, "request") == PLAIN
    assert (vault.kms.calls, vault.calls.counts) == ({"generate_data_key": 1}, {})

    vault.clock.advance(1)
    assert [seal.open(sealed, "request") for _ in range(3)] == [PLAIN] * 3
    assert vault.kms.calls == {"generate_data_key": 1, "decrypt": 1}
    assert vault.calls.counts == {"Query": 1}


def test_whoever_seals_asks_the_table_twice_a_minute_and_kms_no_more_often(vault: Vault) -> None:
    """An owner's end must be heard of soon where something is written for them; one small read tells."""
    seal = vault.keyring.seal("ada", "r")
    seal.close(PLAIN, "x")
    vault.calls.counts.clear()

    for _ in range(CACHE_SECONDS // SEALING_SECONDS - 1):
        vault.clock.advance(SEALING_SECONDS - 1)
        seal.close(PLAIN, "x")
        vault.clock.advance(1)
        seal.close(PLAIN, "x")

    assert vault.kms.calls == {"generate_data_key": 1}
    assert vault.calls.counts == {"Query": CACHE_SECONDS // SEALING_SECONDS - 1}


def test_the_cache_is_bounded(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that serves many owners must not keep all of their keys; the one used last stays."""
    monkeypatch.setattr(keyring_module, "_CACHED_KEYS", 3)
    for number in range(5):
        vault.keyring.current(f"owner-{number}")
        vault.keyring.current("owner-0")

    assert len(vault.keyring._newest) == len(vault.keyring._opened) == 3
    vault.kms.calls.clear()
    vault.keyring.current("owner-0")
    vault.keyring.current("owner-4")
    assert not vault.kms.calls


# ── Rotated ───────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_rotation_the_old_opens_and_the_new_is_under_the_new_key(vault: Vault) -> None:
    """Nothing is sealed again, and nothing is lost."""
    here, elsewhere = vault.keyring.seal("ada", "r"), vault.process().seal("ada", "r")
    old = here.close(PLAIN, "x")
    assert elsewhere.open(old, "x") == PLAIN

    assert vault.keyring.rotate("ada") == 2
    new = here.close(PLAIN, "x")

    assert [int.from_bytes(sealed[1:5]) for sealed in (old, new)] == [1, 2]
    for seal in (here, elsewhere, vault.process().seal("ada", "r")):
        assert [seal.open(sealed, "x") for sealed in (old, new, old)] == [PLAIN] * 3


def test_other_processes_go_over_to_the_new_key_within_half_a_minute(vault: Vault) -> None:
    """Also those that never read anything new: it is why a key is rotated."""
    elsewhere = vault.process()
    assert elsewhere.current("ada").version == 1
    vault.keyring.rotate("ada")

    vault.clock.advance(SEALING_SECONDS)

    assert elsewhere.current("ada").version == 2


def test_rotations_at_the_same_moment_agree(vault: Vault) -> None:
    """Whoever comes second takes the version that is there; all that each seals opens for the others."""
    vault.keyring.current("ada")
    processes = [vault.process() for _ in range(4)]
    made = iter(processes)
    at_once(4, lambda: next(made).rotate("ada"))

    sealed = [process.seal("ada", "r").close(PLAIN, "x") for process in processes]

    assert sorted(vault.wrapped("ada")) == list(range(1, max(vault.wrapped("ada")) + 1))
    for process in [*processes, vault.process()]:
        assert [process.seal("ada", "r").open(each, "x") for each in sealed] == [PLAIN] * 4


def test_a_slow_look_does_not_set_a_rotation_back(vault: Vault) -> None:
    """A thread that asked before the rotation, and hears after it, would bring the old key back for good."""
    vault.process().current("ada")
    vault.kms.meanwhile = lambda: vault.keyring.rotate("ada")

    vault.keyring.current("ada")

    assert vault.keyring.current("ada").version == 2


# ── Tampered with ─────────────────────────────────────────────────────────────────────────────────────


def test_a_wrapped_key_put_in_anothers_place_does_not_open(vault: Vault) -> None:
    """KMS is told whose it is: whoever can write to the table still cannot lend one owner's key."""
    vault.keyring.current("ada")
    vault.keyring.current("bob")
    stolen = vault.wrapped("ada")[1]

    vault.put_wrapped(stolen, owner={"S": "bob"})

    with pytest.raises(Tampered):
        vault.process().current("bob")
    vault.put_wrapped(stolen, owner={"S": "eve"})
    with pytest.raises(Tampered):
        vault.process().current("eve")


def test_an_older_key_cannot_be_passed_off_as_the_newest(vault: Vault) -> None:
    """After a rotation because the old one leaked, everything new would be sealed under what leaked."""
    vault.keyring.current("ada")
    vault.keyring.rotate("ada")
    sealed = vault.keyring.seal("ada", "r").close(PLAIN, "x")

    vault.put_wrapped(vault.wrapped("ada")[1], version={"N": "2"})

    with pytest.raises(Tampered):
        vault.process().current("ada")
    with pytest.raises(Tampered):
        vault.process().seal("ada", "r").open(sealed, "x")


@pytest.mark.parametrize("forged", [b"", b"x", b"x" * 152, None], ids=["empty", "short", "random", "absent"])
def test_a_wrapped_key_that_kms_did_not_make_opens_nothing(vault: Vault, forged: bytes | None) -> None:
    """Nor is a new one made in its place."""
    vault.keyring.current("ada")
    item = vault.wrapped("ada")[1]
    wrapped = {"wrapped": {"B": forged}} if forged is not None else {"wrapped": {"NULL": True}}

    vault.put_wrapped(item, **wrapped)

    with pytest.raises((Tampered, Unavailable)):
        vault.process().current("ada")


def test_content_of_a_removed_key_does_not_open(vault: Vault) -> None:
    """With an older key there, and with none: then the next write makes one that opens none of the old."""
    seal = vault.keyring.seal("ada", "r")
    old = seal.close(PLAIN, "x")
    vault.keyring.rotate("ada")
    new = seal.close(PLAIN, "x")

    vault.remove_wrapped("ada", 2)
    with pytest.raises(Tampered):
        vault.process().seal("ada", "r").open(new, "x")
    vault.remove_wrapped("ada", 1)
    for _ in range(2):
        with pytest.raises(Tampered):
            vault.process().seal("ada", "r").open(old, "x")
        vault.process().current("ada")
