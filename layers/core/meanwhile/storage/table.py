"""The one table, `responses`: every part of a response is an item under its id.

| part         | holds                                                         |
|--------------|---------------------------------------------------------------|
| `head`       | owner, times, how it ended, its model; carries both indexes   |
| `lease`      | epoch, until, watched_until, attempts                         |
| `log#000007` | batch number 7                                                |
| `output`     | the result, written at the end                                |
| `request`    | what was asked                                                |
| `mark`       | which response a key or a request has made (see `marks.py`)   |
| `watch#...`  | that an owner's response is being watched (see `watches.py`)  |

Content sits in `payload`, or in the bucket under the key in `blob`. A deleted part stays as a tombstone:
its keys, `deleted` and `expires_at`; a head's also says where it stood in whose list, for who is turning
the pages, and names nobody. Without `owner` and `created_at` it is in no index.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import PynamoDBException, TableError, TransactWriteError
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection, KeysOnlyProjection
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from meanwhile.domain.errors import Unavailable
from meanwhile.domain.ids import new_nonce

HEAD, LEASE, OUTPUT, REQUEST, MARK = "head", "lease", "output", "request", "mark"

_M = TypeVar("_M", bound=Model)

_BATCH_TRIES = 3
_TRANSACTION_TRIES = 5


class OpenIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]  # the library's own hook
    """Responses that the sweeper must look at, by when. Sparse: ended ones are not in it."""

    class Meta:
        """Named in the template."""

        index_name = "open"
        projection = KeysOnlyProjection()

    open_shard = UnicodeAttribute(hash_key=True)
    due_at = NumberAttribute(range_key=True)


class OwnerIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]  # the library's own hook
    """Everybody's responses, each owner's in the order of their making. Only heads are in it."""

    class Meta:
        """Named in the template; what is projected costs a write unit whenever it changes."""

        index_name = "by_owner"
        projection = IncludeProjection(["background", "deleted", "expires_at", "payload", "status", "store"])

    owner = UnicodeAttribute(hash_key=True)
    created_at = NumberAttribute(range_key=True)


class Item(Model):
    """One part of one response; which attributes it has depends on the part."""

    class Meta:
        """Filled in by `bound_to`; the times fit inside a lease, the library's own do not."""

        table_name: str
        connect_timeout_seconds = 1
        read_timeout_seconds = 2
        max_retry_attempts = 2
        max_pool_connections = 64

    response_id = UnicodeAttribute(hash_key=True)
    part = UnicodeAttribute(range_key=True)
    expires_at = NumberAttribute()
    deleted = BooleanAttribute(null=True)

    payload = BinaryAttribute(null=True, legacy_encoding=False)
    blob = UnicodeAttribute(null=True)

    # head
    owner = UnicodeAttribute(null=True)
    created_at = NumberAttribute(null=True)
    stood_in = UnicodeAttribute(null=True)
    stood_at = NumberAttribute(null=True)
    background = BooleanAttribute(null=True)
    store = BooleanAttribute(null=True)
    status = UnicodeAttribute(null=True)
    resends = NumberAttribute(null=True)
    open_shard = UnicodeAttribute(null=True)
    due_at = NumberAttribute(null=True)
    thread = UnicodeAttribute(null=True)
    open_index = OpenIndex()
    owner_index = OwnerIndex()

    # lease; times in milliseconds, which DynamoDB numbers hold exactly
    epoch = NumberAttribute(null=True)
    until = NumberAttribute(null=True)
    watched_until = NumberAttribute(null=True)
    attempts = NumberAttribute(null=True)
    walls = NumberAttribute(null=True)
    first_claimed_at = NumberAttribute(null=True)

    # log
    first_seq = NumberAttribute(null=True)
    count = NumberAttribute(null=True)  # type: ignore[assignment]  # hides Model.count, a scan nobody wants
    nonce = UnicodeAttribute(null=True)

    # mark
    made = UnicodeAttribute(null=True)
    asked = UnicodeAttribute(null=True)


def bound_to(table_name: str) -> type[Item]:
    """Return the item class of the table with this name."""
    meta = type("Meta", (Item.Meta,), {"table_name": table_name})
    return type("BoundItem", (Item,), {"Meta": meta})


def sharing(items: type[_M], other: type[Model]) -> type[_M]:
    """Send this table's calls through the connections of another's, and return it.

    A client of its own costs each cold start 0.2 seconds of processor time and a TLS handshake.
    """
    connection, own = other._get_connection().connection, items._get_connection()
    try:
        connection.get_meta_table(own.table_name)  # shared before, by a class of the same table
    except TableError:
        connection.add_meta_table(own.get_meta_table())
    own.connection = connection
    return items


class Conflict(Exception):
    """A condition did not hold: compare what is there before believing it (rule 7)."""


class _Disturbed(Exception):
    """Another transaction was writing the same items; this one has written nothing."""


@contextmanager
def errors_translated() -> Iterator[None]:
    """Let no PynamoDB exception past the storage room.

    Raises:
        Conflict: A condition of the write did not hold.
        Unavailable: The table did not answer in time, or is throttled.
    """
    try:
        yield
    except TransactWriteError as error:
        why = {reason.code for reason in error.cancellation_reasons if reason}
        if "ConditionalCheckFailed" in why:
            raise Conflict from error
        if "TransactionConflict" in why:
            raise _Disturbed from error
        raise Unavailable(f"the table did not answer: {_code_of(error) or 'no answer'}") from error
    except PynamoDBException as error:
        if _code_of(error) == "ConditionalCheckFailedException":
            raise Conflict from error
        raise Unavailable(f"the table did not answer: {_code_of(error) or 'no answer'}") from error


def _code_of(error: PynamoDBException) -> str | None:
    """Return DynamoDB's own code; the library's property fails where there was no answer to a request."""
    response = getattr(error.cause, "response", None) or {}
    code: str | None = response.get("Error", {}).get("Code")
    return code


def put_together(rows: Sequence[Model]) -> None:
    """Put new rows, all or none, in one call. The token tells a write whose answer was lost from another's.

    Raises:
        Conflict: Something stands where one of them should.
        Unavailable: The table did not answer, or others kept writing the same at the same moment.
    """
    connection, name = rows[0]._get_connection().connection, rows[0]._hash_keyname or ""
    for _ in range(_TRANSACTION_TRIES):
        try:
            with (
                errors_translated(),
                TransactWrite(connection=connection, client_request_token=new_nonce()) as all_,
            ):
                for row in rows:
                    all_.save(row, condition=getattr(type(row), name).does_not_exist())
        except _Disturbed:
            continue
        return
    raise Unavailable("others are writing the same")


def items_of(items: type[Item], response_id: str, parts: Sequence[str]) -> list[Item]:
    """Return some parts of a response in one strongly consistent call, as far as they are there.

    Raises:
        Unavailable: DynamoDB did not return all of them, twice over.
    """
    return rows_at(items, [(response_id, part) for part in parts])


def rows_at(rows: type[_M], places: Sequence[tuple[str, str]]) -> list[_M]:
    """Return up to 100 rows by both keys in one strongly consistent call, as far as they are there.

    The library's own batch read asks again for as long as DynamoDB is throttled.

    Raises:
        Unavailable: DynamoDB did not return all of them, twice over.
    """
    found: list[_M] = []
    connection = rows._get_connection()
    table, names = connection.table_name, (rows._hash_keyname, rows._range_keyname)
    wanted = [dict(zip(names, place, strict=True)) for place in places]
    for _ in range(_BATCH_TRIES):
        with errors_translated():
            answer = connection.batch_get_item(wanted, consistent_read=True)  # type: ignore[arg-type]  # keys are mappings
        found += [rows.from_raw_data(raw) for raw in answer["Responses"].get(table, [])]
        left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if not left:
            return found
        wanted = [{name: value["S"] for name, value in key.items()} for key in left]
    raise Unavailable("the table is throttled")
