"""From keys to owners, where no table is asked."""

import pytest

from meanwhile.domain.errors import InvalidRequest, NotPermitted
from meanwhile.domain.keys import Caller, Scope, account_of, is_account, is_owner
from meanwhile.web.auth import local_caller


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("sk-local", "local"),
        ("sk-local-alice", "alice"),
        ("sk-local-a.b_c-d", "a.b_c-d"),
        ("sk-local-" + "x" * 64, "x" * 64),
        ("sk-local-" + "x" * 65, None),
        ("sk-local-", None),
        ("sk-local-a b", None),
        ("sk-local-é", None),
        ("sk-local-alice\n", None),
        ("sk-local-a/b", None),
        ("SK-LOCAL", None),
        ("", None),
    ],
)
def test_on_one_machine_the_key_names_its_owner(key: str, owner: str | None) -> None:
    """Several owners can be played without making any key."""
    found = local_caller(key)

    assert (found.owner(None) if found else None) == owner


def test_on_one_machine_a_key_may_act_for_anybody_under_its_account() -> None:
    """What an application does later with a key of its own can be tried at once."""
    local = local_caller("sk-local-app")

    assert local is not None
    assert local.owner("alice@example.com") == "app/alice@example.com"


@pytest.mark.parametrize("user", ["alice", "a@b.example", "auth0|5f", "x" * 63, "..", "a:b=c+d"])
def test_a_user_is_an_owner_under_the_account(user: str) -> None:
    """The account's own name holds no slash, so no user is taken for one, or for another's user."""
    owner = Caller("team", {Scope.ACT_AS}).owner(user)

    assert owner == f"team/{user}"
    assert is_owner(owner)
    assert not is_account(owner)
    assert account_of(owner) == "team"
    assert len(owner) <= 128


@pytest.mark.parametrize("user", ["", " ", "a b", "a/b", "é", "x" * 64, "alice\n", "alice, bob", "a\x00"])
def test_what_cannot_be_a_user_is_refused(user: str) -> None:
    """An empty header would otherwise act for the account itself; the error repeats nothing of it."""
    with pytest.raises(InvalidRequest) as caught:
        Caller("team", {Scope.ACT_AS}).owner(user)

    assert caught.value.param == "x-on-behalf-of"


@pytest.mark.parametrize("user", ["alice", "", "a/b"])
def test_without_the_scope_nobody_is_acted_for(user: str) -> None:
    """Nor is the header ignored: it says that the caller means somebody else."""
    with pytest.raises(NotPermitted, match="act_as"):
        Caller("team").owner(user)
