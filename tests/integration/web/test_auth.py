"""Keys of a table, over HTTP: who is let in, and as whom."""

from typing import Any

import httpx
import openai
import pytest

from meanwhile import wiring
from meanwhile.domain.keys import Scope, new_key
from meanwhile.operations.accounts.manage_keys import Made, ManageKeys
from meanwhile.storage.api_keys import ApiKeys, api_keys_in
from tests.integration.web.world import World, client_of, sdk_of

pytestmark = pytest.mark.anyio

QUESTION = {"model": "simulator", "input": "Hi", "background": True}


@pytest.fixture
def manage(world: World) -> ManageKeys:
    """Return what the command line uses, over the table that the app looks in."""
    world.set(local_api_keys=False)
    keys = ApiKeys(api_keys_in(wiring.settings().api_keys_table))
    return ManageKeys(keys=keys, keyring=wiring.keyring(), now=wiring.now)


def made(manage: ManageKeys, owner: str = "local", **wanted: Any) -> Made:
    """Make a key."""
    return manage.create(owner, **{"name": "", "scopes": (), "lives": None, **wanted})


def bearer(key: str, **headers: str) -> dict[str, str]:
    """Return the headers of a call with a key."""
    return {"authorization": f"Bearer {key}"} | headers


async def test_a_key_opens_its_owners_door_and_local_keys_do_not(
    http: httpx.AsyncClient, manage: ManageKeys
) -> None:
    """What is in the README opens nothing that was deployed."""
    team = await http.get("/models", headers=bearer(made(manage).secret))
    local = await http.get("/models")

    assert (team.status_code, local.status_code) == (200, 401)


async def test_the_sdk_names_a_revoked_key_as_its_own_error(world: World, manage: ManageKeys) -> None:
    """`AuthenticationError`, which it does not retry; nothing says whether there ever was such a key."""
    world.set(api_key_cache_seconds=0)
    key = made(manage)
    async with sdk_of(key.secret) as sdk, sdk_of(new_key()) as stranger:
        await sdk.models.list()
        manage.revoke(key.key.id)

        with pytest.raises(openai.AuthenticationError) as revoked:
            await sdk.models.list()
        with pytest.raises(openai.AuthenticationError) as unknown:
            await stranger.models.list()

    assert revoked.value.code == "invalid_api_key"
    assert revoked.value.body == unknown.value.body


async def test_a_warm_accept_spends_no_call_on_the_key(
    http: httpx.AsyncClient, world: World, manage: ManageKeys
) -> None:
    """The first call of a process looks it up; the design allows two calls after that."""
    headers = bearer(made(manage).secret)
    await http.get("/models", headers=headers)
    world.calls.clear()

    accepted = await http.post("/responses", json=QUESTION, headers=headers)

    assert accepted.status_code == 200
    assert "GetItem" not in world.calls
    assert len(world.calls) == 2


@pytest.mark.parametrize("key", ["sk-local", "sk-other", "é", "sk-mw-short", "x" * 5_000])
async def test_what_cannot_be_a_key_asks_aws_nothing(
    key: str, http: httpx.AsyncClient, world: World, manage: ManageKeys
) -> None:
    """Anybody can send it, as often as they like."""
    world.calls.clear()

    got = await http.get("/models", headers=[(b"authorization", f"Bearer {key}".encode())])

    assert (got.status_code, got.headers["www-authenticate"]) == (401, "Bearer")
    assert world.calls == []
    assert manage.listed("nobody") == []


# ── On behalf of ──────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_made_for_a_user_is_that_users_alone(
    http: httpx.AsyncClient, manage: ManageKeys
) -> None:
    """Not the account's, nor another user's, nor that of the same user under another account."""
    app = made(manage, "app", scopes={Scope.ACT_AS}).secret
    other = made(manage, "other", scopes={Scope.ACT_AS}).secret
    alice = bearer(app, **{"x-on-behalf-of": "alice@example.com"})
    created = (await http.post("/responses", json=QUESTION, headers=alice)).json()
    path = f"/responses/{created['id']}"

    strangers = [
        bearer(app),
        bearer(app, **{"x-on-behalf-of": "bob"}),
        bearer(other, **{"x-on-behalf-of": "alice@example.com"}),
    ]
    got = [(await http.get(path, headers=each)).status_code for each in strangers]

    assert got == [404, 404, 404]
    assert (await http.get(path, headers=alice)).status_code == 200


async def test_without_the_scope_the_header_is_forbidden(
    http: httpx.AsyncClient, world: World, manage: ManageKeys
) -> None:
    """Ignored, it would mix the users' answers up in silence."""
    headers = bearer(made(manage).secret, **{"x-on-behalf-of": "alice"})

    got = await http.post("/responses", json=QUESTION, headers=headers)

    assert got.status_code == 403
    assert got.json()["error"]["code"] == "insufficient_scope"
    assert world.items() == []


@pytest.mark.parametrize("user", ["", "a/b", "a b", "x" * 64])
async def test_a_user_that_cannot_be_is_named_as_the_mistake(
    user: str, http: httpx.AsyncClient, manage: ManageKeys
) -> None:
    """An empty header is a bug of the caller's, and no way to act for the account."""
    key = made(manage, scopes={Scope.ACT_AS}).secret

    got = await http.get("/models", headers=bearer(key, **{"x-on-behalf-of": user}))

    assert (got.status_code, got.json()["error"]["param"]) == (400, "x-on-behalf-of")


async def test_two_users_in_one_call_are_none(manage: ManageKeys) -> None:
    """A proxy that adds the header to one that a client forged must not let the client choose."""
    key = made(manage, scopes={Scope.ACT_AS}).secret
    headers = [("authorization", f"Bearer {key}"), ("x-on-behalf-of", "eve"), ("x-on-behalf-of", "alice")]
    async with client_of() as client:
        client.headers.clear()

        got = await client.get("/models", headers=headers)

    assert got.status_code == 400


async def test_the_key_is_looked_at_before_whom_it_acts_for(
    http: httpx.AsyncClient, manage: ManageKeys
) -> None:
    """Whoever has no key learns nothing about what one may do."""
    assert manage.listed("nobody") == []

    got = await http.get("/models", headers=bearer(new_key(), **{"x-on-behalf-of": "a b"}))

    assert got.status_code == 401


async def test_a_local_key_acts_for_users_too(http: httpx.AsyncClient, world: World) -> None:
    """An application is tried on one machine as it will run."""
    created = (await http.post("/responses", json=QUESTION, headers={"x-on-behalf-of": "alice"})).json()

    assert (await http.get(f"/responses/{created['id']}")).status_code == 404
    owners = {item["owner"]["S"] for item in world.items() if "owner" in item}
    assert owners == {"local/alice"}
