"""LogLevel=DEBUG is for our own lines: the libraries' would print unwrapped keys and whole bodies."""

import json
import subprocess
import sys

PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)  # what Lambda's runtime does at DEBUG
import meanwhile.observability
import boto3
from moto import mock_aws
with mock_aws():
    kms = boto3.client("kms", region_name="us-east-1")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    kms.decrypt(KeyId=key, CiphertextBlob=made["CiphertextBlob"])
import base64, json
logging.getLogger("meanwhile.here").debug("our own line")
print(json.dumps({"made": base64.b64encode(made["Plaintext"]).decode()}), file=sys.stderr)
"""


def test_no_key_is_printed_at_the_lowest_level() -> None:
    """The AWS library logs the body of every answer at DEBUG; that of KMS is an owner's key."""
    environment = {
        "PATH": "",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }
    ran = subprocess.run(  # noqa: S603  # this very program
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment
    )

    secret = json.loads(ran.stderr.splitlines()[-1])["made"]
    assert "our own line" in ran.stdout
    assert secret not in ran.stdout
    assert "Plaintext" not in ran.stdout
