"""A web server that sends its answer in pieces: each time a note appears, one more."""

import asyncio
import json
import os
from collections.abc import AsyncIterator

import shared_by_all  # type: ignore[import-not-found]  # the layer's: only there at run time
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

_gates: dict[str, asyncio.Semaphore] = {}


async def stream(request: Request) -> Response:
    """Answer as the path says."""
    match request.path_params["how"]:
        case "told":
            context = {name: value for name, value in request.headers.items() if name.startswith("x-amzn-")}
            told = {
                "path": request.url.path,
                "query": request.url.query,
                "headers": context,
                "name": request.headers.get("x-name"),
                "pid": os.getpid(),
            }
            told["body"] = (await request.body()).decode()
            return PlainTextResponse(json.dumps(told))
        case "pass":
            _gates.setdefault(request.query_params["gate"], asyncio.Semaphore(0)).release()
            return PlainTextResponse("ok")
        case "exit":
            os._exit(3)
        case "break":
            return StreamingResponse(_breaking(), media_type="text/event-stream")
        case "hold":
            latch = int(request.query_params["latch"])
            return StreamingResponse(_held(latch), media_type="text/event-stream")
    gate = _gates.setdefault(request.query_params["gate"], asyncio.Semaphore(0))
    return StreamingResponse(_gated(gate), media_type="text/event-stream")


async def _gated(gate: asyncio.Semaphore) -> AsyncIterator[str]:
    yield "data: 0\n\n"
    for number in range(1, 3):
        await gate.acquire()
        yield f"data: {number}\n\n"


async def _held(latch: int) -> AsyncIterator[str]:
    yield "data: 0\n\n"
    await asyncio.to_thread(shared_by_all.hold, latch)


async def _breaking() -> AsyncIterator[str]:
    yield "data: 0\n\n"
    await asyncio.sleep(0)
    os._exit(4)


app = Starlette(
    routes=[
        Route("/stream/{how}", stream, methods=["GET", "POST"]),
        Route("/ready", lambda _: PlainTextResponse("ok")),
    ]
)
