"""What the table's library raises, and what the rest of the service hears of it."""

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from pynamodb.exceptions import PutError, TransactWriteError

from meanwhile.domain.errors import Unavailable
from meanwhile.storage.dynamodb import errors_translated

_URL = "https://dynamodb.us-east-1.amazonaws.com"
NO_ANSWER = [
    ConnectTimeoutError(endpoint_url=_URL),
    EndpointConnectionError(endpoint_url=_URL),
    ReadTimeoutError(endpoint_url=_URL),
    ConnectionClosedError(endpoint_url=_URL),
    HTTPClientError(error="reset"),
]


@pytest.mark.parametrize("kind", [PutError, TransactWriteError])
@pytest.mark.parametrize("cause", NO_ANSWER, ids=lambda cause: type(cause).__name__)
def test_a_table_that_gives_no_answer_is_unavailable(kind: type[PutError], cause: BotoCoreError) -> None:
    """The library stumbles over causes that have a response, and it is none: a heartbeat died of that."""
    with pytest.raises(Unavailable), errors_translated():
        raise kind("no answer", cause)
