#!/bin/sh
# The streaming routes: the same app as functions/api, as a web server. In Lambda the Web Adapter starts
# this and passes requests on; locally the stack does. Trigger: HTTP, streamed.

if [ -d /opt/python ]; then
    export PYTHONPATH="/opt/python${PYTHONPATH:+:$PYTHONPATH}" # the adapter, unlike the runtime, adds no layers
fi

# The adapter drops idle connections after 4 seconds; a server that kept them shorter would race it.
exec python -m uvicorn meanwhile.web.app:app \
    --host 127.0.0.1 --port "${AWS_LWA_PORT:-8080}" --workers 1 \
    --timeout-keep-alive 65 --timeout-graceful-shutdown 2 \
    --log-level warning --no-access-log --no-server-header
