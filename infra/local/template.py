"""An expanded template, and the local folders that its code says it is in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUCKET = "local"
"""The bucket that the transform is told all code is in; the key is the folder."""

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Template:
    """An expanded template: plain CloudFormation, still with its intrinsic functions."""

    resources: Mapping[str, Resource]
    parameters: Mapping[str, Any]
    conditions: Mapping[str, Any]
    mappings: Mapping[str, Any]

    def of_type(self, *types: str) -> dict[str, Resource]:
        """Return the resources of these types by their logical ids."""
        return {name: resource for name, resource in self.resources.items() if resource["Type"] in types}


def folder_of(code: Mapping[str, Any]) -> Path | None:
    """Return the local folder behind an expanded `Code` or `Content`, or None when it is no folder."""
    if code.get("S3Bucket") != BUCKET:
        return None
    return Path("/", code["S3Key"])
