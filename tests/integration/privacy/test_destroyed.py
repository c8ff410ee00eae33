"""An owner whose key is destroyed: nothing of theirs opens, nothing is written, whoever is quick at it."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from meanwhile.domain.errors import OwnerDeleted, Unavailable
from meanwhile.storage.keyring import Keyring
from tests.integration.privacy.vault import CACHE_SECONDS, Vault

PLAIN = b"the words of a user"


def sealed_by(keyring: Keyring, owner: str = "ada") -> bytes:
    return keyring.seal(owner, "r").close(PLAIN, "x")


def opened_by(keyring: Keyring, sealed: bytes, owner: str = "ada") -> bytes:
    return keyring.seal(owner, "r").open(sealed, "x")


def is_destroyed(vault: Vault, owner: str = "ada") -> bool:
    """Whether nothing but a tombstone without a key is left."""
    found = vault.wrapped(owner).values()
    return [set(item) for item in found] == [{"owner", "version", "made_at"}]


def test_nothing_of_a_destroyed_owner_opens_or_is_sealed(vault: Vault) -> None:
    """At once where it was destroyed; elsewhere once the cached key's lifetime is over, and not later."""
    elsewhere = vault.process()
    first = sealed_by(vault.keyring)
    vault.keyring.rotate("ada")
    second = sealed_by(elsewhere)
    others = sealed_by(elsewhere, "bob")

    vault.keyring.destroy("ada")

    assert is_destroyed(vault)
    vault.clock.advance(CACHE_SECONDS - 1)
    assert opened_by(elsewhere, second) == PLAIN  # the price of asking KMS only now and then
    vault.clock.advance(1)
    for process in (vault.keyring, elsewhere, vault.process()):
        for sealed in (first, second):
            with pytest.raises(OwnerDeleted):
                opened_by(process, sealed)
        with pytest.raises(OwnerDeleted):
            sealed_by(process)
        with pytest.raises(OwnerDeleted):
            process.rotate("ada")
        assert opened_by(process, others, "bob") == PLAIN


def test_destroying_may_be_repeated_and_comes_before_any_key_too(vault: Vault) -> None:
    """An owner who never wrote anything stays away as well."""
    for _ in range(2):
        vault.keyring.destroy("ada")
        assert is_destroyed(vault)
    with pytest.raises(OwnerDeleted):
        vault.keyring.current("ada")


def test_a_destruction_that_broke_off_has_already_fenced_and_is_done_again(vault: Vault) -> None:
    """The tombstone goes first: without it a new key could be made behind the one that was deleted."""
    sealed = sealed_by(vault.keyring)

    def unplug() -> None:
        raise Unavailable("pulled the plug")

    vault.calls.before("DeleteItem", unplug)
    with pytest.raises(Unavailable):
        vault.process().destroy("ada")
    with pytest.raises(OwnerDeleted):
        opened_by(vault.process(), sealed)

    vault.process().destroy("ada")

    assert is_destroyed(vault)


def test_one_version_known_to_be_destroyed_takes_the_others_out_of_memory(vault: Vault) -> None:
    """Each version has a lifetime of its own in the cache; who has heard the news need not wait for any."""
    old = sealed_by(vault.keyring)
    elsewhere = vault.process()
    vault.keyring.rotate("ada")
    new = sealed_by(vault.keyring)
    opened_by(elsewhere, new)
    vault.clock.advance(CACHE_SECONDS - 1)
    opened_by(elsewhere, old)
    vault.keyring.destroy("ada")
    vault.clock.advance(1)

    with pytest.raises(OwnerDeleted):
        opened_by(elsewhere, new)
    with pytest.raises(OwnerDeleted):
        opened_by(elsewhere, old)


def test_a_lifetime_begins_with_the_look_at_the_table(vault: Vault) -> None:
    """A slow key service would otherwise add its own minutes to those of a destroyed owner."""
    sealed = sealed_by(vault.keyring)
    elsewhere = vault.process()

    def destroyed_while_kms_thinks() -> None:
        vault.keyring.destroy("ada")
        vault.clock.advance(CACHE_SECONDS)

    vault.kms.meanwhile = destroyed_while_kms_thinks
    assert opened_by(elsewhere, sealed) == PLAIN  # the answer to a question asked before

    with pytest.raises(OwnerDeleted):
        opened_by(elsewhere, sealed)


# ── At the same moment ────────────────────────────────────────────────────────────────────────────────


def first_use(vault: Vault) -> object:
    return vault.keyring.current("ada")


def rotation(vault: Vault) -> object:
    return vault.keyring.rotate("ada")


@pytest.mark.parametrize("make", [first_use, rotation])
@pytest.mark.parametrize("after", range(6), ids="after {} calls".format)
def test_a_key_made_at_the_moment_of_the_destruction_does_not_survive(
    vault: Vault, make: Callable[[Vault], object], after: int
) -> None:
    """Whatever AWS call the destruction falls between, the maker is refused or its key is gone."""
    if make is rotation:
        vault.process().current("ada")
    served = ["Query", "PutItem", "Query", "DeleteItem", "GetItem", "Query"][after]
    vault.calls.before(served, lambda: vault.process().destroy("ada"))

    with suppress(OwnerDeleted):
        make(vault)

    if "ada" in {item["owner"]["S"] for item in vault.wrapped("ada").values() if "wrapped" in item}:
        vault.process().destroy("ada")  # it never came to the call
    vault.clock.advance(CACHE_SECONDS)
    assert is_destroyed(vault)
    with pytest.raises(OwnerDeleted):
        vault.keyring.current("ada")


@pytest.mark.parametrize("look", ["Query", "GetItem"])
def test_who_lost_the_race_to_make_a_key_hears_that_the_owner_is_gone(vault: Vault, look: str) -> None:
    """Not that something was tampered with: that would be cause for alarm, and ends responses as failed."""
    other = vault.process()

    def made_and_then_destroyed() -> None:
        other.current("ada")
        vault.calls.before(look, lambda: other.destroy("ada"))

    vault.calls.before("PutItem", made_and_then_destroyed)

    try:
        vault.keyring.current("ada")
    except OwnerDeleted:
        assert is_destroyed(vault)


def test_an_old_version_removed_while_it_is_looked_up_means_that_the_owner_is_gone(vault: Vault) -> None:
    """The same, for one who reads."""
    sealed = sealed_by(vault.keyring)
    vault.keyring.rotate("ada")
    vault.calls.before("GetItem", lambda: vault.keyring.destroy("ada"))

    with pytest.raises(OwnerDeleted):
        opened_by(vault.process(), sealed)


def test_a_key_behind_the_tombstone_brings_nobody_back(vault: Vault) -> None:
    """The tombstone stands above every version; what stands above it was not written by us."""
    vault.keyring.current("ada")
    stolen = vault.wrapped("ada")[1]
    vault.keyring.destroy("ada")

    vault.put_wrapped(stolen, version={"N": "1000000000"})

    with pytest.raises(OwnerDeleted):
        vault.process().current("ada")
