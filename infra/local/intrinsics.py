"""CloudFormation's intrinsic functions, resolved to plain values.

What a resource's `Ref` and `Fn::GetAtt` give is asked of `references`, so that this module knows functions
and that one knows resources.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from infra.local.errors import Unresolvable
from infra.local.options import ACCOUNT, REGION, STACK_NAME
from infra.local.template import Template

PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": STACK_NAME,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK_NAME}/0",
    "AWS::NotificationARNs": [],
}
_NO_VALUE = object()
_VARIABLE = re.compile(r"\$\{(!?)([^}]+)\}")


class References(Protocol):
    """Knows the resources that a template names."""

    def ref(self, name: str) -> str:
        """Return the physical id."""
        ...

    def attribute(self, name: str, attribute: str) -> Any:
        """Return an attribute, or raise KeyError when this stack does not know it."""
        ...


@dataclass(frozen=True, slots=True)
class Resolver:
    """Turns a template's values into plain ones.

    Raises from every method:
        Unresolvable: Naming `where`, which callers set to "<logical id>.<property>".
    """

    template: Template
    references: References

    def __call__(self, value: Any, where: str) -> Any:
        """Return the value without any intrinsic function; what is `AWS::NoValue` disappears."""
        resolved = self._resolve(value, where)
        return None if resolved is _NO_VALUE else resolved

    def holds(self, condition: str, where: str) -> bool:
        """Tell whether a condition of the template is true."""
        if condition not in self.template.conditions:
            raise Unresolvable(f"{where}: there is no condition {condition}")
        return self._truth(self.template.conditions[condition], where)

    def _resolve(self, value: Any, where: str) -> Any:
        if isinstance(value, list):
            return [item for item in (self._resolve(item, where) for item in value) if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (name := next(iter(value))) in _FUNCTIONS:
            return _FUNCTIONS[name](self, value[name], where)
        if len(value) == 1 and (
            name.startswith("Fn::") or (name == "Condition" and isinstance(value[name], str))
        ):
            raise Unresolvable(f"{where}: {name} has no value on this machine")
        pairs = ((key, self._resolve(item, f"{where}.{key}")) for key, item in value.items())
        return {key: item for key, item in pairs if item is not _NO_VALUE}

    def _truth(self, value: Any, where: str) -> bool:
        if isinstance(value, dict) and len(value) == 1:
            name, given = next(iter(value.items()))
            if name == "Condition":
                return self.holds(given, where)
            if name in _TRUTHS:
                return _TRUTHS[name](self, given, where)
        raise Unresolvable(f"{where}: {value!r} is no condition")

    def _ref(self, name: str, where: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        for known in (PSEUDO, self.template.parameters):
            if name in known:
                return known[name]
        if name not in self.template.resources:
            raise Unresolvable(f"{where}: there is no resource or parameter {name}")
        return self.references.ref(name)

    def _attribute(self, given: str | list[Any], where: str) -> Any:
        name, attribute = given.split(".", 1) if isinstance(given, str) else given
        if name not in self.template.resources:
            raise Unresolvable(f"{where}: there is no resource {name}")
        attribute = self._resolve(attribute, where)
        try:
            return self.references.attribute(name, attribute)
        except KeyError:
            kind = self.template.resources[name]["Type"]
            raise Unresolvable(
                f"{where}: {attribute} of {name} ({kind}) is not known on this machine"
            ) from None

    def _substitute(self, given: str | list[Any], where: str) -> str:
        text, given_values = (given, {}) if isinstance(given, str) else given
        values = {name: self._resolve(value, where) for name, value in given_values.items()}

        def value_of(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            if literal:
                return f"${{{name}}}"
            if name in values:
                return str(values[name])
            return str(self._attribute(name, where) if "." in name else self._ref(name, where))

        return _VARIABLE.sub(value_of, text)

    def _if(self, given: list[Any], where: str) -> Any:
        condition, then, otherwise = given
        return self._resolve(then if self.holds(condition, where) else otherwise, where)

    def _join(self, given: list[Any], where: str) -> str:
        return str(given[0]).join(str(part) for part in self._resolve(given[1], where))

    def _select(self, given: list[Any], where: str) -> Any:
        index, options = int(self._resolve(given[0], where)), self._resolve(given[1], where)
        if index >= len(options):
            raise Unresolvable(f"{where}: Fn::Select {index} of only {len(options)} values")
        return options[index]

    def _split(self, given: list[Any], where: str) -> list[str]:
        return str(self._resolve(given[1], where)).split(given[0])

    def _find_in_map(self, given: list[Any], where: str) -> Any:
        found: Any = self.template.mappings
        for key in self._resolve(given[:3], where):
            if key not in found:
                raise Unresolvable(f"{where}: the mappings have no {key}")
            found = found[key]
        return self._resolve(found, where)

    def _base64(self, given: Any, where: str) -> str:
        return base64.b64encode(str(self._resolve(given, where)).encode()).decode()

    def _equals(self, given: list[Any], where: str) -> bool:
        left, right = (str(self._resolve(side, where)) for side in given)
        return left == right


_FUNCTIONS: Mapping[str, Callable[[Resolver, Any, str], Any]] = {
    "Ref": Resolver._ref,
    "Fn::GetAtt": Resolver._attribute,
    "Fn::Sub": Resolver._substitute,
    "Fn::If": Resolver._if,
    "Fn::Join": Resolver._join,
    "Fn::Select": Resolver._select,
    "Fn::Split": Resolver._split,
    "Fn::FindInMap": Resolver._find_in_map,
    "Fn::Base64": Resolver._base64,
}
_TRUTHS: Mapping[str, Callable[[Resolver, Any, str], bool]] = {
    "Fn::Equals": Resolver._equals,
    "Fn::Not": lambda resolver, given, where: not resolver._truth(given[0], where),
    "Fn::And": lambda resolver, given, where: all(resolver._truth(one, where) for one in given),
    "Fn::Or": lambda resolver, given, where: any(resolver._truth(one, where) for one in given),
}
