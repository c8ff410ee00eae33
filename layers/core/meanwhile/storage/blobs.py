"""Payloads too large for an item, as objects in the bucket."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from meanwhile.domain.errors import LogCorrupt, Unavailable
from meanwhile.domain.ids import new_nonce


class Blobs:
    """The objects of responses, under `responses/<id>/`, or of threads. Its client is made when needed."""

    def __init__(self, bucket: str, client: Callable[[], Any], *, folder: str = "responses") -> None:
        self._bucket = bucket
        self._client = client
        self._folder = folder

    def put(self, subject: str, part: str, body: bytes) -> str:
        """Store bytes under a key of their own, so that no late write can replace them; return the key."""
        key = f"{self._folder}/{subject}/{part}-{new_nonce()}"
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

    def get_part(self, key: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end` of what is under a key; fewer, if it is shorter.

        Raises:
            LogCorrupt, Unavailable: As above.
        """
        with _errors_translated():
            answer = self._client().get_object(Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end - 1}")
            body: bytes = answer["Body"].read()
        return body

    def delete(self, key: str) -> None:
        """Remove the object; no error if it is gone already."""
        with _errors_translated():
            self._client().delete_object(Bucket=self._bucket, Key=key)

    def delete_all(self, subject: str) -> None:
        """Remove every object of a response or thread, those too that no item names."""
        for key, _ in self.all(subject):
            self.delete(key)

    def all(self, subject: str) -> list[tuple[str, float]]:
        """Return the keys of a subject's objects, each with the time at which it was written."""
        found: list[tuple[str, float]] = []
        behind = ""
        while True:
            with _errors_translated():
                page = self._client().list_objects_v2(
                    Bucket=self._bucket, Prefix=f"{self._folder}/{subject}/", StartAfter=behind
                )
            found += [(each["Key"], each["LastModified"].timestamp()) for each in page.get("Contents", [])]
            if not page.get("IsTruncated"):
                return found
            behind = found[-1][0]


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "InvalidRange"}:
            raise LogCorrupt("a payload that is gone from the bucket") from error
        raise Unavailable("the bucket refused") from error
    except BotoCoreError as error:
        raise Unavailable("the bucket did not answer") from error
