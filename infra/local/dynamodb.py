"""moto's DynamoDB, made atomic, quick to query and honest about what a request costs.

- One lock round every request: of 300 races for one conditional put, moto alone let two have two winners.
- A Query of the base table looks at one partition instead of sorting the whole table.
- Sizes before and after every write give exact write units; so do the items that a read looked at.
"""

import copy
import threading
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import GlobalSecondaryIndex, Table
from moto.dynamodb.responses import DynamoHandler

from infra.local.meter import Meter
from infra.local.units import Attributes, Change, Index, item_size, read_units

_FAILED_CONDITION = ("ConditionalCheckFailedException", "TransactionCanceledException")


def improve(meter: Meter) -> None:
    """Replace what moto does; call once, before the first request."""
    lock = threading.RLock()
    answer = DynamoHandler.call_action
    query, scan = Table.query, Table.scan

    def call_action(handler: DynamoHandler) -> Any:
        with lock:
            writes = _Writes(handler)
            response = answer(handler)
            writes.settle(response, meter)
            return response

    def query_partition(table: Table, hash_key: DynamoType, *args: Any, **options: Any) -> Any:
        given = list(args) + [None] * (9 - len(args))
        index, strong, keep = given[6], bool(given[7]), given[8]
        columns, given[5], given[8] = given[5], None, None
        if index is None:
            one = copy.copy(table)
            one.items = {hash_key: table.items[hash_key]} if hash_key in table.items else {}  # type: ignore[assignment]  # a plain dict does, nothing is added
            table = one
        items, count, last = query(table, hash_key, *given, **options)
        _count_read(meter, table, items, strong)
        return _narrowed(items, keep, columns), count, last

    def scan_counted(
        table: Table, filters: Any, limit: Any, start: Any, keep: Any = None, *args: Any, **k: Any
    ) -> Any:
        given = list(args) + [None] * (3 - len(args))
        columns, given[2] = given[2], None
        items, count, last = scan(table, filters, limit, start, None, *given, **k)
        _count_read(meter, table, items, bool(given[1]))
        return _narrowed(items, keep, columns), count, last

    DynamoHandler.call_action = call_action  # type: ignore[method-assign]  # replacing it is the point
    Table.query = query_partition  # type: ignore[method-assign, assignment]  # positions are passed on
    Table.scan = scan_counted  # type: ignore[method-assign, assignment]  # positions are passed on


def _narrowed(items: list[Item], keep: Any, columns: Any) -> list[Item]:
    """Filter and project as moto does at the end of a query; done here so that all items were counted."""
    if keep is not None:
        items = [item for item in items if keep.expr(item)]
    return [item.project(columns) for item in items] if columns else items


def _count_read(meter: Meter, table: Table, items: list[Item], strong: bool) -> None:  # noqa: FBT001 - internal
    size = sum(item_size(_plain(item) or {}) for item in items)
    meter.call.table = table.name
    meter.call.read_units += read_units(size, strong=strong)


class _Writes:
    """The items that one request writes or gets, as they were before it."""

    def __init__(self, handler: DynamoHandler) -> None:
        self.action = handler.get_endpoint_name(handler.headers) or ""
        self._backend: DynamoDBBackend = handler.dynamodb_backend
        params: dict[str, Any] = getattr(handler, "params", None) or {}
        self.transaction = self.action.startswith("Transact")
        self._targets = [
            (table, key, new, _plain(_stored(table, key)))
            for name, key, new in _named(self.action, params)
            if (table := self._backend.tables.get(name)) is not None
        ]
        self._reads = [
            (table, key, strong)
            for name, key, strong in _gotten(self.action, params)
            if (table := self._backend.tables.get(name)) is not None
        ]
        self._table = params.get("TableName", "")

    def settle(self, response: Any, meter: Meter) -> None:
        """Add to the thread's call what the request consumed, whatever came of it."""
        call, (status, _, body) = meter.call, response
        named = {table.name for table, _, _, _ in self._targets} | {table.name for table, _, _ in self._reads}
        call.table = call.table or self._table or ",".join(sorted(named))
        failed = status >= 400
        if failed and not any(name in str(body) for name in _FAILED_CONDITION):
            return
        twice = 2 if self.transaction else 1
        for table, key, new, before in self._targets:
            change = Change(before, new if failed else _plain(_stored(table, key)), failed=failed)
            call.write_units += twice * change.units(_indexes(table))
            call.bytes += change.bytes_written
        for table, key, strong in self._reads:
            size = item_size(_plain(_stored(table, key)) or {})
            call.read_units += twice * read_units(size, strong=strong)


def _named(action: str, params: dict[str, Any]) -> list[tuple[str, Attributes, Attributes | None]]:
    """Return (table, key or item, new item if the request holds all of it) of every write in a request."""
    if action == "PutItem":
        return [(params["TableName"], params["Item"], params["Item"])]
    if action in ("UpdateItem", "DeleteItem"):
        return [(params["TableName"], params["Key"], None)]
    if action == "BatchWriteItem":
        return [
            (table, put["Item"], put["Item"])
            if (put := request.get("PutRequest"))
            else (table, request["DeleteRequest"]["Key"], None)
            for table, requests in params["RequestItems"].items()
            for request in requests
        ]
    if action == "TransactWriteItems":
        return [
            (write["TableName"], write.get("Item") or write["Key"], write.get("Item"))
            for item in params["TransactItems"]
            for write in item.values()
        ]
    return []


def _gotten(action: str, params: dict[str, Any]) -> list[tuple[str, Attributes, bool]]:
    """Return (table, key, strongly consistent) of every item that a request gets by its key."""
    if action == "GetItem":
        return [(params["TableName"], params["Key"], bool(params.get("ConsistentRead")))]
    if action == "BatchGetItem":
        return [
            (table, key, bool(wanted.get("ConsistentRead")))
            for table, wanted in params["RequestItems"].items()
            for key in wanted["Keys"]
        ]
    if action == "TransactGetItems":
        return [(get["Get"]["TableName"], get["Get"]["Key"], True) for get in params["TransactItems"]]
    return []


def _stored(table: Table, key: Attributes) -> Item | None:
    if table.hash_key_attr not in key or (table.range_key_attr and table.range_key_attr not in key):
        return None
    hash_key = DynamoType(key[table.hash_key_attr])
    if hash_key not in table.items:
        return None
    found: Any = table.items[hash_key]
    item: Item | None = found.get(DynamoType(key[table.range_key_attr])) if table.range_key_attr else found
    return item


def _plain(item: Item | None) -> Attributes | None:
    """Copy an item into wire form, so that a later change in place does not reach the copy."""
    return None if item is None else {name: _wire(value) for name, value in item.attrs.items()}


def _wire(value: DynamoType) -> dict[str, Any]:
    if value.is_map():
        return {value.type: {name: _wire(inner) for name, inner in value.value.items()}}
    if value.is_list():
        return {value.type: [_wire(inner) for inner in value.value]}
    return {value.type: list(value.value) if value.is_set() else value.value}


def _indexes(table: Table) -> list[Index]:
    return [_index(index) for index in table.global_indexes or []]


def _index(index: GlobalSecondaryIndex) -> Index:
    keys = [*index.schema_key_attrs, *index.table_key_attrs]
    kind = index.projection.get("ProjectionType", "ALL")
    extra = index.projection.get("NonKeyAttributes") or []
    return Index(index.schema_key_attrs, None if kind == "ALL" else frozenset([*keys, *extra]))
