"""Everything that differs between a laptop, a test and production, read once from the environment."""

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from ipaddress import ip_address
from typing import Self, get_type_hints
from urllib.parse import urlsplit


class SettingsError(Exception):
    """The environment lacks a variable, or holds one that cannot be read; the message names every one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field is one environment variable (in capitals); a field without a default is required."""

    # Where things are.
    responses_table: str
    owner_keys_table: str
    api_keys_table: str
    threads_table: str
    bucket: str
    master_key: str
    """The KMS key that wraps every owner's data key: its id or ARN."""
    work_queue_url: str
    solo_queue_url: str

    # Who may call.
    api_key_cache_seconds: float = 30
    """How long a key that was looked up is remembered: as long may a revoked one still open."""
    local_api_keys: bool = False
    """Accept `sk-local` and `sk-local-NAME`; only ever set by the local stack."""
    cors_allow_origin: str = "*"

    # The model provider for every id the catalogue does not know.
    model_base_url: str = ""
    model_api_key: str = ""

    # Where the build put the vocabularies that tokens are counted by.
    tiktoken_cache_dir: str = ""

    # Time. See the table "Time" in the design: a lease fits the timeouts of every call made under it.
    lease_seconds: float = 30
    heartbeat_seconds: float = 5
    response_deadline_seconds: float = 3600
    queue_deadline_seconds: float = 86_400
    wall_margin_seconds: float = 60
    take_margin_seconds: float = 300
    first_token_seconds: float = 600
    gap_seconds: float = 120
    patience_seconds: float = 60
    """How long a worker waits for a busy provider before it puts the response down."""
    commit_watched_seconds: float = 0.15
    commit_unwatched_seconds: float = 1.0
    keep_alive_seconds: float = 15
    wait_limit_seconds: float = 840
    """How long a caller may wait, and a stream may take: a little less than the function that serves them."""
    poll_seconds: float = 0.5
    tail_fast_seconds: float = 0.14
    """Between two readings of a stream while text flows: a little less than `commit_watched_seconds`."""
    tail_slow_seconds: float = 0.5
    watch_seconds: float = 40
    """How long a stream counts as watching without saying so again."""
    resend_seconds: float = 60

    # Retention.
    retention_days: float = 30
    unstored_retention_seconds: float = 600
    idempotency_key_seconds: float = 86_400
    retry_seconds: float = 900
    """How long after it was accepted a response is found by an SDK's retry of the call that made it."""

    # Bounds.
    slots: int = 50
    streams_per_response: int = 5
    streams_per_owner: int = 50
    """Open streams; a new one takes the place of the oldest."""
    receive_wait_seconds: int = 2
    max_attempts: int = 4
    key_cache_seconds: float = 300
    """How long an owner's unwrapped key is kept: as long may a deleted owner's content still open."""
    sealing_key_cache_seconds: float = 30
    """How long it is taken for the owner's newest: as long may a deleted owner still be written for."""
    context_window: int = 128_000
    """Tokens of a model whose window the catalogue does not name: bounds what is recalled of a thread."""
    context_cache_bytes: int = 32_000_000
    """What a worker remembers of recent threads, about; 0 is nothing."""
    aws_lambda_function_memory_size: int = 0
    """Megabytes, as Lambda says itself: near the end of it nothing is remembered. 0 is without end."""
    inline_bytes: int = 200_000
    """Payloads up to this size live in the table, larger ones in the bucket (an item holds 400 KB)."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:  # noqa: TID251  # the one place
        """Read the settings.

        Raises:
            SettingsError: One message that names everything missing or unreadable.
        """
        kinds = get_type_hints(cls)
        values: dict[str, object] = {}
        wrong: list[str] = []
        for field in fields(cls):
            variable = field.name.upper()
            if variable not in env:
                if field.default is MISSING:
                    wrong.append(f"{variable} is not set")
                continue
            try:
                values[field.name] = _READ[kinds[field.name]](env[variable])
            except ValueError:
                wrong.append(f"{variable} is not a {kinds[field.name].__name__}")
        if wrong:
            raise SettingsError("; ".join(wrong))
        return cls(**values)  # type: ignore[arg-type]  # each value was read by its field's own type

    @property
    def open_seconds(self) -> float:
        """How long a response can be open at the longest: in the queue, at work, and a day to see to it."""
        return self.queue_deadline_seconds + self.response_deadline_seconds + 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSettings:
    """Which deployment is managed: a stack in AWS by its name, else the one on this machine by its URL."""

    stack: str = ""
    url: str = "http://127.0.0.1:8787/v1"

    @classmethod
    def from_env(cls, stack: str | None, env: Mapping[str, str] = os.environ) -> Self:  # noqa: TID251  # the one place
        """Read the settings; a stack named by the caller comes first.

        Raises:
            SettingsError: Neither a stack was named nor a service on this machine.
        """
        given = {"stack": stack or env.get("MEANWHILE_STACK"), "url": env.get("MEANWHILE_URL")}
        read = cls(**{name: value for name, value in given.items() if value})
        if not read.stack and not ClientSettings(url=read.url).is_local:
            raise SettingsError(
                "MEANWHILE_STACK is not set: name the CloudFormation stack there or with --stack"
            )
        return read


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Where the command line finds the service, and as whom; each variable begins with MEANWHILE_."""

    url: str = "http://127.0.0.1:8787/v1"
    api_key: str = "sk-local"
    model: str = "simulator"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:  # noqa: TID251  # the one place
        """Read the settings; a variable that is empty counts as not set.

        Raises:
            SettingsError: The URL is none, or a service elsewhere would be called with this machine's key.
        """
        names = {field.name: f"MEANWHILE_{field.name.upper()}" for field in fields(cls)}
        read = cls(**{name: env[variable] for name, variable in names.items() if env.get(variable)})
        host = _host_of(read.url)
        if not host:
            raise SettingsError("MEANWHILE_URL is not a URL that begins with http:// or https://")
        if not (read.api_key.isascii() and read.api_key.isprintable()):
            raise SettingsError("MEANWHILE_API_KEY holds characters that no key has")
        if not read.model.isprintable():
            raise SettingsError("MEANWHILE_MODEL holds characters that no model's id has")
        if not read.is_local and not env.get(names["api_key"]):
            raise SettingsError(f"MEANWHILE_API_KEY is not set, and {host} is not this machine")
        return read

    @property
    def is_local(self) -> bool:
        """Whether the service is on this machine."""
        host = _host_of(self.url)
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")


def _host_of(url: str) -> str:
    """Return the host of an HTTP URL, or nothing if it is none that can be called."""
    if not url.isprintable() or " " in url:
        return ""
    try:
        parts = urlsplit(url)
        _ = parts.port
        (parts.hostname or "").encode("idna")  # as the resolver will: it knows labels of 63 letters at most
    except ValueError:  # UnicodeError is one
        return ""
    return (parts.hostname or "") if parts.scheme in {"http", "https"} else ""


def _read_bool(text: str) -> bool:
    if text.lower() in {"true", "1"}:
        return True
    if text.lower() in {"false", "0", ""}:
        return False
    raise ValueError(text)


_READ: dict[type, Callable[[str], object]] = {str: str, int: int, float: float, bool: _read_bool}
