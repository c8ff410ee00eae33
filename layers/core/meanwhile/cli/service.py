"""The service as the command line sees it: one method per call, its errors as sentences."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from meanwhile.cli.errors import NotOurs, Overloaded, Refused, TemporarilyFailed, Unreachable
from meanwhile.settings import ClientSettings, SettingsError

Json = dict[str, Any]

_TIMEOUT = httpx.Timeout(30, connect=5)
_PAUSES = (0.5, 2.0)
"""Seconds before each further attempt to create; all carry one idempotency key, so one response is made."""
_PAGE = 100
"""The most that a list returns at once."""


@dataclass(frozen=True, slots=True)
class Look:
    """A response as it stood, and when the service would like to be asked again."""

    response: Json
    poll_after_seconds: float | None


class Service:
    """A connection to the service, for as long as a `with` block lasts.

    Raises:
        SettingsError: The environment describes none.
    """

    def __init__(self, settings: ClientSettings, sleep: Callable[[float], None]) -> None:
        self._settings = settings
        self._sleep = sleep
        try:
            self._http = httpx.Client(
                base_url=settings.url,
                headers={"authorization": f"Bearer {settings.api_key}", "user-agent": "meanwhile-cli"},
                timeout=_TIMEOUT,
                trust_env=not settings.is_local,  # a proxy knows nothing of this machine's loopback
            )
        except (httpx.InvalidURL, OSError, ValueError) as error:
            raise self._not_callable(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def create(self, asked: Json) -> Json:
        """Ask in the background; tried again when that may help, and accepted once all the same."""
        headers = {"idempotency-key": f"cli-{uuid.uuid4()}"}
        for pause in _PAUSES:
            try:
                return self._call("POST", "/responses", body=asked, headers=headers)[0]
            except _NeverConnected:
                raise
            except TemporarilyFailed:
                self._sleep(pause)
        return self._call("POST", "/responses", body=asked, headers=headers)[0]

    def look(self, response_id: str) -> Look:
        """Return how a response stands, with the text it has so far."""
        found, headers = self._call("GET", _path(response_id))
        return Look(found, _seconds(headers.get("openai-poll-after-ms")))

    def responses(self, *, status: str | None, limit: int) -> Iterator[Json]:
        """Yield up to `limit` responses, the newest first.

        Raises:
            Refused: Among others, when the service is too old to list.
        """
        wanted: dict[str, str] = {"status": status} if status else {}
        while limit > 0:
            page = self._page(wanted | {"limit": str(min(limit, _PAGE))})
            yield from page["data"][:limit]
            limit -= len(page["data"])
            if not page["has_more"]:
                return
            wanted["after"] = page["last_id"]  # a page may be empty, and more behind it

    def cancel(self, response_id: str) -> Json:
        """End a response that runs."""
        return self._call("POST", f"{_path(response_id)}/cancel", body={})[0]

    def delete(self, response_id: str) -> Json:
        """Delete a response that has ended."""
        return self._call("DELETE", _path(response_id))[0]

    def models(self) -> list[Json]:
        """Return the models known by name."""
        found: list[Json] = self._call("GET", "/models")[0]["data"]
        return found

    def _page(self, wanted: Mapping[str, str]) -> Json:
        try:
            return self._call("GET", "/responses", query=wanted)[0]
        except Refused as refused:
            if refused.status in {httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED}:
                raise Refused(
                    f"{self._settings.url} cannot list responses; it may run an older version.",
                    status=refused.status,
                ) from None
            raise

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Json, Mapping[str, str]]:
        with self._transport_errors_translated():
            answer = self._http.request(method, path, json=body, params=query, headers=headers)
        return self._json_of(answer), answer.headers

    def _json_of(self, answer: httpx.Response) -> Json:
        """Return a good answer's body; raise what a bad one means."""
        try:
            body = answer.json()
        except ValueError:
            body = None
        if answer.is_success and isinstance(body, dict):
            return body
        said = _message(body) or f"HTTP {answer.status_code}"
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            hint = "Set MEANWHILE_API_KEY to a key of that service."
            raise Refused(f"{self._settings.url} did not take the API key: {said} {hint}", status=401)
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            if answer.headers.get("x-should-retry") == "false":
                raise Refused(f"{said}{_named(answer)}", status=answer.status_code)
            raise Overloaded(f"{said}{_named(answer)}")
        if answer.is_client_error and _is_ours(body):
            raise Refused(said, status=answer.status_code)
        raise NotOurs(
            f"{self._settings.url} answered HTTP {answer.status_code}, and not as this service does."
            " Is MEANWHILE_URL right? It mostly ends in /v1."
        )

    def _not_callable(self, error: Exception) -> SettingsError:
        return SettingsError(
            f"{self._settings.url} cannot be called ({type(error).__name__}):"
            " look at MEANWHILE_URL, SSL_CERT_FILE, SSL_CERT_DIR and the variables of proxies."
        )

    @contextmanager
    def _transport_errors_translated(self) -> Iterator[None]:
        """Let no exception of httpx past this class."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout):
            hint = "Is `make up` running?" if self._settings.is_local else "Is MEANWHILE_URL right?"
            raise _NeverConnected(f"Nothing answers at {self._settings.url}. {hint}") from None
        except (httpx.InvalidURL, UnicodeError) as error:  # a host that only the call itself looks at
            raise self._not_callable(error) from None
        except httpx.TransportError as error:
            message = f"The connection to {self._settings.url} broke off ({type(error).__name__})."
            raise Unreachable(message) from None


class _NeverConnected(Unreachable):
    """The request never left."""


def _path(response_id: str) -> str:
    return f"/responses/{quote(response_id, safe='')}"


def _seconds(milliseconds: str | None) -> float | None:
    return int(milliseconds) / 1000 if milliseconds and milliseconds.isdecimal() else None


def _is_ours(body: object) -> bool:
    """Whether an error has the API's shape; a gateway in front, or another service, has one of its own."""
    return isinstance(body, dict) and isinstance(body.get("error"), dict)


def _message(body: object) -> str | None:
    """Return what an error says: ours, or API Gateway's own."""
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    said = error.get("message") if isinstance(error, dict) else body.get("message")
    return said if isinstance(said, str) else None


def _named(answer: httpx.Response) -> str:
    request_id = answer.headers.get("x-request-id")
    return f" (request {request_id})" if request_id else ""
