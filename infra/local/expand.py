"""A SAM template, expanded as CloudFormation would expand it, with its folders still known.

The transform insists on code in S3, so the copy handed to it says `s3://local/<absolute folder>`; the bucket
and key come out again on the other side, in functions and layers alike, whatever names SAM gave them.
"""

import logging
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import boto3
from samtranslator.model.exceptions import (
    InvalidDocumentException,
)
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from infra.local.errors import LocalStackError
from infra.local.options import REGION
from infra.local.template import BUCKET, Template

_FOLDERS = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::GraphQLApi": "SchemaUri",
}
logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns about toggles of its own


def expand(path: Path, overrides: Mapping[str, str]) -> Template:
    """Read and expand a template.

    Raises:
        LocalStackError: It is not there, it is no SAM template, or a parameter has no value.
    """
    if not path.is_file():
        raise LocalStackError(f"there is no template at {path}")
    document = yaml_parse(path.read_text())
    parameters = _parameters(document.get("Parameters", {}), overrides)
    _point_at_folders(document, path.resolve().parent)
    translator = Translator(None, Parser(), boto_session=boto3.Session(region_name=REGION))
    try:
        expanded = translator.translate(
            deepcopy(document), parameter_values=dict(parameters), get_managed_policy_map=_policies
        )
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes)
        raise LocalStackError(f"{path}: {causes or error.message}") from error
    return Template(
        resources=expanded["Resources"],
        parameters=parameters,
        conditions=expanded.get("Conditions", {}),
        mappings=expanded.get("Mappings", {}),
    )


def _parameters(declared: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
    if unknown := sorted(set(overrides) - set(declared)):
        raise LocalStackError(f"the template has no parameter {', '.join(unknown)}")
    values = {name: overrides.get(name, spec.get("Default")) for name, spec in declared.items()}
    if missing := sorted(name for name, value in values.items() if value is None):
        raise LocalStackError(f"the template's parameters need a value: {', '.join(missing)}")
    return {name: _typed(declared[name]["Type"], value) for name, value in values.items()}


def _typed(kind: str, value: Any) -> Any:
    """CloudFormation's parameters are text, except for lists."""
    text = str(value)
    return (
        [part.strip() for part in text.split(",")]
        if kind.startswith(("CommaDelimitedList", "List<"))
        else text
    )


def _point_at_folders(document: dict[str, Any], root: Path) -> None:
    shared = document.get("Globals", {}).get("Function", {})
    sections = [
        (resource.setdefault("Properties", {}), _FOLDERS[resource["Type"]])
        for resource in document["Resources"].values()
        if resource["Type"] in _FOLDERS
    ]
    sections.append((shared, "CodeUri"))
    for properties, folder in sections:
        where = properties.get(folder)
        if isinstance(where, str) and not where.startswith("s3://"):
            properties[folder] = f"s3://{BUCKET}/{(root / where).resolve().as_posix().lstrip('/')}"


def _policies() -> dict[str, str]:
    """Return no managed policies: nobody checks permissions here, so the ARNs that SAM makes up will do."""
    return {}
