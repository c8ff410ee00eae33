"""Clients of AWS whose patience fits inside a lease; the libraries' own does not."""

from typing import Any

from meanwhile.settings import Settings


def client(service: str, settings: Settings) -> Any:
    """Return a client of a service, with as many connections as a worker has slots.

    SQS holds a receive open for as long as it was asked to wait, hence the longer read there.
    """
    import botocore.session  # only when a client is first needed
    from botocore.config import Config

    config = Config(
        connect_timeout=1,
        read_timeout=settings.receive_wait_seconds + 3 if service == "sqs" else 5,
        retries={"total_max_attempts": 3, "mode": "standard"},
        max_pool_connections=settings.slots,
        s3={"addressing_style": "path" if settings.local_api_keys else "virtual"},
    )
    return botocore.session.Session().create_client(service, config=config)
