"""The tables and the master key of a deployment, reached with AWS credentials and never through its API."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from meanwhile.cli.errors import CommandFailed
from meanwhile.domain.errors import RequestError, ServiceError
from meanwhile.operations.accounts.delete_owner import DeleteOwner
from meanwhile.operations.accounts.manage_keys import ManageKeys
from meanwhile.settings import DeploymentSettings
from meanwhile.storage.api_keys import ApiKeys, api_keys_in
from meanwhile.storage.keyring import Keyring, wrapped_keys_in
from meanwhile.storage.thread_table import threads_in
from meanwhile.storage.threads import ThreadStore
from meanwhile.wiring import now

_LOCAL = {
    "region_name": "us-east-1",
    "aws_access_key_id": "local-cli",
    "aws_secret_access_key": "local",
}
"""moto looks at none; the local stack meters by the first."""
_PARTS = ("ApiKeysTable", "OwnerKeysTable", "MasterKey", "ThreadsTable")
_PATIENCE = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"})


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment, for whoever runs it."""

    where: str
    """For people: `the stack meanwhile in us-east-1`."""
    keys: ApiKeys
    keyring: Keyring
    threads: ThreadStore

    @classmethod
    def found(cls, settings: DeploymentSettings) -> Self:
        """Return the deployment that the settings name.

        Raises:
            CommandFailed: It is not there, or these credentials may not look.
        """
        return cls._in_aws(settings.stack) if settings.stack else cls._on_this_machine(settings.url)

    def manage_keys(self) -> ManageKeys:
        """Return what makes and ends API keys."""
        return ManageKeys(keys=self.keys, keyring=self.keyring, now=now)

    def delete_owner(self) -> DeleteOwner:
        """Return what deletes owners."""
        return DeleteOwner(keys=self.keys, keyring=self.keyring, threads=self.threads, now=now)

    @classmethod
    def _in_aws(cls, stack: str) -> Self:
        session = boto3.Session()
        stacks = session.client("cloudformation", config=_PATIENCE)
        made = {
            part: stacks.describe_stack_resource(StackName=stack, LogicalResourceId=part)[
                "StackResourceDetail"
            ].get("PhysicalResourceId", "")
            for part in _PARTS
        }
        return cls._of(f"the stack {stack} in {session.region_name}", made, session, None)

    @classmethod
    def _on_this_machine(cls, url: str) -> Self:
        parts = urlsplit(url)
        root = f"{parts.scheme}://{parts.netloc}"
        try:
            found = httpx.get(f"{root}/_local/stack", timeout=10, trust_env=False).raise_for_status().json()
            made, aws_url = found["resources"], found["aws_url"]
        except httpx.TransportError:
            raise CommandFailed(
                f"Nothing answers at {root}. Is `make up` running? For a stack in AWS, set MEANWHILE_STACK."
            ) from None
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
            raise CommandFailed(f"What answers at {root} is no local stack of this service.") from None
        return cls._of("the stack on this machine", made, boto3.Session(**_LOCAL), aws_url)  # type: ignore[arg-type]  # each a text

    @classmethod
    def _of(cls, where: str, made: Mapping[str, str], session: boto3.Session, aws_url: str | None) -> Self:
        missing = [part for part in _PARTS if not made.get(part)]
        if missing:
            raise CommandFailed(f"{where} has no {missing[0]}; it may be of an older version.")
        keys, wrapped = api_keys_in(made["ApiKeysTable"]), wrapped_keys_in(made["OwnerKeysTable"])
        threads = threads_in(made["ThreadsTable"])
        reached: dict[str, Any] = {"region": session.region_name}
        if aws_url:
            reached |= {"host": aws_url, **{name: _LOCAL[name] for name in _LOCAL if name != "region_name"}}
        for items in (keys, wrapped, threads):
            for name, value in reached.items():
                setattr(items.Meta, name, value)
        keyring = Keyring(
            wrapped,
            lambda: session.client("kms", endpoint_url=aws_url, config=_PATIENCE),
            master_key=made["MasterKey"],
            now=now,
            cache_seconds=0,
            sealing_seconds=0,
        )
        return cls(where, ApiKeys(keys), keyring, ThreadStore(threads, keyring))


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Let neither an exception of AWS nor one of the service past the commands.

    Raises:
        CommandFailed: Whatever it was, as a sentence.
    """
    try:
        yield
    except RequestError as error:
        raise CommandFailed(error.message) from None
    except ServiceError as error:
        raise CommandFailed(f"AWS did not do it: {error}.") from None
    except ClientError as error:
        said = error.response.get("Error", {})
        raise CommandFailed(f"AWS refused: {said.get('Message') or said.get('Code')}") from None
    except BotoCoreError as error:
        raise CommandFailed(f"AWS cannot be asked: {error}") from None
