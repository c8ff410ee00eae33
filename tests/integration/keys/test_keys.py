"""API keys from their making to their end, in a real table."""

import json

import pytest

from meanwhile.domain.errors import KeyNotFound, KeyNotGood, NotAuthenticated, OwnerDeleted
from meanwhile.domain.keys import Caller, looks_like_a_key
from tests.integration.keys.office import Office

HOUR, DAY = 3_600, 86_400


def opens(office: Office, secret: str) -> bool:
    """Whether a key opens a door where nobody remembers it."""
    try:
        office.another_door()(secret)
    except NotAuthenticated:
        return False
    return True


def test_a_key_opens_for_its_owner_with_its_scopes(office: Office) -> None:
    """What was said when it was made comes back with every call."""
    made = office.made("team", name="laptop", scopes={"act_as"}, lives=DAY)

    assert looks_like_a_key(made.secret)
    assert office.another_door()(made.secret) == Caller("team", frozenset({"act_as"}))
    assert office.keys.find(made.key.hash) == made.key


def test_nothing_that_is_kept_or_shown_holds_the_key(office: Office) -> None:
    """It is shown once; a stolen table, a list and a traceback open nothing."""
    made = office.made(name="laptop")

    for shown in (json.dumps(office.items(), default=str), repr(made), repr(made.key), made.key.id):
        assert made.secret not in shown
        assert made.secret.removeprefix("sk-mw-") not in shown


def test_no_two_keys_are_alike(office: Office) -> None:
    """Made in the same second, for the same owner."""
    made = [office.made() for _ in range(5)]

    assert len({each.secret for each in made}) == len({each.key.id for each in made}) == 5


def test_a_list_shows_an_owners_keys_or_all_the_oldest_first(office: Office) -> None:
    """Those that ended too: somebody wants to know when."""
    old = office.made("team", name="old").key
    office.clock.advance(1)
    other = office.made("other").key
    new = office.made("team", name="new").key

    assert office.manage.listed("team") == [old, new]
    assert office.manage.listed(None) == [other, old, new]
    assert office.manage.listed("tea") == []


def test_a_revoked_key_opens_nothing(office: Office) -> None:
    """At once where nobody remembers it, after half a minute where somebody does."""
    made = office.made()
    remembering = office.another_door()
    remembering(made.secret)

    office.manage.revoke(made.key.id)

    assert not opens(office, made.secret)
    office.clock.advance(30)
    with pytest.raises(NotAuthenticated):
        remembering(made.secret)


def test_a_key_is_revoked_once(office: Office) -> None:
    """A repeated command must not move the time at which it was closed."""
    made = office.made()
    office.manage.revoke(made.key.id)
    first = int(office.clock())
    office.clock.advance(HOUR)

    office.manage.revoke(made.key.id)

    found = office.keys.find(made.key.hash)
    assert found is not None
    assert found.revoked_at == first


def test_a_rotated_key_and_its_successor_overlap(office: Office) -> None:
    """Clients go over one by one; nobody is locked out in between, and the old key does end."""
    old = office.made(name="app", scopes={"act_as"}, lives=10 * DAY)
    office.clock.advance(DAY)

    new, _ = office.manage.rotate(old.key.id, overlap=HOUR)

    office.clock.advance(HOUR - 1)
    assert opens(office, old.secret)
    assert opens(office, new.secret)
    office.clock.advance(1)
    assert not opens(office, old.secret)
    assert opens(office, new.secret)
    assert (new.key.owner, new.key.name, new.key.scopes) == ("team", "app", frozenset({"act_as"}))
    assert new.key.expires_at == new.key.created_at + 10 * DAY


def test_a_rotation_never_lengthens_the_old_keys_life(office: Office) -> None:
    """It was to end in a minute, and does."""
    old = office.made(lives=60)

    office.manage.rotate(old.key.id, overlap=HOUR)

    office.clock.advance(60)
    assert not opens(office, old.secret)


@pytest.mark.parametrize("lives", [None, 90 * DAY])
def test_a_key_that_is_rotated_twice_is_followed_by_two_that_live_as_long(
    office: Office, lives: int | None
) -> None:
    """Whoever was not sure that it worked types it again; the second key once had an hour, or minutes."""
    old = office.made(lives=lives)
    office.clock.advance(DAY)
    office.manage.rotate(old.key.id, overlap=HOUR)
    office.clock.advance(60)

    second, _ = office.manage.rotate(old.key.id, overlap=DAY)

    assert second.key.expires_at == (None if lives is None else second.key.created_at + lives)
    office.clock.advance(HOUR - 60)
    assert not opens(office, old.secret), "the first rotation has said when it ends"
    assert opens(office, second.secret)


def test_a_key_without_end_is_followed_by_one_without_end(office: Office) -> None:
    """And without overlap it ends at once."""
    old = office.made()

    new, _ = office.manage.rotate(old.key.id, overlap=0)

    assert new.key.expires_at is None
    assert (opens(office, old.secret), opens(office, new.secret)) == (False, True)


def test_what_has_ended_is_not_rotated(office: Office) -> None:
    """A revoked key must not come back as a new one."""
    revoked, expired = office.made(), office.made(lives=1)
    office.manage.revoke(revoked.key.id)
    office.clock.advance(1)

    for ended in (revoked, expired):
        with pytest.raises(KeyNotGood):
            office.manage.rotate(ended.key.id, overlap=HOUR)
    assert len(office.manage.listed(None)) == 2


@pytest.mark.parametrize("key_id", ["key_", "key_0000000000000000", "key_'"])
def test_an_id_names_one_key_or_none(office: Office, key_id: str) -> None:
    """A part of an id would end somebody else's key."""
    office.made()

    with pytest.raises(KeyNotFound):
        office.manage.revoke(key_id)


# ── Deleting owners ───────────────────────────────────────────────────────────────────────────────────


def test_a_deleted_owner_has_no_door_and_no_data_key(office: Office) -> None:
    """Every key of theirs, and nobody else's."""
    mine, also_mine, other = office.made(), office.made(), office.made("other")
    sealed = office.keyring.seal("team", "resp_1").close(b"words", "x")
    office.keyring.current("other")

    done = office.delete_owner("team")

    assert {key.id for key in done.keys} == {mine.key.id, also_mine.key.id}
    assert [opens(office, each.secret) for each in (mine, also_mine, other)] == [False, False, True]
    with pytest.raises(OwnerDeleted):
        office.another_keyring().seal("team", "resp_1").open(sealed, "x")
    office.another_keyring().current("other")


def test_a_deleted_account_takes_its_users_along(office: Office) -> None:
    """Their data belongs to them under that account; nobody could reach it any more, so none is kept."""
    for owner in ("team", "team/alice", "team/bob", "team2/carol", "te/am"):
        office.keyring.current(owner)
    office.made()

    done = office.delete_owner("team")

    assert done.users == ("team/alice", "team/bob")
    for gone in ("team", "team/alice", "team/bob"):
        with pytest.raises(OwnerDeleted):
            office.another_keyring().current(gone)
    for stays in ("team2/carol", "te/am"):
        office.another_keyring().current(stays)


def test_no_user_begins_under_a_deleted_account(office: Office) -> None:
    """A key of the account may be remembered for another half minute; what it makes must not outlive it."""
    office.made()
    office.delete_owner("team")

    with pytest.raises(OwnerDeleted):
        office.another_keyring().current("team/newcomer")

    assert office.keyring.users_of("team") == []


def test_a_deleted_user_leaves_the_account_and_the_others(office: Office) -> None:
    """The account's keys stay good: they were never the user's."""
    for owner in ("team", "team/alice", "team/alice2"):
        office.keyring.current(owner)
    made = office.made(scopes={"act_as"})

    done = office.delete_owner("team/alice")

    assert (done.keys, done.users) == ((), ())
    assert opens(office, made.secret)
    with pytest.raises(OwnerDeleted):
        office.another_keyring().current("team/alice")
    for stays in ("team", "team/alice2"):
        office.another_keyring().current(stays)


def test_deleting_again_completes_what_was_interrupted(office: Office) -> None:
    """Whoever is not sure repeats the command."""
    office.made()
    office.keyring.current("team/alice")
    office.keyring.destroy("team")

    first, second = office.delete_owner("team"), office.delete_owner("team")

    assert (len(first.keys), first.users) == (1, ("team/alice",))
    assert (second.keys, second.users) == ((), ())


def test_a_deleted_owner_gets_no_new_key(office: Office) -> None:
    """It would open a door to nothing."""
    office.made()
    office.delete_owner("team")

    with pytest.raises(OwnerDeleted):
        office.made("team")
