"""The numbers that the design promises: `make bench`, or `python -m tests.bench [part ...] [--json FILE]`.

Counts of AWS calls, write units and bytes are exact and hold anywhere; times are ratios within one run, but
for those of streams, which are promised in milliseconds. Exit status 1 says that a target was missed.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench import accept, cancel, capacity, cold, context, first, poll, seal, share, watch, write
from tests.bench.printing import console, show, show_targets
from tests.bench.report import Report

PARTS: dict[str, Callable[[], Report]] = {
    "accept": accept.measure,
    "poll": poll.measure,
    "cancel": cancel.measure,
    "write": write.measure,
    "first": first.measure,
    "watch": watch.measure,
    "capacity": capacity.measure,
    "seal": seal.measure,
    "context": context.measure,
    "share": share.measure,
    "cold": cold.measure,
}


def main() -> int:
    """Run the chosen parts, all if none is named; return the exit status."""
    chosen = _arguments()
    out = console()
    reports = []
    for name in chosen.parts or PARTS:
        out.print(f"measuring: {name}", style="dim")
        reports.append(PARTS[name]())
        show(reports[-1], out)
    targets = [target for report in reports for target in report.targets]
    show_targets(targets, out)
    if chosen.json:
        chosen.json.write_text(json.dumps([report.to_json() for report in reports], indent=2) + "\n")
    return int(not all(target.is_met for target in targets))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    # Not `choices`: with nargs="*" Python 3.11 would check the empty list against them.
    parser.add_argument("parts", nargs="*", type=_part, metavar="part", help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    return parser.parse_args()


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part {name!r}, only {', '.join(PARTS)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
