"""A vault on moto, in this process, in which others act between two calls."""

from collections.abc import Iterator

import pytest

from tests.integration.privacy.vault import Vault
from tests.support import aws


@pytest.fixture(scope="package")
def only_vault() -> Iterator[Vault]:
    """Start moto once, and let the vault see its calls."""
    made: list[Vault] = []

    def seen(operation: str) -> None:
        for vault in made:
            vault.calls.served(operation)

    with aws.moto_aws(before=seen):
        aws.new_bucket()
        made.append(Vault())
        yield made[0]


@pytest.fixture
def vault(only_vault: Vault) -> Vault:
    """Return the vault, empty."""
    only_vault.reset()
    return only_vault
