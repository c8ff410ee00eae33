"""`make chaos`: whatever dies, pauses, repeats or fails, what was accepted ends once, as the model said.

    calls        each process killed before and after each of its AWS calls
    kills        processes of the local stack killed at random moments, while clients ask and read along
    deliveries   messages twice, late and out of order; processes paused at each call beyond their lease
    faults       DynamoDB, SQS, KMS and S3 throttled, failing or silent at each call

`make chaos`, or `python -m tests.chaos [part ...]`. Exit status 1 says that a promise was broken.
"""

import argparse
import os
import random
import sys

from rich.console import Console

from tests.chaos import kills, report
from tests.chaos.matrix import PARTS as MATRICES
from tests.chaos.printing import show
from tests.chaos.trials import pool

PARTS = ("calls", "kills", "deliveries", "faults")
TITLES = {
    "calls": "chaos: killed at every call",
    "deliveries": "chaos: delivered at any time, paused at every call",
    "faults": "chaos: AWS failing at every call",
}


def main() -> int:
    """Run the chosen parts, all if none is named; return 0 if every promise held."""
    options = _options()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    broken: list[str] = []
    with pool(options.processes) as players:
        for part in options.parts or PARTS:
            if part == "kills":
                broken += _kill_at_random(options, console)
            else:
                broken += show(TITLES[part], MATRICES[part](players), console, each=options.each)
    return int(bool(broken))


def _kill_at_random(options: argparse.Namespace, console: Console) -> list[str]:
    plan = kills.Plan(responses=options.responses, seed=options.seed)
    console.print(
        f"{plan.responses} responses of 1 to 3 s, half of a model that starts over; a SIGKILL every "
        f"{plan.between_kills[0]:g} to {plan.between_kills[1]:g} s; seed {plan.seed}; "
        f"lease {plan.lease_seconds:g} s, heartbeat {plan.heartbeat_seconds:g} s, "
        f"sweep every {plan.sweep_seconds:g} s"
    )
    outcome = kills.run(plan)
    report.show(outcome, console)
    return outcome.broken


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Not `choices`: with nargs="*" Python 3.11 would check the empty list against them.
    parser.add_argument("parts", nargs="*", type=_part, metavar="part", help=", ".join(PARTS))
    parser.add_argument("--each", action="store_true", help="print each play of a matrix")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="that play at the same time"
    )
    parser.add_argument("--responses", type=int, default=500, help="of the random kills")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    return parser.parse_args()


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part {name!r}, only {', '.join(PARTS)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
