"""Runs the whole stack on this machine: `python -m infra.local`, or `make up`."""

import asyncio
import shutil
import sys

from infra.local.errors import LocalStackError
from infra.local.options import Options, caller_environment
from infra.local.stack import Stack


def main() -> int:
    """Run until Ctrl-C; return the exit code."""
    options = Options.from_command(sys.argv[1:], caller_environment())
    try:
        if shutil.which("bash") is None:
            raise LocalStackError("bash is missing: functions under the Lambda Web Adapter start with run.sh")
        asyncio.run(_run(options))
    except LocalStackError as error:
        print(f"local stack: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(options: Options) -> None:
    await Stack(options).run()


if __name__ == "__main__":
    sys.exit(main())
