#!/bin/bash
# Without `exec`, on purpose: what a script starts must end with it.
python -m uvicorn app:app --host 127.0.0.1 --port "$AWS_LWA_PORT" --log-level warning --no-access-log
