"""The moto server: a process of its own, because it is the busiest part of the stack.

usage: python -m infra.local.aws. It prints its port, and ends when its standard input does: whoever started
it holds the other end, so it never outlives them.
"""

import logging
import signal
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from infra.local import dynamodb, quick, sqs
from infra.local.meter import Meter, Metered


class _Quiet(MotoRequestHandler):
    """Keeps connections open, and does not log: the gateway and the functions say what happens."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    meter = Meter()
    quick.improve()
    dynamodb.improve(meter)
    sqs.improve(meter)
    app = Metered(DomainDispatcherApplication(create_backend_app), meter)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True  # type: ignore[attr-defined]  # a mixin's setting: waiting polls end with us
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
