"""Functions run as on Lambda: own process, own environment, killed when they overrun."""

import asyncio
import json
import os
import signal
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from infra.local.client import LocalStack
from infra.local.functions import PORTABLE
from infra.local.runtime_api import Job, RuntimeApi
from tests.stack.local.conftest import Latch
from tests.support.waiting import eventually


def told(http: httpx.Client) -> dict[str, Any]:
    """Ask the function what it sees."""
    answer: dict[str, Any] = http.get("/items/any").json()
    return answer


def echo_pids(stack: LocalStack) -> list[int]:
    """Return the function's processes."""
    return [process["pid"] for process in stack.processes() if process["name"] == "EchoFunction"]


def timeouts(stack: LocalStack) -> int:
    """Return how often the function overran."""
    return int(stack.invocations()["EchoFunction"]["timeouts"])


def held(pool: ThreadPoolExecutor, http: httpx.Client, latch: Latch) -> "Future[httpx.Response]":
    """Occupy one more execution until the latch is opened, and return when its handler runs."""
    answer = pool.submit(http.post, "/do", json={"do": "hold", "latch": latch.port})
    latch.reached()
    return answer


def test_a_warm_process_is_used_again(http: httpx.Client) -> None:
    """What a module keeps in memory is there at the next invocation, as on Lambda."""
    first, second = told(http), told(http)

    assert second["pid"] == first["pid"]
    assert second["served"] == first["served"] + 1


def test_a_function_sees_what_the_template_gives_it_and_no_more(
    http: httpx.Client, stack: LocalStack
) -> None:
    """A variable that only the developer's shell has must not make a function work."""
    seen = told(http)

    assert seen["environment"]["GREETING"] == "hello from us-east-1"
    assert seen["environment"]["NOTES_TABLE"] == stack.physical_id("Notes")
    assert seen["environment"]["AWS_LAMBDA_FUNCTION_NAME"] == "EchoFunction"
    assert seen["environment"]["AWS_ENDPOINT_URL"] == stack.aws_url
    assert "PYTEST_CURRENT_TEST" not in seen["environment"]
    assert seen["layer"] == "layer"
    assert seen["memory"] == "256"
    assert 0 < seen["remaining_ms"] <= 20_000


def test_a_function_that_overruns_is_killed(http: httpx.Client, stack: LocalStack) -> None:
    """Lambda gives no second more than Timeout; the process does not serve again."""
    before = http.post("/brief", json={}).json()["pid"]

    answer = http.post("/brief", json={"do": "sleep", "seconds": 60})

    assert answer.status_code == 502
    assert stack.invocations()["BriefFunction"]["timeouts"] >= 1
    eventually(lambda: before not in [process["pid"] for process in stack.processes()])
    assert http.post("/brief", json={}).json()["pid"] != before


def test_a_process_killed_at_work_is_an_error_and_the_next_call_works(
    http: httpx.Client, stack: LocalStack, latch: Latch
) -> None:
    """A crash costs the invocation that it met, and nothing else."""
    told(http)
    with ThreadPoolExecutor() as pool:
        answer = held(pool, http, latch)

        for pid in echo_pids(stack):
            os.kill(pid, signal.SIGKILL)

        assert answer.result().status_code == 502
        assert told(http)["event"]["path"] == "/items/any"


def test_a_function_that_exits_is_an_error(http: httpx.Client, stack: LocalStack) -> None:
    """`Runtime.ExitError`: seen at once, not only at the timeout."""
    before = timeouts(stack)

    answer = http.post("/do", json={"do": "exit"})

    assert answer.status_code == 502
    assert timeouts(stack) == before


def test_no_more_executions_than_reserved(http: httpx.Client, latch: Latch) -> None:
    """ReservedConcurrentExecutions is 2, so the third call is throttled while two are busy."""
    with ThreadPoolExecutor() as pool:
        busy = [held(pool, http, latch) for _ in range(2)]

        answer = http.get("/items/any")
        latch.open()

        assert answer.status_code == 429
        assert [one.result().status_code for one in busy] == [200, 200]
    assert http.get("/items/any").status_code == 200


def test_functions_run_without_the_native_client(tmp_path: Path) -> None:
    """Only Linux has awslambdaric's native half; elsewhere ours takes its place."""
    (tmp_path / "double.py").write_text(
        "def handler(event, context):\n    return 2 / event, context.aws_request_id\n"
    )

    async def outcomes() -> list[tuple[bytes, bool]]:
        api = RuntimeApi()
        address = await api.listen()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "awslambdaric", "double.handler"),
            cwd=tmp_path,
            env={"AWS_LAMBDA_RUNTIME_API": address, "PYTHONPATH": f"{PORTABLE}:{tmp_path}"},
            stdout=asyncio.subprocess.DEVNULL,
        )
        found = []
        for event in (b"4", b"0"):
            outcome: asyncio.Future[tuple[bytes, bool]] = asyncio.get_running_loop().create_future()
            await api.jobs.put(Job("request", event, "arn:aws:lambda:x", 3, outcome))
            found.append(await asyncio.wait_for(outcome, 10))
        process.kill()
        await process.wait()
        api.close()
        return found

    (result, returned), (error, failed) = asyncio.run(outcomes())

    assert (json.loads(result), returned) == ([0.5, "request"], True)
    assert (json.loads(error)["errorType"], failed) == ("ZeroDivisionError", False)
