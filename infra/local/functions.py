"""What the template says about each function, and the environment it runs in."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from infra.local.errors import LocalStackError, NotSupported
from infra.local.options import REGION, Options
from infra.local.resources import Resources, function_arn
from infra.local.template import folder_of

FUNCTION = "AWS::Lambda::Function"
_LAYER = "AWS::Lambda::LayerVersion"
PORTABLE = Path(__file__).with_name("portable")
_RUNTIME = () if find_spec("runtime_client") else (PORTABLE,)
"""awslambdaric builds its native half on Linux only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of the template."""

    name: str
    """Its logical id, here also its physical one."""
    handler: str
    folder: Path
    layers: tuple[Path, ...]
    memory: int
    timeout: float
    variables: Mapping[str, str]
    reserved: int | None
    """ReservedConcurrentExecutions."""

    @property
    def arn(self) -> str:
        """Its ARN, without version or alias."""
        return function_arn(self.name)

    @property
    def is_web_server(self) -> bool:
        """Whether it runs under the Lambda Web Adapter: it listens for HTTP instead of asking for events."""
        return self.variables.get("AWS_LAMBDA_EXEC_WRAPPER") == "/opt/bootstrap"

    def environment(self, options: Options, aws_url: str) -> dict[str, str]:
        """Return everything that a process of this function sees; nothing else of the caller's gets in."""
        caller = options.caller
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), caller.get("PATH", os.defpath)]),
            "HOME": caller.get("HOME", "/tmp"),  # noqa: S108 - Lambda's own writable folder
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join(str(folder) for folder in (self.folder, *self.layers, *_RUNTIME)),
            "LAMBDA_TASK_ROOT": str(self.folder),
            "_HANDLER": self.handler,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": f"{self.timeout:g}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": f"local-{self.name}",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL": aws_url,
            "LOCAL_API_KEYS": "true",
            **options.function_environment(self.variables),
        }


def functions_of(resources: Resources) -> dict[str, Function]:
    """Read every function of the template.

    Raises:
        LocalStackError: A function's code is not a folder on this machine.
    """
    return {name: _function(resources, name) for name in resources.present(FUNCTION)}


def _function(resources: Resources, name: str) -> Function:
    given = resources.properties(
        name,
        "Code",
        "Handler",
        "Layers",
        "MemorySize",
        "Timeout",
        "Environment",
        "ReservedConcurrentExecutions",
    )
    folder = folder_of(given["Code"])
    if folder is None:
        raise NotSupported(f"{name}: only code in a local folder (CodeUri) runs on this machine")
    if not folder.is_dir():
        raise LocalStackError(f"{name}: its CodeUri {folder} is no folder")
    reserved = given.get("ReservedConcurrentExecutions")
    return Function(
        name=name,
        handler=given["Handler"],
        folder=folder,
        layers=_layers(resources, given.get("Layers", [])),
        memory=int(given.get("MemorySize", 128)),
        timeout=float(given.get("Timeout", 3)),
        variables={
            key: _text(value) for key, value in given.get("Environment", {}).get("Variables", {}).items()
        },
        reserved=None if reserved is None else int(reserved),
    )


def _layers(resources: Resources, given: list[str]) -> tuple[Path, ...]:
    """Return the folders of the template's own layers; a layer that is only an ARN is not on this machine.

    Lambda shows a layer's `python` folder; BuildMethod makes that folder out of a ContentUri without one.
    """
    own = resources.template.of_type(_LAYER)
    roots = [folder_of(resources.properties(layer, "Content")["Content"]) for layer in given if layer in own]
    return tuple(
        root / "python" if (root / "python").is_dir() else root for root in roots if root is not None
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
