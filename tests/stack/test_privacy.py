"""After a run of everything, what AWS keeps and what the functions print hold no word of a user's."""

import base64
import json
import secrets
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from infra.local.client import LocalStack
from tests.fake_provider import Answer, Silence, says, text
from tests.stack.conftest import HURRIED
from tests.stack.inside import objects_of, settled
from tests.stack.talking import ask, ended, speaking
from tests.stack.upstream import Upstream
from tests.support.canaries import Canaries, leaves, scan
from tests.support.files import file_of, pdf_of

pytestmark = pytest.mark.xdist_group("privacy")

_LOG_LINES = 5000
"""What the stack remembers; were there more, the scan would miss some."""


@pytest.fixture(scope="module")
def own(upstream: Upstream) -> Iterator[LocalStack]:
    """Run a stack with few slots, so that messages wait, and small items, so that there are objects."""
    environment = HURRIED | {"MODEL_BASE_URL": upstream.base_url, "SLOTS": "2", "INLINE_BYTES": "3000"}
    with LocalStack(environment=environment, schedule_seconds=1, max_concurrency=1) as running:
        yield running


@pytest.fixture(scope="module")
def own_sdk(own: LocalStack) -> Iterator[OpenAI]:
    """Call it."""
    with OpenAI(base_url=own.url, api_key="sk-local") as client:
        yield client


def test_nothing_a_user_said_or_heard_is_in_the_clear(
    own: LocalStack, own_sdk: OpenAI, upstream: Upstream
) -> None:
    """Every field with content, every way a response goes; while it runs, while it waits, and afterwards."""
    said = Canaries()

    everything_asked(own_sdk, said)
    streamed(own_sdk, said)
    calls_and_structure(own_sdk, said)
    files(own_sdk, said)
    large(own, own_sdk, said)
    conversed(own, own_sdk, said)
    refused_and_failed(own, own_sdk, upstream, said)
    killed_waiting_and_cancelled(own, own_sdk, upstream, said)

    assert len(said.words) > 20
    places = list(everything(own))
    assert {"ResponsesTable", "OwnerKeysTable", "ThreadsTable"} <= {
        where.split(":")[0] for where, _ in places
    }
    assert scan(places, said.words) == []
    assert len(own.log) < _LOG_LINES


def test_the_scan_finds_what_is_planted_in_each_place(own: LocalStack) -> None:
    """A scan that looks past a table, an object, a queue or a log line would be green for ever."""
    planted = Canaries()
    words = {place: planted(place) for place in ("text", "bytes", "object", "message", "attribute", "log")}
    table, bucket = own.physical_id("ResponsesTable"), own.physical_id("Bucket")
    item = {"response_id": {"S": "resp_planted"}, "part": {"S": "request"}, "x": {"S": words["text"]}}
    packed = {"B": b"\x01" + zlib.compress(json.dumps([words["bytes"]]).encode())}
    own.boto("dynamodb").put_item(TableName=table, Item=item | {"payload": packed})
    hidden = base64.b64encode(b"x" + words["object"].encode())
    own.boto("s3").put_object(Bucket=bucket, Key="responses/planted/request", Body=hidden)
    queue = own.boto("sqs").create_queue(QueueName="planted")["QueueUrl"]
    attribute = {"A": {"DataType": "String", "StringValue": words["attribute"].encode().hex()}}
    body = words["message"].encode("utf-16-le").hex()
    own.boto("sqs").send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=attribute)
    httpx.get(f"{own.url}/responses/{words['log']}")  # the gateway prints every path

    found = scan(everything(own), planted.words)

    assert {finding.field for finding in found} == set(words)
    own.boto("dynamodb").delete_item(
        TableName=table, Key={"response_id": {"S": "resp_planted"}, "part": {"S": "request"}}
    )


def test_a_result_that_was_tampered_with_is_a_server_error_without_a_word_of_it(
    own: LocalStack, own_sdk: OpenAI
) -> None:
    """Over HTTP as everywhere: neither what was sealed, nor what was put in its place."""
    said = Canaries()
    response = ended(own_sdk, ask(own_sdk, f"Reply with exactly: {said('output')}").id)
    table, dynamodb = own.physical_id("ResponsesTable"), own.boto("dynamodb")
    item = settled(own, response.id)["output"]
    sealed = bytearray(item["payload"]["B"])
    sealed[20] ^= 1

    dynamodb.put_item(TableName=table, Item=item | {"payload": {"B": bytes(sealed)}})

    url, headers = f"{own.url}/responses/{response.id}", {"authorization": "Bearer sk-local"}
    answer = httpx.get(url, headers=headers)
    assert answer.status_code == 500
    assert scan([("body", answer.content), ("headers", str(answer.headers).encode())], said.words) == []
    stranger = httpx.get(url, headers={"authorization": "Bearer sk-local-eve"})
    assert stranger.status_code == 404


def test_a_conversation_that_was_tampered_with_is_a_server_error_without_a_word_of_it(
    own: LocalStack, own_sdk: OpenAI
) -> None:
    """Its items, and what is said about it; a stranger is told that there is none."""
    said = Canaries()
    item: Any = {"role": "user", "content": said("item")}
    talk = own_sdk.conversations.create(items=[item], metadata={"a": said("metadata")})
    table, dynamodb = own.physical_id("ThreadsTable"), own.boto("dynamodb")

    for part, path in (("items#0000000000", "/items"), ("about", "")):
        key = {"thread_id": {"S": talk.id}, "part": {"S": part}}
        stored = dynamodb.get_item(TableName=table, Key=key)["Item"]
        sealed = bytearray(stored["payload"]["B"])
        sealed[-20] ^= 1
        dynamodb.put_item(TableName=table, Item=stored | {"payload": {"B": bytes(sealed)}})

        url = f"{own.url}/conversations/{talk.id}{path}"
        answer = httpx.get(url, headers={"authorization": "Bearer sk-local"})
        stranger = httpx.get(url, headers={"authorization": "Bearer sk-local-eve"})

        dynamodb.put_item(TableName=table, Item=stored)
        assert (answer.status_code, stranger.status_code) == (500, 404)
        assert scan([("body", answer.content), ("headers", str(answer.headers).encode())], said.words) == []


# ── A run of everything ───────────────────────────────────────────────────────────────────────────────


def everything_asked(sdk: OpenAI, said: Canaries) -> None:
    """Every plain field of a create call, in the background and in the foreground."""
    for background in (True, False):
        word = said("input and output")
        response: Any = sdk.responses.create(
            model="simulator-fast",
            input=f"Reply with exactly: {word}",
            background=background,
            instructions=said("instructions"),
            metadata={said("metadata key"): said("metadata value")},
            user=said("user"),
            safety_identifier=said("safety identifier"),
            prompt_cache_key=said("prompt cache key"),
        )
        response = ended(sdk, response.id)
        assert word in response.output_text
        assert word in json.dumps(sdk.responses.input_items.list(response.id).to_dict())
    unstored = ask(sdk, f"Reply with exactly: {said('unstored')}", store=False)
    ended(sdk, unstored.id)


def streamed(sdk: OpenAI, said: Canaries) -> None:
    """Read along, leave, resume, and read it all again."""
    word = said("streamed")
    stream = sdk.responses.create(
        model="simulator-fast", input=f"Reply with exactly: {word}", background=True, stream=True
    )
    first: Any = next(iter(stream))
    stream.close()
    rest = list(sdk.responses.retrieve(first.response.id, stream=True, starting_after=first.sequence_number))
    again = list(sdk.responses.retrieve(first.response.id, stream=True))
    assert word in str(rest[-1].to_dict())
    assert [event.to_dict() for event in again[1:]] == [event.to_dict() for event in rest]


def calls_and_structure(sdk: OpenAI, said: Canaries) -> None:
    """Tools and what they are called with and give, and an answer in a schema."""
    name, wanted = said("tool name"), said("argument")
    properties = {said("property"): {"type": "string", "enum": [wanted], "description": said("described")}}
    schema = {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }
    tools: Any = [
        {
            "type": "function",
            "name": name,
            "description": said("tool"),
            "parameters": schema,
            "strict": True,
        }
    ]
    first = sdk.responses.create(model="simulator-fast", input=said("question"), tools=tools)
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert wanted in call.arguments
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": said("tool output")}
    items: Any = [{"role": "user", "content": "And?"}, call.to_dict(), result]
    sdk.responses.create(model="simulator-fast", input=items, tools=tools)
    text: Any = {"format": {"type": "json_schema", "name": said("schema"), "schema": schema, "strict": True}}
    structured = sdk.responses.create(model="simulator-fast", input="Fill it.", text=text)
    assert wanted in structured.output_text


def files(sdk: OpenAI, said: Canaries) -> None:
    """Text and PDF, by name and by content; also where they are refused."""
    text = file_of(said("text file"), said("name of a file"), "text/plain")
    pdf = file_of(pdf_of(1) + said("PDF").encode(), said("name of a PDF"), "application/pdf")
    asked: Any = [{"role": "user", "content": [text, pdf]}]
    ended(sdk, sdk.responses.create(model="simulator-fast", input=asked, background=True).id)
    sdk.conversations.create(items=asked)
    for refused in (
        text | {"file_data": f"data:{said('no type')};base64,eA=="},
        text | {"file_data": f"data:text/plain;base64,{said('no base64')}!"},
        file_of(said("no PDF"), said("name of no PDF"), "application/pdf"),
    ):
        asked = [{"role": "user", "content": [refused]}]
        with pytest.raises(openai.BadRequestError):
            sdk.responses.create(model="simulator-fast", input=asked)


def large(stack: LocalStack, sdk: OpenAI, said: Canaries) -> None:
    """A prompt and an answer that go to the bucket."""
    word = said("large")
    response = ask(sdk, f"Reply with exactly: {word} {secrets.token_hex(4000)} {said('large end')}")
    assert word in ended(sdk, response.id).output_text
    settled(stack, response.id)
    assert len(objects_of(stack, response.id)) == 2


def conversed(stack: LocalStack, sdk: OpenAI, said: Canaries) -> None:
    """Everything that is said in conversations and chains, and about them; items in the bucket, too."""
    first: Any = {"role": "user", "content": said("first item"), "id": said("id of an item")}
    about = {"title": said("title"), "tags": [said("tag")], "pinned": [first["id"]]}
    talk = sdk.conversations.create(
        items=[first],
        metadata={said("key of a talk"): said("value of a talk")},
        extra_body=about,
        extra_headers={"idempotency-key": said("key that makes")},
    )
    long: Any = {"role": "user", "content": f"{said('large item')} {secrets.token_hex(4000)}"}
    call: Any = {
        "type": "function_call",
        "call_id": said("call id"),
        "name": said("function of a talk"),
        "arguments": json.dumps({"x": said("argument of a talk")}),
    }
    sdk.conversations.items.create(
        talk.id, items=[long, call], extra_headers={"idempotency-key": said("key")}
    )
    spoken: Any = {
        "role": "user",
        "content": f"Reply with exactly: {said('joined')}",
        "id": said("id of input"),
    }
    in_talk = sdk.responses.create(model="simulator-fast", input=[spoken], conversation=talk.id)
    before = sdk.responses.create(model="simulator-fast", input=[spoken])
    sdk.responses.create(model="simulator-fast", input=[spoken], previous_response_id=before.id)
    sdk.responses.create(model="simulator-fast", input=said("aside"), previous_response_id=in_talk.id)
    items: Any = sdk.conversations.items.list(talk.id, order="asc").data
    assert [item.type for item in items] == ["message", "message", "function_call", "message", "message"]
    path = f"/conversations/{talk.id}"
    sdk.post(
        f"{path}/items/{items[0].id}",
        body={"item": {"role": "user", "content": said("edited")}},
        cast_to=object,
        options={"headers": {"idempotency-key": said("key of an edit")}},
    )
    sdk.patch(path, body={"title": said("new title")}, cast_to=object)
    wanted = {"tag": said("tag looked for"), f"metadata[{said('key looked for')}]": said("value looked for")}
    sdk.get("/conversations", options={"params": wanted}, cast_to=object)
    found = stack.boto("s3").list_objects_v2(Bucket=stack.physical_id("Bucket"))
    assert any(each["Key"].startswith(f"threads/{talk.id}") for each in found["Contents"])


def refused_and_failed(stack: LocalStack, sdk: OpenAI, upstream: Upstream, said: Canaries) -> None:
    """Requests that are refused quote nothing to the log; nor does a provider that quotes the user."""
    with pytest.raises(openai.BadRequestError):
        sdk.responses.create(model="simulator", input="x", temperature=said("wrong type"))  # type: ignore[call-overload]  # wrong on purpose
    for body in (f'{{"input": "{said("broken JSON")}', f'{{"{said("unknown name")}": 1}}'):
        refused = httpx.post(
            f"{stack.url}/responses", content=body, headers={"authorization": "Bearer sk-local"}
        )
        assert refused.status_code == 400
    quoting: Any = {"error": {"message": said("quoted by the provider"), "type": "invalid_request_error"}}
    rejected = ask(sdk, said("rejected"), model=upstream.model([Answer(400, quoting)]))
    assert ended(sdk, rejected.id).status == "failed"
    answered = ask(sdk, said("asked"), model=upstream.model(says(said("said"), said("and more"))))
    assert ended(sdk, answered.id).status == "completed"


def killed_waiting_and_cancelled(stack: LocalStack, sdk: OpenAI, upstream: Upstream, said: Canaries) -> None:
    """A worker dies over one; two fill it then, so that another waits in the queue; all are looked at."""
    words = [said("spoken when killed") for _ in range(3)]
    in_mid_sentence = upstream.model([*text(*words), Silence()], says(*words))
    killed = ask(sdk, said("asked when killed"), model=in_mid_sentence)
    speaking(sdk, killed.id)
    assert stack.kill("WorkerFunction")
    assert scan(everything(stack), said.words) == []
    assert ended(sdk, killed.id).output_text == "".join(words)
    long = f"Write 400 words about {said('cancelled')}."
    running = [ask(sdk, long, model="simulator-slow") for _ in range(2)]
    for response in running:
        speaking(sdk, response.id)
    waiting = ask(sdk, said("waiting"))
    assert scan(everything(stack), said.words) == []
    for response in running:
        sdk.responses.cancel(response.id)
    ended(sdk, waiting.id)


# ── All there is ──────────────────────────────────────────────────────────────────────────────────────


def everything(stack: LocalStack) -> Iterator[tuple[str, bytes]]:
    """Yield every byte of every table, bucket and queue of the stack, and every line it printed."""
    dynamodb, s3, sqs = (stack.boto(name) for name in ("dynamodb", "s3", "sqs"))
    names = {stack.physical_id(name): name for name in ("ResponsesTable", "OwnerKeysTable", "ThreadsTable")}
    for table in dynamodb.list_tables()["TableNames"]:
        for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            yield from leaves(page["Items"], f"{names.get(table, table)}:")
    for bucket in s3.list_buckets()["Buckets"]:
        for each in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            found = s3.get_object(Bucket=bucket["Name"], Key=each["Key"])
            yield f"object {each['Key']}", found["Body"].read()
            yield from leaves([each, found["Metadata"]], "about an object")
    for queue in sqs.list_queues()["QueueUrls"]:
        asked = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"], "VisibilityTimeout": 0}
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, **asked)
        yield from leaves(messages.get("Messages", []), f"queue {queue}")
    for line in stack.log:
        yield "log", line.encode()
