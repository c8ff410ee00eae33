"""What tables have in common: shared connections, errors of our own, bounded calls for several rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from pynamodb.exceptions import PynamoDBException, TableError, TransactWriteError
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from meanwhile.domain.errors import Unavailable
from meanwhile.domain.ids import new_nonce

_M = TypeVar("_M", bound=Model)

_BATCH_TRIES = 3
_TRANSACTION_TRIES = 5


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
