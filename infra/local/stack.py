"""The stack put together: moto, functions, gateway, pollers and schedules, started and stopped."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from infra.local.children import Children
from infra.local.errors import LocalStackError, PortInUse
from infra.local.functions import Function, functions_of
from infra.local.gateway import Gateway
from infra.local.log import log
from infra.local.meter import PATH as CALLS
from infra.local.options import Options
from infra.local.poller import EventSource, Poller, event_sources_of
from infra.local.pool import Pool
from infra.local.queues import LONG_POLL_SECONDS, Queues
from infra.local.resources import Resources
from infra.local.routes import apis_of
from infra.local.schedules import schedules_of
from infra.local.template import Template
from infra.local.webserver import WebServer

_ROOT = Path(__file__).resolve().parents[2]


class Stack:
    """One local stack. `run` returns when it was told to stop, with nothing left behind."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._children = Children()
        self._runners: dict[str, Pool | WebServer] = {}
        self._sources: list[EventSource] = []
        self._aws_url = ""
        self._stopping = asyncio.Event()
        self._client = httpx.AsyncClient(
            timeout=LONG_POLL_SECONDS + 10, limits=httpx.Limits(max_connections=None), trust_env=False
        )

    async def run(self) -> None:
        """Start everything, say `ready`, and serve until SIGINT or SIGTERM.

        Raises:
            LocalStackError: The stack cannot start.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        if self._options.attached:
            threading.Thread(target=self._outlived, args=(loop,), daemon=True).start()
        listener = _listen(self._options.port)
        try:
            await self._children.start_guard()
            moto = asyncio.create_task(self._start_moto())
            try:
                template = await asyncio.to_thread(self._expanded)
            finally:
                self._aws_url = await moto
            await self._serve(template, listener)
        finally:
            listener.close()
            await self._children.stop_all()
            await self._client.aclose()

    def _expanded(self) -> Template:
        from infra.local.expand import expand  # here, because it takes a second, in which moto can start too

        return expand(self._options.template, self._options.parameters)

    def _outlived(self, loop: asyncio.AbstractEventLoop) -> None:
        while os.read(0, 1024):  # not sys.stdin, whose lock would still be held when we exit
            continue
        with contextlib.suppress(RuntimeError):  # the loop is closed: we have stopped already
            loop.call_soon_threadsafe(self._stopping.set)

    async def _serve(self, template: Template, listener: socket.socket) -> None:
        self._resources = resources = Resources(template, self._aws_url)
        for name in await asyncio.to_thread(resources.make_all):
            log.line(f"only on AWS: {name} ({template.resources[name]['Type']})")
        self._sources = event_sources_of(resources)
        for name, function in functions_of(resources).items():
            self._runners[name] = self._runner(function)
        apis = apis_of(resources)
        gateway = Gateway(apis, self._runners, self._local)
        server = _Server(
            uvicorn.Config(
                gateway,
                log_level="critical",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
                timeout_keep_alive=65,  # longer than clients keep theirs, else they meet a closed connection
                backlog=512,
            )
        )
        work: list[Coroutine[Any, Any, None]] = [
            *self._pollers(),
            *self._schedules(),
            self._until_ready(server, apis),
        ]
        tasks = [asyncio.create_task(one) for one in work]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            ends = {serving, stopped, self._moto, *tasks[:-1]}
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a poller only ends with an error
            if self._moto in done:
                raise LocalStackError("the moto server has ended")
        finally:
            await _cancelled([*tasks, stopped])
            await gateway.stop()
            server.force_exit = server.should_exit = True
            await serving
            for runner in self._runners.values():
                if isinstance(runner, WebServer):
                    await runner.close()

    def _runner(self, function: Function) -> Pool | WebServer:
        environment = function.environment(self._options, self._aws_url)
        if function.is_web_server:
            return WebServer(function, environment, self._children)
        callers = 1 + sum(source.function == function.name for source in self._sources)
        limit = self._options.max_concurrency * callers if function.reserved is None else function.reserved
        return Pool(function, environment, self._children, limit)

    def _pollers(self) -> Iterator[Coroutine[Any, Any, None]]:
        queues = Queues(self._client, self._aws_url)
        for source in self._sources:
            pool = self._pool(source.function, source.name)
            yield Poller(source, pool, queues, self._options.max_concurrency).run()

    def _schedules(self) -> Iterator[Coroutine[Any, Any, None]]:
        for schedule in schedules_of(self._resources, self._options.schedule_seconds):
            yield schedule.run(self._pool(schedule.function, schedule.name))

    def _pool(self, function: str, wanted_by: str) -> Pool:
        runner = self._runners.get(function)
        if not isinstance(runner, Pool):
            raise LocalStackError(f"{wanted_by}: {function} is no function that takes events")
        return runner

    async def _until_ready(self, server: uvicorn.Server, apis: Any) -> None:
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        log.line(f"aws {self._aws_url}")
        for stage in apis or [""]:
            log.line(f"ready http://127.0.0.1:{port}/{stage}")

    async def _start_moto(self) -> str:
        caller = self._options.caller
        environment = {key: caller[key] for key in ("PATH", "HOME", "TMPDIR") if key in caller}
        child = await self._children.start(
            sys.executable,
            "-m",
            "infra.local.aws",
            folder=_ROOT,
            environment={**environment, "AWS_DEFAULT_REGION": "us-east-1"},
            keep_stdin=True,
        )
        told: list[str] = []
        while line := (await child.output.readline()).decode().strip():
            if line.isdigit():
                log.follow("aws", child)
                self._moto = asyncio.create_task(self._children.ended(child))
                return f"http://127.0.0.1:{line}"
            told.append(line)
        raise LocalStackError(f"the moto server did not start: {' '.join(told[-3:])}")

    async def _local(self, method: str, path: str) -> Any:
        """Answer what lies under /_local/, or None."""
        match method, path:
            case "GET", "/_local/processes":
                return [
                    {"name": name, "pid": pid}
                    for name, runner in self._runners.items()
                    for pid in runner.pids()
                ]
            case "GET", "/_local/invocations":
                return {"invocations": [runner.report() for runner in self._runners.values()]}
            case "GET", "/_local/stack":
                return {
                    "aws_url": self._aws_url,
                    "resources": {name: self._resources.ref(name) for name in self._resources.present()},
                }
            case (("GET" | "DELETE"), "/_local/calls"):
                if method == "DELETE":
                    for runner in self._runners.values():
                        runner.counts = type(runner.counts)(runner.function.name)
                return (await self._client.request(method, self._aws_url + CALLS)).json()
        return None


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the stack has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def _listen(port: int) -> socket.socket:
    # With its protocol named: asyncio turns Nagle's algorithm off only where it sees TCP; it costs 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise PortInUse(
            f"port {port} cannot be used ({error.strerror}); choose another: PORT=8788 make up"
        ) from error
    return listener


async def _cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
