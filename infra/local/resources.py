"""The resources of a template, made through boto3 on the moto server, each when somebody first asks for it.

Why not moto's CloudFormation: it refuses a dozen resource types, drops settings (a table's time to live) and
tells attributes only through Outputs. CloudFormation's property names are those of the service's own API, so
making a resource is a few lines, errors name the resource, and ids and ARNs are what the API answered. Order
comes by itself: resolving a property that refers to another resource makes that one first.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError, ParamValidationError

from infra.local.errors import LocalStackError, Unresolvable
from infra.local.intrinsics import Resolver
from infra.local.options import ACCOUNT, REGION, STACK_NAME
from infra.local.template import Template

Properties = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """A resource: what `Ref` gives, and what `Fn::GetAtt` gives."""

    ref: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Resources:
    """Makes and remembers the resources of a template; is what the resolver asks about them."""

    def __init__(self, template: Template, aws_url: str) -> None:
        self.template = template
        self.resolve = Resolver(template, self)
        self._session = boto3.Session(
            region_name=REGION, aws_access_key_id="local-CloudFormation", aws_secret_access_key=STACK_NAME
        )
        self._aws_url = aws_url
        self._made: dict[str, Made] = {}

    def make_all(self) -> list[str]:
        """Make everything that this stack can make; return the logical ids that exist only on AWS."""
        for name in self.present():
            if self.template.resources[name]["Type"] in _MAKERS:
                self._make(name)
        return [
            name for name in self.present() if self.template.resources[name]["Type"].startswith(_ONLY_ON_AWS)
        ]

    def present(self, *types: str) -> list[str]:
        """Return the logical ids of the resources (of these types) whose condition holds."""
        found = self.template.of_type(*types) if types else self.template.resources
        return [
            name
            for name, resource in found.items()
            if "Condition" not in resource or self.resolve.holds(resource["Condition"], name)
        ]

    def properties(self, name: str, *only: str) -> Properties:
        """Return a resource's resolved properties, or only the named ones of them."""
        given = self.template.resources[name].get("Properties", {})
        wanted = {key: value for key, value in given.items() if not only or key in only}
        return {key: self.resolve(value, f"{name}.{key}") for key, value in wanted.items()}

    def ref(self, name: str) -> str:
        """Return the physical id of a resource."""
        return self._make(name).ref

    def attribute(self, name: str, attribute: str) -> Any:
        """Return an attribute of a resource; KeyError when this stack does not know it."""
        return self._make(name).attributes[attribute]

    def client(self, service: str) -> Any:
        """Return a boto3 client of the moto server."""
        return self._session.client(service, endpoint_url=self._aws_url)  # type: ignore[call-overload]  # by name

    def _make(self, name: str) -> Made:
        if name not in self._made:
            resource = self.template.resources[name]
            if "Condition" in resource and not self.resolve.holds(resource["Condition"], name):
                raise Unresolvable(f"{name} does not exist: its condition {resource['Condition']} is false")
            try:
                self._made[name] = _maker_of(resource["Type"])(self, name)
            except (ClientError, ParamValidationError) as error:
                raise LocalStackError(f"{name} ({resource['Type']}): {error}") from error
        return self._made[name]


def _table(resources: Resources, name: str) -> Made:
    given = resources.properties(name)
    dynamodb = resources.client("dynamodb")
    table = given.get("TableName", f"{STACK_NAME}-{name}")
    request = {key: given[key] for key in _TABLE_PROPERTIES if key in given}
    if "StreamSpecification" in given:
        request["StreamSpecification"] = {"StreamEnabled": True, **given["StreamSpecification"]}
    if "ProvisionedThroughput" not in given:
        request["BillingMode"] = "PAY_PER_REQUEST"
    made = dynamodb.create_table(TableName=table, **_numbered(request))["TableDescription"]
    if "TimeToLiveSpecification" in given:
        dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, **given["TimeToLiveSpecification"]}
        )
    stream = {"StreamArn": made["LatestStreamArn"]} if "LatestStreamArn" in made else {}
    return Made(table, {"Arn": made["TableArn"], **stream})


def _queue(resources: Resources, name: str) -> Made:
    given = resources.properties(name)
    fifo = ".fifo" if given.get("FifoQueue") in (True, "true") else ""
    queue = given.pop("QueueName", f"{STACK_NAME}-{name}{fifo}")
    given.pop("Tags", None)
    attributes = {key: _attribute_text(value) for key, value in given.items()}
    sqs = resources.client("sqs")
    url = sqs.create_queue(QueueName=queue, Attributes=attributes)["QueueUrl"]
    return Made(url, {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}", "QueueName": queue, "QueueUrl": url})


def _bucket(resources: Resources, name: str) -> Made:
    bucket = resources.properties(name, "BucketName").get("BucketName", f"{STACK_NAME}-{name}".lower())
    resources.client("s3").create_bucket(Bucket=bucket)
    host = f"{bucket}.s3.amazonaws.com"
    return Made(bucket, {"Arn": f"arn:aws:s3:::{bucket}", "DomainName": host, "RegionalDomainName": host})


def _key(resources: Resources, name: str) -> Made:
    given = resources.properties(name, "Description", "KeySpec", "KeyUsage")
    key = resources.client("kms").create_key(**given)["KeyMetadata"]
    return Made(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})


def _key_alias(resources: Resources, name: str) -> Made:
    given = resources.properties(name)
    resources.client("kms").create_alias(AliasName=given["AliasName"], TargetKeyId=given["TargetKeyId"])
    return Made(given["AliasName"])


def _parameter(resources: Resources, name: str) -> Made:
    given = resources.properties(name, "Name", "Type", "Value")
    given.setdefault("Name", f"{STACK_NAME}-{name}")
    resources.client("ssm").put_parameter(**given)
    return Made(given["Name"], {"Type": given["Type"], "Value": given["Value"]})


def _secret(resources: Resources, name: str) -> Made:
    given = resources.properties(name)
    secrets = resources.client("secretsmanager")
    text = given.get("SecretString")
    if (generate := given.get("GenerateSecretString")) is not None:
        template, key = generate.pop("SecretStringTemplate", None), generate.pop("GenerateStringKey", None)
        text = secrets.get_random_password(**generate)["RandomPassword"]
        text = json.dumps({**json.loads(template), key: text}) if template else text
    made = secrets.create_secret(Name=given.get("Name", f"{STACK_NAME}-{name}"), SecretString=text or "{}")
    return Made(made["ARN"], {"Id": made["ARN"]})


def _topic(resources: Resources, name: str) -> Made:
    topic = resources.properties(name, "TopicName").get("TopicName", f"{STACK_NAME}-{name}")
    arn = resources.client("sns").create_topic(Name=topic)["TopicArn"]
    return Made(arn, {"TopicArn": arn, "TopicName": topic})


def _function(_: Resources, name: str) -> Made:
    return Made(name, {"Arn": function_arn(name)})


def _version(resources: Resources, name: str) -> Made:
    arn = f"{function_arn(resources.properties(name, 'FunctionName')['FunctionName'])}:1"
    return Made(arn, {"Version": "1", "FunctionArn": arn})


def _function_alias(resources: Resources, name: str) -> Made:
    given = resources.properties(name, "FunctionName", "Name")
    return Made(f"{function_arn(given['FunctionName'])}:{given['Name']}")


def _stage(resources: Resources, name: str) -> Made:
    return Made(resources.properties(name, "StageName")["StageName"])


def _rest_api(_: Resources, name: str) -> Made:
    return Made(name.lower(), {"RootResourceId": "root", "RestApiId": name.lower()})


def _named(kind: str) -> Callable[[Resources, str], Made]:
    def make(_: Resources, name: str) -> Made:
        return Made(name, {"Arn": f"arn:aws:{kind}:{REGION}:{ACCOUNT}:{name}"})

    return make


def _unknown(_: Resources, name: str) -> Made:
    return Made(name)


def function_arn(function: str) -> str:
    """Return the ARN of a function; functions are called by their logical ids here."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"


def function_named_by(arn: str) -> str:
    """Return the logical id in a function's ARN (or name), whatever version or alias follows it."""
    return arn.split(":function:", 1)[-1].split(":", 1)[0]


def _maker_of(kind: str) -> Callable[[Resources, str], Made]:
    return _MAKERS.get(kind) or _NOMINAL.get(kind) or _unknown


def _attribute_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _numbered(value: Any) -> Any:
    """Parameters of CloudFormation are text; boto3 wants throughput as numbers."""
    if isinstance(value, dict):
        return {
            key: int(item) if key.endswith("CapacityUnits") else _numbered(item)
            for key, item in value.items()
        }
    return [_numbered(item) for item in value] if isinstance(value, list) else value


_TABLE_PROPERTIES = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)
_MAKERS: dict[str, Callable[[Resources, str], Made]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::SQS::Queue": _queue,
    "AWS::S3::Bucket": _bucket,
    "AWS::KMS::Key": _key,
    "AWS::KMS::Alias": _key_alias,
    "AWS::SSM::Parameter": _parameter,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::SNS::Topic": _topic,
}
_NOMINAL: dict[str, Callable[[Resources, str], Made]] = {
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Version": _version,
    "AWS::Lambda::Alias": _function_alias,
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::ApiGateway::Stage": _stage,
    "AWS::IAM::Role": _named("iam"),
    "AWS::Logs::LogGroup": _named("logs"),
    "AWS::Events::Rule": _named("events"),
    "AWS::Scheduler::Schedule": _named("scheduler"),
    "AWS::CloudWatch::Alarm": _named("cloudwatch"),
}
_ONLY_ON_AWS = (
    "AWS::ApiGatewayV2::Api",
    "AWS::Lambda::Url",
    "AWS::CloudFormation::Stack",
    "AWS::StepFunctions::StateMachine",
    "AWS::CloudFront::",
    "AWS::Events::EventBus",
    "AWS::Pipes::",
)
