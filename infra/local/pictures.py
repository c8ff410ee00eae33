"""The README's terminal pictures, made from real runs on this machine: docs/demo.svg and docs/ask.svg."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from infra.local import demo
from infra.local.client import LocalStack
from meanwhile.cli.news import Grew, News
from meanwhile.cli.screens import Growing
from meanwhile.cli.service import Service
from meanwhile.cli.session import Session
from meanwhile.settings import ClientSettings

WIDTH = 100
_DOCS = Path(__file__).resolve().parents[2] / "docs"
_DEMO_ROWS, _ASK_ROWS = 38, 28
"""So many at least: how often a run is polled, and so how many rows it takes, is never quite the same."""
_QUESTION = "Please write 130 words about a lighthouse."
_LEAVE_AT = 250
"""Characters after which the person at the keyboard presses Ctrl-C."""


@dataclass(slots=True)
class Leaving(Growing):
    """A terminal whose reader leaves in the middle of the answer."""

    response_id: str = ""
    shown: int = 0

    def begin(self, response: dict[str, Any]) -> None:
        """Show which response this is."""
        self.response_id = response["id"]
        Growing.begin(self, response)

    def show(self, news: News) -> None:
        """Show what is new, until enough is read."""
        Growing.show(self, news)
        if isinstance(news, Grew):
            self.shown += len(news.text)
            if self.shown >= _LEAVE_AT:
                self.out.print("^C", end="")  # as terminals show it
                raise KeyboardInterrupt


def main() -> int:
    """Make both pictures; return the exit status."""
    demo.console.record = True
    _typed(demo.console, "make demo")
    failed = demo.main()
    if failed:
        return failed
    _save(demo.console, "demo", _DEMO_ROWS)

    console = Console(record=True, width=WIDTH, highlight=False, force_terminal=False)
    with LocalStack() as stack:
        _ask_and_come_back(stack, console)
    _save(console, "ask", _ASK_ROWS)
    return 0


def _ask_and_come_back(stack: LocalStack, console: Console) -> None:
    """Do what somebody does who leaves and comes back."""
    with Service(ClientSettings(url=stack.url), time.sleep) as service:
        leaving, staying = Leaving(console, console), Growing(console, console)
        asked = {"model": "simulator", "input": _QUESTION, "background": True}

        _typed(console, f'meanwhile ask "{_QUESTION}"')
        _session(service, leaving).ask(asked, wait=True)

        console.print()
        _typed(console, f"meanwhile watch {leaving.response_id}")
        _session(service, staying).watch(leaving.response_id)


def _session(service: Service, screen: Growing) -> Session:
    return Session(service, screen.out, screen.notes, screen, False, time.sleep, time.monotonic)


def _typed(console: Console, command: str) -> None:
    console.print(f"[green]$[/green] [bold]{command}[/bold]")


def _save(console: Console, name: str, rows: int) -> None:
    """Write the picture; its size is that of the rows, and its names are the same every time."""
    missing = rows - len(console.export_text(clear=False).splitlines())
    console.print("\n" * max(missing - 1, 0), end="")
    console.save_svg(str(_DOCS / f"{name}.svg"), title="Meanwhile", unique_id=name)


if __name__ == "__main__":
    sys.exit(main())
