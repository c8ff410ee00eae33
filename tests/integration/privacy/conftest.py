"""A vault on moto, in this process; one lock makes moto atomic, and lets others act between two calls."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from moto.dynamodb.responses import DynamoHandler

from tests.integration.privacy.vault import Vault
from tests.support import aws


@pytest.fixture(scope="package")
def only_vault() -> Iterator[Vault]:
    """Start moto once, and let the vault see its calls."""
    lock, call = threading.RLock(), DynamoHandler.call_action
    made: list[Vault] = []

    def one_at_a_time(self: Any) -> Any:
        with lock:
            for vault in made:
                vault.calls.served(self.headers["X-Amz-Target"].split(".")[1])
            return call(self)

    with pytest.MonkeyPatch.context() as patch, aws.moto_aws():
        patch.setattr(DynamoHandler, "call_action", one_at_a_time)
        aws.new_bucket()
        made.append(Vault())
        yield made[0]


@pytest.fixture
def vault(only_vault: Vault) -> Vault:
    """Return the vault, empty."""
    only_vault.reset()
    return only_vault
