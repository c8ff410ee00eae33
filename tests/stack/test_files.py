"""Files through the whole service, sent by the unmodified SDK."""

import secrets
from typing import Any

import pytest
from openai import OpenAI

from infra.local.client import LocalStack
from tests.fake_provider import says
from tests.stack.upstream import Upstream
from tests.support.files import file_of, pdf_of

pytestmark = pytest.mark.xdist_group("stack")


def test_a_file_of_three_megabytes_reaches_the_model_and_comes_back(
    stack: LocalStack, sdk: OpenAI, upstream: Upstream
) -> None:
    """Through the gateway's limit, the bucket and the worker; and again when the conversation goes on."""
    model = upstream.model(says("Seen."), says("Still seen."))
    data = pdf_of(3) + secrets.token_bytes(3_000_000)
    report, notes = file_of(data, "report.pdf", "application/pdf"), file_of("# Notes")
    message: Any = {"role": "user", "content": [report, notes]}
    talk = sdk.conversations.create()

    first = sdk.responses.create(model=model, input=[message], conversation=talk.id)
    again = sdk.responses.create(model=model, input="And now?", conversation=talk.id)

    assert (first.output_text, again.output_text) == ("Seen.", "Still seen.")
    file = {"filename": "report.pdf", "file_data": report["file_data"]}
    for exchange in upstream.asked(model):
        assert exchange.body["messages"][0]["content"] == [
            {"type": "file", "file": file},
            {"type": "text", "text": '<file name="notes.md">\n# Notes\n</file>'},
        ]
    (listed,) = sdk.responses.input_items.list(first.id).data
    kept: Any = sdk.conversations.items.list(talk.id, order="asc", limit=1).data[0]
    assert [part.to_dict() for part in getattr(listed, "content", ())] == message["content"]
    assert [part.to_dict() for part in kept.content] == message["content"]
    found = stack.boto("s3").list_objects_v2(Bucket=stack.physical_id("Bucket"))["Contents"]
    assert any(first.id in each["Key"] and each["Size"] > 3_000_000 for each in found)
