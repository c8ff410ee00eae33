"""The main job, to look at: a question is accepted, its worker is killed, and the answer is complete.

Starts the local stack, asks with the OpenAI SDK, kills the worker in the middle of the answer, shows the
text going on where it was, and counts the AWS calls and write units of each step. Stops by itself.
"""

import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from openai import OpenAI
from openai.types.responses import Response
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from infra.local.client import LocalStack
from infra.local.errors import LocalStackError

LEASE_SECONDS = 5
SWEEP_SECONDS = 5
WORDS = 260
QUESTION = f"Please write {WORDS} words about a lighthouse."
KILL_AT = 500
"""Characters of text that must be there before the worker is killed."""
PATIENCE_SECONDS = 90
_SHOWN = 64

console = Console(highlight=False, width=100)


class DemoFailed(Exception):
    """The answer did not come out as promised."""


class Ledger:
    """AWS calls and write units, step by step."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._swept: dict[str, int] = defaultdict(int)
        self._swept_units = 0.0
        self._table = Table(
            "step", "AWS calls", "write units", "calls by operation", box=SIMPLE, pad_edge=False
        )

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what is called while the block runs; the workers' own polling of queues is left out.

        The sweeper comes every few seconds, whatever the step: its calls have a row of their own.
        """
        self._stack.reset_calls()
        yield
        counts: dict[str, int] = defaultdict(int)
        units = 0.0
        for call in self._stack.calls():
            if call["caller"] == "SweeperFunction":
                self._swept[call["operation"]] += call["count"]
                self._swept_units += call["write_units"]
            elif call["caller"] != "event-source" and call["operation"] != "ReceiveMessage":
                counts[call["operation"]] += call["count"]
                units += call["write_units"]
        self._add(name, counts, units)

    def show(self) -> None:
        """Print the table."""
        self._add(f"the sweeper, every {SWEEP_SECONDS} s", self._swept, self._swept_units)
        console.print(self._table)

    def _add(self, name: str, counts: Mapping[str, int], units: float) -> None:
        listed = ", ".join(f"{count} {operation}" for operation, count in sorted(counts.items()))
        self._table.add_row(name, str(sum(counts.values())), f"{units:g}", listed)


def main() -> int:
    """Run the demo; return the exit status."""
    console.print("[bold]Meanwhile[/bold]: answers that keep going while you are elsewhere\n")
    console.print("Starting the stack of template.yaml on this machine ...")
    environment = {"LEASE_SECONDS": str(LEASE_SECONDS), "HEARTBEAT_SECONDS": "1", "RESEND_SECONDS": "5"}
    try:
        with LocalStack(environment=environment, schedule_seconds=SWEEP_SECONDS) as stack:
            client = OpenAI(base_url=stack.url, api_key="sk-local")
            _tell(stack, client, Ledger(stack))
    except (LocalStackError, DemoFailed) as error:
        console.print(f"[red]{error}[/red]")
        return 1
    except KeyboardInterrupt:
        return 130
    console.print(
        "\nEverything is stopped. [bold]make up[/bold] keeps the stack running for you to play with."
    )
    return 0


def _tell(stack: LocalStack, client: OpenAI, ledger: Ledger) -> None:
    with ledger.step("accept"):
        asked = client.responses.create(model="simulator", input=QUESTION, background=True)
    console.print(f"Asked:    [cyan]{QUESTION}[/cyan]")
    console.print(f"Accepted: {asked.id[:24]}… is [bold]{asked.status}[/bold]. The client could leave now.\n")

    with ledger.step("claim and write, up to the kill"):
        _watch(client, asked.id, lambda now: len(now.output_text) >= KILL_AT)
    [worker] = [each for each in stack.processes() if each["name"] == "WorkerFunction"][:1]
    os.kill(worker["pid"], signal.SIGKILL)
    killed = time.monotonic()

    with ledger.step("recover and finish"):
        left = client.responses.retrieve(asked.id)
        if left.status != "in_progress":
            raise DemoFailed(f"the answer was {left.status} before its worker could be killed; try again")
        console.print(
            f"\n[red bold]SIGKILL[/red bold] to the worker, process {worker['pid']}, in mid-sentence."
        )
        console.print(
            f"Its lease of {LEASE_SECONDS} s runs out (30 s when deployed), then another worker goes on:\n"
        )
        _watch(client, asked.id, lambda now: len(now.output_text) > len(left.output_text))
        recovered = time.monotonic() - killed
        done = _watch(client, asked.id, lambda now: now.status not in {"queued", "in_progress"})
    with ledger.step("poll, when ended"):
        done = client.responses.retrieve(asked.id)
    _check(done, left)
    console.print(
        f"\nStatus [bold green]{done.status}[/bold green]; new text {recovered:.1f} s after the kill; ",
        end="",
    )
    words = len(done.output_text.split())
    console.print(f"{words} words, none lost and none doubled. It ends:")
    console.print(f"[cyan]… {done.output_text[-160:]}[/cyan]\n")
    ledger.show()


def _watch(client: OpenAI, response_id: str, until: Callable[[Response], bool]) -> Response:
    """Poll as a client would, and show the text growing."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    shown = -1
    while time.monotonic() < deadline:
        now = client.responses.retrieve(response_id)
        length = len(now.output_text)
        if length != shown:
            tail = now.output_text[-_SHOWN:].replace("\n", " ")
            console.print(f"  {now.status:<12}{length:>6} characters  [dim]… {tail}[/dim]", soft_wrap=True)
            shown = length
        if until(now):
            return now
        time.sleep(0.5)
    raise DemoFailed(f"nothing happened for {PATIENCE_SECONDS} s; the response is {now.status}")


def _check(done: Response, left: Response) -> None:
    """Insist on what the demo claims: the same message goes on, and not a word of it was said again."""
    if done.status != "completed" or [item.id for item in done.output] != [item.id for item in left.output]:
        raise DemoFailed(f"the answer is {done.status}, in {len(done.output)} messages")
    if not done.output_text.startswith(left.output_text) or len(done.output_text.split()) != WORDS:
        raise DemoFailed(f"the answer has {len(done.output_text.split())} words of {WORDS}, or others")


if __name__ == "__main__":
    sys.exit(main())
