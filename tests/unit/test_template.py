"""What must stay true of the template, as written and as SAM expands it."""

import ast
import json
import re
import subprocess
import sys
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any

import openai
import pytest
from httpx2 import Client, MockTransport, Request, Response
from samtranslator.yaml_helper import yaml_parse

from infra.local.expand import expand
from meanwhile.settings import Settings
from meanwhile.storage.table import OwnerIndex
from meanwhile.storage.thread_table import DueIndex, ListedIndex

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "template.yaml"
WRITTEN = yaml_parse(SOURCE.read_text())
SETTINGS = {field.name.upper(): field for field in fields(Settings)}
NOT_OURS = ("AWS_LWA_", "POWERTOOLS_", "TIKTOKEN_")
ANY = "x-amazon-apigateway-any-method"
INTEGRATION = "x-amazon-apigateway-integration"

Json = dict[str, Any]


@cache
def expanded() -> Json:
    """Return the resources as CloudFormation gets them."""
    return dict(expand(SOURCE, {}).resources)


def of_type(kind: str) -> Json:
    """Return the properties of every expanded resource of a type, by logical id."""
    return {name: resource["Properties"] for name, resource in expanded().items() if resource["Type"] == kind}


def functions() -> Json:
    """Return every function's properties."""
    return of_type("AWS::Lambda::Function")


def variables(function: str) -> Json:
    """Return the environment of a function."""
    return dict(functions()[function]["Environment"]["Variables"])


def integrations(resources: Json) -> Json:
    """Return what answers each `METHOD /path` of the API, CORS preflights left out."""
    (api,) = (each for each in resources.values() if each["Type"] == "AWS::ApiGateway::RestApi")
    return {
        f"{'ANY' if method == ANY else method.upper()} {path}": operation[INTEGRATION]
        for path, methods in api["Properties"]["Body"]["paths"].items()
        for method, operation in methods.items()
        if method != "options"
    }


def is_streamed(integration: Json) -> bool:
    """Whether the gateway passes on each piece as it comes: both signs, for 15 minutes."""
    uri = integration["uri"]["Fn::Sub"]
    return (
        uri.endswith("/response-streaming-invocations")
        and integration.get("responseTransferMode") == "STREAM"
        and integration.get("timeoutInMillis") == 900_000
    )


def statements(*, effect: str) -> list[Json]:
    """Return every statement of every policy."""
    documents = [
        *(each["PolicyDocument"] for each in of_type("AWS::IAM::ManagedPolicy").values()),
        *(each["PolicyDocument"] for each in of_type("AWS::S3::BucketPolicy").values()),
        *(
            policy["PolicyDocument"]
            for role in of_type("AWS::IAM::Role").values()
            for policy in role.get("Policies", [])
        ),
    ]
    return [each for document in documents for each in document["Statement"] if each["Effect"] == effect]


def listed(value: Any) -> list[Any]:
    """Return a list, also of what was written without one."""
    return value if isinstance(value, list) else [value]


# ── Functions ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("function", functions())
def test_every_handler_exists(function: str) -> None:
    """Lambda finds out at the first request; here it is found out before the commit."""
    written = WRITTEN["Resources"][function]["Properties"]
    folder = ROOT / written["CodeUri"]
    handler = written["Handler"]

    if handler.endswith(".sh"):
        assert (folder / handler).stat().st_mode & 0o111, f"{handler} cannot be executed"
        return
    module, _, attribute = handler.rpartition(".")
    tree = ast.parse((folder / f"{module}.py").read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} | {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert attribute in names


def test_every_function_folder_is_a_function() -> None:
    """A handler that no resource names would never run."""
    folders = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()} - {"__pycache__"}
    named = {Path(WRITTEN["Resources"][each]["Properties"]["CodeUri"]).name for each in functions()}

    assert folders == named


@pytest.mark.parametrize("function", functions())
def test_every_variable_is_a_setting(function: str) -> None:
    """A variable that nobody reads is a setting somebody believes in."""
    unknown = {
        name for name in variables(function) if name not in SETTINGS and not name.startswith(NOT_OURS)
    } - {"AWS_LAMBDA_EXEC_WRAPPER"}

    assert unknown == set()


@pytest.mark.parametrize("function", functions())
def test_every_function_is_told_where_things_are(function: str) -> None:
    """Settings without a default fail at the first event, and only in the cloud."""
    required = {name for name, field in SETTINGS.items() if field.default is MISSING}

    assert required <= set(variables(function))


def test_a_parameter_has_its_settings_default() -> None:
    """One default in two places: the template's would silently win."""
    shared = [
        (name, spec["Default"], SETTINGS[variable].default)
        for name, spec in WRITTEN["Parameters"].items()
        if (variable := _variable_of(name)) in SETTINGS
    ]

    assert len(shared) >= 14
    assert [(name, str(ours)) for name, ours, theirs in shared if str(ours) != f"{theirs}"] == []


def test_every_parameter_named_like_a_setting_sets_it() -> None:
    """`SLOTS: !Ref Slots`, in at least one function, and never another parameter's value."""
    given = {
        (name, value["Ref"])
        for function in functions()
        for name, value in variables(function).items()
        if isinstance(value, dict) and value.get("Ref") in WRITTEN["Parameters"]
    } - {("POWERTOOLS_LOG_LEVEL", "LogLevel")}

    assert {variable for variable, name in given if _variable_of(name) != variable} == set()
    assert {name for name in WRITTEN["Parameters"] if _variable_of(name) in SETTINGS} == {
        name for _, name in given
    }


def test_nobody_can_deploy_the_local_keys() -> None:
    """`sk-local` is in the README: a stack that accepted it would belong to everybody."""
    assert [function for function in functions() if "LOCAL_API_KEYS" in variables(function)] == []


def test_secrets_reach_only_who_uses_them_and_are_never_shown() -> None:
    """The doors need no provider's key; consoles show stars."""
    holders = {function for function in functions() if "MODEL_API_KEY" in variables(function)}

    assert holders == {"WorkerFunction"}
    assert WRITTEN["Parameters"]["ModelApiKey"]["NoEcho"]


def test_every_parameter_is_explained_and_grouped() -> None:
    """The console shows the deployer nothing else."""
    groups = WRITTEN["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]

    assert [name for name, spec in WRITTEN["Parameters"].items() if not spec.get("Description")] == []
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(WRITTEN["Parameters"])


def test_the_readme_lists_the_parameters_as_they_are() -> None:
    """A table that is wrong once is not read again."""
    rows = re.findall(
        r"^\| `(\w+)` \| `?([^`|]*?)`? \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )

    assert rows == [
        (name, str(WRITTEN["Parameters"][name]["Default"]), WRITTEN["Parameters"][name]["Description"])
        for group in WRITTEN["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        for name in group["Parameters"]
    ]


def test_byte_code_and_functions_are_of_one_python() -> None:
    """Byte code of another version is ignored, and every cold start compiles."""
    runtimes = {each["Runtime"] for each in functions().values()}
    layers = {
        runtime
        for each in of_type("AWS::Lambda::LayerVersion").values()
        for runtime in each["CompatibleRuntimes"]
    }

    assert runtimes == layers == {"python3.13"}
    for folder in ("core", "dependencies"):
        assert "(3, 13)" in (ROOT / "layers" / folder / "Makefile").read_text()


def _variable_of(parameter: str) -> str:
    return "".join(f"_{c}" if c.isupper() else c.upper() for c in parameter).lstrip("_")


# ── Queues ────────────────────────────────────────────────────────────────────────────────────────────


def default_of(variable: str) -> float:
    """Return a numeric setting's default."""
    return float(SETTINGS[variable].default)  # type: ignore[arg-type]  # a field may have none; these do


def mappings() -> list[tuple[str, str, Json]]:
    """Return (queue, function, mapping) for every queue that a function empties."""
    return [
        (each["EventSourceArn"]["Fn::GetAtt"][0], each["FunctionName"]["Ref"], each)
        for each in of_type("AWS::Lambda::EventSourceMapping").values()
    ]


def test_every_queue_is_emptied() -> None:
    """A queue without a consumer is where messages go to be forgotten."""
    assert {queue for queue, _, _ in mappings()} == set(of_type("AWS::SQS::Queue"))


@pytest.mark.parametrize(("queue", "function", "mapping"), mappings())
def test_every_queue_outlasts_its_worker(queue: str, function: str, mapping: Json) -> None:
    """A message that comes back while it is still worked on is worked on twice; AWS refuses it, too."""
    assert of_type("AWS::SQS::Queue")[queue]["VisibilityTimeout"] >= functions()[function]["Timeout"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("queue", of_type("AWS::SQS::Queue"))
def test_every_queue_has_dead_letters(queue: str) -> None:
    """What fails too often must end where somebody ends it, and not before our own count of attempts."""
    queues = of_type("AWS::SQS::Queue")
    redrive = queues[queue].get("RedrivePolicy")

    if queue == "DeadLetterQueue":
        assert redrive is None
        return
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
    assert redrive["maxReceiveCount"] > 2 * default_of("MAX_ATTEMPTS")
    assert queues["DeadLetterQueue"]["MessageRetentionPeriod"] > queues[queue]["MessageRetentionPeriod"]


@pytest.mark.parametrize("queue", of_type("AWS::SQS::Queue"))
def test_a_message_outlives_the_longest_wait(queue: str) -> None:
    """A response may wait in the queue for a day; its message must not be gone before."""
    kept = of_type("AWS::SQS::Queue")[queue]["MessageRetentionPeriod"]

    assert kept > WRITTEN["Parameters"]["QueueDeadlineSeconds"]["MaxValue"]
    assert kept > default_of("QUEUE_DEADLINE_SECONDS") + default_of("RESPONSE_DEADLINE_SECONDS")


def test_a_second_attempt_runs_alone() -> None:
    """A poisonous response takes no neighbour along."""
    (solo,) = (mapping for queue, _, mapping in mappings() if queue == "SoloQueue")

    assert solo["BatchSize"] == 1


# ── HTTP ──────────────────────────────────────────────────────────────────────────────────────────────

STREAMED = {"POST /responses", "POST /responses/compact", "GET /responses/{id}"}


def test_three_routes_are_really_streamed_and_no_other() -> None:
    """Buffered, a stream arrives in one piece after it has ended; the linters see no difference."""
    found = integrations(expanded())

    assert {route for route, integration in found.items() if is_streamed(integration)} == STREAMED
    assert all("${StreamFunction.Arn}" in found[route]["uri"]["Fn::Sub"] for route in STREAMED)


def test_the_wrong_word_for_streaming_would_be_noticed(tmp_path: Path) -> None:
    """`ResponseTransferMode: STREAM` lints, deploys and buffers; the test above must see it."""
    wrong = tmp_path / "template.yaml"
    wrong.write_text(
        SOURCE.read_text().replace("ResponseTransferMode: RESPONSE_STREAM", "ResponseTransferMode: STREAM")
    )

    found = integrations(dict(expand(wrong, {}).resources))

    assert set(found) >= STREAMED
    assert [route for route in STREAMED if is_streamed(found[route])] == []


@pytest.mark.parametrize(
    ("method", "path", "function"),
    [
        ("POST", "/responses", "StreamFunction"),
        ("GET", "/responses", "ApiFunction"),
        ("GET", "/responses/resp_1", "StreamFunction"),
        ("DELETE", "/responses/resp_1", "ApiFunction"),
        ("POST", "/responses/compact", "StreamFunction"),
        ("GET", "/responses/compact", "ApiFunction"),
        ("POST", "/responses/input_tokens", "ApiFunction"),
        ("POST", "/responses/resp_1/cancel", "ApiFunction"),
        ("GET", "/responses/resp_1/input_items", "ApiFunction"),
        ("GET", "/models", "ApiFunction"),
        ("GET", "/models/simulator", "ApiFunction"),
        ("GET", "/healthz", "ApiFunction"),
        ("GET", "/", "ApiFunction"),
    ],
)
def test_every_route_has_its_function(method: str, path: str, function: str) -> None:
    """The gateway picks the path first and then the method: a path of its own hides the catch-all."""
    found = integrations(expanded())
    paths = {route.partition(" ")[2] for route in found}
    resource = max((each for each in paths if _fits(each, path)), key=_specificity)

    answering = found.get(f"{method} {resource}") or found[f"ANY {resource}"]

    assert f"${{{function}.Arn}}" in answering["uri"]["Fn::Sub"]


def _fits(resource: str, path: str) -> bool:
    ours, theirs = resource.strip("/").split("/"), path.strip("/").split("/")
    if ours[-1] == "{proxy+}":
        ours, rest = ours[:-1], theirs[len(ours) - 1 :]
        if not any(rest):
            return False
        theirs = theirs[: len(ours)]
    return len(ours) == len(theirs) and all(
        a == b or a.startswith("{") for a, b in zip(ours, theirs, strict=True)
    )


def _specificity(resource: str) -> list[int]:
    return [
        0 if part == "{proxy+}" else 1 if part.startswith("{") else 2
        for part in resource.strip("/").split("/")
    ]


def test_the_gateways_own_errors_look_like_the_apis() -> None:
    """An SDK reads `error.message` and `x-request-id`, whoever answers."""
    (api,) = of_type("AWS::ApiGateway::RestApi").values()
    answers = api["Body"]["x-amazon-apigateway-gateway-responses"]

    assert set(answers) >= {"DEFAULT_4XX", "DEFAULT_5XX"}
    for answer in answers.values():
        text = answer["responseTemplates"]["application/json"]
        error = json.loads(text.replace("$context.error.messageString", '"as the gateway says"'))
        assert set(error) == {"error"}
        assert set(error["error"]) == {"message", "type", "param", "code"}
        headers = answer["responseParameters"]
        assert headers["gatewayresponse.header.x-request-id"] == "context.requestId"
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == {
            "Fn::Sub": "'${CorsAllowOrigin}'"
        }


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("MISSING_AUTHENTICATION_TOKEN", "404"),
        ("REQUEST_TOO_LARGE", "413"),
        ("THROTTLED", "429"),
        ("INTEGRATION_FAILURE", "502"),
        ("INTEGRATION_TIMEOUT", "504"),
    ],
)
def test_the_gateways_errors_have_the_status_that_sdks_understand(kind: str, status: str) -> None:
    """An unknown route is 403 to the gateway: an SDK would call it a question of permission."""
    (api,) = of_type("AWS::ApiGateway::RestApi").values()

    assert api["Body"]["x-amazon-apigateway-gateway-responses"][kind]["statusCode"] == status


def test_a_browser_may_send_what_the_sdk_sends() -> None:
    """A wildcard covers everything but authorization, so the list must name each header, new ones too."""
    (api,) = of_type("AWS::ApiGateway::RestApi").values()
    preflight = api["Body"]["paths"]["/responses"]["options"][INTEGRATION]["responses"]["default"]
    allowed = preflight["responseParameters"]["method.response.header.Access-Control-Allow-Headers"]
    never_asked = {"accept", "accept-encoding", "connection", "content-length", "host", "user-agent"}

    assert set(sent_by_the_sdk()) - never_asked <= set(allowed.strip("'").split(","))
    assert {"idempotency-key", "last-event-id", "x-on-behalf-of"} <= set(allowed.strip("'").split(","))


def test_every_path_answers_a_preflight() -> None:
    """A browser asks before it posts."""
    (api,) = of_type("AWS::ApiGateway::RestApi").values()

    assert [path for path, methods in api["Body"]["paths"].items() if "options" not in methods] == []


def sent_by_the_sdk() -> set[str]:
    """Return the names of the headers that the OpenAI SDK sends with a create and with a poll."""
    names: set[str] = set()

    def answer(request: Request) -> Response:
        names.update(name.lower() for name in request.headers)
        return Response(200, json={"id": "resp_1", "object": "response", "output": []})

    with openai.OpenAI(
        api_key="sk-test",
        organization="org",
        project="project",
        base_url="http://localhost/v1",
        http_client=Client(transport=MockTransport(answer)),
    ) as client:
        client.responses.create(model="simulator", input="hello", background=True)
        client.responses.retrieve("resp_1")
    return names


# ── Storage ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["ResponsesTable", "ThreadsTable", "ApiKeysTable", "Bucket"])
def test_what_people_were_promised_outlives_the_stack(name: str) -> None:
    """`sam delete`, or a replaced resource, must not take answers along."""
    assert expanded()[name]["DeletionPolicy"] == expanded()[name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("name", ["ResponsesTable", "ThreadsTable"])
def test_a_table_forgets_on_time_and_remembers_after_a_mistake(name: str) -> None:
    """Expiry is a promise to the user, point-in-time recovery one to the operator."""
    table = of_type("AWS::DynamoDB::Table")[name]

    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_buffered_answers_are_compressed_by_the_gateway() -> None:
    """Lists and long answers are text; binary media types would turn every request into base64 instead."""
    api = of_type("AWS::ApiGateway::RestApi")["Api"]

    assert api["MinimumCompressionSize"] == 1024
    assert "BinaryMediaTypes" not in api


def test_the_index_of_what_is_open_carries_keys_only() -> None:
    """Every further attribute would be paid for with each accept and each end."""
    index, _ = of_type("AWS::DynamoDB::Table")["ResponsesTable"]["GlobalSecondaryIndexes"]

    assert (index["IndexName"], index["Projection"]) == ("open", {"ProjectionType": "KEYS_ONLY"})
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["open_shard", "due_at"]


def test_the_index_by_owner_is_the_one_that_the_code_reads() -> None:
    """A projected name that the template lacks would read as null, in AWS only."""
    _, index = of_type("AWS::DynamoDB::Table")["ResponsesTable"]["GlobalSecondaryIndexes"]

    assert index["IndexName"] == OwnerIndex.Meta.index_name
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["owner", "created_at"]
    assert index["Projection"] == {
        "ProjectionType": "INCLUDE",
        "NonKeyAttributes": OwnerIndex.Meta.projection.non_key_attributes,
    }


@pytest.mark.parametrize(
    ("index", "keys"), [(ListedIndex, ["listed_for", "active_at"]), (DueIndex, ["due_shard", "due_at"])]
)
def test_the_indexes_of_threads_are_those_that_the_code_reads(index: type[Any], keys: list[str]) -> None:
    """They change whenever a conversation moves, so they carry keys only."""
    written = {
        each["IndexName"]: each
        for each in of_type("AWS::DynamoDB::Table")["ThreadsTable"]["GlobalSecondaryIndexes"]
    }[index.Meta.index_name]

    assert [key["AttributeName"] for key in written["KeySchema"]] == keys
    assert all(hasattr(index, key) for key in keys)
    assert written["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_the_bucket_is_private_encrypted_and_forgets() -> None:
    """It holds what was too large for the table, so it promises the same."""
    bucket = of_type("AWS::S3::Bucket")["Bucket"]
    rules = bucket["LifecycleConfiguration"]["Rules"]

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert [rule["ExpirationInDays"] for rule in rules if rule.get("Prefix") == "responses/"] == [
        {"Ref": "RetentionDays"}
    ]
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


def test_nothing_is_read_in_the_clear() -> None:
    """Whoever asks the bucket without TLS is refused."""
    assert any(
        each["Action"] == "s3:*" and each["Condition"] == {"Bool": {"aws:SecureTransport": False}}
        for each in statements(effect="Deny")
    )


# ── Permissions and logs ──────────────────────────────────────────────────────────────────────────────


def test_no_permission_is_wider_than_its_use() -> None:
    """A stolen function reads one table, one prefix and its own queues."""
    allowed = statements(effect="Allow")

    assert allowed
    assert [each for each in allowed if any("*" in action for action in listed(each["Action"]))] == []
    for each in allowed:
        for resource in listed(each["Resource"]):
            assert resource != "*"
            assert isinstance(resource, dict), f"not a resource of this stack: {resource}"
            if "Fn::Sub" in resource and "*" in resource["Fn::Sub"]:
                assert resource["Fn::Sub"] in {"${Bucket.Arn}/responses/*", "${Bucket.Arn}/threads/*"}


@pytest.mark.parametrize("function", functions())
def test_every_function_has_a_role_of_its_own(function: str) -> None:
    """The roles that SAM would make may read every queue of the account."""
    role = functions()[function]["Role"]["Fn::GetAtt"][0]
    written = of_type("AWS::IAM::Role")[role]

    assert [each for each in functions() if functions()[each]["Role"]["Fn::GetAtt"][0] == role] == [function]
    assert written["ManagedPolicyArns"] == [{"Ref": "UseResponses"}]


@pytest.mark.parametrize(
    ("index", "role"),
    [("open", "SweeperRole"), ("due", "SweeperRole"), ("by_owner", "ApiRole"), ("by_activity", "ApiRole")],
)
def test_an_index_is_read_by_one_role_only(index: str, role: str) -> None:
    """They list everybody's responses, so nobody else should be able to."""
    readers = [
        name
        for name, each in of_type("AWS::IAM::Role").items()
        if f"/index/{index}" in json.dumps(each.get("Policies", []))
    ]

    assert readers == [role]


def test_only_the_doors_look_keys_up_and_nobody_writes_them() -> None:
    """A stolen function makes itself no key, and lists nobody's."""
    named = {
        name: [
            (listed(each["Action"]), listed(each["Resource"]))
            for policy in role.get("Policies", [])
            for each in policy["PolicyDocument"]["Statement"]
            if "ApiKeysTable" in json.dumps(each)
        ]
        for name, role in of_type("AWS::IAM::Role").items()
    }

    only = [(["dynamodb:GetItem"], [{"Fn::GetAtt": ["ApiKeysTable", "Arn"]}])]
    assert {name: found for name, found in named.items() if found} == {"ApiRole": only, "StreamRole": only}
    assert "ApiKeysTable" not in json.dumps(of_type("AWS::IAM::ManagedPolicy"))


@pytest.mark.parametrize(("queue", "function", "mapping"), mappings())
def test_a_function_may_empty_its_queue(queue: str, function: str, mapping: Json) -> None:
    """Without these three Lambda refuses to make the mapping, at the deployment."""
    role = of_type("AWS::IAM::Role")[functions()[function]["Role"]["Fn::GetAtt"][0]]
    allowed = {
        action
        for policy in role["Policies"]
        for each in policy["PolicyDocument"]["Statement"]
        if mapping["EventSourceArn"] in listed(each["Resource"])
        for action in each["Action"]
    }

    assert {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"} <= allowed, queue


@pytest.mark.parametrize("function", functions())
def test_every_function_logs_as_json_to_a_group_that_forgets(function: str) -> None:
    """The groups that Lambda makes by itself keep everything for ever."""
    logging = functions()[function]["LoggingConfig"]
    group = of_type("AWS::Logs::LogGroup")[logging["LogGroup"]["Ref"]]

    assert logging["LogFormat"] == "JSON"
    assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


# ── The linter ────────────────────────────────────────────────────────────────────────────────────────


def test_the_template_lints_as_written() -> None:
    """Names, types and references that CloudFormation would refuse."""
    assert lint(SOURCE) == ""


def test_the_template_lints_as_expanded(tmp_path: Path) -> None:
    """A queue too short for its function shows only after SAM's expansion."""
    parts = {
        name: part for name, part in WRITTEN.items() if name not in {"Transform", "Globals", "Resources"}
    }
    path = tmp_path / "expanded.json"
    path.write_text(json.dumps({**parts, "Resources": expanded()}))

    assert lint(path) == ""


def lint(path: Path) -> str:
    """Return what cfn-lint says about a template."""
    script = "import sys; from cfnlint.runner import main; sys.exit(main())"
    done = subprocess.run(  # noqa: S603  # our own interpreter and our own template
        [sys.executable, "-c", script, "--regions", "us-east-1", "--", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
