"""What sealing costs: processor time beside the write it goes with, and calls of KMS."""

import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from meanwhile.domain.facts import Delta
from meanwhile.domain.log import Batch
from meanwhile.domain.response import Head
from meanwhile.storage.cipher import Seal
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.log import LogStore
from meanwhile.storage.payload import pack
from meanwhile.storage.table import bound_to
from tests.bench.report import Report, Table, Target
from tests.support import aws

_BYTES, _SEALS, _APPENDS = 400, 5_000, 200
_HEAD = Head(id="resp_bench", owner="ada", created_at=0, background=True, store=True, expires_at=9)


def measure() -> Report:
    """Seal and open batches of 400 bytes, then append them to moto, in this process."""
    calls: Counter[str] = Counter()

    def counted(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    with aws.moto_aws():
        kms, keys = aws.client("kms"), aws.new_keys()
        kms.meta.events.register("before-call.kms", counted)
        wrapped = wrapped_keys_in(keys["owner_keys_table"])

        def process() -> Keyring:
            return Keyring(
                wrapped,
                lambda: kms,
                master_key=keys["master_key"],
                now=lambda: 0.0,
                cache_seconds=300,
                sealing_seconds=30,
            )

        keyring = process()
        seal, packed = keyring.seal(_HEAD.owner, _HEAD.id), pack(secrets.token_hex(_BYTES // 2))
        sealed = seal.close(packed, "log#000000")
        first = calls.total()
        process().seal(_HEAD.owner, _HEAD.id).open(sealed, "log#000000")
        cold = calls.total() - first

        def fresh() -> Seal:  # as every append makes one: the response's key is derived anew
            return keyring.seal(_HEAD.owner, _HEAD.id)

        closing = _seconds(_SEALS, lambda _: fresh().close(packed, "log#000000"))
        opening = _seconds(_SEALS, lambda _: fresh().open(sealed, "log#000000"))
        log = LogStore(bound_to(aws.new_table()), keyring)
        text = secrets.token_hex(_BYTES // 2)
        appending = _seconds(_APPENDS, lambda number: log.append(_HEAD, _batch(number, text)))
        warm = calls.total() - first - cold
    table = Table(
        title=f"Sealing: one batch of {_BYTES} bytes",
        columns=["what", "µs", "% of an append to moto", "KMS calls"],
        rows=[
            ["seal", closing * 1e6, 100 * closing / appending, warm],
            ["open", opening * 1e6, 100 * opening / appending, warm],
            ["append, sealing included", appending * 1e6, 100.0, warm],
            ["an owner's very first seal", "", "", first],
            ["cold: an owner new to the process", "", "", cold],
        ],
        notes=[
            f"means of {_SEALS:,} and {_APPENDS}; {len(sealed) - len(packed)} bytes are added to a field."
        ],
    )
    return Report(
        name="seal",
        tables=[table],
        targets=[
            Target(what="KMS calls per append, warm", value=warm, limit=0),
            Target(what="KMS calls, owner new to a process", value=cold, limit=1),
        ],
    )


def _batch(number: int, text: str) -> Batch:
    return Batch(
        number=number, epoch=1, first_seq=2 + number, facts=(Delta(0, text),), nonce=f"{number:016x}"
    )


def _seconds(times: int, do: Callable[[int], object]) -> float:
    """Return the mean time of one, after a first that warms it up."""
    do(0)
    started = time.perf_counter()
    for number in range(1, times + 1):
        do(number)
    return (time.perf_counter() - started) / times
