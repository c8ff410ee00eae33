"""Items that are sent again over HTTP: with a key, and by SDKs that say nothing of it."""

import httpx
import pytest

from meanwhile import api
from tests.integration.web.test_again import Losing, sdk_over
from tests.integration.web.test_made_again import KEY, REPLAYED, message, said, talk
from tests.integration.web.world import World, client_of, unreachable

pytestmark = pytest.mark.anyio

RETRY = {"x-stainless-retry-count": "1"}


@pytest.mark.parametrize("gateway", [True, False], ids=["gateway error", "broken connection"])
@pytest.mark.parametrize("headers", [{}, KEY], ids=["no key", "key"])
async def test_an_sdk_whose_first_answer_is_lost_adds_items_once(
    http: httpx.AsyncClient,
    *,
    gateway: bool,
    headers: dict[str, str],
) -> None:
    """The unmodified SDK tries again without telling anybody; what it gets is what it had added."""
    path = await talk(http, "zero")
    losing = Losing(gateway=gateway)
    async with sdk_over(losing) as sdk:
        added = await sdk.conversations.items.create(
            path.rpartition("/")[2], items=[message("one"), message("two")], extra_headers=headers
        )

    assert losing.counts == ["0", "1"]
    assert await said(http, path) == ["zero", "one", "two"]
    rows = (await http.get(f"{path}/items")).json()["data"]
    assert [each.id for each in added.data] == [each["id"] for each in rows[1::-1]]


async def test_items_that_are_known_again_may_be_repeated(http: httpx.AsyncClient, world: World) -> None:
    """A call of an SDK's that failed half way is completed by its retry, and says that it may be."""
    path, body = await talk(http, "zero"), {"items": [message(str(n)) for n in range(250)]}
    world.when("PutItem", unreachable, nth=2)

    failed = await http.post(f"{path}/items", json=body, headers={"x-stainless-retry-count": "0"})
    added = await http.post(f"{path}/items", json=body, headers=RETRY)

    assert (failed.status_code, "x-should-retry" in failed.headers) == (503, False)
    assert REPLAYED not in added.headers
    assert len(added.json()["data"]) == 250
    assert [part["text"] for item in added.json()["data"] for part in item["content"]] == [
        str(n) for n in range(250)
    ]
    last = await http.get(f"{path}/items", params={"after": added.json()["data"][0]["id"]})
    assert [part["text"] for item in last.json()["data"] for part in item["content"]] == ["zero"]


@pytest.mark.parametrize("headers", [RETRY, KEY], ids=["no key", "key"])
async def test_items_that_were_there_are_said_not_to_be_new(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """Whoever counts what was added need not compare."""
    path, body = await talk(http), {"items": [message("one")]}

    first, again = [await http.post(f"{path}/items", json=body, headers=headers) for _ in range(2)]

    assert first.json() == again.json()
    assert (REPLAYED in first.headers, again.headers.get(REPLAYED)) == (False, "true")


async def test_a_retry_of_another_owners_finds_nothing(http: httpx.AsyncClient) -> None:
    """It is told what a stranger is told, whatever it sends."""
    path = await talk(http)
    await http.post(f"{path}/items", json={"items": [message("one")]})
    async with client_of("mallory") as mallory:
        got = await mallory.post(f"{path}/items", json={"items": [message("one")]}, headers=RETRY)

    assert got.status_code == 404


async def test_the_clock_of_retries_is_a_setting(http: httpx.AsyncClient, world: World) -> None:
    """The one that bounds a response's retries, too."""
    world.set(retry_seconds=77)
    await talk(http)

    assert api.conversing().add_once.retry_seconds == 77
