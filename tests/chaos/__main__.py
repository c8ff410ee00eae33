"""`make chaos`: workers are killed at random moments, and every accepted response ends all the same.

Real processes, real messages, SIGKILL. Bounded in responses, kills and time; stops by itself.
"""

import argparse
import random
import sys

from rich.console import Console

from tests.chaos.kills import Plan, run
from tests.chaos.report import show

console = Console(highlight=False)


def main() -> int:
    """Run the kills; return 0 if every promise held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--responses", type=int, default=100)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--model", choices=["simulator", "simulator-restarts"], default="simulator")
    options = parser.parse_args()
    plan = Plan(responses=options.responses, kills=options.kills, seed=options.seed, model=options.model)
    console.print(
        f"{plan.responses} responses of {plan.model}, {plan.kills} SIGKILLs to workers, seed {plan.seed}; "
        f"lease {plan.lease_seconds:g} s, heartbeat {plan.heartbeat_seconds:g} s, "
        f"sweep every {plan.sweep_seconds:g} s"
    )
    outcome = run(plan)
    show(outcome, console)
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
