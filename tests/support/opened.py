"""The stores of a running local stack, for tests that look at what it keeps: content is sealed there."""

from functools import cache

from infra.local.client import LocalStack
from infra.local.options import REGION
from meanwhile.domain.log import Batch
from meanwhile.storage.blobs import Blobs
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.leases import LeaseStore
from meanwhile.storage.log import LogStore
from meanwhile.storage.marks import MarkStore
from meanwhile.storage.responses import ResponseStore
from meanwhile.storage.stores import Stores
from meanwhile.storage.table import bound_to


@cache
def stores_of(aws_url: str, table: str, keys_table: str, bucket: str, master_key: str) -> Stores:
    """Return the real stores over a stack's AWS, which meters their calls as those of `test`."""
    import boto3

    items, wrapped = bound_to(table), wrapped_keys_in(keys_table)
    for meta in (items.Meta, wrapped.Meta):
        for name, value in {
            "host": aws_url,
            "region": REGION,
            "aws_access_key_id": "local-test",
            "aws_secret_access_key": "local",
        }.items():
            setattr(meta, name, value)
    clients = {
        name: boto3.client(
            name,
            region_name=REGION,
            endpoint_url=aws_url,
            aws_access_key_id="local-test",
            aws_secret_access_key="local",  # noqa: S106  # moto looks at none
        )
        for name in ("kms", "s3")
    }
    keyring = Keyring(
        wrapped,
        lambda: clients["kms"],
        master_key=master_key,
        now=lambda: 0.0,
        cache_seconds=1,
        sealing_seconds=1,
    )
    blobs = Blobs(bucket, lambda: clients["s3"])
    return Stores(
        ResponseStore(items, keyring, blobs, inline_bytes=200_000),
        LeaseStore(items),
        LogStore(items, keyring),
        MarkStore(items, keyring),
    )


def stores_in(stack: LocalStack) -> Stores:
    """Return the stores of a stack."""
    return stores_of(
        stack.aws_url,
        stack.physical_id("ResponsesTable"),
        stack.physical_id("OwnerKeysTable"),
        stack.physical_id("Bucket"),
        stack.physical_id("MasterKey"),
    )


def history_of(stack: LocalStack, response_id: str) -> list[Batch]:
    """Return a response's batches in order."""
    found = stores_in(stack).responses.everything(response_id, request=False)
    return found.batches if found else []
