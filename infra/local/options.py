"""What whoever starts the local stack may choose; the caller's environment is read here and nowhere else.

A function sees, from weak to strong: its variables in the template, the caller's variables of the same name
(so `LEASE_SECONDS=3 make up` works), and what `--env` or `LocalStack(environment=...)` adds for every
function. `MODEL_BASE_URL` and `MODEL_API_KEY` reach every function when the caller has them.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

REGION = "us-east-1"
ACCOUNT = "123456789012"
"""moto's own account."""
STACK_NAME = "local"
PASSED_ON = ("MODEL_BASE_URL", "MODEL_API_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One start of the local stack."""

    template: Path = Path("template.yaml")
    port: int = 8787
    """0 means any free one; the `ready` line tells which."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    caller: Mapping[str, str] = field(default_factory=dict)
    max_concurrency: int = 4
    """Processes at once for each queue that feeds a function, and for its other callers together, below what
    the template allows: a laptop is no region. ReservedConcurrentExecutions counts as it stands."""
    attached: bool = False
    """Stop when standard input ends: whoever holds the other end is gone."""
    schedule_seconds: float | None = None
    """Replaces the period of every rate() schedule."""

    @classmethod
    def from_command(cls, arguments: Sequence[str], env: Mapping[str, str]) -> Self:
        """Read the command line, with defaults from the environment (`PORT`, `LOCAL_*`)."""
        parser = argparse.ArgumentParser(
            prog="python -m infra.local",
            description="The whole stack on one machine, driven by a SAM template.",
        )
        parser.add_argument("--template", type=Path, default=Path("template.yaml"))
        parser.add_argument("--port", type=int, default=env.get("PORT", "8787"))
        parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE")
        parser.add_argument(
            "--env", action="append", default=[], metavar="NAME=VALUE", help="for every function"
        )
        parser.add_argument("--max-concurrency", type=int, default=env.get("LOCAL_MAX_CONCURRENCY", "4"))
        parser.add_argument("--schedule-seconds", type=float, default=env.get("LOCAL_SCHEDULE_SECONDS"))
        parser.add_argument("--attached", action="store_true", help="stop when standard input ends")
        chosen = parser.parse_args(arguments)
        return cls(
            template=chosen.template,
            port=chosen.port,
            parameters=dict(_pair(text) for text in chosen.parameter),
            environment=dict(_pair(text) for text in chosen.env),
            caller=env,
            max_concurrency=chosen.max_concurrency,
            attached=chosen.attached,
            schedule_seconds=chosen.schedule_seconds,
        )

    def function_environment(self, declared: Mapping[str, str]) -> dict[str, str]:
        """Return a function's own variables: what its template declares, and who overrides it."""
        overridden = {name: self.caller[name] for name in (*declared, *PASSED_ON) if name in self.caller}
        return {**declared, **overridden, **self.environment}


def caller_environment() -> dict[str, str]:
    """Return the environment of whoever started this process."""
    return dict(os.environ)  # noqa: TID251 - this is the settings.py of the local stack


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
