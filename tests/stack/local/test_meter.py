"""Every AWS call is counted with its caller, DynamoDB's with what it would cost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.client import LocalStack
from infra.local.units import item_size
from tests.support.waiting import eventually

Write = Callable[[], Any]


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "é"}, 2),
        ({"N": "0"}, 1),
        ({"N": "7"}, 2),
        ({"N": "-7"}, 3),
        ({"N": "123"}, 3),
        ({"N": "1000"}, 2),
        ({"N": "12.50"}, 3),
        ({"B": b"\0" * 10}, 10),
        ({"B": "AAAA"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"M": {}}, 3),
        ({"M": {"ab": {"S": "c"}}}, 3 + 1 + 2 + 1),
        ({"L": [{"S": "a"}, {"N": "7"}]}, 3 + 1 + 1 + 1 + 2),
        ({"SS": ["ab", "c"]}, 3),
    ],
)
def test_the_size_of_a_value(value: dict[str, Any], size: int) -> None:
    """By the developer guide's rules; the attribute's name counts too (here one byte)."""
    assert item_size({"x": value}) == 1 + size


@pytest.fixture
def spent(stack: LocalStack) -> Callable[[Write], tuple[float, float]]:
    """Make a call; return the write units and the read units that it was charged."""

    def own() -> list[float]:
        rows = [row for row in stack.calls() if row["caller"] == "test" and row["service"] == "dynamodb"]
        return [sum(row[unit] for row in rows) for unit in ("write_units", "read_units")]

    def spent(call: Write) -> tuple[float, float]:
        before = own()
        with suppress(ClientError):  # a failed condition
            call()
        after = own()
        return after[0] - before[0], after[1] - before[1]

    return spent


@pytest.fixture
def put(stack: LocalStack, dynamodb: Any) -> Callable[..., Any]:
    """Put a note of a given size (of all its bytes)."""

    def put(name: str, size: int, **more: Any) -> Any:
        item: dict[str, Any] = {"id": {"S": name}, "part": {"S": "p"}}
        item |= {key: {"S": value} for key, value in more.pop("item", {}).items()}
        item["text"] = {"S": "x" * (size - item_size({**item, "text": {"S": ""}}))}
        return dynamodb.put_item(TableName=stack.physical_id("Notes"), Item=item, **more)

    return put


def test_a_put_costs_a_unit_per_kilobyte_of_the_larger_item(spent: Any, put: Any) -> None:
    """1,024 bytes are one unit, one more are two; what was there before counts when it was larger."""
    assert spent(lambda: put("size", 1024)) == (1, 0)
    assert spent(lambda: put("size", 1025)) == (2, 0)
    assert spent(lambda: put("size", 5000)) == (5, 0)
    assert spent(lambda: put("size", 100)) == (5, 0)


def test_an_update_costs_the_whole_item(spent: Any, put: Any, dynamodb: Any, stack: LocalStack) -> None:
    """Which is why the design keeps leases small."""
    put("update", 2500)

    update = spent(
        lambda: dynamodb.update_item(
            TableName=stack.physical_id("Notes"),
            Key={"id": {"S": "update"}, "part": {"S": "p"}},
            UpdateExpression="SET n = :n",
            ExpressionAttributeValues={":n": {"N": "1"}},
        )
    )

    assert update == (3, 0)


def test_a_failed_condition_costs_as_much(spent: Any, put: Any) -> None:
    """The larger of what is there and what was to be written; no index is touched."""
    put("condition", 1500)

    assert spent(lambda: put("condition", 2500, ConditionExpression="attribute_not_exists(id)")) == (3, 0)


def test_an_index_costs_what_changes_in_it(spent: Any, put: Any) -> None:
    """In (1), nothing it keeps changed (0), a kept attribute changed (1), another key (2), out (1)."""
    assert spent(lambda: put("index", 100, item={"owner": "a", "title": "t"})) == (1 + 1, 0)
    assert spent(lambda: put("index", 200, item={"owner": "a", "title": "t"})) == (1 + 0, 0)
    assert spent(lambda: put("index", 200, item={"owner": "a", "title": "u"})) == (1 + 1, 0)
    assert spent(lambda: put("index", 200, item={"owner": "b", "title": "u"})) == (1 + 2, 0)
    assert spent(lambda: put("index", 200)) == (1 + 1, 0)


def test_a_batch_costs_the_sum_and_a_transaction_twice(spent: Any, dynamodb: Any, stack: LocalStack) -> None:
    """Each item is rounded up for itself."""
    table = stack.physical_id("Notes")
    items = [{"id": {"S": "batch"}, "part": {"S": str(number)}} for number in range(3)]

    batch = spent(
        lambda: dynamodb.batch_write_item(
            RequestItems={table: [{"PutRequest": {"Item": item}} for item in items]}
        )
    )
    transaction = spent(
        lambda: dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": item}} for item in items]
        )
    )

    assert (batch, transaction) == ((3, 0), (6, 0))


def test_reads_cost_a_unit_per_four_kilobytes_looked_at(
    spent: Any, put: Any, dynamodb: Any, stack: LocalStack
) -> None:
    """Half when eventually consistent; a filter spares nothing; a query rounds its sum."""
    put("reads", 5000)
    table, key = stack.physical_id("Notes"), {"id": {"S": "reads"}, "part": {"S": "p"}}
    values = {":id": {"S": "reads"}, ":none": {"S": "none"}}
    query = {"KeyConditionExpression": "id = :id", "FilterExpression": "title = :none"}

    assert spent(lambda: dynamodb.get_item(TableName=table, Key=key)) == (0, 1)
    assert spent(lambda: dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)) == (0, 2)
    assert spent(
        lambda: dynamodb.query(
            TableName=table, ExpressionAttributeValues=values, ConsistentRead=True, **query
        )
    ) == (0, 2)


def test_calls_are_counted_by_caller(stack: LocalStack, send: Any, noted: Any) -> None:
    """So that a bench can say what one answer costs, and who costs it."""
    put = ("WorkerFunction", "dynamodb", "PutItem")
    name = send()
    eventually(lambda: noted(name))

    def calls() -> dict[tuple[str, str, str], Any]:
        return {(row["caller"], row["service"], row["operation"]): row for row in stack.calls()}

    eventually(lambda: put in calls())  # it is counted when it has been answered
    counted = calls()

    assert counted[put]["table"] == stack.physical_id("Notes")
    assert counted[put]["bytes"] > 0
    assert counted["test", "sqs", "SendMessage"]["count"] >= 1
    assert counted["event-source", "sqs", "ReceiveMessage"]["count"] >= 1
    assert stack.moto_seconds() > 0


def test_of_many_conditional_puts_one_wins(put: Any) -> None:
    """With moto alone two win now and then; the whole design stands on this."""

    def wins(name: str) -> bool:
        try:
            put(name, 100, ConditionExpression="attribute_not_exists(id)")
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        rounds = [list(pool.map(wins, [f"race{number}"] * 8)) for number in range(15)]

    assert [sum(winners) for winners in rounds] == [1] * 15
