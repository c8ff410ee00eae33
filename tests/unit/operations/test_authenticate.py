"""Keys are looked up seldom, and forgotten soon enough."""

import pytest

from meanwhile.domain.errors import NotAuthenticated, Unavailable
from meanwhile.domain.keys import ApiKey, Caller, hash_of, new_key
from meanwhile.operations.accounts.authenticate import _REMEMBERED, Authenticate
from tests.support.clock import Clock


class Table:
    """Keys by hash; counts the looks, and fails when told to."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys = {key.hash: key for key in keys}
        self.looks = 0
        self.is_down = False
        self.slow: Clock | None = None

    def find(self, hashed: str) -> ApiKey | None:
        self.looks += 1
        if self.is_down:
            raise Unavailable("down")
        if self.slow:
            self.slow.advance(10)
        return self.keys.get(hashed)


def key_of(secret: str, **changes: object) -> ApiKey:
    """Return what is kept of a key of `team`."""
    return ApiKey(hash=hash_of(secret), owner="team", created_at=0, **changes)  # type: ignore[arg-type]  # by name


def over(table: Table, clock: Clock, *, seconds: float = 30) -> Authenticate:
    """Return what is tested, over a table."""
    return Authenticate(table, now=clock, cache_seconds=seconds)  # type: ignore[arg-type]  # it only finds


def is_let_in(authenticate: Authenticate, secret: str) -> bool:
    """Whether a key opens."""
    try:
        authenticate(secret)
    except NotAuthenticated:
        return False
    return True


def test_a_key_is_looked_up_once_in_half_a_minute() -> None:
    """A warm accept has no call to spare for it."""
    secret, clock = new_key(), Clock()
    table = Table(key_of(secret, scopes=frozenset({"act_as"})))
    authenticate = over(table, clock)

    callers = [authenticate(secret) for _ in range(5)]
    clock.advance(29.9)
    callers.append(authenticate(secret))

    assert callers == [Caller("team", frozenset({"act_as"}))] * 6
    assert table.looks == 1


def test_a_revoked_key_is_out_when_its_memory_ends() -> None:
    """Half a minute everywhere, since every process has the same memory; a minute is promised."""
    secret, clock = new_key(), Clock()
    table = Table(key_of(secret))
    authenticate = over(table, clock)
    authenticate(secret)

    table.keys[hash_of(secret)] = key_of(secret, revoked_at=int(clock()))
    clock.advance(30)

    assert not is_let_in(authenticate, secret)


def test_using_a_key_does_not_lengthen_its_memory() -> None:
    """Else a stolen key in use would never be closed."""
    secret, clock = new_key(), Clock()
    table = Table(key_of(secret))
    authenticate = over(table, clock)

    for _ in range(7):
        authenticate(secret)
        clock.advance(5)

    assert table.looks == 2


def test_the_memory_counts_from_before_a_slow_look() -> None:
    """What was read ten seconds ago is ten seconds old."""
    secret, clock = new_key(), Clock()
    table = Table(key_of(secret))
    table.slow = clock
    authenticate = over(table, clock)
    authenticate(secret)

    clock.advance(20)
    authenticate(secret)

    assert table.looks == 2


def test_a_key_expires_on_time_though_remembered() -> None:
    """Its end was known when it was looked up."""
    secret, clock = new_key(), Clock()
    authenticate = over(Table(key_of(secret, expires_at=int(clock()) + 10)), clock)

    clock.advance(9)
    before = is_let_in(authenticate, secret)
    clock.advance(1)

    assert (before, is_let_in(authenticate, secret)) == (True, False)


def test_an_unknown_key_is_remembered_for_some_seconds() -> None:
    """A client that keeps trying costs little; one whose key was made a moment ago waits little."""
    secret, clock = new_key(), Clock()
    table = Table()
    authenticate = over(table, clock)

    tries = [is_let_in(authenticate, secret) for _ in range(3)]
    looks = table.looks
    table.keys[hash_of(secret)] = key_of(secret)
    clock.advance(5)

    assert (tries, looks) == ([False] * 3, 1)
    assert is_let_in(authenticate, secret)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-local",
        "sk-mw-",
        "sk-mw-" + "a" * 42,
        "sk-mw-" + "a" * 44,
        "sk-mw-" + "a" * 43 + "\n",
        "sk-mw-" + "é" * 43,
        "sk-proj-" + "a" * 43,
        "mw" * 500,
    ],
)
def test_what_cannot_be_a_key_is_not_looked_up(text: str) -> None:
    """Noise from the internet costs no call."""
    table = Table()

    assert not is_let_in(over(table, Clock()), text)
    assert table.looks == 0


def test_the_hash_of_a_key_opens_nothing() -> None:
    """Who reads the table cannot call."""
    key = key_of(new_key())

    for text in (key.hash, key.id, f"sk-mw-{key.hash[:43]}"):
        assert not is_let_in(over(Table(key), Clock()), text)


def test_a_flood_of_unknown_keys_pushes_no_known_one_out() -> None:
    """They are remembered apart, and only so many."""
    secret, clock = new_key(), Clock()
    table = Table(key_of(secret))
    authenticate = over(table, clock)
    authenticate(secret)
    flood = [new_key() for _ in range(_REMEMBERED + 1)]

    for unknown in flood:
        assert not is_let_in(authenticate, unknown)
    looks = table.looks
    authenticate(secret)

    assert table.looks == looks
    assert not is_let_in(authenticate, flood[0])
    assert table.looks == looks + 1


def test_so_many_keys_are_remembered_and_no_more() -> None:
    """The one used longest ago goes first."""
    secrets, clock = [new_key() for _ in range(_REMEMBERED + 1)], Clock()
    table = Table(*map(key_of, secrets))
    authenticate = over(table, clock)

    for secret in [*secrets[:-1], secrets[0], secrets[-1]]:
        authenticate(secret)
    looks = table.looks
    authenticate(secrets[0])
    assert table.looks == looks
    authenticate(secrets[1])

    assert table.looks == looks + 1


def test_while_the_table_is_down_nobody_new_is_let_in_or_sent_away() -> None:
    """503 is asked again, 401 is not; who is remembered goes on."""
    known, unknown, clock = new_key(), new_key(), Clock()
    table = Table(key_of(known))
    authenticate = over(table, clock)
    authenticate(known)
    table.is_down = True

    assert is_let_in(authenticate, known)
    with pytest.raises(Unavailable):
        authenticate(unknown)
    clock.advance(30)
    with pytest.raises(Unavailable):
        authenticate(known)
