"""An engine that reads by key: dynalite, over LevelDB. moto looks at every item of a partition on each query.

Comes from npm, once, into the build folder; whoever has no node does without.
"""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import aws
from tests.support.aws import REGION

VERSION = "4.0.0"
_FOLDER = Path(__file__).parents[2] / "build/dynalite"
_MAIN = _FOLDER / "node_modules/dynalite/cli.js"
_STARTS_WITHIN = 20
_INSTALLS_WITHIN = 180


class NoEngine(Exception):
    """It cannot be had on this machine; the message says why."""


@contextmanager
def dynalite() -> Iterator[None]:
    """Start an empty one on a free port, and send this process's calls of DynamoDB there.

    Raises:
        NoEngine: node or npm is not there, or npm did not get it.
    """
    node = shutil.which("node")
    if node is None:
        raise NoEngine("node is not on this machine")
    _install()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603  # what npm has installed
        [node, str(_MAIN), "--host", "127.0.0.1", "--port", str(port), "--createTableMs", "0"],
        stdout=subprocess.DEVNULL,
        stderr=sys.stderr,
    )
    try:
        _wait_for(port)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "testing")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
            patch.setenv("AWS_DEFAULT_REGION", REGION)
            patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{port}")
            aws.client.cache_clear()
            yield
    finally:
        aws.client.cache_clear()
        process.terminate()
        process.wait()


def _install() -> None:
    if _MAIN.is_file():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NoEngine("npm is not on this machine")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    said = ["--no-audit", "--no-fund", "--loglevel=error", f"dynalite@{VERSION}"]
    try:
        subprocess.run(  # noqa: S603  # the machine's own npm
            [npm, "install", "--prefix", str(_FOLDER), *said],
            check=True,
            timeout=_INSTALLS_WITHIN,
            stdout=subprocess.DEVNULL,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NoEngine(f"npm did not get dynalite {VERSION}") from error


def _wait_for(port: int) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise NoEngine("dynalite did not start")
