"""Stores whose every byte can be reached from behind, and accidents between any two AWS calls."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from meanwhile.storage.blobs import Blobs
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.stores import Stores
from meanwhile.storage.table import bound_to
from tests.support import aws
from tests.support.clock import Clock

CACHE_SECONDS, SEALING_SECONDS = 300, 30
Raw = dict[str, Any]


class Calls:
    """What happens right before DynamoDB serves a call, once: another process acts, the clock moves."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.counts: Counter[str] = Counter()
        self._plans: list[tuple[str, Callable[[], object]]] = []

    def before(self, operation: str, do: Callable[[], object]) -> None:
        self._plans.append((operation, do))

    def served(self, operation: str) -> None:
        self.counts[operation] += 1
        due = [plan for plan in self._plans if plan[0] == operation][:1]
        for plan in due:
            self._plans.remove(plan)
            plan[1]()


class Kms:
    """The key service, counted; it can be told to fail, or to let others act while it thinks."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: Counter[str] = Counter()
        self.error: Exception | None = None
        self.meanwhile: Callable[[], object] | None = None

    def generate_data_key(self, **asked: Any) -> Any:
        return self._answer("generate_data_key", asked)

    def decrypt(self, **asked: Any) -> Any:
        return self._answer("decrypt", asked)

    def _answer(self, name: str, asked: dict[str, Any]) -> Any:
        self.calls[name] += 1
        if self.error:
            raise self.error
        answer = getattr(self._client, name)(**asked)
        if self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act()
        return answer


class Vault:
    """Tables, a bucket and a master key; `process()` is a further process that uses them."""

    def __init__(self) -> None:
        self._keys = aws.new_keys()
        self.table, self.keys_table = aws.new_table(), self._keys["owner_keys_table"]
        self._items = aws.connected(bound_to(self.table))
        self._wrapped = aws.connected(wrapped_keys_in(self.keys_table))
        self.dynamodb = aws.client("dynamodb")
        self.s3 = aws.client("s3")
        self.kms_client = aws.client("kms")
        self.calls = Calls()
        self.reset()

    def reset(self) -> None:
        """Empty everything: making it anew takes longer than a test."""
        for item in aws.contents(self.table):
            self.remove(item["response_id"]["S"], item["part"]["S"])
        for item in aws.contents(self.keys_table):
            self.remove_wrapped(item["owner"]["S"], int(item["version"]["N"]))
        for key in self.objects():
            self.s3.delete_object(Bucket=aws.BUCKET, Key=key)
        self.calls.reset()
        self.clock = Clock()
        self.kms = Kms(self.kms_client)
        self.keyring = self.process()

    def process(self) -> Keyring:
        """Return a keyring with a cache of its own."""
        return Keyring(
            self._wrapped,
            lambda: self.kms,
            master_key=self._keys["master_key"],
            now=self.clock,
            cache_seconds=CACHE_SECONDS,
            sealing_seconds=SEALING_SECONDS,
        )

    def stores(self, keyring: Keyring | None = None, *, inline_bytes: int = 200_000) -> Stores:
        """Return the stores of a process."""
        keys, blobs = keyring or self.keyring, Blobs(aws.BUCKET, lambda: self.s3)
        shared = aws.stores_on(self.table, keyring=keys)
        return replace(
            shared,
            responses=ResponseStore(self._items, keys, blobs, inline_bytes=inline_bytes),
            leases=LeaseStore(self._items),
            log=LogStore(self._items, keys),
        )

    # ── From behind ───────────────────────────────────────────────────────────────────────────────────

    def item(self, response_id: str, part: str) -> Raw:
        """Return an item as it is stored."""
        key = {"response_id": {"S": response_id}, "part": {"S": part}}
        found: Raw = self.dynamodb.get_item(TableName=self.table, Key=key)["Item"]
        return found

    def put(self, item: Raw, **changes: Raw) -> None:
        """Store an item, with other attributes."""
        self.dynamodb.put_item(TableName=self.table, Item=item | changes)

    def remove(self, response_id: str, part: str) -> None:
        """Remove an item."""
        key = {"response_id": {"S": response_id}, "part": {"S": part}}
        self.dynamodb.delete_item(TableName=self.table, Key=key)

    def wrapped(self, owner: str) -> dict[int, Raw]:
        """Return an owner's wrapped keys by version, tombstone included."""
        items = [item for item in aws.contents(self.keys_table) if item["owner"]["S"] == owner]
        return {int(item["version"]["N"]): item for item in items}

    def put_wrapped(self, item: Raw, **changes: Raw) -> None:
        """Store a wrapped key, with other attributes."""
        self.dynamodb.put_item(TableName=self.keys_table, Item=item | changes)

    def remove_wrapped(self, owner: str, version: int) -> None:
        """Remove a wrapped key."""
        key = {"owner": {"S": owner}, "version": {"N": str(version)}}
        self.dynamodb.delete_item(TableName=self.keys_table, Key=key)

    def objects(self, response_id: str = "") -> list[str]:
        """Return the keys of objects in the bucket."""
        found = self.s3.list_objects_v2(Bucket=aws.BUCKET, Prefix=f"responses/{response_id}")
        return [each["Key"] for each in found.get("Contents", [])]


def kms_error(code: str) -> ClientError:
    """Return what botocore raises when KMS answers with an error."""
    return ClientError({"Error": {"Code": code, "Message": "quoting ada"}}, "Decrypt")
