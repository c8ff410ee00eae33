"""Payloads too large for an item, as objects in the bucket."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from meanwhile.domain.errors import LogCorrupt, Unavailable
from meanwhile.domain.ids import new_nonce


class Blobs:
    """The objects of responses, under `responses/<id>/`. The client is made when first needed."""

    def __init__(self, bucket: str, client: Callable[[], Any]) -> None:
        self._bucket = bucket
        self._client = client

    def put(self, response_id: str, part: str, body: bytes) -> str:
        """Store bytes under a key of their own, so that no late write can replace them; return the key."""
        key = f"responses/{response_id}/{part}-{new_nonce()}"
        with _errors_translated():
            self._client().put_object(Bucket=self._bucket, Key=key, Body=body)
        return key

    def get(self, key: str) -> bytes:
        """Return the bytes under a key.

        Raises:
            LogCorrupt: There is no such object any more.
            Unavailable: The bucket does not answer.
        """
        with _errors_translated():
            body: bytes = self._client().get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body

    def delete(self, key: str) -> None:
        """Remove the object; no error if it is gone already."""
        with _errors_translated():
            self._client().delete_object(Bucket=self._bucket, Key=key)

    def delete_all(self, response_id: str) -> None:
        """Remove every object of a response, those too that no item names."""
        with _errors_translated():
            found = self._client().list_objects_v2(Bucket=self._bucket, Prefix=f"responses/{response_id}/")
        for each in found.get("Contents", []):
            self.delete(each["Key"])


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            raise LogCorrupt("a payload that is gone from the bucket") from error
        raise Unavailable("the bucket refused") from error
    except BotoCoreError as error:
        raise Unavailable("the bucket did not answer") from error
