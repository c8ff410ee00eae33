"""Several tables behind one client."""

from typing import Any

import boto3
import pytest
from botocore.session import Session

from meanwhile.domain.keys import ApiKey
from meanwhile.storage.api_keys import ApiKeys, api_keys_in
from meanwhile.storage.dynamodb import sharing
from meanwhile.storage.table import bound_to
from tests.support.aws import REGION, contents, new_api_keys_table, new_table


@pytest.mark.usefixtures("on_moto")
def test_tables_that_share_make_one_client_and_keep_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cold start pays for each; and each table still gets its own items."""
    made: list[str] = []
    create = Session.create_client

    def counted(self: Session, service_name: str, *given: Any, **named: Any) -> Any:
        made.append(service_name)
        return create(self, service_name, *given, **named)

    table, keys_table, more = new_table(), new_api_keys_table(), new_api_keys_table()
    assert boto3.client("dynamodb", region_name=REGION)
    monkeypatch.setattr(Session, "create_client", counted)
    items = bound_to(table)
    keys = [ApiKeys(sharing(api_keys_in(each), items)) for each in (keys_table, more, more)]

    for number, each in enumerate(keys):
        each.add(ApiKey(hash=f"{number}", owner="team", created_at=0))
    list(items.query("nobody"))

    assert made == ["dynamodb"]
    assert [len(contents(each)) for each in (table, keys_table, more)] == [0, 1, 2]
